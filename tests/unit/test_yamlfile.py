"""Strict YAML: what is read, what is refused and in which words; nothing else ever comes out of the reader."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from clearspot import yamlfile
from clearspot.errors import BadInput
from clearspot.yamlfile import MAX_BYTES, Strict, dump_yaml, load_model, load_yaml, parse_model, read_text


class Part(Strict):
    share: float
    note: str = ""


class Sample(Strict):
    """One field of each kind that our files hold."""

    name: str
    count: int = 0
    gain_db: float = 0.0
    loud: bool = False
    tags: tuple[str, ...] = ()
    part: Part | None = None
    parts: dict[str, Part] = Field(default_factory=dict)
    first: Part = Part(share=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yaml")


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "sample.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    """The words in which a file is refused."""
    path = write(folder, text)
    with pytest.raises(BadInput) as refused:
        load_model(Sample, path)
    told = str(refused.value)
    assert told.startswith(str(path)), "the message starts with the file"
    assert "\n" not in told, "one paragraph"
    return told


@pytest.mark.parametrize("filler", ["", "x" * 60_000])
def test_what_is_read_twice_is_the_same_and_nobody_elses(folder: Path, filler: str) -> None:
    path = write(folder, f"names: [one, two]\nfiller: '{filler}'\n")
    load_yaml(path)["names"].append("three")
    assert load_yaml(path)["names"] == ["one", "two"]


def test_what_changed_is_read_anew(folder: Path) -> None:
    assert load_yaml(write(folder, "count: 1\n")) == {"count": 1}
    assert load_yaml(write(folder, "count: 2\n")) == {"count": 2}


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

NOT_THE_YAML_WE_READ = {
    "not YAML": ("name: [a", "line 1, column 9", "expected ',' or ']'"),
    "a tab for indentation": ("name: a\n\tcount: 1", "line 2, column 1", "cannot start any token"),
    "two documents": ("--- {name: a}\n--- {name: b}", "line 2, column 1", "another document"),
    "a newer YAML": ("%YAML 3.0\n---\nname: a", "line 1", "incompatible YAML document"),
    "a control character": ("name: a\x01", "", "not allowed"),
    "a key that is there twice": ("name: a\ncount: 1\nname: b", "line 3, column 1", "'name' is there twice"),
    "a key that is there twice, deeper": (
        "name: a\npart: {share: 1, share: 2}",
        "line 2, column 18",
        "'share' is there twice",
    ),
    "an alias": ("name: &n a\nnote: *n", "line 2, column 7", "aliases (*name) are not allowed here"),
    "aliases of aliases": (BOMB, "line 2, column 8", "aliases (*name) are not allowed here"),
    "an alias of itself": ("name: &n [*n]", "line 1, column 11", "aliases (*name) are not allowed here"),
    "a merge": ("<<: {name: a}", "line 1, column 1", "merge"),
    "a key that is a number": ("1: a", "line 1, column 1", "the key 1 is not text; put it in quotes"),
    "a key that is a truth": ("no: a", "line 1, column 1", "the key False is not text; put it in quotes"),
    "a key that is nothing": ("~: a", "line 1, column 1", "the key None is not text; put it in quotes"),
    "a key that is a list": ("? [a]\n: b", "line 1, column 3", "the key ['a'] is not text"),
    "a key that is a mapping": ("? {a: b}\n: c", "line 1, column 3", "the key {'a': 'b'} is not text"),
    "code": ("name: !!python/object/apply:os.system [ls]", "line 1, column 7", "python/object/apply:os.system"),
    "a Python name": ("name: !!python/name:os.system ''", "line 1, column 7", "python/name:os.system"),
    "a Python object": ("!!python/object:builtins.object {}", "line 1, column 1", "python/object"),
    "a tag of one's own": ("name: !secret a", "line 1, column 7", "(!secret)"),
    "a binary tag": ("name: !!binary aGk=", "line 1, column 7", "binary"),
    "a set": ("tags: !!set {a, b}", "line 1, column 7", "set"),
    "a truth that is none": ("loud: !!bool maybe", "", ""),
    "a number without digits": ('count: !!int ""', "", ""),
    "a fraction without digits": ('gain_db: !!float ""', "", ""),
    "a time that is none": ("name: !!timestamp never", "", ""),
    "a character beyond Unicode": ('name: "\\U00110000"', "", ""),
    "a character far beyond Unicode": ('name: "\\UFFFFFFFF"', "", ""),
    "a number of 5,000 digits": ("count: " + "1" * 5_000, "", "malformed"),
    "lists in lists in lists": ("[" * 20_000, "", "nested too deep"),
    "mappings in mappings": ("{a: " * 20_000, "", "nested too deep"),
    "lists by indentation": ("- " * 20_000, "", "nested too deep"),
}


@pytest.mark.parametrize(("text", "place", "problem"), NOT_THE_YAML_WE_READ.values(), ids=NOT_THE_YAML_WE_READ)
def test_what_is_not_the_yaml_we_read(folder: Path, text: str, place: str, problem: str) -> None:
    told = refusal(folder, text)
    assert "is not the YAML we read: " in told
    assert place in told
    assert problem in told


UNREADABLE = {
    "two megabytes": (b"name: a\n" + b"#" * 2_000_000, "is 2,000,008 bytes; at most 1,000,000 are read."),
    "one byte too many": (b"#" * (MAX_BYTES + 1), "is 1,000,001 bytes; at most 1,000,000 are read."),
    "Latin-1": ("name: café".encode("latin-1"), "is not UTF-8 text. Save it as UTF-8 and try again."),
    "UTF-16": ("name: a".encode("utf-16"), "is not UTF-8 text. Save it as UTF-8 and try again."),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8 text."),
}


@pytest.mark.parametrize(("data", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_as_text(folder: Path, data: bytes, problem: str) -> None:
    assert problem in refusal(folder, data)


def test_a_file_that_is_not_there_is_told_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(BadInput) as refused:
        load_yaml(path, remedy="Write one.")
    assert str(refused.value) == f"{path}: there is no such file. Write one."


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be read: Is a directory\."):
        read_text(tmp_path)


KNOWN = "name, count, gain_db, loud, tags, part, parts, first"

WRONG_FIELDS = {
    "nothing": ("", ["should hold fields (name: value)."]),
    "only a comment": ("# later", ["should hold fields (name: value)."]),
    "a list where fields belong": ("- name: a", ["should hold fields (name: value)."]),
    "a word where fields belong": ("name", ["should hold fields (name: value)."]),
    "a missing field": ("count: 1", ["name: is missing."]),
    "an unknown field": ("name: a\nnmae: b", [f"nmae: unknown field; known here: {KNOWN}."]),
    "an unknown field in a part": (
        "name: a\nfirst: {share: 1, shade: 2}",
        ["first.shade: unknown field; known here: share, note."],
    ),
    "an unknown field in a part that may be left out": (
        "name: a\npart: {share: 1, shade: 2}",
        ["part.shade: unknown field; known here: share, note."],
    ),
    "an unknown field in one of many parts": (
        "name: a\nparts: {left: {share: 1, shade: 2}}",
        ["parts.left.shade: unknown field; known here: share, note."],
    ),
    "a list for text": ("name: [a]", ["name: ", "valid string", "(it is ['a'])"]),
    "a number for text": ("name: 30", ["name: ", "valid string", "(it is 30)"]),
    "nothing for text": ("name:", ["name: ", "valid string", "(it is None)"]),
    "text for a list": ("name: a\ntags: b", ["tags: ", "should be a list", "(it is 'b')"]),
    "a list for fields": ("name: a\nfirst: [1]", ["first: ", "(it is [1])"]),
    "a list for a mapping": ("name: a\nparts: [1]", ["parts: ", "should hold fields", "(it is [1])"]),
    "text for a whole number": ("name: a\ncount: many", ["count: ", "valid integer", "(it is 'many')"]),
    "a long value": ("name: a\ncount: " + "x" * 90, ["count: ", f"(it is '{'x' * 56}...)"]),
    "a fraction for a whole number": ("name: a\ncount: 1.5", ["count: ", "valid integer", "(it is 1.5)"]),
    "two wrong fields": ("count: x\nloud: 7", ["name: is missing; count: ", "; loud: "]),
}


@pytest.mark.parametrize(("text", "problems"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_wrong_field_is_named_with_its_value_and_the_choices(folder: Path, text: str, problems: list[str]) -> None:
    told = refusal(folder, text)
    for problem in problems:
        assert problem in told


CONVERSIONS = {
    "text that looks like a whole number": ('count: "3"', "count", "'3'"),
    "text that looks like a number": ('gain_db: "1.5"', "gain_db", "'1.5'"),
    "text that looks like a truth": ('loud: "yes"', "loud", "'yes'"),
    "a whole number for a truth": ("loud: 1", "loud", "1"),
    "a truth for a whole number": ("count: yes", "count", "True"),
    "a truth for a number": ("gain_db: on", "gain_db", "True"),
}


@pytest.mark.parametrize(("text", "field", "value"), CONVERSIONS.values(), ids=CONVERSIONS)
def test_no_kind_of_value_is_silently_made_another(folder: Path, text: str, field: str, value: str) -> None:
    told = refusal(folder, f"name: a\n{text}")
    assert f"{field}: " in told
    assert f"(it is {value})" in told


def test_what_is_read(folder: Path) -> None:
    text = """\
        # A comment.
        name: "Ça va: déjà vu, 日本"
        count: 3
        gain_db: -1   # a whole number is a number
        loud: yes
        tags: [a, "1", 2026-11-22]
        parts:
          left: {share: 0.5, note: 'it''s'}
        """
    path = write(folder, textwrap.dedent(text))
    assert load_model(Sample, path) == Sample(
        name="Ça va: déjà vu, 日本",
        count=3,
        gain_db=-1.0,
        loud=True,
        tags=("a", "1", "2026-11-22"),
        parts={"left": Part(share=0.5, note="it's")},
    )


def test_dates_stay_text(folder: Path) -> None:
    path = write(folder, "start: 2026-01-01\nat: 2026-11-22T08:59:45+00:00")
    assert load_yaml(path) == {"start": "2026-01-01", "at": "2026-11-22T08:59:45+00:00"}


def test_a_byte_order_mark_does_no_harm(folder: Path) -> None:
    assert load_yaml(write(folder, b"\xef\xbb\xbfname: a")) == {"name": "a"}


def test_a_file_of_exactly_the_limit_is_read(folder: Path) -> None:
    start = b"name: a\n#"
    assert load_yaml(write(folder, start + b"-" * (MAX_BYTES - len(start)))) == {"name": "a"}


def test_what_was_read_cannot_be_changed() -> None:
    sample = parse_model(Sample, {"name": "a"}, Path("sample.yaml"))
    with pytest.raises(ValueError, match="frozen"):
        sample.name = "b"  # type: ignore[misc]


# Where YAML is difficult, side by side: marks, tags, anchors, escapes, indentation.
PIECES = [
    "a", "b: ", "- ", "? ", ": ", "{", "}", "[", "]", ", ", "\n", "\n  ", "\n\t", "#", "&x ", "*x", "<<: ", "|", ">-",
    "'", '"', "\\U", "\\x", "FFFFFFFF", "110000", "d800", "%YAML 1.1\n", "---\n", "...", "!!int ", "!!bool ",
    "!!float ", "!!null ", "!!str ", "!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!python/name:os ", "!x ",
    "~", "yes", "0b_", "0x", "1_0", "1:30", ".nan", "-.inf", "1e9", "2026-99-99", "=", "@", "`", "é",
    "\u2028", "\ufeff", "\x85",
]  # fmt: skip


def loads_or_is_refused(folder: Path, data: bytes) -> None:
    path = write(folder, data)
    told = ""
    try:
        load_model(Sample, path)
    except BadInput as refused:
        told = str(refused)
    assert not told or told.startswith(str(path))


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
@example(pieces=["b: ", "!!bool ", "a"])
@example(pieces=["b: ", "!!timestamp ", "a"])
@example(pieces=["b: ", "!!int ", "'", "'"])
@example(pieces=["b: ", '"', "\\U", "FFFFFFFF", '"'])
def test_anything_made_of_yaml_loads_or_is_refused(folder: Path, pieces: list[str]) -> None:
    loads_or_is_refused(folder, "".join(pieces).encode())


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_loads_or_is_refused(folder: Path, text: str) -> None:
    loads_or_is_refused(folder, text.encode())


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=100))
def test_any_bytes_load_or_are_refused(folder: Path, data: bytes) -> None:
    loads_or_is_refused(folder, data)


ONE_LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ONE_LINE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ONE_LINE, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(ONE_LINE, PLAIN, max_size=4))
def test_what_we_write_we_read_back(folder: Path, value: dict[str, object]) -> None:
    assert load_yaml(write(folder, dump_yaml(value))) == value


@settings(max_examples=400, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=60))
def test_the_fast_reader_reads_nothing_else_than_the_one_that_decides(text: str) -> None:
    """Libyaml's parser may refuse more, which the other one then reads; what it gives is the same."""
    fast = yaml_or_error(text, yamlfile._FastLoader)
    if not isinstance(fast, Exception) and not yamlfile.READ_OTHERWISE & set(text):
        assert repr(fast) == repr(yaml_or_error(text, yamlfile._Loader)), text


def yaml_or_error(text: str, loader: type) -> object:
    try:
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        return error
