"""The options of faster-whisper, and what is refused before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from clearspot.engines.whisper import WhisperEngine
from clearspot.errors import BadInput, MachineFault


def never() -> dict[str, bytes]:
    pytest.fail("weights were read")


def test_what_changes_the_words_is_in_the_version() -> None:
    plain, eight, four = (WhisperEngine(never, 1, each).version for each in ({}, {"batch_size": 8}, {"batch_size": 4}))
    assert len({plain, eight, four}) == 3
    assert eight == f"{plain}, batches of 8 over 60 s"
    assert WhisperEngine(never, 1, {"batch_size": 0}).version == plain


@pytest.mark.parametrize("size", [-1, 65, 1.0, "8", True, None])
def test_a_batch_is_a_whole_number(size: Any) -> None:
    with pytest.raises(BadInput, match=r"engines\.faster-whisper\.batch_size: should be a whole number from 0"):
        WhisperEngine(never, 1, {"batch_size": size})


def test_other_options_are_refused() -> None:
    with pytest.raises(BadInput, match="faster-whisper has no option beam; it has: batch_size"):
        WhisperEngine(never, 1, {"beam": 3})


def test_a_model_of_another_engine_is_told() -> None:
    with pytest.raises(MachineFault, match=r"has no model\.bin, config\.json, tokenizer\.json; it has: base\.pt"):
        WhisperEngine(lambda: {"base.pt": b""}, 1, {}).warm_up()
