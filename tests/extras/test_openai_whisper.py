"""The original Whisper for real: the packaged base, as OpenAI's own checkpoint, hears what faster-whisper hears."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from clearspot.engines.conformance_words import RecognitionTrial, Said, check_recognition
from clearspot.engines.openai_whisper import OpenaiWhisperEngine
from clearspot.engines.weights import load_weights
from clearspot.engines.whisper import WhisperEngine
from clearspot.errors import BadInput, MachineFault, Refused
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode
from clearspot.project import Project, Settings
from clearspot.spot import load_spot
from clearspot.text.normalise import normalise
from clearspot.transcript import Transcript
from tests.conftest import CHECKOUT, DEMO
from tests.extras.whisper_checkpoint import openai_checkpoint

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def packaged() -> dict[str, bytes]:
    """The packaged Whisper base, as faster-whisper takes it."""
    files = load_weights(Project(CHECKOUT, Settings())).resolve("whisper-base", commercial=True)
    return {name: file.read() for name, file in files.items()}


@pytest.fixture(scope="module")
def checkpoint(packaged: dict[str, bytes]) -> bytes:
    return openai_checkpoint(packaged["model.bin"])


@pytest.fixture(scope="module")
def engine(checkpoint: bytes) -> OpenaiWhisperEngine:
    return OpenaiWhisperEngine(lambda: {"base.pt": checkpoint}, 2, {})


@pytest.fixture(scope="module")
def recording() -> Samples:
    return decode(DEMO / "recording.flac", channels=1, rate_hz=LISTEN_RATE_HZ)


@pytest.fixture(scope="module")
def heard(engine: OpenaiWhisperEngine, recording: Samples) -> Transcript:
    return engine.recognise(recording, language=None)


@pytest.fixture(scope="module")
def heard_faster(packaged: dict[str, bytes], recording: Samples) -> Transcript:
    return WhisperEngine(lambda: packaged, 1, {}).recognise(recording, language=None)


def error_rate(heard: Transcript) -> float:
    said = normalise(" ".join(load_spot(DEMO).script.lines.values()), "en-US")
    return Levenshtein.distance(said, normalise(heard.text, "en-US")) / len(said)


def test_it_hears_as_well_as_faster_whisper(heard: Transcript, heard_faster: Transcript) -> None:
    assert error_rate(heard) <= error_rate(heard_faster) + 0.02
    assert heard.language == "en"
    assert 0.9 <= heard.language_probability <= 1


def test_words_are_where_faster_whisper_hears_them(heard: Transcript, heard_faster: Transcript) -> None:
    ends = [
        (ours.start_s, theirs.start_s)
        for ours, theirs in zip(heard.words, heard_faster.words, strict=False)
        if ours.text == theirs.text
    ]
    assert len(ends) >= 20
    assert float(np.median([abs(ours - theirs) for ours, theirs in ends])) <= 0.15


def test_it_does_what_every_recogniser_does(checkpoint: bytes, recording: Samples, heard_faster: Transcript) -> None:
    """With the first two lines of the recording, since it is slow."""
    lines = load_spot(DEMO).script.lines
    end_s = next(word.end_s for word in heard_faster.words if word.text.startswith("hand"))
    short = recording[: round((end_s + 0.2) * LISTEN_RATE_HZ)]
    said = Said(short, "en-US", f"{lines['hello']} {lines['roast']}")
    trial = RecognitionTrial(lambda: OpenaiWhisperEngine(lambda: {"base.pt": checkpoint}, 2, {}), said)
    assert [check for check in check_recognition(trial) if check.verdict != "pass"] == []


@pytest.mark.parametrize("count", [0, 1, 160, 1600])
def test_next_to_nothing_is_heard_as_nothing(engine: OpenaiWhisperEngine, count: int) -> None:
    found = engine.recognise(np.full(count, 0.1, dtype=np.float32), language=None)
    assert (found.words, found.language_probability, found.duration_s) == ((), 0.0, count / LISTEN_RATE_HZ)


def test_times_count_the_silence_before(engine: OpenaiWhisperEngine, recording: Samples, heard: Transcript) -> None:
    silence = np.zeros(5 * LISTEN_RATE_HZ, dtype=np.float32)
    later = engine.recognise(np.concatenate([silence, recording]), language="en")
    assert later.words[0].start_s == pytest.approx(heard.words[0].start_s + 5, abs=0.3)
    assert later.words[-1].end_s == pytest.approx(heard.words[-1].end_s + 5, abs=0.3)


def test_a_language_that_it_does_not_know_is_told(engine: OpenaiWhisperEngine, recording: Samples) -> None:
    with pytest.raises(BadInput, match="does not know the language 'vo'"):
        engine.recognise(recording, language="vo")


def test_the_version_says_where_it_runs(engine: OpenaiWhisperEngine) -> None:
    assert engine.version.startswith("openai-whisper 20250625, torch ")
    assert engine.version.endswith(" on cpu")


def saved(value: Any) -> bytes:
    import torch

    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


class Evil:
    """What runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self.path), "w")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    data = saved({"dims": Evil(owned), "model_state_dict": {}})
    owned.unlink(missing_ok=True)
    with pytest.raises(Refused, match=r"x\.pt: is not a checkpoint of tensors alone, or a damaged one"):
        OpenaiWhisperEngine(lambda: {"x.pt": data}, 1, {}).warm_up()
    assert not owned.exists()


