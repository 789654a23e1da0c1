"""Piper's voices are VITS models with noise inside: here it becomes the same noise each time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from clearspot.consent.grant import Grant
from clearspot.engines.kept import VOICES_KEPT, Kept
from clearspot.engines.registry import require_options, require_rate, require_words
from clearspot.errors import BadInput

T = TypeVar("T")

NOISE_LENGTH = 1 << 20
"""Numbers in the table of noise (4 MB): a minute of one sentence before it begins again."""

NOISY = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
"""ONNX operators that draw numbers; Piper's export has two, both of the second kind."""

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class PiperFile:
    """What a Piper voice's JSON file says, as far as we need it.

    ``locale`` is what it speaks, ``espeak_voice`` what gives the phonemes, ``symbols`` the number of each phoneme,
    ``rate_hz`` the rate of its sound, ``whole`` all of the file.
    """

    locale: str
    espeak_voice: str
    symbols: Mapping[str, int]
    rate_hz: int
    noise_scale: float
    noise_w: float
    length_scale: float
    whole: Mapping[str, Any]


def read_piper_file(config: bytes) -> PiperFile:
    """Read a Piper voice's JSON file.

    Raises:
        BadInput: It is not what Piper writes, or is of a voice with several speakers or without espeak's phonemes.
    """
    try:
        whole = json.loads(config)
        inference = whole.get("inference", {})
        read = PiperFile(
            locale=whole["language"]["code"].replace("_", "-"),
            espeak_voice=whole["espeak"]["voice"],
            symbols={symbol: int(numbers[0]) for symbol, numbers in whole["phoneme_id_map"].items()},
            rate_hz=int(whole["audio"]["sample_rate"]),
            noise_scale=float(inference.get("noise_scale", 0.667)),
            noise_w=float(inference.get("noise_w", 0.8)),
            length_scale=float(inference.get("length_scale", 1.0)),
            whole=whole,
        )
        kind, speakers = whole.get("phoneme_type", "espeak"), int(whole["num_speakers"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadInput(
            f"a Piper voice's JSON file cannot be read: {type(error).__name__}: {error}.", where="weights.config"
        ) from error
    if kind != "espeak" or speakers > 1:
        raise BadInput(
            f"only Piper voices of one speaker with espeak's phonemes are spoken (this one: {speakers}, {kind}).",
            where="weights.config",
        )
    return read


class PiperVoices(Generic[T]):
    """The last voices of one engine in this process, each by its files' digests and the seed of its noise."""

    def __init__(self, engine: str, title: str, make: Callable[[bytes, bytes, int], T]) -> None:
        """Nothing is loaded yet.

        Args:
            engine: The engine's name in settings.
            title: Its name for people.
            make: Loads a voice from the bytes of its model and its JSON file, with a seed.
        """
        self._engine, self._title, self._make = engine, title, make
        self._voices: Kept[T] = Kept(VOICES_KEPT)

    @contextlib.contextmanager
    def lent(self, grant: Grant) -> Iterator[T]:
        """The voice that a grant allows, for as long as it speaks.

        Raises:
            BadInput: It is made of something else than a Piper voice, or has other settings.
            Refused: Its files are not those that the grant names.
            MachineFault: It cannot be loaded.
        """
        require_roles(grant, self._title)
        seed = seed_of(grant, self._engine)
        key = (grant.weights["model"].sha256, grant.weights["config"].sha256, seed)

        def make() -> T:
            return self._make(grant.weights["model"].read(), grant.weights["config"].read(), seed)

        with self._voices.lent(key, make) as voice:
            yield voice


def seed_of(grant: Grant, engine: str) -> int:
    """The seed of the noise, as ``voice.yaml`` says; 0 where it says none.

    Raises:
        BadInput: It is no whole number from 0 to 2**32 - 1, or there are other settings.
    """
    where = f"voice {grant.voice!r}: settings"
    require_options(grant.settings, ("seed",), engine, where=where)
    seed = grant.settings.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise BadInput(f"should be a whole number from 0 to {MAX_SEED}.", where=f"{where}.seed")
    return seed


def require_roles(grant: Grant, engine: str) -> None:
    """That a grant gives what a Piper voice is made of.

    Raises:
        BadInput: It gives something else.
    """
    if grant.weights.keys() != {"model", "config"}:
        raise BadInput(
            f"{engine} asks for the roles model and config, each one file; there is: {', '.join(grant.weights)}.",
            where=f"voice {grant.voice!r}: weights",
        )


def require_speakable(grant: Grant, file: PiperFile, text: str, rate: float, engine: str) -> None:
    """That a voice speaks a locale at a rate, and that there is something to say.

    Raises:
        BadInput: It does not, or there is not.
    """
    if grant.locale != file.locale:
        raise BadInput(
            f"{engine} does not speak {grant.locale} with this voice; it speaks {file.locale}.",
            where=f"voice {grant.voice!r}",
        )
    require_rate(rate)
    require_words(text, engine)


def with_fixed_noise(model: bytes, seed: int, metadata: Mapping[str, str] | None = None) -> bytes:
    """A VITS model whose noise comes from a table instead of a generator: the same text is the same sound.

    ONNX Runtime's seeds do not do that: they seed a session, and the second call draws on. So each operator that draws
    is replaced by a look into one table of normal noise, which is made from the seed and goes with the model.

    Args:
        model: An ONNX file's bytes.
        seed: From 0 to 2**32 - 1.
        metadata: To be written into the model, as sherpa-onnx wants it.

    Raises:
        BadInput: It is no ONNX model, or draws numbers that are not normal noise of another's shape, or draws them in
            a loop, a branch or a function.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph_model = onnx.load_from_string(model)
    except Exception as error:
        raise BadInput(f"is no ONNX model: {error}.", where="weights.model") from error
    graph = graph_model.graph
    # The stream of RandomState is frozen by NumPy's policy, those of newer generators are not.
    noise = np.random.RandomState(seed).standard_normal(NOISE_LENGTH).astype(np.float32)
    constants = {"table": noise, "zero": np.int64(0), "one": np.int64(1), "size": np.int64(NOISE_LENGTH)}
    nodes: list[Any] = []
    drawn = 0
    for node in graph.node:
        if node.op_type not in NOISY:
            nodes.append(node)
            continue
        _require_normal(node)
        constants[f"from_{drawn}"] = np.int64(drawn * NOISE_LENGTH // 3)  # two looks are not at the same place
        nodes += _looking_up(node, drawn)
        drawn += 1
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"clearspot_{name}") for name, value in constants.items()
    )
    del graph.node[:]
    graph.node.extend(nodes)
    for node in _nodes_of(graph_model):
        if node.op_type in NOISY:
            raise _drawing(node)
    for name, value in (metadata or {}).items():
        graph_model.metadata_props.add(key=name, value=value)
    return bytes(graph_model.SerializeToString())


def _require_normal(node: Any) -> None:
    given = {attribute.name: attribute.f for attribute in node.attribute}
    if node.op_type != "RandomNormalLike" or given.get("mean", 0.0) != 0.0 or given.get("scale", 1.0) != 1.0:
        raise _drawing(node)


def _drawing(node: Any) -> BadInput:
    return BadInput(
        f"the model draws numbers by {node.op_type} ({node.name}), which cannot be made the same each time.",
        where="weights.model",
    )


def _nodes_of(model: Any) -> Iterator[Any]:
    """Every operator of a model: in its graph, in branches and loops however deep, in its functions."""
    left = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while left:
        node = left.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                left += graph.node


def _looking_up(node: Any, drawn: int) -> list[Any]:
    """The operators that give as many numbers of the table as a noisy one would, in its shape."""
    from onnx import helper

    (like,), (gives,), name = node.input, node.output, f"clearspot_noise_{drawn}"
    steps = [
        ("Shape", [like], "shape"),
        ("Size", [like], "count"),
        ("Range", ["clearspot_zero", f"{name}_count", "clearspot_one"], "places"),
        ("Add", [f"{name}_places", f"clearspot_from_{drawn}"], "shifted"),
        ("Mod", [f"{name}_shifted", "clearspot_size"], "within"),
        ("Gather", ["clearspot_table", f"{name}_within"], "flat"),
    ]
    made = [helper.make_node(kind, inputs, [f"{name}_{step}"]) for kind, inputs, step in steps]
    return [*made, helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [gives])]
