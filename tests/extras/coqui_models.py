"""Tiny Coqui models, real in every layer and trained on nothing: folders as people have them, made in a second."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from tests.extras.coqui_voices import Made

RATE_HZ = 16_000
LETTERS = "abcdefghijklmnopqrstuvwxyzáéíóúñüàèìòùçãõâêô"
GRAPHEMES = "TTS.tts.utils.text.characters.Graphemes"

AUDIO = {
    "sample_rate": RATE_HZ, "fft_size": 256, "win_length": 256, "hop_length": 64, "num_mels": 16, "mel_fmin": 0,
    "mel_fmax": None, "do_trim_silence": False,
}  # fmt: skip
SMALL_VITS = {
    "out_channels": 129, "hidden_channels": 16, "hidden_channels_ffn_text_encoder": 16, "num_layers_text_encoder": 1,
    "num_layers_posterior_encoder": 1, "num_layers_flow": 1, "upsample_rates_decoder": [8, 8],
    "upsample_initial_channel_decoder": 16, "upsample_kernel_sizes_decoder": [16, 16], "init_discriminator": False,
    "resblock_kernel_sizes_decoder": [3], "resblock_dilation_sizes_decoder": [[1, 3, 5]],
    "speaker_embedding_channels": 8, "length_scale": 4.0,
}  # fmt: skip


def saved(value: Any) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def recording(seed: int = 1, seconds: float = 2.0, rate_hz: int = 22_050) -> bytes:
    """A WAV file of somebody humming, with a timbre of their own."""
    steps = np.arange(int(seconds * rate_hz)) / rate_hz
    numbers = np.random.RandomState(seed)
    sound = sum(numbers.rand() / k * np.sin(2 * np.pi * (90 + 40 * seed) * k * steps) for k in range(1, 12))
    pcm = (np.asarray(sound) / np.abs(sound).max() * 20_000).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, rate_hz, len(pcm), "NONE", ""))
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def characters() -> dict[str, Any]:
    return {
        "characters_class": "TTS.tts.models.vits.VitsCharacters", "pad": "_", "eos": None, "bos": None,
        "blank": "<BLNK>", "characters": LETTERS, "punctuations": "!¡¿?,.:; ", "phonemes": "", "is_unique": True,
    }  # fmt: skip


def _written(network: Any, **changes: Any) -> dict[str, Any]:
    """A network's config as Coqui's trainer writes it, with paths of a machine that only training knows."""
    config = network.config.to_dict()
    config |= {"output_path": "/home/somebody/runs", "phoneme_cache_path": "/home/somebody/cache", **changes}
    return config


def _vits(seed: int = 7, args: Mapping[str, Any] | None = None, **config: Any) -> Any:
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    torch.manual_seed(seed)
    made = VitsConfig()
    made.from_dict(
        {
            "model_args": {**SMALL_VITS, **(args or {})}, "audio": AUDIO, "characters": characters(),
            "text_cleaner": "basic_cleaners", "add_blank": True, **config,
        }
    )  # fmt: skip
    network = Vits(made)
    with torch.no_grad():
        # Untrained layers start at nothing, so that every text would be as long and every speaker the same.
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
        network.waveform_decoder.conv_post.weight.mul_(50)  # loud enough to be heard
    return network


def vits() -> Made:
    """One speaker, one language, nothing beside it."""
    network = _vits(languages=["es"])
    files = {"model/config.json": _written(network), "model/model.pth": {"model": network.state_dict()}}
    return Made(_bytes(files), RATE_HZ, ("es-ES",))


def vits_of_many() -> Made:
    """Three speakers in a table, two languages in a table, both in files of their own."""
    people, tongues = {"ana": 0, "bea": 1, "carlos": 2}, {"es": 0, "pt-br": 1}
    args = {"use_speaker_embedding": True, "use_language_embedding": True, "embedded_language_dim": 4}
    network = _vits(8, args, speakers=list(people), languages=list(tongues))
    config = _written(network, speakers=[], languages=[], speakers_file="speakers.pth")
    config["model_args"] |= {"speakers_file": "speakers.pth", "language_ids_file": "language_ids.json"}
    files = {
        "model/config.json": config, "model/model.pth": {"model": network.state_dict()},
        "model/speakers.pth": people, "model/language_ids.json": tongues,
    }  # fmt: skip
    return Made(_bytes(files), RATE_HZ, ("es-ES", "pt-BR"), {"speaker": "bea"})


def _encoder() -> tuple[dict[str, Any], dict[str, Any]]:
    """A speaker encoder, its config and its checkpoint."""
    from TTS.encoder.configs.speaker_encoder_config import SpeakerEncoderConfig
    from TTS.encoder.utils.generic_utils import setup_encoder_model

    torch.manual_seed(9)
    config = SpeakerEncoderConfig()
    parameters = {
        "input_dim": 16,
        "proj_dim": 12,
        "lstm_dim": 16,
        "num_lstm_layers": 1,
        "use_lstm_with_projection": True,
    }
    config.from_dict({"audio": AUDIO, "model_params": {"model_name": "lstm", **parameters}})
    network = setup_encoder_model(config)
    written = {
        "model": "speaker_encoder",
        "audio": AUDIO,
        "model_params": config.model_params,
        "output_path": "/home/me",
    }
    return written, {"model": network.state_dict()}


def your_tts() -> Made:
    """Vectors for speakers, an encoder that hears them in recordings, two languages; cloning the reference."""
    tongues = {"en": 0, "pt-br": 1}
    args = {
        "use_d_vector_file": True, "d_vector_dim": 12, "use_language_embedding": True, "embedded_language_dim": 4,
    }  # fmt: skip
    network = _vits(10, args, languages=list(tongues))
    config = _written(network, languages=[])
    config["model_args"] |= {
        "d_vector_file": ["speakers.json"], "language_ids_file": "language_ids.json",
        "speaker_encoder_model_path": "model_se.pth", "speaker_encoder_config_path": "config_se.json",
        "use_speaker_encoder_as_loss": True,
    }  # fmt: skip
    clips = {
        f"{name}_{n}.wav": {"name": name, "embedding": _vector(name, n)} for name in ("ana", "bea") for n in (1, 2)
    }
    encoder_config, encoder = _encoder()
    files = {
        "model/config.json": config, "model/model.pth": {"model": network.state_dict()},
        "model/speakers.json": clips, "model/language_ids.json": tongues,
        "model/config_se.json": encoder_config, "model/model_se.pth": encoder, "reference": recording(),
    }  # fmt: skip
    return Made(_bytes(files), RATE_HZ, ("en-US", "pt-BR"))


def _vector(name: str, clip: int) -> list[float]:
    return [float(each) for each in np.random.RandomState(sum(map(ord, name)) + clip).standard_normal(12)]


def glow_tts() -> Made:
    """Spectrograms, and a vocoder of another rate that makes sound of them."""
    from TTS.tts.configs.glow_tts_config import GlowTTSConfig
    from TTS.tts.models.glow_tts import GlowTTS
    from TTS.vocoder.configs import HifiganConfig
    from TTS.vocoder.models import setup_generator

    torch.manual_seed(11)
    config = GlowTTSConfig()
    encoder = {"kernel_size": 3, "dropout_p": 0.1, "num_layers": 1, "num_heads": 2, "hidden_channels_ffn": 16}
    config.from_dict(
        {
            "audio": AUDIO, "out_channels": 16, "hidden_channels_enc": 16, "hidden_channels_dec": 16,
            "hidden_channels_dp": 16, "num_flow_blocks_dec": 2, "num_block_layers": 1, "encoder_params": encoder,
            "text_cleaner": "basic_cleaners", "phoneme_language": "es-es", "length_scale": 8.0, "datasets": [],
            "characters": {**characters(), "characters_class": GRAPHEMES, "blank": None},
            "inference_noise_scale": 0.3,
        }
    )  # fmt: skip
    network = GlowTTS(config)
    with torch.no_grad():
        network.encoder.duration_predictor.proj.bias.fill_(0.8)
    sound = HifiganConfig()
    parameters = {
        "upsample_factors": [8, 8], "upsample_kernel_sizes": [16, 16], "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]], "resblock_type": "1",
    }  # fmt: skip
    sound.from_dict({"audio": {**AUDIO, "sample_rate": 22_050}, "generator_model_params": parameters})
    generator = setup_generator(sound)
    generators = {f"model_g.{name}": tensor for name, tensor in generator.state_dict().items()}
    files = {
        "model/config.json": _written(network, languages=[]), "model/best_model.pth": {"model": network.state_dict()},
        "vocoder/config.json": {**sound.to_dict(), "output_path": "/home/somebody/runs"},
        "vocoder/model.pth": {"model": generators},
    }  # fmt: skip
    return Made(_bytes(files), 22_050, ("es-ES",))


def _vocabulary() -> bytes:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[es]", "[en]", "[pt]"]
    tokens = [*special, *LETTERS, *"!¡¿?,.:;"]
    tokenizer = Tokenizer(BPE({token: n for n, token in enumerate(tokens)}, [], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    return tokenizer.to_str().encode()


def xtts() -> Made:
    """XTTS with a transformer of two layers: it speaks like the reference, and has a speaker of its own."""
    from tokenizers import Tokenizer
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    torch.manual_seed(12)
    vocabulary = _vocabulary()
    config = XttsConfig()
    config.from_dict(
        {
            "model_args": {
                "gpt_layers": 2, "gpt_n_model_channels": 32, "gpt_n_heads": 2, "gpt_max_audio_tokens": 14,
                "gpt_max_text_tokens": 120, "gpt_max_prompt_tokens": 70, "gpt_num_audio_tokens": 34,
                "gpt_start_audio_token": 32, "gpt_stop_audio_token": 33, "gpt_use_perceiver_resampler": True,
                "decoder_input_dim": 32, "d_vector_dim": 512,
            },
            "languages": ["es", "en", "pt"],
        }
    )  # fmt: skip
    network = Xtts(config)
    network.tokenizer.tokenizer = Tokenizer.from_buffer(vocabulary)
    network.init_models()
    with torch.no_grad():
        network.gpt.mel_head.bias[33] = -100.0  # untrained, it would stop anywhere, and be nothing at a faster rate
    tensors = {name: tensor for name, tensor in network.state_dict().items() if "gpt_inference" not in name}
    studio = {"Vera": {"gpt_cond_latent": torch.randn(1, 32, 32), "speaker_embedding": torch.randn(1, 512, 1)}}
    files = {
        "model/config.json": _written(network), "model/model.pth": {"model": tensors, "config": config.to_dict()},
        "model/vocab.json": vocabulary, "model/speakers_xtts.pth": studio, "reference": recording(3),
    }  # fmt: skip
    return Made(_bytes(files), 24_000, ("es-ES", "en-US", "pt-BR"))


def _bytes(files: Mapping[str, Any]) -> dict[str, bytes]:
    """Each file as it lies on disk: by its name's ending, and bytes as they are."""
    return {
        role: value if isinstance(value, bytes)
        else json.dumps(value).encode() if role.endswith(".json")
        else saved(value)
        for role, value in files.items()
    }  # fmt: skip


MAKERS: dict[str, Callable[[], Made]] = {
    "vits": vits,
    "vits of many": vits_of_many,
    "your_tts": your_tts,
    "glow_tts": glow_tts,
    "xtts": xtts,
}
"""Every kind of model that the engine speaks with."""
