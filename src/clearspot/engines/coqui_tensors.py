"""Coqui's files of tensors and tables, opened as data alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearspot.engines.torch_tensors import read_checkpoint
from clearspot.errors import BadInput

LEGACY_CONFIGS = (
    "TTS.config.shared_configs.BaseDatasetConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
)
"""Classes that XTTS-v2's published checkpoint has in it, beside its tensors. They are never looked up."""


def read_coqui_checkpoint(data: bytes, where: str) -> Any:
    """A checkpoint as tensors, numbers, strings and containers of them; see ``torch_tensors.read_checkpoint``.

    Raises:
        Refused: There is anything else in it.
    """
    return read_checkpoint(data, where, LEGACY_CONFIGS)


def read_table(data: bytes, name: str, where: str) -> dict[str, Any]:
    """A table of speakers or languages: JSON, or a checkpoint.

    Raises:
        BadInput: It is no table.
        Refused: It holds more than tensors, numbers and strings.
    """
    if name.endswith(".json"):
        try:
            table = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"is not JSON: {error}.", where=where) from error
    else:
        table = read_coqui_checkpoint(data, where)
    if not isinstance(table, dict):
        raise BadInput("is not a table by names.", where=where)
    return table


def read_clip(value: object, where: str) -> tuple[str, NDArray[np.float32]]:
    """One clip of a table of speakers: who speaks, and the vector of it, shape (size,).

    Raises:
        BadInput: It does not say so.
    """
    try:
        named, vector = value["name"], np.asarray(value["embedding"], dtype=np.float32)  # type: ignore[index]
    except (TypeError, KeyError, ValueError, IndexError, RuntimeError) as error:
        raise BadInput(
            f"should have a name and an embedding ({type(error).__name__}: {error}).", where=where
        ) from error
    if not isinstance(named, str) or vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise BadInput("its name should be text, and its embedding a list of numbers.", where=where)
    return named, vector


def read_xtts_speaker(parts: object, where: str) -> tuple[Any, Any]:
    """What XTTS knows of a speaker of its own: vector and latents, each by its name.

    Raises:
        BadInput: They are not both there.
    """
    import torch

    names = ("speaker_embedding", "gpt_cond_latent")
    vector, latents = (parts.get(name) if isinstance(parts, dict) else None for name in names)
    if not (torch.is_tensor(vector) and torch.is_tensor(latents)):
        raise BadInput(f"should hold the tensors {' and '.join(names)}.", where=where)
    return vector, latents


def read_places(data: bytes, name: str, where: str) -> dict[str, int]:
    """Names to places in a table of the network.

    Raises:
        BadInput: Two have one place, or one is missing.
    """
    table = read_table(data, name, where)
    if sorted(map(str, table.values())) != sorted(map(str, range(len(table)))):
        raise BadInput("should give each name a place of its own, from 0 without gaps.", where=where)
    return {str(each): int(place) for each, place in table.items()}
