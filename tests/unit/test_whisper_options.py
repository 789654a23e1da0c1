"""The options of faster-whisper, and what is refused before anything is loaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import faster_whisper
import numpy as np
import pytest

from clearspot.engines.whisper import LONG_S, WhisperEngine
from clearspot.errors import BadInput, MachineFault
from clearspot.media.audio import LISTEN_RATE_HZ


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


@pytest.mark.parametrize(
    ("options", "language", "length_s", "batch"),
    [
        ({"batch_size": 8}, None, LONG_S + 1, 8),
        ({"batch_size": 8}, None, LONG_S, None),
        ({"batch_size": 8}, "en", LONG_S + 1, None),
        ({"batch_size": 0}, None, LONG_S + 1, None),
        ({}, None, LONG_S + 1, None),
    ],
    ids=["a long recording", "a short one", "what the gate hears", "switched off", "nothing said"],
)
def test_long_recordings_alone_are_heard_in_batches(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], language: str | None, length_s: float, batch: int | None
) -> None:
    asked: list[dict[str, Any]] = []

    class Model:
        def __init__(self, *_: Any) -> None: ...

        def transcribe(self, _: Any, **manner: Any) -> Any:
            asked.append(manner)
            return [], SimpleNamespace(language="en", language_probability=0.9)

    monkeypatch.setattr(faster_whisper, "BatchedInferencePipeline", Model)
    engine = WhisperEngine(never, 1, options)
    engine._model = Model()
    engine.recognise(np.zeros(round(length_s * LISTEN_RATE_HZ), np.float32), language=language)
    assert [each.get("batch_size") for each in asked] == [batch]
    fixed = {"temperature": 0.0, "condition_on_previous_text": False, "word_timestamps": True, "vad_filter": True}
    assert fixed.items() <= asked[0].items()
    assert asked[0]["no_speech_threshold"] == 0.3, "noise after the last word is no words"
