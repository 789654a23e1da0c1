"""What is read of a Coqui model's config.json, and what is refused; nothing of Coqui is needed for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearspot.engines.coqui import language_for
from clearspot.engines.coqui_config import Kind, Plan, read_plan, with_names
from clearspot.errors import BadInput, Refused

GRANTED = ("model/config.json", "model/model.pth", "model/speakers.json", "model/vocab.json", "vocoder/speakers.json")


def plan(config: Any, kind: Kind = "model") -> Plan:
    data = config if isinstance(config, bytes) else json.dumps(config).encode()
    return read_plan(data, kind, "model", GRANTED, "voice 'ana': config")


def test_training_is_left_out_however_deep() -> None:
    config = {
        "model": "vits",
        "output_path": "/home/somebody/runs",
        "datasets": [{"path": "/data", "language": "es"}],
        "test_sentences": [["Hola.", "ana", None, "es"]],
        "model_args": {"hidden_channels": 4, "use_speaker_encoder_as_loss": True, "max_inference_len": 9},
        "audio": {"sample_rate": 16000},
    }
    made = plan(config)
    assert made.config == {
        "model": "vits",
        "model_args": {"hidden_channels": 4, "init_discriminator": False},
        "audio": {"sample_rate": 16000},
    }
    assert (made.family, made.files, made.languages) == ("vits", {}, ("es",))


def test_files_become_roles_of_the_grant() -> None:
    """What ``model_args`` says counts, as in Coqui; empty names and none are no files."""
    config = {
        "model": "vits",
        "speakers_file": "vocab.json",
        "d_vector_file": None,
        "model_args": {"speakers_file": "speakers.json", "d_vector_file": [], "speaker_encoder_model_path": ""},
    }
    assert plan(config).files == {"speakers_file": ("model/speakers.json",)}
    assert plan(config).config == {"model": "vits", "model_args": {"init_discriminator": False}}


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "../speakers.json", "vocoder/speakers.json", "C:\\speakers.json", "https://x/speakers.json"),
        *("other.json", "memory://speakers.json", "~/speakers.json", "speakers.json/", "./speakers.json", "", 3),
        *(["speakers.json", "/x"], [["speakers.json"]], {"a": "speakers.json"}),
    ],
)
@pytest.mark.parametrize("section", ["top", "model_args"])
def test_files_that_are_none_of_the_grants(name: Any, section: str) -> None:
    config = {"model": "vits", "d_vector_file": name} if section == "top" else {}
    config = config or {"model": "vits", "model_args": {"d_vector_file": name}}
    if name == "":
        assert plan(config).files == {}
        return
    with pytest.raises(
        Refused, match=r"config: d_vector_file: names .* it is not opened\. Write the file's plain name"
    ):
        plan(config)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"some_new_field": "/etc/passwd"}, "some_new_field"),
        ({"some_new_field": "weights.pth"}, "some_new_field"),
        ({"audio": {"deep": [{"deeper": "..\\x"}]}}, "audio.deep.deeper"),
        ({"model_args": {"new": "s3://bucket/x"}}, "model_args.new"),
        ({"audio": {"stats_path": "stats.npy"}}, "audio.stats_path"),
        ({"characters": {"characters_class": "os.path.Join"}}, "characters"),
        ({"characters": {"characters_class": ["os"]}}, "characters"),
        ({"text_cleaner": "system"}, "text_cleaner"),
        ({"text_cleaner": "os.path_cleaners"}, "text_cleaner"),
        ({"text_cleaner": ["english_cleaners"]}, "text_cleaner"),
    ],
)
def test_whatever_looks_like_a_file_or_names_code(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=rf"config: {field}: .* it is not loaded\. Take it out of the config\."):
        plan({"model": "vits", **changes})


def test_letters_and_names_may_look_like_anything() -> None:
    config = {
        "model": "vits",
        "characters": {"punctuations": "/\\.!", "characters": "abc"},
        "speakers": ["a/b", "c.pth"],
    }
    assert plan(config).config["speakers"] == ["a/b", "c.pth"]


@pytest.mark.parametrize(
    ("config", "kind", "told"),
    [
        (b"", "model", "is not JSON"),
        (b"{\n// mine\n}", "model", "is not JSON: .* Comments have to be taken out"),
        (b"[" * 50_000, "model", "is not JSON"),
        (b"\xff\xfe", "model", "is not JSON"),
        (b"[]", "model", "is not a config of Coqui"),
        ({}, "model", "model: is of 'None', which is no model that this engine loads; it loads: glow_tts, vits, xtts"),
        ({"model": "tortoise"}, "model", "is of 'tortoise'"),
        ({"model": "bark"}, "model", "is of 'bark'"),
        ({"model": ["vits"]}, "model", "which is no model that this engine loads"),
        ({"model": "hifigan"}, "vocoder", "is of 'hifigan', which is no vocoder that this engine loads"),
        ({"model": "wavernn", "generator_model": "hifigan_generator"}, "vocoder", "is of 'wavernn'"),
        ({"model_params": {"model_name": "os"}}, "encoder", "is of 'os', which is no encoder"),
        ({"model_params": "lstm"}, "encoder", "is of 'None', which is no encoder"),
    ],
)
def test_configs_that_are_none(config: Any, kind: Kind, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        plan(config, kind)


def test_a_config_that_never_ends() -> None:
    deep: Any = "x"
    for _ in range(20):
        deep = {"a": deep}
    with pytest.raises(BadInput, match="is nested deeper than 12"):
        plan({"model": "vits", "deep": deep})


@pytest.mark.parametrize(
    ("config", "languages"),
    [
        ({"languages": ["pt-br", "es"]}, ("pt-br", "es")),
        ({"datasets": [{"language": "it"}, {"language": "es"}, {"language": ""}, {}]}, ("es", "it")),
        ({"phoneme_language": "en-us"}, ("en-us",)),
        ({"languages": "de"}, ("de",)),
        ({"languages": ["de"], "phoneme_language": "en-us"}, ("de",)),
        ({"datasets": None}, ()),
        ({}, ()),
    ],
)
def test_languages_are_what_the_config_says_and_never_english_by_default(
    config: dict[str, Any], languages: tuple[str, ...]
) -> None:
    assert plan({"model": "vits", **config}).languages == languages


def test_names_from_files_take_their_places() -> None:
    made = with_names(plan({"model": "vits"}), speakers={"bea": 1, "ana": 0}, languages=["es", "it"])
    assert (made["speakers"], made["languages"]) == (["ana", "bea"], ["es", "it"])
    assert "speakers" not in with_names(plan({"model": "vits"}), speakers=None, languages=[])


SPOKEN = ("en", "es", "fr-fr", "pt-br", "zh-cn")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("es-ES", "es"), ("es-MX", "es"), ("pt-BR", "pt-br"), ("fr-FR", "fr-fr"), ("zh-CN", "zh-cn"), ("en-GB", "en")],
)
def test_a_locale_finds_its_language(locale: str, language: str) -> None:
    assert language_for(locale, {}, SPOKEN, "ana") == language


@pytest.mark.parametrize("locale", ["pt-PT", "fr-CA", "de-DE", "zh-TW"])
def test_no_region_speaks_for_another_unless_the_voice_says_so(locale: str) -> None:
    with pytest.raises(
        BadInput, match=f"does not speak {locale} with this model; it speaks en, es, fr-fr, pt-br, zh-cn"
    ):
        language_for(locale, {}, SPOKEN, "ana")
    assert language_for(locale, {locale: "es"}, SPOKEN, "ana") == "es"
