"""Coqui TTS: any VITS, YourTTS, GlowTTS with a vocoder, or XTTS that somebody trained, on the CPU or a GPU."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.coqui_config import TABLES, Kind, Plan, read_plan
from clearspot.engines.coqui_tensors import read_coqui_checkpoint, read_table
from clearspot.engines.kept import LARGE_KEPT, SMALL_KEPT, Kept
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import device_of, espeak_here, require_options, require_rate, versions
from clearspot.engines.torch_tensors import require_device
from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.media.audio import Samples

if TYPE_CHECKING:
    from clearspot.engines.coqui_models import Acoustic, Manner, Xtts

REFERENCE = "reference"
"""The role of the recording that a cloning model copies; further ones are ``reference-2`` and so on."""

PACKAGES = ("coqui-tts", "torch", "torchaudio", "transformers")
REMEDY = "Run: pip install 'clearspot[coqui]'."
CHECKPOINT = re.compile(r"\.(pth|pth\.tar|pt)$")
SETTINGS = {"speaker", "languages", "checkpoint"}
SHOWN = 20
"""How many speakers an error lists."""

_TURN = threading.RLock()
"""Held by whoever loads or speaks: torch has one random generator for a process, and a line has to sound the same."""


@dataclass(frozen=True, slots=True)
class _Wishes:
    """A voice's settings: who speaks, which language stands for a locale, and which file is the checkpoint."""

    speaker: str
    languages: Mapping[str, str]
    checkpoint: str


class CoquiEngine:
    """Speaks through coqui-tts. The last few models stay loaded, by their digests."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first grant.

        Args:
            options: ``device`` is where torch runs: ``cpu``, which it is by default, ``cuda``, or ``cuda:1``.

        Raises:
            BadInput: There are others, or the device is none of these.
        """
        require_options(options, ("device",), "coqui")
        self.device = device_of(options, "coqui")
        self._models: Kept[Acoustic | Xtts] = Kept(LARGE_KEPT)
        self._heard: Kept[Manner] = Kept(SMALL_KEPT)

    @functools.cached_property
    def version(self) -> str:
        """The packages, what gives phonemes here, and the device: a GPU's samples are not quite the CPU's.

        Raises:
            MachineFault: They are not installed.
        """
        also = ("gruut",) if importlib.util.find_spec("gruut") else ()
        return f"{versions(*PACKAGES, *also, extra='coqui')}, {espeak_here()} on {self.device.partition(':')[0]}"

    def prepare(self, grant: Grant) -> None:
        """See ``SpeechEngine.prepare``. What the reference recording sounds like is heard now, too."""
        require_grant(grant)
        with self._turn(0), _told(grant), self._lent(grant) as model:
            self._manner(grant, model)

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """See ``SpeechEngine.speak``. Rates from 0.5 to 2.0; the samples are at the model's own rate."""
        require_grant(grant)
        require_rate(rate)
        if not text.strip():
            raise BadInput("there is nothing to say.", where=repr(text))
        # Not of the rate: the same line has the same rhythm at another rate, and is never longer at a faster one.
        seed = int.from_bytes(hashlib.sha256(f"{grant.locale}\0{text}".encode()).digest()[:7], "big")
        with self._turn(seed), _told(grant), self._lent(grant) as model:
            language = language_for(grant.locale, _wishes(grant).languages, model.languages, grant.voice)
            manner = self._manner(grant, model)
            _reseed(seed)
            return Speech(_audible(model.say(text, language, manner, rate), text), model.rate_hz)

    @contextlib.contextmanager
    def _turn(self, seed: int) -> Iterator[None]:
        """A turn with torch, with a random generator that others neither disturb nor notice.

        Raises:
            MachineFault: A package is missing, or the device is.
        """
        _ = self.version
        with _TURN:
            torch = _torch()
            gpus = require_device(self.device, "coqui")
            with torch.random.fork_rng(devices=gpus), torch.inference_mode():
                _reseed(seed)
                yield

    @contextlib.contextmanager
    def _lent(self, grant: Grant) -> Iterator[Acoustic | Xtts]:
        """The model of a voice, for as long as it speaks."""
        wishes = _wishes(grant)
        with self._models.lent(_model_key(grant, wishes), lambda: _open(grant, wishes, self.device)) as model:
            yield model

    def _manner(self, grant: Grant, model: Acoustic | Xtts) -> Manner:
        """Who speaks: a speaker of the model's own, or whoever is heard in the reference recording."""
        from clearspot.engines.coqui_models import Manner

        where, speaker = f"voice {grant.voice!r}", _wishes(grant).speaker
        references = sorted(role for role in grant.weights if role.startswith(REFERENCE))
        if references:
            return self._listen(grant, model, references, speaker)
        if speaker and speaker not in model.speakers:
            raise BadInput(
                f"the model has no speaker {speaker!r}; it has: {_some(model.speakers)}.",
                where=f"{where}: settings.speaker",
            )
        if speaker:
            return model.speakers[speaker]
        if len(model.speakers) > 1:
            raise BadInput(
                f"names none of the model's speakers; there is: {_some(model.speakers)}.",
                where=f"{where}: settings.speaker",
            )
        if model.clones and not model.speakers:
            raise BadInput(
                "the model speaks like a recording, and the voice has none.",
                where=f"{where}: files.{REFERENCE}",
                remedy="Put a recording into the voice's folder, and let the consent record name its digest.",
            )
        return next(iter(model.speakers.values()), Manner())

    def _listen(self, grant: Grant, model: Acoustic | Xtts, references: list[str], speaker: str) -> Manner:
        where = f"voice {grant.voice!r}: files.{REFERENCE}"
        if speaker:
            raise BadInput("there is a speaker in the settings, too: it has to be one or the other.", where=where)
        if not model.clones:
            raise BadInput("the model does not speak like a recording; it needs none.", where=where)
        key = (_model_key(grant, _wishes(grant)), *(grant.weights[role].sha256 for role in references))
        listen = lambda: model.listen([grant.weights[role].read() for role in references])  # noqa: E731
        with self._heard.lent(key, listen) as manner:
            return manner


