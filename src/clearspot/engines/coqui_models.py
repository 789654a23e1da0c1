"""Coqui's networks: made of configs that name no files and of tensors, and how each of them speaks.

Coqui's loaders take paths and find more files beside them. Here they are gone round: a network is made from its
checked config, its tensors come out of checked bytes, and what it would read from other files is handed to it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearspot.engines.coqui_config import Pathless, Plan, with_names
from clearspot.engines.coqui_parts import parts_of
from clearspot.engines.coqui_tensors import read_clip, read_places, read_table, read_xtts_speaker
from clearspot.errors import BadInput
from clearspot.media.audio import Samples

Tensors = Mapping[str, Any]
"""Tensors by name."""

REFERENCE = "files.reference"
"""What errors call the recording that a voice is copied from."""

XTTS_REFERENCE_RATE_HZ = 22_050
STUDIO = "model/speakers_xtts.pth"
MIN_REFERENCE_S = 0.33
"""XTTS hears nothing in a shorter recording."""


@dataclass(frozen=True, slots=True)
class Manner:
    """Who speaks, for a network: a place in its table, a vector, or XTTS' latents and vector; or nothing."""

    place: int | None = None
    vector: Any = None
    latents: Any = None


@dataclass(slots=True)
class Hearing:
    """A speaker encoder: from a recording to the vector of who speaks."""

    network: Any
    audio: Any
    device: str

    def hear(self, recording: bytes) -> Any:
        """The speaker's vector, shape (1, size)."""
        import torch

        samples = _recording(recording, self.audio.sample_rate)
        given = samples if self.network.use_torch_spec else self.audio.melspectrogram(samples)
        heard = torch.as_tensor(np.asarray(given, dtype=np.float32), device=self.device)
        return self.network.compute_embedding(heard[None])


@dataclass(slots=True)
class Vocoder:
    """Spectrograms to sound."""

    network: Any
    audio: Any
    rate_hz: int

    def sound(self, spectrogram: Any, audio: Any) -> Any:
        """What the network that made a spectrogram, shape (frames, bands), meant; ``audio`` is that network's."""
        import torch

        levels = self.audio.normalize(audio.denormalize(spectrogram.cpu().numpy().T))
        given = torch.as_tensor(np.asarray(levels, dtype=np.float32))[None]
        if (scale := self.rate_hz / audio.sample_rate) != 1:
            size = (given.shape[1], int(given.shape[2] * scale))
            given = torch.nn.functional.interpolate(given[None], size=size, mode="bilinear", align_corners=False)[0]
        return self.network.inference(given.to(next(self.network.parameters()).device))


@dataclass(slots=True)
class Acoustic:
    """VITS, YourTTS or GlowTTS: all of a text at once. ``scale`` is how long it speaks by itself."""

    network: Any
    rate_hz: int
    languages: tuple[str, ...]
    speakers: Mapping[str, Manner]
    scale: float
    hearing: Hearing | None
    vocoder: Vocoder | None
    clones: bool

    def listen(self, recordings: Sequence[bytes]) -> Manner:
        """Who speaks in some recordings: the mean of what is heard in each."""
        import torch

        if self.hearing is None:
            raise ValueError("it has no speaker encoder")
        return Manner(vector=torch.stack([self.hearing.hear(each) for each in recordings]).mean(dim=0))

    def say(self, text: str, language: str, manner: Manner, rate: float) -> Samples:
        """The text as mono samples at ``rate_hz``.

        Raises:
            BadInput: There are letters in it that the model has no sound for, or nothing to say.
        """
        import torch

        network = self.network
        network.tokenizer.not_found_characters = []
        tokens = network.tokenizer.text_to_ids(text, language=language)
        unknown = "".join(sorted({each for each in network.tokenizer.not_found_characters if each.isalnum()}))
        if not network.tokenizer.use_phonemes and unknown:
            raise BadInput(f"this model has no sound for {unknown}.", where=repr(text))
        if not any(network.tokenizer.decode([token]).isalnum() for token in tokens):
            raise BadInput("there is nothing in it that this model could say.", where=repr(text))
        places = network.language_manager.name_to_id
        given = torch.as_tensor(tokens, dtype=torch.long, device=network.device)[None]
        network.length_scale = self.scale / rate
        made = network.inference(
            given,
            aux_input={
                "x_lengths": torch.tensor(given.shape[1:2], device=network.device),
                "speaker_ids": _on(network, manner.place),
                "d_vectors": None if manner.vector is None else manner.vector.to(network.device),
                "language_ids": _on(network, places.get(language)),
            },
        )["model_outputs"][0]
        return _samples(made if self.vocoder is None else self.vocoder.sound(made, network.ap))


