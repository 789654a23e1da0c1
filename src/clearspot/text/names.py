"""Names of people, companies and products: what may stand in one, and how two that look alike differ."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

MAX_NAME_CHARACTERS = 200
INVISIBLE = {
    *(0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
}
"""Marks and letters that show nothing: Default_Ignorable_Code_Point of Unicode 15 outside category C, and the blank
Braille pattern."""

ORDINALS = {"ª", "º"}  # letters by their category, in no script of their own: Mª
JOINED_SCRIPTS = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "HANGUL": "CJK", "KATAKANA-HIRAGANA": "CJK", "FULLWIDTH": "CJK"}
"""Scripts that one word may mix."""


def _name(value: str) -> str:
    if not value.strip():
        raise ValueError("should not be empty")
    if len(value) > MAX_NAME_CHARACTERS:
        raise ValueError(f"has {len(value):,} characters; a name has at most {MAX_NAME_CHARACTERS}")
    if value != " ".join(value.split()):
        raise ValueError("has spaces at its ends, two in a row, or ones that are none")
    for character in value:
        if unicodedata.category(character)[0] == "C" or ord(character) in INVISIBLE:
            raise ValueError(f"holds a character that cannot be seen ({_called(character)})")
    for word in value.split():
        if len(scripts := _scripts(word)) > 1:
            raise ValueError(f"{word!r} mixes the scripts {' and '.join(sorted(scripts))}")
    return unicodedata.normalize("NFC", value)


Name = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}),
]
"""A name as people write it, in NFC: nothing in it that cannot be seen, no word of two scripts."""


def look_alike(asked: str, allowed: str) -> str:
    """Where two different names that look the same differ, in words; empty where they do not look the same."""
    if asked == allowed or len(asked) != len(allowed):
        return ""
    differing = [(one, other) for one, other in zip(asked, allowed, strict=True) if one != other]
    if len(differing) > 3 or all(one.isascii() and other.isascii() for one, other in differing):
        return ""
    return "; ".join(f"has {_called(one)} where the record has {_called(other)}" for one, other in differing)


def _scripts(word: str) -> set[str]:
    """The scripts of a word's letters, by the first word of their Unicode names; modifiers and ordinals have none."""
    letters = (each for each in word if unicodedata.category(each) in {"Lu", "Ll", "Lt", "Lo"} and each not in ORDINALS)
    names = {_called(letter).split()[0] for letter in letters}
    return {JOINED_SCRIPTS.get(name, name) for name in names}


def _called(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}")
