"""A spot and its script, and how they are loaded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from clearspot.errors import BadInput
from clearspot.files import inside
from clearspot.hashing import sha256_json
from clearspot.schedule import Schedule
from clearspot.text.names import Name
from clearspot.yamlfile import Strict, load_model

MAX_LINE_CHARACTERS = 1_000
MAX_LINES = 200
SPOKEN_SYMBOLS = "°©®™"
DISCLOSURE_ID = "disclosure"
"""The id under which the disclosure is spoken; no line of a script may have it."""

Medium = Literal["radio", "online-audio", "podcast", "in-store", "tv", "online-video"]
Purpose = Literal["advertising", "public-service", "internal"]
Category = Literal[
    "adult", "alcohol", "animals", "beauty", "betting", "cannabis", "cars", "clothing", "crypto", "dating",
    "debt", "drinks", "education", "energy", "entertainment", "finance", "food", "games", "health", "home",
    "insurance", "jobs", "medicines", "military", "nutrition", "politics", "property", "public-information",
    "religion", "restaurants", "shopping", "sport", "surgery", "technology", "telecoms", "tobacco", "toys",
    "transport", "travel", "weapons", "weight-loss",
]  # fmt: skip
"""What an ad is for, in the terms in which talent rules something out. A closed list: a misspelt category would be
no category."""


def _id(value: str) -> str:
    if not re.fullmatch(ID_PATTERN, value) or len(value) > 64:
        raise ValueError("should be lower-case letters, digits and hyphens, at most 64")
    return value


def _locale(value: str) -> str:
    import langcodes

    form = re.fullmatch(LOCALE_PATTERN, value)
    if not form or not langcodes.tag_is_valid(value):
        raise ValueError("should be a BCP-47 tag of language and territory that exists, such as es-ES or pt-BR")
    return value


def _market(value: str) -> str:
    from babel import Locale

    form = re.fullmatch(MARKET_PATTERN, value)
    if form and form[1] in NO_COUNTRIES:
        raise ValueError("is no country of ISO 3166; rules are found by country, so name each one, such as ES")
    if not form or form[1] not in Locale("en").territories:
        raise ValueError("should be an ISO 3166 country such as ES, or a part of one such as US-NY")
    return value


def _spoken_text(value: str) -> str:
    if not value.strip():
        raise ValueError("should not be empty")
    if len(value) > MAX_LINE_CHARACTERS:
        raise ValueError(f"has {len(value):,} characters; a line has at most {MAX_LINE_CHARACTERS:,}: split it in two")
    for character in value:
        # So: pictures and emoji; Cc, Cs, Co, Cn: control, surrogate, private and unassigned characters.
        if unicodedata.category(character) in {"So", "Cc", "Cs", "Co", "Cn"} and character not in SPOKEN_SYMBOLS:
            name = unicodedata.name(character, f"U+{ord(character):04X}")
            raise ValueError(f"holds a character that cannot be spoken ({name})")
    return unicodedata.normalize("NFC", value)


ID_PATTERN = r"[a-z0-9]+(?:[-_][a-z0-9]+)*"
NO_COUNTRIES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"}
"""Codes that CLDR has for groups, for nowhere, and for places that ISO 3166-1 counts to a country. No policy would be
found for them, and a spot would run under fewer rules than it should."""

LOCALE_PATTERN, MARKET_PATTERN = r"([a-z]{2,3})-([A-Z]{2})", r"([A-Z]{2})(-[A-Z0-9]{1,3})?"


def _text_like(pattern: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", **more})


SPOT_FILE = "spot.yaml"
Id = Annotated[str, AfterValidator(_id), _text_like(ID_PATTERN, maxLength=64)]
LocaleTag = Annotated[str, AfterValidator(_locale), _text_like(LOCALE_PATTERN)]
Market = Annotated[str, AfterValidator(_market), _text_like(MARKET_PATTERN)]
SpokenText = Annotated[str, AfterValidator(_spoken_text)]


class LocaleOrder(Strict):
    """Where the spot of one locale will run; the markets select the rules."""

    markets: tuple[Market, ...] = Field(min_length=1)


class SpotPolicy(Strict):
    """What this spot's owner decided. ``drafts: export`` lets unapproved translations out, and the receipt says so."""

    drafts: Literal["refuse", "export"] = "refuse"