@dataclass(slots=True)
class Xtts:
    """XTTS: one token after the other, in the voice of a recording. ``speakers`` are those that come with it."""

    network: Any
    rate_hz: int
    languages: tuple[str, ...]
    speakers: Mapping[str, Manner]
    clones: bool = True

    def listen(self, recordings: Sequence[bytes]) -> Manner:
        """Who speaks in some recordings, as Coqui's ``get_conditioning_latents`` hears it.

        Raises:
            BadInput: They are too short.
        """
        import torch

        network, settings, rate_hz = self.network, self.network.config, XTTS_REFERENCE_RATE_HZ
        sounds = [_recording(each, rate_hz)[: rate_hz * settings.max_ref_len] for each in recordings]
        heard = [torch.from_numpy(each.copy())[None] for each in sounds]
        if settings.sound_norm_refs:
            heard = [each / each.abs().max().clamp_min(1e-9) * 0.75 for each in heard]
        whole = torch.cat(heard, dim=-1)
        if min(each.shape[-1] for each in heard) < rate_hz * MIN_REFERENCE_S:
            raise BadInput(f"is shorter than {MIN_REFERENCE_S:g} s.", where=REFERENCE)
        vectors = [network.get_speaker_embedding(each.to(network.device), rate_hz) for each in heard]
        latents = network.get_gpt_cond_latents(
            whole.to(network.device), rate_hz, length=settings.gpt_cond_len, chunk_length=settings.gpt_cond_chunk_len
        )
        return Manner(vector=torch.stack(vectors).mean(dim=0), latents=latents)

    def say(self, text: str, language: str, manner: Manner, rate: float) -> Samples:
        """The text as mono samples at ``rate_hz``.

        What is longer than the model can keep in mind is said sentence by sentence, as Coqui's own programs do.

        Raises:
            BadInput: A sentence of it is too long, or there is nothing to say.
        """
        if not any(each.isalnum() for each in text):
            raise BadInput("there is nothing in it that this model could say.", where=repr(text))
        names = ("temperature", "length_penalty", "repetition_penalty", "top_k", "top_p")
        settings = {name: self.network.config[name] for name in names}
        made = [
            self.network.inference(part, language, manner.latents, manner.vector, speed=rate, **settings)["wav"]
            for part in parts_of(text, language, lambda part: self._fits(part, language))
        ]
        return np.concatenate([_samples(each) for each in made])

    def _fits(self, text: str, language: str) -> bool:
        """Whether the model keeps it in mind: by Coqui's count of characters, and by its own of tokens."""
        if len(text) > self.network.tokenizer.char_limits.get(language.partition("-")[0], 250):
            return False
        tokens = self.network.tokenizer.encode(text.strip().lower(), lang=language)
        return len(tokens) < int(self.network.args.gpt_max_text_tokens)


def _on(network: Any, place: int | None) -> Any:
    import torch

    return None if place is None else torch.tensor([place], device=network.device)


def _samples(made: Any) -> Samples:
    import torch

    return np.asarray(torch.as_tensor(made).detach().cpu().reshape(-1).numpy(), dtype=np.float32)


