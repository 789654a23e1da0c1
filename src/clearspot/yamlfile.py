"""Strict reading of YAML: no tags, no aliases, no duplicate keys, nothing huge; errors that name the field."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import json
import math
import types
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from clearspot.errors import BadInput

MAX_BYTES = 1_000_000
"""A configuration file larger than this is a mistake or an attack."""

KEPT, KEPT_CHARACTERS = 64, 50_000
"""Of so many texts the values are remembered, if they are no longer than that: what is read again and again is few and
short."""

READ_OTHERWISE = frozenset("\ufeff\x85\u2028\u2029\r\t|>")
"""Characters in which libyaml may see something else than PyYAML's own parser: marks, tabs, line ends, block
scalars."""

UNSHOWN = "unshown"
"""The type of an error about a value that may be a secret."""

KINDS = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should hold fields (name: value)",
    "model_type": "should hold fields (name: value)",
}
"""What pydantic calls by the names of JSON, in the words of YAML."""


class Strict(BaseModel):
    """The base of everything read from a file: frozen, no unknown keys, no silent conversions of kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=False)


M = TypeVar("M", bound=BaseModel)


class _Strict(yaml.composer.Composer, yaml.constructor.SafeConstructor):
    """Refuses tags, aliases and duplicate keys; beside any loader that composes nodes in Python."""

    def compose_node(self: Any, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        tag = getattr(self.peek_event(), "tag", None)
        if tag is not None:
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, f"tags ({tag}) are not allowed here", mark)
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed here", event.start_mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


class _Loader(_Strict, yaml.SafeLoader):
    """The one that decides, and says what is wrong."""


if yaml.__with_libyaml__:

    class _FastLoader(_Strict, yaml.CSafeLoader):
        """The same with libyaml's parser, six times as fast; whatever it stumbles over, the other one reads."""

        def __init__(self, stream: Any) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            yaml.composer.Composer.__init__(self)

else:
    _FastLoader = _Loader  # type: ignore[assignment, misc]


_AS_TEXT = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
"""Dates stay text."""

_Loader.yaml_implicit_resolvers = _FastLoader.yaml_implicit_resolvers = _AS_TEXT


def read_text(path: Path, *, remedy: str = "") -> str:
    """A small UTF-8 text file.

    Raises:
        BadInput: It is missing, a folder, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"is {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.", where=str(path))
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput("there is no such file.", where=str(path), remedy=remedy) from error
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text.", where=str(path), remedy="Save it as UTF-8 and try again.") from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error


def load_yaml(path: Path, *, remedy: str = "") -> Any:
    """The plain values of a YAML file.

    Raises:
        BadInput: The file is missing, not YAML, or uses what is not allowed; the message has line and column.
    """
    return parse_yaml(read_text(path, remedy=remedy), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """The plain values of YAML text; ``where`` is only for the message.

    Raises:
        BadInput: It is not YAML, or uses what is not allowed; the message has line and column.
    """
    try:
        return copy.deepcopy(_remembered(text)) if len(text) <= KEPT_CHARACTERS else _parsed(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadInput(f"is not the YAML we read: {problem}.", where=f"{where}{at}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise BadInput("is not the YAML we read: nested too deep or malformed.", where=where) from error


def _parsed(text: str) -> Any:
    if not READ_OTHERWISE & set(text):
        with contextlib.suppress(yaml.YAMLError, RecursionError, ValueError, OverflowError):
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506  (both are SafeLoaders)
    return yaml.load(text, Loader=_Loader)  # noqa: S506


_remembered = functools.lru_cache(KEPT)(_parsed)
"""A run reads the same records from the disk over and over, and they seldom change."""


def load_model(kind: type[M], path: Path, *, remedy: str = "") -> M:
    """A YAML file as a strict model.

    Raises:
        BadInput: As for ``load_yaml``, or a field is missing, unknown or wrong; the message names each.
    """
    return parse_model(kind, load_yaml(path, remedy=remedy), path)


def parse_model(kind: type[M], value: Any, path: Path) -> M:
    """Plain values as a strict model; ``path`` is only for the message.

    Raises:
        BadInput: A field is missing, unknown or wrong.
    """
    if not isinstance(value, dict):
        raise BadInput("should hold fields (name: value).", where=str(path))
    if odd := _odd(value):
        raise BadInput(f"{odd}.", where=str(path))
    try:
        # By way of JSON, where strict means no conversion of kinds and lists may still become tuples.
        return kind.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise BadInput(_explain(error, kind), where=str(path)) from error


def _odd(value: Any, field: str = "") -> str:
    """Where a value is nothing that can be written down again: not finite, or half a character. Empty if nowhere."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return next((odd for key, item in items if (odd := _odd(item, f"{field}.{key}".lstrip(".")))), "")
    if isinstance(value, float) and not math.isfinite(value):
        return f"{field}: should be a finite number (it is {value})"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return f"{field}: holds half a character (it is {value!r})"
    return ""


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    problems: list[str] = []
    for choice, group in itertools.groupby(error.errors(), lambda item: _walk(kind, item["loc"]).choice):
        items = [(item, _walk(kind, item["loc"])) for item in group]
        problems += [_tell(*each) for each in (_meant(items) if choice else items)]
    return "; ".join(problems[:5]) + "."


