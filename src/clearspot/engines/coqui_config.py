"""A Coqui model's config.json: what of it is used, and which of the grant's files it names. Nothing is opened here.

Coqui's own loader opens whatever paths a config names, imports the classes that it names, and looks up its cleaners by
name. So a config is read as data first: what is for training is left out, what names a file has to name one of the
grant's, and what names code has to name some that is known here.

Fields: https://coqui-tts.readthedocs.io/en/latest/configuration.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NewType, NoReturn

from clearspot.errors import BadInput, Refused

Kind = Literal["model", "vocoder", "encoder"]
"""What a config is of: the model that speaks, what turns its spectrograms into sound, what hears who speaks."""

Pathless = NewType("Pathless", dict[str, Any])
"""A config that names no file, and no code but what is known. This module alone makes them; Coqui is given no other."""

FAMILIES: dict[Kind, tuple[str, ...]] = {
    "model": ("glow_tts", "vits", "xtts"),
    "vocoder": ("hifigan", "multiband_melgan"),
    "encoder": ("lstm", "resnet"),
}

TABLES = ("speakers_file", "speaker_file", "language_ids_file", "d_vector_file")
"""Files of names: of speakers, of languages, of speakers' vectors."""

FILE_FIELDS = (
    *TABLES,
    "speaker_encoder_model_path",
    "speaker_encoder_config_path",
    "tokenizer_file",
    "gpt_checkpoint",
    "clvp_checkpoint",
    "decoder_checkpoint",
)
"""What Coqui would open when it loads a model. It is given the contents instead."""

TRAINING = {
    "output_path", "phoneme_cache_path", "f0_cache_path", "energy_cache_path", "test_sentences", "test_sentences_file",
    "data_path", "feature_path", "restore_path", "continue_path", "logger_uri", "dashboard_logger", "project_name",
    "run_name", "run_description", "wandb_entity", "github_branch", "coqui_url", "base_model", "style_wav_for_test",
    "optimizer", "optimizer_params", "lr_scheduler", "lr_scheduler_params", "lr_scheduler_gen", "lr_scheduler_disc",
    "lr_scheduler_gen_params", "lr_scheduler_disc_params", "audio_augmentation", "weighted_sampler_attrs",
    "weighted_sampler_multipliers", "gst", "train_csv", "eval_csv", "map_classid_to_classname", "distributed_url",
    "distributed_backend", "augmentation_config", "discriminator_model", "discriminator_model_params", "models_path",
    "use_speaker_encoder_as_loss", "max_inference_len",
}  # fmt: skip
"""Fields that speaking has no use for. The last two would ask for what only training needs, and cut speech short."""

FREE_TEXT = {"characters", "speakers", "languages"}
"""Fields whose strings are letters and names, whatever they look like."""

