"""Engines on trial: what ``clearspot engines`` lists and checks, with leave that is asked for like any other."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from clearspot.config import load_wordings
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.record import ANY
from clearspot.consent.registry import Voice, load_voice, load_voice_file
from clearspot.consent.scope import Use, out_of_scope, require_in_scope
from clearspot.disclosure import DisclosureAsked, wording_for
from clearspot.engines.conformance import Check, SpeechTrial, check_speech
from clearspot.engines.conformance_words import (
    UNKNOWN,
    RecognitionTrial,
    Said,
    TranslationTrial,
    check_recognition,
    check_translation,
)
from clearspot.engines.registry import KINDS, Kind, engines_of, make_engine, package_of
from clearspot.engines.studio import Studio
from clearspot.errors import BadInput, ClearspotError
from clearspot.files import PinnedFile
from clearspot.hashing import sha256_json
from clearspot.job import open_studio
from clearspot.media.audio import LISTEN_RATE_HZ, resample
from clearspot.project import Project

CHECK = "engine-check"
"""What stands in the audit log for the spot and the product of a check."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One engine: its kind and name, the package that brings it, its own version, and why it cannot be used."""

    kind: Kind
    name: str
    package: str
    version: str
    problem: str


def list_engines(project: Project) -> tuple[Listed, ...]:
    """Every engine there is, each made once to see whether it can be used.

    Raises:
        BadInput: Two packages bring an engine of one name.
    """
    studio = open_studio(project)
    found = [_listed(studio, kind, name, point) for kind in KINDS for name, point in engines_of(kind).items()]
    studio.stop()
    return tuple(found)


def _listed(studio: Studio, kind: Kind, name: str, point: EntryPoint) -> Listed:
    try:
        engine: Any = _make(studio, kind, name)
        return Listed(kind, name, package_of(point), str(engine.version), "")
    except ClearspotError as error:
        return Listed(kind, name, package_of(point), "", str(error))
    except Exception as error:  # noqa: BLE001  (somebody else's package: what it raises is what is wrong with it)
        return Listed(kind, name, package_of(point), "", f"{type(error).__name__}: {error}")


def _make(studio: Studio, kind: Kind, name: str) -> Any:
    arguments = (studio.read_recogniser, studio.workers) if kind == "recognition" else ()
    return make_engine(kind, name, f"clearspot engines: {name}", *arguments, options=studio.options.get(name, {}))


def check_engine(project: Project, name: str, voice_id: str, locale: str) -> dict[Kind, tuple[Check, ...]]:
    """Hold every engine of a name to what it has to do.

    Args:
        project: Whose voices, settings and log it is.
        name: The engine's.
        voice_id: The voice that a speech engine speaks with, and that a recogniser listens to; empty for the first
            voice of a speech engine, and for none where there is nothing to speak.
        locale: What is spoken; empty for the first that the voice's consent names, or en-US.

    Returns:
        By kind what was found.

    Raises:
        BadInput: There is no engine or voice of that name, or no sentence in that locale.
        Refused: The voice's consent does not cover a check.
        MachineFault: The engine's package is not installed.
    """
    kinds = [kind for kind in KINDS if name in engines_of(kind)]
    if not kinds:
        known = sorted({each for kind in KINDS for each in engines_of(kind)})
        raise BadInput(f"there is no engine {name!r}; there is: {', '.join(known)}.", where="NAME")
    studio = open_studio(project)
    checks = {"speech": _check_speech, "recognition": _check_recognition, "translation": _check_translation}
    try:
        return {kind: checks[kind](_Bench(project, studio, name, voice_id, locale)) for kind in kinds}
    finally:
        studio.stop()


@dataclass(frozen=True)
class _Bench:
    """What was asked for."""

    project: Project
    studio: Studio
    name: str
    voice_id: str
    locale: str


def _check_speech(bench: _Bench) -> tuple[Check, ...]:
    _ = _make(bench.studio, "speech", bench.name).version  # what is not installed is told before anybody is asked
    folders = bench.project.voice_folders()
    voice_id = bench.voice_id or next((each for each in folders if _speaks_with(each, folders) == bench.name), "")
    if not voice_id or _speaks_with(voice_id, folders) != bench.name:
        spoken = f"voice {voice_id!r} is spoken with {_speaks_with(voice_id, folders)!r}" if voice_id else "none is"
        raise BadInput(
            f"a speech engine is checked with a voice of its own, since nothing speaks without consent; {spoken}.",
            where="--voice",
            remedy=f"Make a voice whose voice.yaml says `engine: {bench.name}`; see docs/plug-ins.md.",
        )
    with open_trial(bench.project, bench.studio, voice_id, bench.locale) as trial:
        return check_speech(trial)


