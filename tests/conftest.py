"""What every test may ask for: a project of its own, a spot to break, engines that answer at once."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from clearspot import delivery
from clearspot.consent.authority import Authority, accept_circle, writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.record import Role
from clearspot.consent.registry import SIGNATURE_FILE, load_voice
from clearspot.consent.scope import Use
from clearspot.consent.signature import Signatures, sign_record
from clearspot.consent.trust import ConsentKey, add_key
from clearspot.disclosure import FASTEST, SLOWEST
from clearspot.engines.protocols import Speech
from clearspot.engines.studio import Studio
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput
from clearspot.gate.evidence import Evidence, Expected
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples
from clearspot.project import Project, Settings, find_project, shipped
from clearspot.provenance.keys import CONSENT_KEY, create_keys, load_private_key
from clearspot.signing import public_text
from clearspot.spot import load_spot
from clearspot.stages.disclose import Candidate
from clearspot.transcript import Transcript, Word
from clearspot.yamlfile import dump_yaml, load_model

CHECKOUT = Path(__file__).parents[1]
DEMO = CHECKOUT / "spots" / "lumen-coffee"
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts() -> None:
    """A shell that starts the tests in the background has SIGINT ignored, and so would be all that they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def quiet_prefect(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Prefect keeps its database where no other run has results, and calls nobody."""
    from clearspot_flows.quiet import settle

    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    settle(Path(os.environ["PREFECT_HOME"]))


@pytest.fixture(scope="session")
def keyed_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with keys and an audit log, to copy: whatever is granted in it would be in every test's log.

    Configs and voices are the shipped ones. Its
    own consent key counts as the house voice's licensee, so that tests can sign records of their own.
    """
    root = tmp_path_factory.mktemp("keyed")
    project = Project(root, Settings())
    create_keys(project.keys_dir, project.own_trust_dir, "Test", dt.datetime.now(dt.UTC), renew=False)
    writing_authority(project).log.begin()
    trust_key(project, load_private_key(project.keys_dir / CONSENT_KEY))
    return root


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory, keyed_project: Path) -> Path:
    """A project that the tests of a session share, where only what they make counts and not what the log holds."""
    return Path(shutil.copytree(keyed_project, tmp_path_factory.mktemp("shared") / "project"))


def trust_key(
    project: Project,
    key: Ed25519PrivateKey,
    *,
    holder: str = "Clearspot project",
    role: Role = "licensee",
    voices: tuple[str, ...] = ("house",),
    **more: Any,
) -> ConsentKey:
    """Let a key count in a project, as `clearspot keys trust` does."""
    trusted = ConsentKey(public=public_text(key.public_key()), holder=holder, role=role, voices=voices, **more)
    add_key(project.own_trust_dir, trusted)
    accept_circle(project)
    return trusted