def _recording(data: bytes, rate_hz: int) -> Samples:
    """A recording as mono samples.

    Raises:
        BadInput: It is none, or nothing is in it.
    """
    import soundfile

    from clearspot.media.audio import resample

    try:
        samples, from_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except Exception as error:
        raise BadInput(
            "is no sound that can be decoded.", where=REFERENCE, remedy="Make it a WAV, FLAC, Ogg or MP3 file."
        ) from error
    if not samples.any() or not np.isfinite(samples).all():
        raise BadInput("is silent, or is not made of finite numbers.", where=REFERENCE)
    return np.asarray(np.clip(resample(samples.mean(axis=1), from_hz, rate_hz), -1, 1), dtype=np.float32)


def load_acoustic(plan: Plan, files: Mapping[str, bytes], tensors: Tensors, device: str, where: str) -> Acoustic:
    """VITS or GlowTTS, without their vocoder and speaker encoder.

    Args:
        plan: What the config says.
        files: The bytes of each file that it names, by role.
        tensors: The checkpoint's.
        device: Where it runs.
        where: What errors call the model's folder.
    """
    places = _speakers(plan, files, where) if asks_for(plan.config, "use_speaker_embedding") else {}
    tongues = _places("language_ids_file", plan, files, where)
    languages = tuple(sorted(tongues, key=lambda each: tongues[each])) if tongues else plan.languages
    config = with_names(plan, speakers=places or None, languages=languages)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of fields of older versions, which nobody here can change
        network = make_vits(config) if plan.family == "vits" else make_glow_tts(config)
    _fill(network, tensors, ("disc.", "speaker_encoder."), where)
    if plan.family == "glow_tts":
        network.store_inverse()
    vectors = _vectors("d_vector_file", plan, files, where)
    speakers = {each: Manner(place=place) for each, place in places.items()} | vectors
    scale, rate_hz = float(network.length_scale), int(network.config.audio.sample_rate)
    clones = asks_for(plan.config, "use_d_vector_file")
    return Acoustic(network.to(device), rate_hz, languages, speakers, scale, None, None, clones)


def make_vits(config: Pathless) -> Any:
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    network = Vits(configured(VitsConfig, config))
    network.audio_resampler = None  # Coqui's loader takes it away too: only training uses it
    return network


def make_glow_tts(config: Pathless) -> Any:
    from TTS.tts.configs.glow_tts_config import GlowTTSConfig
    from TTS.tts.models.glow_tts import GlowTTS

    class Network(GlowTTS):  # type: ignore[misc]
        def _init_d_vector(self) -> None:
            """As Coqui's, which also asks for the vectors themselves: here they come later."""
            self.embedded_speaker_dim = self.config.d_vector_dim

    return Network(configured(GlowTTSConfig, config))


def load_xtts(
    plan: Plan, vocabulary: bytes, tensors: Tensors, studio: Mapping[str, Any], device: str, where: str
) -> Xtts:
    """XTTS; ``studio`` are the speakers that come with it: latents and vector of each by its name.

    Raises:
        BadInput: The tensors are not this network's, or a speaker has not both.
    """
    config = with_names(plan, speakers=None, languages=plan.languages) if plan.languages else plan.config
    network = make_xtts(config, vocabulary)
    named = {name.removeprefix("xtts."): tensor for name, tensor in tensors.items()}
    _fill(network, named, ("torch_mel_spectrogram_", "dvae.", "gpt.gpt_inference.", "gpt.gpt.wte."), "XTTS")
    network.gpt.init_gpt_for_inference(kv_cache=network.args.kv_cache)
    network.gpt.train(False)
    speakers = {}
    for name, parts in studio.items():
        vector, latents = read_xtts_speaker(parts, f"{where}.{STUDIO}: {name}")
        speakers[name] = Manner(vector=vector, latents=latents)
    rate_hz = int(network.args.output_sample_rate)
    return Xtts(network.to(device), rate_hz, tuple(network.config.languages), speakers)


def make_xtts(config: Pathless, vocabulary: bytes) -> Any:
    from tokenizers import Tokenizer
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts as Network

    network = Network(configured(XttsConfig, config))
    network.tokenizer.tokenizer = Tokenizer.from_buffer(vocabulary)
    network.init_models()
    return network


