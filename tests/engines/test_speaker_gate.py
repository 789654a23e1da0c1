"""The gate knows the consented voice again in the finished file, across locales and profiles, and knows another."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from clearspot.actions import VoiceTool, speaking
from clearspot.consent.registry import load_voice
from clearspot.engines import kokoro
from clearspot.engines.studio import Studio
from clearspot.ingredients import speech_of
from clearspot.job import Asked, open_desk, open_job, open_studio
from clearspot.media.audio import resample
from clearspot.packing import CLIP
from clearspot.project import Project, project_at
from clearspot.stages import speak as stage
from clearspot.text.spoken import spoken_form
from clearspot.timebase import RATE_HZ
from tests.conftest import DEMO, edit
from tests.engines.conftest import DemoRun, run_clearspot
from tests.engines.test_demo import DELIVERABLES

pytestmark = pytest.mark.real

LOCALE = "it-IT"


@pytest.mark.parametrize(("locale", "profile"), DELIVERABLES)
def test_the_consented_voice_is_known_in_every_file(demo_run: DemoRun, locale: str, profile: str) -> None:
    """Measured: disclosures .96 to .97, lines .85 to .95, the least line .78 to .92 (scripts/voice_identity.py)."""
    findings = {one["rule"]: one for one in demo_run.receipt(locale, profile)["findings"]}
    found = findings["speaker-consented"]
    disclosure, lines, least = map(float, re.findall(r"\d\.\d\d", found["measured"]))
    assert found["verdict"] == "pass"
    assert disclosure >= 0.95
    assert lines >= 0.86
    assert least >= 0.73


def test_a_store_that_somebody_filled_with_another_voice_lets_nothing_out(demo_run: DemoRun, tmp_path: Path) -> None:
    """Whoever can write into the store puts another voice under the keys of the consented one's clips."""
    root = tmp_path / "project"
    shutil.copytree(demo_run.root, root)
    spot = root / "spots" / "lumen-coffee"
    shutil.rmtree(spot, ignore_errors=True)
    shutil.copytree(DEMO, spot)
    for other in ("es-ES: {markets: [ES]}", "pt-BR: {markets: [BR]}"):
        edit(spot / "spot.yaml", f"  {other}\n", "")
    edit(spot / "spot.yaml", "profiles: [broadcast-eu, podcast, stream]", "profiles: [podcast]")
    assert another_voice_into(project_at(root), spot) == 7
    done = run_clearspot(root, "run", spot, "--runner", "inline", "--out", tmp_path / "out", "--json")
    (one,) = json.loads(done.stdout)["deliverables"]
    assert (done.returncode, one["verdict"]) == (1, "refused")
    assert "speaker-consented" in one["error"]["what"]
    assert list((tmp_path / "out").rglob("*.mp3")) == []


def another_voice_into(project: Project, spot: Path) -> int:
    """Every Italian clip of the demo, as another style of the same model says it; how many there were."""
    studio = open_studio(project)
    job = open_job(Asked(spot), open_desk(project, studio), lambda _: None)
    voice = load_voice("house", project.voice_folders())
    tool = VoiceTool(voice.file.digest, speech_of(job, voice))
    model = kokoro._open(bytes_of(studio, "kokoro-82m-int8"))  # the engine itself speaks under a grant only
    style = kokoro._mean_style(bytes_of(studio, "kokoro-styles"), {"jf_tebukuro": 1.0}, voice.id)
    texts = [job.disclosure_of(LOCALE), *job.spot.translations[LOCALE].lines.values()]
    for text in texts:
        key = speaking(tool, LOCALE, text, 1.0, "").key
        assert job.desk.store.find(key), "it was spoken before"
        sound, rate_hz = model.create(spoken_form(text, LOCALE), voice=style, lang="it")
        clip = stage._levelled(stage._trimmed(resample(np.asarray(sound, np.float32), rate_hz, RATE_HZ)))
        job.desk.store.keep("speak", key, CLIP.pack(clip), {"samples": len(clip)})
    studio.stop()
    return len(texts)


def bytes_of(studio: Studio, model: str) -> bytes:
    return next(iter(studio.weights.resolve(model, commercial=True).values())).read()