class SpotFile(Strict):
    """``spot.yaml``. Paths are relative to its folder; times are seconds.

    ``policies`` names rules besides those that the markets select: of a contract, of a platform. ``schedule`` is the
    spot's own, in the place of the project's.
    """

    id: Id
    voice: Id
    script: str = "script.yaml"
    recording: str
    bed: str | None = None
    locales: dict[LocaleTag, LocaleOrder] = Field(min_length=1)
    profiles: tuple[Id, ...] = Field(min_length=1)
    timing: Literal["flow", "locked"] = "flow"
    duration_s: float | None = Field(default=None, gt=0, le=600)
    medium: Medium
    purpose: Purpose = "advertising"
    policy: SpotPolicy = SpotPolicy()
    policies: tuple[Id, ...] = ()
    schedule: Schedule | None = None


class Script(Strict):
    """``script.yaml``: the approved words of the recording, one line an id."""

    advertiser: Name
    product: Name
    categories: tuple[Category, ...] = ()
    locale: LocaleTag
    protected: tuple[SpokenText, ...] = ()
    lines: dict[Id, SpokenText] = Field(min_length=1, max_length=MAX_LINES)

    @property
    def digest(self) -> str:
        """What an approval is for: every word, its order, and what it is about."""
        return sha256_json(self.model_dump(mode="json") | {"lines": list(self.lines.items())})

    def line_digests(self) -> dict[str, str]:
        return {line_id: sha256_json(text) for line_id, text in self.lines.items()}


class TranslationFile(Strict):
    """``translations/<locale>.yaml``: the words of one locale, by the ids of the script's lines."""

    locale: LocaleTag
    lines: dict[Id, SpokenText]


@dataclass(frozen=True, slots=True)
class Spot:
    """A spot as it lies on disk; ``recording`` and ``bed`` are existing files."""

    folder: Path
    order: SpotFile
    script: Script
    translations: Mapping[str, TranslationFile]
    recording: Path
    bed: Path | None

    @property
    def id(self) -> str:
        return self.order.id

    @property
    def commercial(self) -> bool:
        return self.order.purpose == "advertising"


def load_spot(folder: Path) -> Spot:
    """A spot from its folder.

    Raises:
        BadInput: A file is missing or not what it should be; the message names file, field, value and choices.
    """
    if not folder.is_dir():
        raise BadInput("there is no such folder.", where=str(folder), remedy="Name the folder that holds spot.yaml.")
    file = folder / SPOT_FILE
    order = load_model(SpotFile, file, remedy="A spot is a folder with spot.yaml; see docs/reference.md.")
    script = load_model(Script, inside(folder, order.script, where=f"{file}: script"))
    if DISCLOSURE_ID in script.lines:
        raise BadInput(
            f"no line may be called {DISCLOSURE_ID!r}; Clearspot speaks the disclosure under that name.",
            where=f"{inside(folder, order.script, where=str(file))}: lines",
        )
    if script.locale in order.locales:
        raise BadInput(
            f"{script.locale} is the recording's own locale; there is nothing to localise.",
            where=f"{file}: locales",
            remedy="Take it out of the list.",
        )
    if order.timing == "locked" and order.duration_s is not None:
        raise BadInput(
            "cannot be set with `timing: locked`, where the recording gives the times.",
            where=f"{file}: duration_s",
        )
    return Spot(
        folder=folder,
        order=order,
        script=script,
        translations={locale: t for locale in order.locales if (t := _translation(folder, locale, script))},
        recording=_media_file(folder, order.recording, f"{file}: recording"),
        bed=_media_file(folder, order.bed, f"{file}: bed") if order.bed else None,
    )


def chosen(asked: tuple[str, ...], known: tuple[str, ...], option: str, spot: Spot) -> tuple[str, ...]:
    """Those of a spot's locales or profiles that are asked for, in the spot's order; none asked for: all.

    Raises:
        BadInput: The spot has none of that name.
    """
    if unknown := [name for name in asked if name not in known]:
        raise BadInput(
            f"spot {spot.id!r} has no {', '.join(unknown)}; it has: {', '.join(known)}.",
            where=option,
            remedy="Add it to spot.yaml, or ask for one of those.",
        )
    return tuple(name for name in known if not asked or name in asked)


def _translation(folder: Path, locale: str, script: Script) -> TranslationFile | None:
    path = folder / "translations" / f"{locale}.yaml"
    if not path.exists():
        return None
    translation = load_model(TranslationFile, path)
    if translation.locale != locale:
        raise BadInput(f"says {translation.locale}, the file is named {locale}.", where=f"{path}: locale")
    if unknown := sorted(translation.lines.keys() - script.lines.keys()):
        raise BadInput(
            f"no such line in the script: {', '.join(unknown)}; it has: {', '.join(script.lines)}.",
            where=f"{path}: lines",
        )
    return translation


def _media_file(folder: Path, name: str, where: str) -> Path:
    path = inside(folder, name, where=where)
    if not path.is_file():
        raise BadInput(f"there is no file {name!r} in {folder}.", where=where, remedy="Put it there.")
    return path
