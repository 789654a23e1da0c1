"""Noise in a model becomes the same noise each time; a Piper voice's file is read strictly. With tiny models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from clearspot.engines.sessions import open_session
from clearspot.engines.vits import NOISE_LENGTH, read_piper_file, with_fixed_noise
from clearspot.errors import BadInput

CONFIG: dict[str, Any] = {
    "audio": {"sample_rate": 22_050},
    "espeak": {"voice": "en-us"},
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_id_map": {"_": [0], "a": [14]},
    "num_speakers": 1,
    "language": {"code": "en_US"},
}


def noisy(kind: str = "RandomNormalLike", **attributes: Any) -> bytes:
    """A model that answers with two draws of noise in the shape of what it is given."""
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a", "b"])]
    gives = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["a", "b"]) for name in ("y", "z")]
    nodes = [helper.make_node(kind, ["x"], [name], name=name, **attributes) for name in ("y", "z")]
    model = helper.make_model(
        helper.make_graph(nodes, "noisy", given, gives), opset_imports=[helper.make_opsetid("", 15)], ir_version=8
    )
    return bytes(model.SerializeToString())


def draw(session: Any, *shape: int) -> list[Any]:
    return list(session.run(None, {"x": np.zeros(shape, dtype=np.float32)}))


def test_onnx_runtime_draws_another_noise_each_time() -> None:
    """Why all this is needed: a seed counts for a session's first call, and the second draws on."""
    onnxruntime.set_seed(7)
    session = onnxruntime.InferenceSession(noisy(), providers=["CPUExecutionProvider"])
    assert not np.array_equal(draw(session, 3, 50)[0], draw(session, 3, 50)[0])


def test_the_same_noise_each_time_and_in_each_session() -> None:
    one, other = (open_session(with_fixed_noise(noisy(), 7)) for _ in range(2))
    first = draw(one, 3, 50)
    for again in (draw(one, 3, 50), draw(other, 3, 50)):
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_it_is_noise() -> None:
    y, z = draw(open_session(with_fixed_noise(noisy(), 0)), 192, 800)
    assert y.shape == z.shape == (192, 800)
    for drawn in (y, z):
        assert abs(float(drawn.mean())) < 0.02
        assert float(drawn.std()) == pytest.approx(1, abs=0.02)
    assert abs(float(np.corrcoef(y.ravel(), z.ravel())[0, 1])) < 0.02, "two draws are not the same noise"


def test_seeds_differ() -> None:
    one, other = (draw(open_session(with_fixed_noise(noisy(), seed)), 3, 50)[0] for seed in (0, 1))
    assert abs(float(np.corrcoef(one.ravel(), other.ravel())[0, 1])) < 0.3


def test_more_noise_than_the_table_holds_begins_again() -> None:
    y = draw(open_session(with_fixed_noise(noisy(), 0)), 1, NOISE_LENGTH + 10)[0][0]
    assert np.array_equal(y[:10], y[NOISE_LENGTH:])


def noisy_within(where: str, kind: str) -> bytes:
    """A model that draws numbers where nobody sees it at its top: in a branch, a loop, both, or a function."""
    shape = [helper.make_attribute("shape", [2])] if kind in {"RandomNormal", "RandomUniform"} else []
    draws = helper.make_node(kind, [] if shape else ["x"], ["drawn"], name="hidden")
    draws.attribute.extend(shape)
    out = helper.make_tensor_value_info("drawn", TensorProto.FLOAT, None)
    branch = helper.make_graph([draws], "branch", [], [out])
    functions = []
    if where == "function":
        functions = [helper.make_function("ours", "Draw", ["x"], ["drawn"], [draws], [helper.make_opsetid("", 15)])]
        nodes = [helper.make_node("Draw", ["x"], ["y"], domain="ours")]
    else:
        nodes = [helper.make_node("If", ["sure"], ["y"], then_branch=branch, else_branch=branch)]
    if where == "branch of a loop":
        passed = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["y"], ["z"])]
        given = [helper.make_tensor_value_info(name, kind, []) for name, kind in (("n", 7), ("go", 9))]
        gives = [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("z", 1, None)]
        body = helper.make_graph([*nodes, *passed], "body", given, gives)
        nodes = [helper.make_node("Loop", ["times", "sure"], ["ys"], body=body)]
    graph = helper.make_graph(
        nodes,
        "noisy",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a"]),
            helper.make_tensor_value_info("sure", TensorProto.BOOL, []),
            helper.make_tensor_value_info("times", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("ys" if where == "branch of a loop" else "y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ours", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])  # it is a real one
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("where", ["branch", "branch of a loop", "function"])
@pytest.mark.parametrize("kind", ["RandomNormalLike", "RandomUniformLike", "RandomNormal"])
def test_noise_that_is_hidden_is_refused(where: str, kind: str) -> None:
    with pytest.raises(BadInput, match=rf"draws numbers by {kind} \(hidden\)"):
        with_fixed_noise(noisy_within(where, kind), 0)


def test_what_is_no_model_is_told() -> None:
    with pytest.raises(BadInput, match=r"weights\.model: is no ONNX model"):
        with_fixed_noise(b"nothing", 0)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("RandomUniformLike", {}), ("RandomNormalLike", {"mean": 1.0}), ("RandomNormalLike", {"scale": 2.0})],
)
def test_other_draws_are_refused(kind: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=f"draws numbers by {kind}"):
        with_fixed_noise(noisy(kind, **attributes), 0)


def test_metadata_goes_with_the_model() -> None:
    model = onnx.load_from_string(with_fixed_noise(noisy(), 0, {"voice": "en-us"}))
    assert {prop.key: prop.value for prop in model.metadata_props} == {"voice": "en-us"}


def test_a_piper_file_is_read() -> None:
    file = read_piper_file(json.dumps(CONFIG).encode())
    assert (file.locale, file.espeak_voice, file.rate_hz) == ("en-US", "en-us", 22_050)
    assert file.symbols == {"_": 0, "a": 14}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_speakers": 2}, "of one speaker"),
        ({"phoneme_type": "pinyin"}, "with espeak's phonemes"),
        ({"language": None}, "TypeError"),
        ({"audio": {}}, "KeyError: 'sample_rate'"),
        ({"phoneme_id_map": {"_": []}}, "IndexError"),
    ],
)
def test_other_piper_files_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_piper_file(json.dumps(CONFIG | change).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_piper_file(data)