def load_vocoder(plan: Plan, tensors: Tensors, device: str, where: str) -> Vocoder:
    """What makes sound of GlowTTS' spectrograms."""
    network, audio = make_vocoder(plan.config, plan.family)
    named = {name.removeprefix("model_g."): tensor for name, tensor in tensors.items()}
    _fill(network, named, ("model_d.",), where)
    network.remove_weight_norm()
    return Vocoder(network.to(device), audio, int(audio.sample_rate))


def make_vocoder(config: Pathless, family: str) -> tuple[Any, Any]:
    """A generator, and how its sound is measured."""
    from TTS.utils.audio import AudioProcessor
    from TTS.vocoder.configs import HifiganConfig, MultibandMelganConfig
    from TTS.vocoder.models import setup_generator

    kind = HifiganConfig if family == "hifigan" else MultibandMelganConfig
    return setup_generator(configured(kind, config)), AudioProcessor(configured(kind, config).audio)


def load_hearing(plan: Plan, tensors: Tensors, device: str, where: str) -> Hearing:
    """A speaker encoder."""
    network, audio = make_encoder(plan.config)
    _fill(network, tensors, (), where)
    return Hearing(network.to(device), audio, device)


def make_encoder(config: Pathless) -> tuple[Any, Any]:
    """A network that hears who speaks, and how its sound is measured."""
    from TTS.encoder.configs.speaker_encoder_config import SpeakerEncoderConfig as Settings
    from TTS.encoder.utils.generic_utils import setup_encoder_model
    from TTS.utils.audio import AudioProcessor

    return setup_encoder_model(configured(Settings, config)), AudioProcessor(configured(Settings, config).audio)


def configured(kind: type[Any], config: Pathless) -> Any:
    """One of Coqui's configs with these values."""
    made = kind()
    made.from_dict(config)
    return made


def _fill(network: Any, tensors: Tensors, unused: tuple[str, ...], where: str) -> None:
    """Put tensors into a network, each into its place, and end its training.

    Raises:
        BadInput: They are not this network's.
    """
    wanted = {name: tensor for name, tensor in tensors.items() if not name.startswith(unused or ("\0",))}
    try:
        network.load_state_dict(wanted, strict=True)
    except Exception as error:
        why = " ".join(str(error).split())[:300]
        raise BadInput(f"the checkpoint is not of the network that its config describes: {why}.", where=where) from (
            error
        )
    network.train(False)


def asks_for(config: Pathless, field: str) -> bool:
    """Whether a config says yes to something, in the network's arguments or above them."""
    arguments = config.get("model_args") or {}
    return bool(arguments[field] if field in arguments else config.get(field))


def _speakers(plan: Plan, files: Mapping[str, bytes], where: str) -> dict[str, int]:
    """The speakers in a network's table: those that the config lists, or those of its file."""
    if named := plan.config.get("speakers"):
        return {str(each): place for place, each in enumerate(named)}
    return _places("speakers_file", plan, files, where) or _places("speaker_file", plan, files, where)


def _places(field: str, plan: Plan, files: Mapping[str, bytes], where: str) -> dict[str, int]:
    roles = plan.files.get(field, ())
    return read_places(files[roles[0]], roles[0], f"{where}/{roles[0]}") if roles else {}


def _vectors(field: str, plan: Plan, files: Mapping[str, bytes], where: str) -> dict[str, Manner]:
    """Each speaker's vector: the mean of those of its clips."""
    import torch

    by_speaker: dict[str, list[Any]] = {}
    for role in plan.files.get(field, ()):
        for clip, value in read_table(files[role], role, f"{where}/{role}").items():
            speaker, vector = read_clip(value, f"{where}/{role}: {clip}")
            by_speaker.setdefault(speaker, []).append(vector)
    if len({len(vector) for clips in by_speaker.values() for vector in clips}) > 1:
        raise BadInput("its vectors should all be of one length.", where=where)
    return {
        speaker: Manner(vector=torch.as_tensor(np.mean(np.stack(clips), axis=0))[None])
        for speaker, clips in by_speaker.items()
    }
