"""The packaged Whisper base as OpenAI's own checkpoint: the same network, from CTranslate2's file of it.

CTranslate2's binary format (version 6): a version, the spec's name and revision; variables, each with name, shape, type
and bytes; aliases. Linear layers that it fused (query, key and value; key and value) are taken apart again. It holds
float16, as OpenAI's own files do, so nothing is lost.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
HEAD = 64
"""The width of an attention head, in every size of Whisper."""

NORM = {"gamma": "weight", "beta": "bias"}
PLAIN = {
    "decoder/embeddings/weight": "decoder.token_embedding.weight",
    "decoder/position_encodings/encodings": "decoder.positional_embedding",
    "encoder/position_encodings/encodings": "encoder.positional_embedding",
    **{f"encoder/conv{n}/{part}": f"encoder.conv{n}.{part}" for n in (1, 2) for part in ("weight", "bias")},
    **{f"encoder/layer_norm/{theirs}": f"encoder.ln_post.{ours}" for theirs, ours in NORM.items()},
    **{f"decoder/layer_norm/{theirs}": f"decoder.ln.{ours}" for theirs, ours in NORM.items()},
}
"""Names outside the layers, CTranslate2's and OpenAI's."""

ATTENTION = {
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "self_attention/linear_1": ("attn.out",),
    "attention/linear_0": ("cross_attn.query",),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
    "attention/linear_2": ("cross_attn.out",),
    "ffn/linear_0": ("mlp.0",),
    "ffn/linear_1": ("mlp.2",),
}
"""Linear layers in a layer; of several the rows lie one after the other."""

NORMS = {"self_attention": "attn_ln", "attention": "cross_attn_ln", "ffn": "mlp_ln"}


def openai_checkpoint(data: bytes) -> bytes:
    """A CTranslate2 ``model.bin`` of Whisper as the bytes of an OpenAI checkpoint."""
    import torch

    variables = read_variables(data)
    state: dict[str, Any] = {}
    for name, value in variables.items():
        for ours, part in renamed(name, value):
            state[ours] = torch.from_numpy(np.array(part))
    made = io.BytesIO()
    torch.save({"dims": dimensions(variables), "model_state_dict": state}, made)
    return made.getvalue()


def read_variables(data: bytes) -> dict[str, np.ndarray]:
    """Every variable of a CTranslate2 file by its name."""
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(form)
        return value

    def text() -> str:
        nonlocal at
        length = take("H")
        at += length
        return data[at - length : at - 1].decode()

    assert (take("I"), text()) == (6, "WhisperSpec")
    take("I")
    found = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, length = TYPES[take("B")], take("I")
        found[name] = np.frombuffer(data[at : at + length], dtype=kind).reshape(shape)
        at += length
    for _ in range(take("I")):
        text(), text()  # the projection is the embedding, in OpenAI's network too
    assert at == len(data), "something is left"
    return found


def renamed(name: str, value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What a variable is in OpenAI's network; of numbers that only CTranslate2 needs, nothing."""
    if name in PLAIN:
        yield PLAIN[name], value
    form = re.fullmatch(r"(encoder|decoder)/layer_(\d+)/(.+)/(weight|bias|gamma|beta)", name)
    if form is None:
        assert name in PLAIN or value.ndim == 0, name
        return
    block = f"{form[1]}.blocks.{form[2]}"
    if form[3].endswith("/layer_norm"):
        yield f"{block}.{NORMS[form[3].removesuffix('/layer_norm')]}.{NORM[form[4]]}", value
        return
    parts = ATTENTION[form[3]]
    for ours, part in zip(parts, np.split(value, len(parts)), strict=True):
        if ours.endswith(".key") and form[4] == "bias":
            assert not part.any(), "OpenAI's keys have no bias"
        else:
            yield f"{block}.{ours}.{form[4]}", part


def dimensions(variables: dict[str, np.ndarray]) -> dict[str, int]:
    """OpenAI's ``dims``, as the shapes tell them."""

    def layers(side: str) -> int:
        return len({name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")} - {"layer_norm"})

    audio_ctx, audio_state = variables["encoder/position_encodings/encodings"].shape
    text_ctx, text_state = variables["decoder/position_encodings/encodings"].shape
    return {
        "n_mels": variables["encoder/conv1/weight"].shape[1],
        "n_audio_ctx": audio_ctx,
        "n_audio_state": audio_state,
        "n_audio_head": audio_state // HEAD,
        "n_audio_layer": layers("encoder"),
        "n_vocab": len(variables["decoder/embeddings/weight"]),
        "n_text_ctx": text_ctx,
        "n_text_state": text_state,
        "n_text_head": text_state // HEAD,
        "n_text_layer": layers("decoder"),
    }