def _meant(items: list[tuple[Any, _Place]]) -> list[tuple[Any, _Place]]:
    """What is wrong with the choice that was meant, of a field that may be ``any`` or a list; the first may be both."""
    inside = [(item, place) for item, place in items if place.names != place.choice]
    others = [(item, place) for item, place in items if item["type"] != "literal_error"]
    return inside or others or items


def _tell(item: Any, place: _Place) -> str:
    field = ".".join(place.names) or "(the whole file)"
    tag = str(item.get("ctx", {}).get("discriminator", "")).strip("'")
    match item["type"]:
        case "extra_forbidden":
            choices = ", ".join(place.holder.model_fields) if place.holder else ""
            return f"{field}: unknown field" + (f"; known here: {choices}" if choices else "")
        case "missing":
            return f"{field}: is missing"
        case "union_tag_not_found":
            return f"{field}.{tag}: is missing"
        case "union_tag_invalid":
            return f"{field}.{tag}: should be one of {item['ctx']['expected_tags']} (it is {item['ctx']['tag']!r})"
    message = KINDS.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    at_choice = place.words and place.choice == place.names and isinstance(item["input"], str)
    words = f", or {' or '.join(map(repr, place.words))}" if at_choice else ""
    if item["type"] == UNSHOWN:
        return f"{field}: {message}"
    shown = repr(item["input"])
    return f"{field}: {message}{words} (it is {shown if len(shown) <= 60 else f'{shown[:57]}...'})"


class _Place(NamedTuple):
    """Where something is wrong, as people write it.

    ``holder`` is the model that holds the last name, as far as the models say; ``choice`` the names up to a field that
    may be one of several kinds, and ``words`` what it may be in a word.
    """

    names: tuple[str, ...]
    holder: type[BaseModel] | None
    choice: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()


def _walk(kind: type[BaseModel], loc: tuple[int | str, ...]) -> _Place:
    model: type[BaseModel] | None = kind
    place = _Place((), kind)
    parts = iter(loc)
    for part in parts:
        place = place._replace(names=(*place.names, str(part)), holder=model)
        field = model.model_fields.get(str(part)) if model else None
        if field is None:
            continue  # a key of a mapping whose values are of ``model``
        if field.discriminator is not None:  # pydantic puts the kind's name between a field and what is in it
            tag = next(parts, None)
            model = next((one for one in get_args(field.annotation) if _has_tag(one, field.discriminator, tag)), None)
        else:
            if (kinds := _choices(field.annotation)) and next(parts, None) is not None:  # here too
                words = tuple(word for each in kinds if get_origin(each) is Literal for word in get_args(each))
                place = place._replace(choice=place.names, words=words)
            model = _model_in(field.annotation)
    return place


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The kinds that a field may be of, where there are several."""
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = tuple(each for each in get_args(annotation) if each is not type(None)) if union else ()
    return kinds if len(kinds) > 1 else ()


def _has_tag(model: Any, discriminator: Any, tag: int | str | None) -> bool:
    return tag in get_args(model.model_fields[str(discriminator)].annotation)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds: itself, or inside an optional, a mapping or a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def with_entry(text: str, field: str, key: str, value: Any, where: str) -> str:
    """YAML text with one more entry in a mapping that is a field of the whole; everything else stays as it is written.

    Args:
        text: The text; its comments stay.
        field: The mapping's name.
        key: The new entry's, which is not there yet.
        value: Plain values.
        where: Only for the message.

    Raises:
        BadInput: The text holds no such mapping.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    fields = {name.value: node for name, node in root.value} if isinstance(root, yaml.MappingNode) else {}
    holder = fields.get(field)
    if not isinstance(holder, yaml.MappingNode):
        raise BadInput(f"{field}: should hold fields (name: value).", where=where)
    if holder.flow_style:
        end = holder.end_mark.index - 1
        comma = ", " if holder.value else ""
        return f"{text[:end].rstrip()}{comma}{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}{text[end:]}"
    column = holder.start_mark.column
    lines = dump_yaml({key: value}).splitlines()
    added = "".join(f"{' ' * column}{line}\n" for line in lines)
    last = _last_leaf(holder).end_mark
    end = last.index if last.column == 0 else text.find("\n", last.index) + 1
    before = text[:end] if end else f"{text}\n"
    return f"{before}\n{added}{text[end:] if end else ''}"


def _last_leaf(node: yaml.Node) -> yaml.Node:
    """The last node of a block that is no block itself: the end of that one is the end of what is written."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def dump_yaml(value: Any) -> str:
    """YAML for people: key order kept, no wrapping, Unicode as it is."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that escapes the line ends of Unicode: it would fold them into spaces."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if {"\x85", "\u2028", "\u2029"} & set(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