def language_for(locale: str, wished: Mapping[str, str], spoken: tuple[str, ...], voice: str) -> str:
    """The model's language for a locale: what the voice says, else the locale itself, else its language alone.

    A model of one region never speaks another unless the voice says so: ``pt-br`` does not stand for ``pt-PT``.

    Raises:
        BadInput: It has none, or the voice names one that it has not.
    """
    if locale in wished:
        if spoken and wished[locale] not in spoken:
            raise BadInput(
                f"the model has no language {wished[locale]!r}; it has: {', '.join(spoken)}.",
                where=f"voice {voice!r}: settings.languages.{locale}",
            )
        return wished[locale]
    by_name = {language.lower().replace("_", "-"): language for language in spoken}
    for name in (locale.lower(), locale.partition("-")[0].lower()):
        if name in by_name:
            return by_name[name]
    speaks = ", ".join([*wished, *spoken]) or "what settings.languages says, since its config does not say"
    raise BadInput(
        f"Coqui does not speak {locale} with this model; it speaks {speaks}.",
        where=f"voice {voice!r}",
        remedy=f"Where one of its languages is meant, say so: settings: {{languages: {{{locale}: LANGUAGE}}}}.",
    )


def _model_key(grant: Grant, wishes: _Wishes) -> tuple[object, ...]:
    """What a model is known by: all its files but the recordings, which it is only shown."""
    used = {role: file.sha256 for role, file in grant.weights.items() if not role.startswith(REFERENCE)}
    return (*sorted(used.items()), wishes.checkpoint)


def _wishes(grant: Grant) -> _Wishes:
    settings, where = grant.settings, f"voice {grant.voice!r}: settings"
    if unknown := sorted(settings.keys() - SETTINGS):
        raise BadInput(f"Coqui has no {', '.join(unknown)}; it has: {', '.join(sorted(SETTINGS))}.", where=where)
    languages = settings.get("languages", {})
    named = [settings.get("speaker", ""), settings.get("checkpoint", "")]
    if not isinstance(languages, Mapping) or not all(isinstance(each, str) for each in [*languages.values(), *named]):
        raise BadInput("should be names: {speaker: NAME, languages: {LOCALE: LANGUAGE}}.", where=where)
    return _Wishes(named[0], languages, named[1])


def _open(grant: Grant, wishes: _Wishes, device: str) -> Acoustic | Xtts:
    """The model of a voice, with all that belongs to it."""
    from clearspot.engines import coqui_models as models

    where = f"voice {grant.voice!r}: weights"
    plan = _plan(grant, "model", where)
    files = {role: grant.weights[role].read() for field in TABLES for role in plan.files.get(field, ())}
    tensors = _tensors(grant, _checkpoint(grant, "model", plan, wishes.checkpoint, where), where)
    if plan.family == "xtts":
        vocabulary = plan.files.get("tokenizer_file", ("model/vocab.json",))[0]
        _require(grant, vocabulary, where)
        studio = models.STUDIO
        at = f"{where}.{studio}"
        named = read_table(grant.weights[studio].read(), studio, at) if studio in grant.weights else {}
        return models.load_xtts(plan, grant.weights[vocabulary].read(), tensors, named, device, where)
    model = models.load_acoustic(plan, files, tensors, device, where)
    if "vocoder/config.json" in grant.weights:
        plan_of_it = _plan(grant, "vocoder", where)
        its = _tensors(grant, _checkpoint(grant, "vocoder", plan_of_it, "", where), where)
        model.vocoder = models.load_vocoder(plan_of_it, its, device, where)
        model.rate_hz = model.vocoder.rate_hz
    elif plan.family == "glow_tts":
        raise BadInput(
            "GlowTTS makes spectrograms; a model under the role vocoder has to make sound of them.", where=where
        )
    _give_ears(grant, plan, model, device, where)
    return model


