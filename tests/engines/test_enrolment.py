"""Enrolment with real voices: somebody reads the sentence, is heard, and compared with the reference.

The talent here is a voice that is nobody's, under a record of its own; the strangers are other such voices.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from clearspot.cli.enroll import ears_of
from clearspot.consent.authority import writing_authority
from clearspot.consent.enrolment import (
    Challenge,
    Ears,
    Heard,
    Readings,
    challenge,
    keep_challenge,
    listen,
    load_readings,
)
from clearspot.consent.grant import authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.signing_desk import sign_voice
from clearspot.engines.studio import Studio
from clearspot.job import open_studio
from clearspot.project import Project, Settings, shipped
from clearspot.provenance.keys import CONSENT_KEY, load_private_key
from clearspot.stages.speak import speak
from clearspot.timebase import RATE_HZ
from clearspot.yamlfile import dump_yaml
from tests.conftest import a_use, trust_key
from tests.engines.conftest import run_clearspot

pytestmark = pytest.mark.real

TALENT, COMPANY = "Nora Example", "Harbour Street Agency"
STYLES = {"nora": "jm_kumo", "stranger": "jf_alpha", "passer-by": "jf_gongitsune"}
REEL = {
    "en-US": "Every morning we walk along the river and look at the boats. In the evening the lamps are lit, and the "
    "market closes. Somebody always sings on the bridge.",
    "es-ES": "Cada mañana caminamos junto al río y miramos los barcos. Por la tarde se encienden las farolas y cierra "
    "el mercado. Siempre canta alguien en el puente.",
}
"""What the talent says in the reference: nothing of the statement."""


def a_voice(project: Project, voice_id: str, style: str) -> None:
    """A voice of one style, with a record that allows everything, signed by the project's own key."""
    folder = project.root / "voices" / voice_id
    folder.mkdir(parents=True)
    record = yaml.safe_load((shipped("voices") / "house" / "consent.yaml").read_text(encoding="utf-8"))
    file = yaml.safe_load((shipped("voices") / "house" / "voice.yaml").read_text(encoding="utf-8"))
    file |= {"id": voice_id, "settings": {"mix": {style: 1.0}}}
    (folder / "voice.yaml").write_text(dump_yaml(file), encoding="utf-8")
    record |= {"id": f"{voice_id}-1", "voice": voice_id, "voice_sha256": "0" * 64}
    record["evidence"]["dated"] = str(record["evidence"]["dated"])
    record["term"] = {name: str(value) for name, value in record["term"].items()}
    (folder / "consent.yaml").write_text(dump_yaml(record), encoding="utf-8")
    digest = load_voice(voice_id, project.voice_folders()).file.digest
    (folder / "consent.yaml").write_text(dump_yaml(record | {"voice_sha256": digest}), encoding="utf-8")
    voice = load_voice(voice_id, project.voice_folders())
    sign_voice(voice, "licensee", load_private_key(project.keys_dir / CONSENT_KEY), writing_authority(project))


@dataclass(frozen=True)
class Room:
    """A project with voices, people who read aloud, and real ears."""

    project: Project
    studio: Studio
    ears: Ears
    readings: Readings
    recordings: dict[tuple[str, str], Path]

    def sentence(self, locale: str, *, first: bool = True, **changes: str) -> Challenge:
        """A sentence with the first code words of the list, or the last."""
        who = {"talent": TALENT, "company": COMPANY} | changes
        at = 0 if first else -1
        now = dt.datetime.now(dt.UTC)
        return challenge("nora", locale, **who, readings=self.readings, now=now, choose=lambda words: words[at])

    def hear(self, made: Challenge, reader: str, locale: str = "en-US") -> Heard:
        """What becomes of one reader's recording, held against a sentence and Nora's reel."""
        reel = self.recordings["reel", locale]
        return listen(made, self.recordings[reader, locale], reel, self.ears, self.readings.limits)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, keyed_project: Path) -> Iterator[Room]:
    root = tmp_path_factory.mktemp("enrolment") / "project"
    shutil.copytree(keyed_project, root)
    project = Project(root, Settings())
    key = load_private_key(project.keys_dir / CONSENT_KEY)
    trust_key(project, key, voices=("house", *STYLES))
    for voice_id, style in STYLES.items():
        a_voice(project, voice_id, style)
    studio = open_studio(project)
    made = Room(project, studio, ears_of(studio), load_readings(project.config("enrolment.yaml")), {})
    asked = [("nora", locale, made.sentence(locale).text) for locale in REEL]
    asked += [(reader, "en-US", made.sentence("en-US").text) for reader in ("stranger", "passer-by")]
    asked += [("reel", locale, text) for locale, text in REEL.items()]

    def record(reader: str, locale: str, text: str) -> None:
        voice = load_voice("nora" if reader == "reel" else reader, project.voice_folders())
        weights = studio.weights.pinned_roles(voice.file.weights, commercial=True)
        use = a_use(locale=locale, market="US")
        grant = authorize(voice, (use,), writing_authority(project), weights=weights, step="speak")
        samples = speak(studio.speech("kokoro"), grant, "statement", text).samples
        made.recordings[reader, locale] = save(root / f"{reader}-{locale}.wav", samples)

    studio.work_all([lambda each=each: record(*each) for each in asked])
    yield made
    studio.stop()


