"""Coqui's files of tensors and tables, opened as data alone."""

from __future__ import annotations

import io
import json
from typing import Any

from clearspot.errors import BadInput, Refused

LEGACY_CONFIGS = (
    "TTS.config.shared_configs.BaseDatasetConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
)
"""Classes that XTTS-v2's published checkpoint has in it, beside its tensors. They are never looked up."""


class _Ignored:
    """What stands for a configuration inside a checkpoint; nothing of it is kept."""

    def __setstate__(self, state: object) -> None:
        """Forget what it was."""


def read_checkpoint(data: bytes, where: str) -> Any:
    """A checkpoint as tensors, numbers, strings and containers of them.

    Raises:
        Refused: There is anything else in it: a pickle is a program, and none is run here.
    """
    import torch

    # What else may be in a checkpoint is one list for a whole process, and libraries add to it.
    others = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        # Each stands for a class by its name, so that no class that is named in the file is imported or made.
        with torch.serialization.safe_globals([(_Ignored, name) for name in LEGACY_CONFIGS]):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # torch fails on made-up bytes in more ways than can be listed; all of them mean the same.
        why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Refused(
            f"is not a checkpoint of tensors alone, or a damaged one ({why[0][:160]}); it is not opened.",
            where=where,
            remedy="Save its tensors anew with torch.save, from a program that you trust.",
        ) from error
    finally:
        torch.serialization.add_safe_globals(others)


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
        table = read_checkpoint(data, where)
    if not isinstance(table, dict):
        raise BadInput("is not a table by names.", where=where)
    return table


def read_places(data: bytes, name: str, where: str) -> dict[str, int]:
    """Names to places in a table of the network.

    Raises:
        BadInput: Two have one place, or one is missing.
    """
    table = read_table(data, name, where)
    if sorted(map(str, table.values())) != sorted(map(str, range(len(table)))):
        raise BadInput("should give each name a place of its own, from 0 without gaps.", where=where)
    return {str(each): int(place) for each, place in table.items()}