def _give_ears(grant: Grant, plan: Plan, model: Acoustic, device: str, where: str) -> None:
    """The speaker encoder, where there is one: under its own role, or named by the model's config."""
    from clearspot.engines import coqui_models as models

    named = [plan.files.get(f"speaker_encoder_{part}_path", ("",))[0] for part in ("config", "model")]
    if "encoder/config.json" in grant.weights:
        config = "encoder/config.json"
        checkpoint = _checkpoint(grant, "encoder", _plan(grant, "encoder", where), "", where)
    elif all(named):
        config, checkpoint = named
    else:
        model.clones = False
        return
    folder = config.partition("/")[0]
    plan_of_it = read_plan(grant.weights[config].read(), "encoder", folder, grant.weights.keys(), f"{where}.{config}")
    model.hearing = models.load_hearing(plan_of_it, _tensors(grant, checkpoint, where), device, where)


def _plan(grant: Grant, kind: Kind, where: str) -> Plan:
    role = f"{kind}/config.json"
    _require(grant, role, where)
    return read_plan(grant.weights[role].read(), kind, kind, grant.weights.keys(), f"{where}.{role}")


def _require(grant: Grant, role: str, where: str) -> None:
    if role not in grant.weights:
        folder, _, name = role.partition("/")
        raise BadInput(
            f"Coqui asks for the role {folder}: a model of models.yaml that lists the files of its folder, "
            f"{name} among them; there is: {', '.join(grant.weights)}.",
            where=where,
        )


def _checkpoint(grant: Grant, folder: str, plan: Plan, wished: str, where: str) -> str:
    """The role that holds a network's tensors: what the settings name, ``model.pth``, or the only one there is."""
    named = {role for roles in plan.files.values() for role in roles}
    could_be = sorted(
        role
        for role in grant.weights.keys() - named - {f"{folder}/speakers_xtts.pth"}
        if role.startswith(f"{folder}/") and CHECKPOINT.search(role)
    )
    for name in (wished, "model.pth"):
        if f"{folder}/{name}" in could_be:
            return f"{folder}/{name}"
    if len(could_be) != 1 or wished:
        raise BadInput(
            f"should hold one checkpoint, {wished or 'model.pth'}; there is: {', '.join(could_be) or 'none'}.",
            where=f"{where}.{folder}",
            remedy="Where there are several, name the file: settings: {checkpoint: FILE}.",
        )
    return could_be[0]


def _tensors(grant: Grant, role: str, where: str) -> Mapping[str, Any]:
    state = read_coqui_checkpoint(grant.weights[role].read(), f"{where}.{role}")
    inner = state.get("model") if isinstance(state, dict) else None
    if not isinstance(inner, dict):
        raise BadInput("is not a checkpoint of Coqui: it has no `model`.", where=f"{where}.{role}")
    return inner


@contextlib.contextmanager
def _told(grant: Grant) -> Iterator[None]:
    """Whatever Coqui stumbles over, told as one of ours."""
    try:
        yield
    except ClearspotError:
        raise
    except ImportError as error:
        raise _not_installed(error) from error
    except Exception as error:
        why = " ".join(str(error).split())[:300]
        raise MachineFault(f"Coqui failed: {type(error).__name__}: {why}.", where=f"voice {grant.voice!r}") from error


def _not_installed(error: Exception) -> MachineFault:
    return MachineFault(f"the Coqui engine cannot be imported: {error}.", where="coqui", remedy=REMEDY)


def _torch() -> Any:
    # Its loggers tell of fields, characters and times, which is nothing a user can act on.
    logging.getLogger("TTS").setLevel(logging.ERROR)
    try:
        import torch
    except ImportError as error:
        raise _not_installed(error) from error
    return torch


def _reseed(seed: int) -> None:
    """Begin the random numbers of a line anew, on every device."""
    _torch().manual_seed(seed)


def _audible(samples: Samples, text: str) -> Samples:
    if not samples.size or not np.isfinite(samples).all() or not samples.any():
        raise BadInput("Coqui makes no sound of this.", where=repr(text))
    return samples


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(list(names)[:SHOWN]) or "none"
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
