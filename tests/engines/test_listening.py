"""Recognition for real: languages told apart, nothing heard in nothing, any model by name, one model for everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faster_whisper
import numpy as np
import pytest

from clearspot.config import load_wordings
from clearspot.engines.kokoro import KokoroEngine
from clearspot.engines.weights import load_weights
from clearspot.engines.whisper import LONG_S, WhisperEngine
from clearspot.errors import MachineFault
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, decode, resample
from clearspot.project import Project, Settings, find_project
from clearspot.stages.transcribe import transcribe
from tests.conftest import DEMO, a_grant

pytestmark = pytest.mark.real

Engines = tuple[WhisperEngine, KokoroEngine]

LOCALES = ("en-US", "es-ES", "it-IT", "pt-BR", "de-DE", "fr-FR")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_language_of_speech_is_heard_and_how_sure_it_is(
    engines: Engines, shared_project: Path, locale: str
) -> None:
    project = Project(shared_project, Settings())
    text = load_wordings(project)[locale].short
    spoken = engines[1].speak(a_grant(project, locale), text, 1.0)
    heard = engines[0].recognise(resample(spoken.samples, spoken.rate_hz, LISTEN_RATE_HZ), language=None)
    assert heard.language == locale.partition("-")[0]
    assert 0.5 <= heard.language_probability <= 1


def noise(count: int, loud: float) -> Samples:
    return loud * np.random.RandomState(0).standard_normal(count).astype(np.float32)


NOTHING: dict[str, Samples] = {
    "no samples": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32),
    "10 ms": noise(160, 0.3),
    "100 ms of noise": noise(1600, 0.3),
    "5 s of silence": np.zeros(80_000, np.float32),
    "5 s of noise": noise(80_000, 0.1),
    "5 s of a tone": 0.3 * np.sin(np.arange(80_000, dtype=np.float32) / 6),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_of_nothing_said_no_language_is_sure(engines: Engines, kind: str) -> None:
    heard = engines[0].recognise(NOTHING[kind], language=None)
    assert heard.words == ()
    assert heard.language_probability == 0
    assert heard.duration_s == pytest.approx(len(NOTHING[kind]) / LISTEN_RATE_HZ)


def test_a_model_is_added_by_name_and_listens(
    project: Project, clearspot: Callable[..., tuple[int, str, str]], shared_project: Path
) -> None:
    """The packaged Whisper in a folder of the user's own, under a name of the user's own."""
    base = load_weights(Project(shared_project, Settings())).folder("whisper-base")
    code, _, err = clearspot("models", "add", "my-whisper", "--path", base, "--licence", "MIT", "--commercial")
    assert (code, err) == (0, "")
    (project.root / "configs" / "clearspot.yaml").write_text("recogniser: my-whisper\n")
    mine = find_project()
    studio = open_studio(mine)
    transcript = transcribe(DEMO / "recording.flac", studio.recogniser())
    studio.stop()
    assert transcript.language == "en"
    assert len(transcript.words) > 40

    models = mine.root / "configs" / "models.yaml"
    entry = models.read_text().partition("  my-whisper:")[2]
    lost = entry.partition("      tokenizer.json:")[2].partition("      vocabulary")[0]
    models.write_text(models.read_text().replace(f"      tokenizer.json:{lost}", ""))
    studio = open_studio(find_project())
    with pytest.raises(MachineFault, match=r"the model of Whisper has no tokenizer\.json"):
        studio.recogniser().warm_up()  # or faster-whisper would ask a hub for one, which nobody pinned
    studio.stop()


def test_one_model_is_loaded_for_recording_and_gate(shared_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Any] = []
    model = faster_whisper.WhisperModel
    monkeypatch.setattr(
        faster_whisper, "WhisperModel", lambda *args, **named: (loads.append(args), model(*args, **named))[1]
    )
    studio = open_studio(Project(shared_project, Settings()))
    recording, short = DEMO / "recording.flac", decode(DEMO / "recording.flac", channels=1, rate_hz=LISTEN_RATE_HZ)
    calls = [
        lambda: transcribe(recording, studio.recogniser()),
        lambda: studio.recogniser().recognise(short[: 4 * LISTEN_RATE_HZ], language="en"),
        lambda: studio.recogniser().recognise(short[: 4 * LISTEN_RATE_HZ], language=None),
    ]
    heard = studio.work_all(calls)
    studio.stop()
    assert all(each.words for each in heard)
    assert len(loads) == 1


def test_batches_hear_the_same_every_time_and_in_order(shared_project: Path) -> None:
    studio = open_studio(Project(shared_project, Settings(engines={"faster-whisper": {"batch_size": 4}})))
    once = decode(DEMO / "recording.flac", channels=1, rate_hz=LISTEN_RATE_HZ)
    long = np.concatenate([once] * 3)[: round((LONG_S + 2) * LISTEN_RATE_HZ)]
    first, again = (studio.recogniser().recognise(long, language=None) for _ in range(2))
    studio.stop()
    assert first == again
    assert (first.language, len(first.words) > 110) == ("en", True)
    starts = [word.start_s for word in first.words]
    assert starts == sorted(starts)
    assert first.words[-1].end_s <= first.duration_s + 0.5
    second_time = [word.start_s for word in first.words if word.text.startswith("Nora")]
    assert second_time[1] - second_time[0] == pytest.approx(len(once) / LISTEN_RATE_HZ, abs=0.5)