class Harmless:
    """What another library of the process says may be in its checkpoints."""


def test_what_others_let_into_their_checkpoints_is_not_let_into_ours() -> None:
    import torch

    data = saved({"dims": Harmless(), "model_state_dict": {}})
    with torch.serialization.safe_globals([Harmless]):
        assert isinstance(torch.load(io.BytesIO(data), weights_only=True)["dims"], Harmless)
        with pytest.raises(Refused, match="is not a checkpoint of tensors alone"):
            OpenaiWhisperEngine(lambda: {"x.pt": data}, 1, {}).warm_up()
        assert Harmless in torch.serialization.get_safe_globals(), "theirs are as they were"


@pytest.mark.parametrize("data", [b"", b"PK not a zip"])
def test_damaged_checkpoints_are_refused(data: bytes) -> None:
    with pytest.raises(Refused, match=r"x\.pt: is not a checkpoint of tensors alone, or a damaged one"):
        OpenaiWhisperEngine(lambda: {"x.pt": data}, 1, {}).warm_up()


@pytest.mark.parametrize("value", [{}, [1], {"dims": {}, "model_state_dict": {}}], ids=["empty", "a list", "no sizes"])
def test_checkpoints_of_something_else_are_told(value: Any) -> None:
    data = saved(value)
    with pytest.raises(BadInput, match=r"x\.pt: is no checkpoint of Whisper"):
        OpenaiWhisperEngine(lambda: {"x.pt": data}, 1, {}).warm_up()


def test_a_model_that_knows_english_alone_is_refused() -> None:
    from whisper.model import ModelDimensions, Whisper

    dims = {
        "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 64, "n_audio_head": 1, "n_audio_layer": 1,
        "n_vocab": 51864, "n_text_ctx": 448, "n_text_state": 64, "n_text_head": 1, "n_text_layer": 1,
    }  # fmt: skip
    state = Whisper(ModelDimensions(**dims)).state_dict()
    data = saved({"dims": dims, "model_state_dict": state})
    with pytest.raises(BadInput, match="knows English alone"):
        OpenaiWhisperEngine(lambda: {"x.pt": data}, 1, {}).warm_up()


def test_a_gpu_that_is_not_there_is_told(checkpoint: bytes) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(MachineFault, match=r"finds no device 'cuda:1'"):
        OpenaiWhisperEngine(lambda: {"base.pt": checkpoint}, 1, {"device": "cuda:1"}).warm_up()