def save(path: Path, samples: np.ndarray) -> Path:
    """Mono float32 at 48 kHz as a 16-bit WAV, with a little silence around it."""
    quiet = np.zeros(RATE_HZ // 2, dtype=np.float32)
    pcm = (np.concatenate([quiet, samples, quiet]) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


@pytest.mark.parametrize("locale", REEL)
def test_the_talent_reading_the_sentence_is_believed(room: Room, locale: str) -> None:
    heard = room.hear(room.sentence(locale), "nora", locale)
    assert heard.problems == ()
    assert heard.scores.similarity > 0.85
    assert heard.scores.error_rate < 0.1


@pytest.mark.parametrize("reader", ["stranger", "passer-by"])
def test_another_voice_reading_it_is_not(room: Room, reader: str) -> None:
    heard = room.hear(room.sentence("en-US"), reader)
    assert len(heard.problems) == 1
    assert heard.problems[0].startswith("the speaker is not the one of the reference")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"company": "Golden Gate Films"}, "the company 'Golden Gate Films' was not heard"),
        ({"talent": "Peter Miller"}, "the name 'Peter Miller' was not heard"),
        ({"talent": "Helen Example"}, "each word of the name 'Helen Example' was not heard"),
        ({"first": False}, "the code words"),
    ],
    ids=["another company", "another talent", "a relative", "an old code"],
)
def test_a_recording_of_another_sentence_is_not(room: Room, changes: dict[str, str], told: str) -> None:
    problems = room.hear(room.sentence("en-US", **changes), "nora").problems
    assert [problem for problem in problems if told in problem], problems


def test_from_statement_to_grant_at_the_command_line(room: Room) -> None:
    """A talent's whole way: statement, draft, both signatures, a check that listens again, and leave to speak."""
    project = room.project
    keep_challenge(project.enrolments_dir, room.sentence("en-US"))
    enrolled = run_clearspot(
        project.root, "voices", "enroll", "nora", "--recording", room.recordings["nora", "en-US"], "--reference",
        room.recordings["reel", "en-US"], "--identity", "passport seen", "--contact", "agent@example.com", "--json",
    )  # fmt: skip
    assert enrolled.returncode == 0, enrolled.stderr
    assert json.loads(enrolled.stdout)["scores"]["similarity"] > 0.85
    folder = project.root / "voices" / "nora"
    record = yaml.safe_load((folder / "consent.yaml").read_text(encoding="utf-8"))
    assert record["scope"]["locales"] == "any"  # the terms of the record before are kept; that one was ours
    keys = {}
    for role, holder in (("talent", TALENT), ("licensee", COMPANY)):
        home = project.root / role
        home.mkdir()
        assert run_clearspot(home, "keys", "init").returncode == 0
        keys[role] = home / ".clearspot" / "keys"
        trusted = run_clearspot(
            project.root, "keys", "trust", keys[role] / "consent.pub.pem", "--holder", holder, "--role", role,
            "--voice", "nora",
        )  # fmt: skip
        assert trusted.returncode == 0, trusted.stderr
        key = keys[role] / CONSENT_KEY
        signed = run_clearspot(project.root, "voices", "sign", "nora", "--as", role, "--key", key)
        assert signed.returncode == 0, signed.stderr
    checked = run_clearspot(project.root, "voices", "check", "nora", "--json")
    checks = {one["check"]: one for one in json.loads(checked.stdout)["checks"]}
    assert checked.returncode == 0, checks
    assert "similarity 0.9" in checks["statement"]["found"]
    voice = load_voice("nora", project.voice_folders())
    assert (voice.record.basis, len(voice.before)) == ("talent", 1)
    use = dataclasses.replace(a_use(), operator=COMPANY)
    weights = room.studio.weights.pinned_roles(voice.file.weights, commercial=True)
    grant = authorize(voice, (use,), writing_authority(project), weights=weights, step="speak")
    assert (grant.basis, len(grant.signed_by)) == ("talent", 2)