CHARACTER_SETS = {
    "TTS.tts.utils.text.characters.BaseCharacters",
    "TTS.tts.utils.text.characters.Graphemes",
    "TTS.tts.utils.text.characters.IPAPhonemes",
    "TTS.tts.models.vits.VitsCharacters",
}
PATH_LIKE = re.compile(r"[/\\]|^~|^\.\.?$|^\w+:|\.(pth|pt|tar|npy|npz|json|txt|ya?ml|onnx|bin|pkl|wav|flac)$", re.I)
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What a config says.

    ``family`` is the kind of network, ``files`` the grant's roles that each file field names, ``languages`` what the
    model says that it speaks (nothing, where it does not say).
    """

    family: str
    config: Pathless
    files: Mapping[str, tuple[str, ...]]
    languages: tuple[str, ...]


def read_plan(data: bytes, kind: Kind, folder: str, granted: Collection[str], where: str) -> Plan:
    """What a config asks for, with nothing opened.

    Args:
        data: The whole ``config.json``.
        kind: What it is of.
        folder: The role whose files it may name: ``model`` for ``model/speakers.json``.
        granted: Every role of the grant.
        where: What errors call it.

    Raises:
        BadInput: It is not a config, or one of a network that the engine does not speak with.
        Refused: It names a file that is none of the grant's, or code that is not known.
    """
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is not JSON: {error}.", where=where, remedy="Comments have to be taken out.") from error
    if not isinstance(config, dict):
        raise BadInput("is not a config of Coqui.", where=where)
    family = _family(config, kind, where)
    _require_known_code(config, where)
    languages = _languages(config)
    datasets = config.get("datasets")
    config = {name: value for name, value in config.items() if name != "datasets"}
    # Of a training set nothing is used but which phonemizer its language has.
    if config.get("phonemizer") == "multi_phonemizer" and isinstance(datasets, list):
        sets = [each for each in datasets if isinstance(each, Mapping)]
        config["datasets"] = [{name: each.get(name, "") for name in ("language", "phonemizer")} for each in sets]
    files: dict[str, tuple[str, ...]] = {}
    cleaned = _cleaned(config, 0, where)
    for field, value in _file_fields(cleaned):
        names = value if isinstance(value, list) else [value]
        files[field] = tuple(_role(name, field, folder, granted, where) for name in names)
    _forget_files(cleaned)
    if family == "vits":
        cleaned["model_args"] = {**cleaned.get("model_args", {}), "init_discriminator": False}  # for training alone
    _require_no_paths(cleaned, "", where)
    return Plan(family, Pathless(cleaned), files, languages)


def with_names(plan: Plan, *, speakers: Mapping[str, int] | None, languages: Collection[str]) -> Pathless:
    """The config of a plan that holds the names which Coqui would read from files.

    Args:
        plan: The model's plan.
        speakers: Speakers by name, with their places in the model's table; None where there is no such table.
        languages: The languages, in the order of the model's table.
    """
    config = {**plan.config, "languages": list(languages)}
    if speakers is not None:
        config["speakers"] = sorted(speakers, key=lambda name: speakers[name])
    return Pathless(config)


def _family(config: Mapping[str, Any], kind: Kind, where: str) -> str:
    if kind == "encoder":
        parameters = config.get("model_params")
        named = parameters.get("model_name") if isinstance(parameters, Mapping) else None
    else:
        named = config.get("model") or config.get("generator_model")
    family = str(named).lower().removesuffix("_generator")
    if family not in FAMILIES[kind] or (kind == "vocoder" and config.get("generator_model") != f"{family}_generator"):
        known = ", ".join(FAMILIES[kind])
        raise BadInput(
            f"is of {str(named)[:60]!r}, which is no {kind} that this engine loads; it loads: {known}.",
            where=f"{where}: model",
        )
    return family


def _require_known_code(config: Mapping[str, Any], where: str) -> None:
    """Names in a config that Coqui imports or looks up."""
    characters = config.get("characters")
    named = characters.get("characters_class") if isinstance(characters, Mapping) else None
    if named and str(named) not in CHARACTER_SETS:
        _refuse(f"names the code {str(named)[:80]!r}, which is none of Coqui's character sets", where, "characters")
    cleaner = config.get("text_cleaner")
    if cleaner is not None and not re.fullmatch(r"[a-z_]+_cleaners", str(cleaner)):
        _refuse(f"names the code {str(cleaner)[:80]!r}, which is none of Coqui's cleaners", where, "text_cleaner")


def _languages(config: Mapping[str, Any]) -> tuple[str, ...]:
    """In Coqui's own order; Coqui would take English where nothing is said, and here nothing is taken."""
    named = config.get("languages") or []
    if not named:
        sets = config.get("datasets")
        found = (
            {each.get("language") for each in sets if isinstance(each, Mapping)} if isinstance(sets, list) else set()
        )
        named = sorted(language for language in found if language)
    if not named and config.get("phoneme_language"):
        named = [config["phoneme_language"]]
    return tuple(str(language) for language in (named if isinstance(named, list) else [named]))


def _cleaned(value: Any, depth: int, where: str) -> Any:
    """A config without what is for training, however deep."""
    if depth > MAX_DEPTH:
        raise BadInput(f"is nested deeper than {MAX_DEPTH}.", where=where)
    if isinstance(value, dict):
        return {name: _cleaned(each, depth + 1, where) for name, each in value.items() if name not in TRAINING}
    return [_cleaned(each, depth + 1, where) for each in value] if isinstance(value, list) else value


def _file_fields(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Everything that names files; what ``model_args`` says comes last and counts, as in Coqui."""
    for section in (config, config.get("model_args")):
        if isinstance(section, Mapping):
            yield from ((field, section[field]) for field in FILE_FIELDS if section.get(field))


def _role(name: Any, field: str, folder: str, granted: Collection[str], where: str) -> str:
    role = f"{folder}/{name}"
    if not isinstance(name, str) or "/" in name or "\\" in name or role not in granted:
        raise Refused(
            f"names {str(name)[:120]!r}, which is none of the files that the consent names; it is not opened.",
            where=f"{where}: {field}",
            remedy="Write the file's plain name into the config, and name the file with its digest in models.yaml.",
        )
    return role


def _forget_files(config: dict[str, Any]) -> None:
    for section in (config, config.get("model_args")):
        if isinstance(section, dict):
            for field in FILE_FIELDS:
                section.pop(field, None)


def _require_no_paths(value: Any, name: str, where: str) -> None:
    """Nothing else in a config looks like a path: what Coqui might open one day is not left to chance."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "stats_path" and each:
                _refuse("asks for statistics in a pickle, which could be a program", where, f"{name}{key}")
            if key not in FREE_TEXT:
                _require_no_paths(each, f"{name}{key}.", where)
    elif isinstance(value, list):
        for each in value:
            _require_no_paths(each, name, where)
    elif isinstance(value, str) and PATH_LIKE.search(value):
        _refuse(f"names {value[:120]!r}, which looks like a file and is none that is known", where, name.rstrip("."))


def _refuse(what: str, where: str, field: str) -> NoReturn:
    raise Refused(f"{what}; it is not loaded.", where=f"{where}: {field}", remedy="Take it out of the config.")