def _speaks_with(voice_id: str, folders: dict[str, Path]) -> str:
    return load_voice_file(voice_id, folders).engine


@contextlib.contextmanager
def open_trial(project: Project, studio: Studio, voice_id: str, locale: str = "") -> Iterator[SpeechTrial]:
    """Everything to try a voice's engine with: real leave, and copies of its files that may be spoilt.

    Raises:
        BadInput: There is no such voice, or no sentence in that locale.
        Refused: Its consent does not cover a check.
        MachineFault: Its files cannot be had.
    """
    voice = load_voice(voice_id, project.voice_folders())
    spoken = locale or _first_locale(voice)
    wordings = load_wordings(project)
    if spoken not in wordings:
        raise BadInput(f"there is no sentence in {spoken}; there is in: {', '.join(wordings)}.", where="--locale")
    known = wordings[spoken]
    long = known.of(wording_for(DisclosureAsked(wording="long"), voice.record.basis))
    sentences = (known.short, long or f"{known.short} {known.short}")
    pinned = studio.weights.pinned_voice(voice.file, voice.folder, commercial=False)
    authority = writing_authority(project)
    with tempfile.TemporaryDirectory(prefix="clearspot-") as name:
        copies = {
            role: PinnedFile(Path(name) / str(place) / file.path.name, file.sha256)
            for place, (role, file) in enumerate(pinned.items())
        }
        # Leave first, by the digests that are named: a check that consent does not cover fetches nothing.
        grant = _leave(project, voice, authority, copies, spoken, sentences)
        elsewhere: Grant | ClearspotError
        try:
            require_in_scope(voice, _use(project, UNKNOWN, sentences))  # what is sure to be refused is not asked for
            elsewhere = _leave(project, voice, authority, copies, UNKNOWN, sentences)
        except ClearspotError as refusal:
            elsewhere = refusal
        for model_id in voice.file.weights.values():
            studio.weights.resolve(model_id, commercial=False)
        for role, file in pinned.items():
            _copy(file, copies[role])
        yield SpeechTrial(lambda: _make(studio, "speech", voice.file.engine), grant, elsewhere, sentences)


def _first_locale(voice: Voice) -> str:
    locales = voice.record.scope.locales
    return "en-US" if locales == ANY else locales[0]


def _copy(file: PinnedFile, copy: PinnedFile) -> None:
    """Make a copy in a folder that nobody else can read; its name is the original's."""
    copy.path.parent.mkdir()
    shutil.copyfile(file.path, copy.path)


def _leave(
    project: Project,
    voice: Voice,
    authority: Authority,
    weights: dict[str, PinnedFile],
    locale: str,
    sentences: tuple[str, str],
) -> Grant:
    """Leave to speak two sentences that nobody outside hears.

    Raises:
        Refused: Consent does not cover it. Where it counts spots, a check would use one up: it is not asked for.
    """
    if voice.record.scope.max_spots != ANY:
        raise out_of_scope(voice, "scope.max_spots", asked=f"{CHECK}, beside the spots", allowed="spots alone")
    return authorize(voice, (_use(project, locale, sentences),), authority, weights=weights, step="speak")


def _use(project: Project, locale: str, sentences: tuple[str, str]) -> Use:
    """What a check uses a voice for: internally, for nobody's product; it stands in the audit log as such."""
    operator = project.settings.provider
    return Use(
        spot=CHECK,
        script_sha256=sha256_json(list(sentences)),
        locale=locale,
        source_locale=locale,
        market=locale.rpartition("-")[2],
        advertiser=operator,
        product=CHECK,
        categories=(),
        medium="online-audio",
        purpose="internal",
        operator=operator,
    )


def _check_recognition(bench: _Bench) -> tuple[Check, ...]:
    _ = _make(bench.studio, "recognition", bench.name).version
    said: Said | str = "nothing was spoken to it: name a --voice"
    if bench.voice_id:
        with open_trial(bench.project, bench.studio, bench.voice_id, bench.locale) as spoken:
            speech, text = spoken.say(spoken.sentences[1]), spoken.sentences[1]
            said = Said(resample(speech.samples, speech.rate_hz, LISTEN_RATE_HZ), spoken.grant.locale, text)
    files = bench.studio.read_recogniser()  # fetched now, while there may be a network
    workers, options = bench.studio.workers, bench.studio.options.get(bench.name, {})

    def make() -> Any:
        return make_engine("recognition", bench.name, "NAME", lambda: files, workers, options=options)

    return check_recognition(RecognitionTrial(make, said))


def _check_translation(bench: _Bench) -> tuple[Check, ...]:
    sentences = {locale: wording.short for locale, wording in load_wordings(bench.project).items()}
    return check_translation(TranslationTrial(lambda: _make(bench.studio, "translation", bench.name), sentences))