def sign_folder(folder: Path, key: Ed25519PrivateKey, role: Role = "licensee") -> None:
    """Sign the record that lies in a voice's folder, with nothing asked: beside signatures of it in other roles."""
    record = load_voice(folder.name, {folder.name: folder}).record
    path = folder / SIGNATURE_FILE
    before = load_model(Signatures, path) if path.exists() else None
    if before is None or before.record_sha256 != record.digest:
        before = Signatures.model_construct(schema_version=1, record_sha256=record.digest, signatures=())
    signed = before.with_one(sign_record(record, role, key, dt.datetime.now(dt.UTC)))
    path.write_text(dump_yaml(signed.model_dump(mode="json")), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, keyed_project: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of this test's own, with keys, that commands find by themselves."""
    root = tmp_path / "project"
    shutil.copytree(keyed_project, root)
    monkeypatch.setenv("CLEARSPOT_PROJECT", str(root))
    monkeypatch.delenv("CLEARSPOT_OFFLINE", raising=False)
    return find_project()


def a_use(**changes: Any) -> Use:
    """One use of the house voice, as the demo spot asks for it."""
    asked: dict[str, Any] = {
        "spot": "lumen-coffee",
        "script_sha256": "5" * 64,
        "locale": "es-ES",
        "source_locale": "en-US",
        "market": "ES",
        "advertiser": "Lumen Coffee",
        "product": "Lumen Coffee subscription",
        "categories": ("drinks",),
        "medium": "radio",
        "purpose": "advertising",
        "operator": "Test",
    }
    return Use(**(asked | changes))


def a_grant(project: Project, locale: str = "es-ES") -> Grant:
    """Leave to speak with the shipped voice in one locale."""
    voice = load_voice("house", project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (a_use(locale=locale),), writing_authority(project), weights=weights, step="speak")


@pytest.fixture
def authority(project: Project) -> Authority:
    """What decides about consent in this test's project."""
    return writing_authority(project)


@pytest.fixture
def spot_folder(project: Project) -> Path:
    """A copy of the demo spot to break."""
    folder = project.root / "spots" / "lumen-coffee"
    shutil.copytree(DEMO, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def tone(duration_s: float, *, rate_hz: int = 48_000, hz: float = 220.0, level_db: float = -20.0) -> Samples:
    """A mono sine with short fades; ``level_db`` is its peak in dBFS."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = np.sin(2 * np.pi * hz * time_s) * 10 ** (level_db / 20)
    fade = min(len(sound) // 2, rate_hz // 100)
    sound[:fade] *= np.linspace(0, 1, fade)
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade)
    return sound.astype(np.float32)


def run_ffmpeg(*arguments: str | Path) -> None:
    """The bundled ffmpeg, for making files that tests need."""
    subprocess.run([ffmpeg.binary(), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def in_syllables(count: int, rate_hz: int) -> Samples:
    """Ones, and zeros for a sixth of the time: no voice is without pauses."""
    time_s = np.arange(count) / rate_hz
    return (time_s % 0.3 < 0.25).astype(np.float32)


@dataclass
class FakeSpeech:
    """Speaks tones as long as the text; counts what it was asked. ``tests/engines`` has the real one."""

    seconds_a_character: float = 0.05
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    version: str = "fake-speech 1"

    def prepare(self, grant: Grant) -> None:
        assert isinstance(grant, Grant)

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        assert isinstance(grant, Grant)
        if not SLOWEST <= rate <= FASTEST:  # as every real one does
            raise BadInput(f"{rate:g} is not a rate from {SLOWEST:g} to {FASTEST:g}.", where="rate")
        self.asked.append((grant.locale, text, rate))
        sound = tone(len(text) * self.seconds_a_character / rate, rate_hz=24_000)
        return Speech(sound * in_syllables(len(sound), 24_000), 24_000)


@dataclass
class FakeRecogniser:
    """Hears what it was told to hear, spread evenly over its times; silent where it was told nothing.

    ``script`` maps a language to [(text, start_s, end_s)]; ``language`` is what it says was spoken.
    """

    script: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    language: str = "en"
    version: str = "fake-recogniser 1"
    heard: int = 0

    def warm_up(self) -> None: ...

    def recognise(self, samples: Samples, *, language: str | None) -> Transcript:
        self.heard += 1
        told = self.script.get(language or self.language, [])
        words = tuple(word for text, start_s, end_s in told for word in spread(text, start_s, end_s))
        return Transcript(words, language or self.language, 0.99, len(samples) / 16_000)


def spread(text: str, start_s: float, end_s: float) -> list[Word]:
    """The words of a text, evenly over a time."""
    parts = text.split()
    step = (end_s - start_s) / len(parts)
    return [Word(part, start_s + i * step, start_s + (i + 1) * step) for i, part in enumerate(parts)]


@dataclass
class FakeWatermarker:
    """Leaves sound as it is, and finds what it was told. ``tests/engines`` has the real one."""

    found: float = 0.9
    version: str = "fake-watermark 1"
    detected_from: float = 0.5

    def mark(self, programme: Samples) -> Samples:
        return programme

    def detect(self, samples: Samples, rate_hz: int) -> float:
        return self.found


@dataclass
class FakeEncoder:
    """Hears the same voice in everything. ``tests/engines`` has the real one."""

    version: str = "fake-encoder 1"
    enough_s: float = 0.0

    def embed(self, samples: Samples) -> NDArray[np.float32]:
        return np.full(256, 1 / 16, dtype=np.float32)

    def embed_each(self, speeches: Iterable[Samples]) -> tuple[NDArray[np.float32], ...]:
        return tuple(self.embed(speech)[None] for speech in speeches)


@dataclass
class FakeStudio(Studio):
    """A studio whose engines are fakes; weights are named but never opened."""

    voice: FakeSpeech = field(default_factory=FakeSpeech)
    listener: FakeRecogniser = field(default_factory=FakeRecogniser)
    marker: FakeWatermarker = field(default_factory=FakeWatermarker)
    encoder: FakeEncoder = field(default_factory=FakeEncoder)

    def speech(self, name: str) -> FakeSpeech:  # type: ignore[override]
        return self.voice

    def recogniser(self) -> FakeRecogniser:  # type: ignore[override]
        return self.listener

    def watermarker(self) -> FakeWatermarker:  # type: ignore[override]
        return self.marker

    def speaker_encoder(self) -> FakeEncoder:  # type: ignore[override]
        return self.encoder


@pytest.fixture
def fake_studio(project: Project, monkeypatch: pytest.MonkeyPatch) -> FakeStudio:
    """Fake engines for every run of this test, through the command line too."""
    weights = load_weights(project)
    monkeypatch.setattr(type(weights), "on_disk", lambda self, model_id: True)
    studio = FakeStudio(weights, "whisper-base", workers=2)

    def open_another(*_: object) -> FakeStudio:
        """Each run stops its studio when it ends; the engines are the same."""
        return FakeStudio(
            studio.weights,
            "whisper-base",
            workers=2,
            voice=studio.voice,
            listener=studio.listener,
            marker=studio.marker,
            encoder=studio.encoder,
        )

    monkeypatch.setattr("clearspot.job.open_studio", open_another)
    return studio


@pytest.fixture
def clearspot(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process: exit code, stdout, stderr."""
    from clearspot.cli.main import invoke

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = invoke([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call


A_LINE_S, A_LINES_TURN_S = 3.0, 4.0
"""How long the spokesperson speaks a line, and how much later the next begins."""


@dataclass
class Scene:
    """A spot that is in order, the project that it lies in, and ears that hear what is said."""

    project: Project
    spot: Path
    studio: FakeStudio
    out: Path
    deaf_to: str = ""

    @property
    def listener(self) -> FakeRecogniser:
        return self.studio.listener

    def hear(self, changed: dict[str, str] | None = None) -> None:
        """Let the spokesperson say the script, with some lines said otherwise (empty: not said)."""
        lines = load_spot(self.spot).script.lines | (changed or {})
        self.listener.script["en"] = [
            (text, index * A_LINES_TURN_S, index * A_LINES_TURN_S + A_LINE_S)
            for index, text in enumerate(lines.values())
            if text
        ]

    def config(self, name: str, old: str, new: str) -> None:
        """The project's own copy of a shipped configuration, edited."""
        path = self.project.root / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((shipped("configs") / name).read_text(encoding="utf-8"), encoding="utf-8")
        edit(path, old, new)
        self.studio.weights = load_weights(self.project)

    def voice(self) -> Path:
        """The project's own copy of the shipped voice."""
        folder = self.project.root / "voices" / "house"
        shutil.copytree(shipped("voices") / "house", folder)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return folder

    def resign(self, old: str, new: str) -> None:
        """The project's own copy of the voice with an edited record, signed by a key that it trusts."""
        folder = self.voice()
        edit(folder / "consent.yaml", old, new)
        sign_folder(folder, load_private_key(self.project.keys_dir / CONSENT_KEY))

    def files(self) -> list[str]:
        """Every file in the output folder, but for what each run writes of itself."""
        found = (
            path for path in self.out.rglob("*") if path.is_file() and path.name not in {"report.html", "run.json"}
        )
        return sorted(str(path.relative_to(self.out)) for path in found)


@pytest.fixture
def scene(
    project: Project,
    spot_folder: Path,
    fake_studio: FakeStudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    made = Scene(project, spot_folder, fake_studio, tmp_path / "out")
    made.hear()
    gather = delivery.gather

    def gather_what_was_placed(candidate: Candidate, expected: Expected, **others: Any) -> Evidence:
        """The fakes speak in tones: the listener is told what they stand for, where they really are."""
        language = expected.translation.locale.split("-")[0]
        placed = [(clip.text, clip.start_s, clip.end_s) for clip in expected.timeline.clips]
        if made.deaf_to:
            placed = [clip for clip in placed if made.deaf_to not in clip[0]]
        made.listener.script[language] = placed
        return gather(candidate, expected, **others)

    monkeypatch.setattr(delivery, "gather", gather_what_was_placed)
    return made
