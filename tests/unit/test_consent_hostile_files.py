"""What somebody tries with files: other weights, other recordings, names that lead elsewhere, YAML that is a trap."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearspot.consent.grant import authorize
from clearspot.errors import BadInput, ClearspotError, Refused
from clearspot.files import PinnedFile
from clearspot.hashing import sha256_bytes
from clearspot.project import Project
from clearspot.spot import load_spot
from clearspot.yamlfile import dump_yaml
from tests.conftest import Scene, edit
from tests.unit.consent_scenes import FILES, SHA_B, Change, Stage, private_pem, sha_of, talent_voice

Call = Callable[..., tuple[int, str, str]]
DOES_NOT = "consent record 'ana-2026-11' does not allow this: "


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


# --- other weights -----------------------------------------------------------------------------------------------

OTHER = b"mOdel"
"""Another model, of the same size."""

WEIGHTS: dict[str, tuple[Callable[[Stage], dict[str, PinnedFile]], str]] = {
    "another model by its digest": (
        lambda ana: ana.weights | {"model": PinnedFile(ana.folder / "m.onnx", SHA_B)},
        f"weights.model: asked '{SHA_B}', allowed '{sha_of('m.onnx')}'",
    ),
    "other styles by their digest": (
        lambda ana: ana.weights | {"styles": PinnedFile(ana.folder / "s.npz", SHA_B)},
        f"weights.styles: asked '{SHA_B}', allowed '{sha_of('s.npz')}'",
    ),
    "the styles as the model": (
        lambda ana: ana.weights | {"model": ana.weights["styles"]},
        f"weights.model: asked '{sha_of('s.npz')}', allowed '{sha_of('m.onnx')}'",
    ),
    "another file under the right digest": (
        lambda ana: ana.weights | {"model": PinnedFile(ana.folder / "s.npz", sha_of("m.onnx"))},
        f"weights.model: asked '{sha_of('s.npz')}', allowed '{sha_of('m.onnx')}'",
    ),
    "a file more": (
        lambda ana: ana.weights | {"vocoder": ana.weights["model"]},
        "weights: asked 'model, styles, vocoder', allowed 'model, styles'",
    ),
    "a file less": (
        lambda ana: {"model": ana.weights["model"]},
        "weights: asked 'model', allowed 'model, styles'",
    ),
    "none": (lambda _: {}, "weights: asked '', allowed 'model, styles'"),
}


@pytest.mark.parametrize("step", ["prepare", "speak", "export"])
@pytest.mark.parametrize(("choose", "told"), WEIGHTS.values(), ids=WEIGHTS)
def test_other_weights_have_no_consent(
    ana: Stage, choose: Callable[[Stage], dict[str, PinnedFile]], told: str, step: Any
) -> None:
    field, weights = told.split(":", maxsplit=1)[0], choose(ana)
    with pytest.raises(Refused) as refused:
        authorize(ana.load(), (ana.use(),), ana.authority, weights=weights, step=step)
    assert str(refused.value).startswith(f"{ana.consent}: {field}: {DOES_NOT}{told}.")


def with_the_same_times(path: Path, write: Callable[[], object]) -> None:
    """Another file, as large as the one before, and of the same time as far as anybody can set it."""
    before = path.stat()
    time.sleep(0.02)  # a clock of the file system ticks
    write()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def written_over(path: Path) -> None:
    with_the_same_times(path, lambda: path.write_bytes(OTHER))


def moved_into_place(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(OTHER)
    with_the_same_times(path, lambda: os.replace(other, path))


def a_link_to_another(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(OTHER)
    path.unlink()
    path.symlink_to(other)


SWAPS = {
    "written over": written_over,
    "moved into its place": moved_into_place,
    "a link to another": a_link_to_another,
    "of another size": lambda path: path.write_bytes(b"another model"),
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
@pytest.mark.parametrize("warm", [False, True], ids=["never read", "read before"])
@pytest.mark.parametrize("name", ["m.onnx", "statement.wav", "reference.wav"])
def test_a_file_that_was_swapped_is_found(ana: Stage, swap: Callable[[Path], object], warm: bool, name: str) -> None:
    path, authority = ana.folder / name, ana.authority
    path.write_bytes(FILES["m.onnx"])  # recordings of the model's size, so that one swap fits all
    if name != "m.onnx":
        ana.resign({f"evidence/{name.removesuffix('.wav')}/sha256": sha_of("m.onnx")})
    if warm:
        ana.authorize(authority=authority)
    swap(path)
    field = "weights.model" if name == "m.onnx" else f"evidence.{name.removesuffix('.wav')}.sha256"
    told = str(ana.refusal(authority=authority))
    assert told.startswith(f"{ana.consent}: {field}: {DOES_NOT}{field}: asked '")
    assert f"allowed '{sha_of('m.onnx')}'" in told


@pytest.mark.parametrize(
    ("name", "field"), [("m.onnx", "weights.model"), ("statement.wav", "evidence.statement.sha256")]
)
def test_at_export_nothing_that_is_remembered_counts(ana: Stage, name: str, field: str) -> None:
    """As if somebody had found a way to change a file and leave no trace of it: its digest is remembered wrongly."""
    authority, good = ana.authority, sha_of(name)
    (ana.folder / name).write_bytes(OTHER)
    remembered = vars(authority.digests)["_known"]
    ana.refusal(authority=authority)
    key = next(key for key in remembered if key[0].endswith(name))
    remembered[key] = good
    assert ana.authorize(authority=authority, step="speak").voice == "ana", "it is remembered"
    assert f"{field}: asked '" in str(ana.refusal(authority=authority, step="export"))


def test_a_model_swapped_between_the_check_and_the_load_is_not_loaded(ana: Stage) -> None:
    grant = ana.authorize()
    written_over(ana.folder / "m.onnx")
    with pytest.raises(Refused) as refused:
        grant.weights["model"].read()
    assert str(refused.value).startswith(
        f"{ana.folder / 'm.onnx'}: is not the file that was named (sha256 {sha256_bytes(OTHER)[:12]}, should be "
        f"{sha_of('m.onnx')[:12]}); it is not opened. "
    )


def test_the_bytes_that_were_checked_are_the_bytes_that_are_used(ana: Stage) -> None:
    data = ana.authorize().weights["model"].read()
    written_over(ana.folder / "m.onnx")
    assert data == FILES["m.onnx"]


# --- the recordings that a record rests on -----------------------------------------------------------------------


def gone(name: str) -> Change:
    return lambda ana: (ana.folder / name).unlink()


def a_folder(name: str) -> Change:
    def change(ana: Stage) -> None:
        gone(name)(ana)
        (ana.folder / name).mkdir()

    return change


def a_link_out(name: str) -> Change:
    """The right bytes, in a place where nobody looks after them."""

    def change(ana: Stage) -> None:
        shutil.move(ana.folder / name, ana.project.root / name)
        (ana.folder / name).symlink_to(ana.project.root / name)

    return change


def a_link_to_itself(name: str) -> Change:
    def change(ana: Stage) -> None:
        gone(name)(ana)
        (ana.folder / name).symlink_to(ana.folder / name)

    return change


def named(name: str) -> Change:
    """A record that everyone signed, and that names a file by a name that leads elsewhere."""
    return lambda ana: ana.resign({"evidence/statement/file": name})


STATEMENT, REFERENCE = (f"{{consent}}: evidence.{name}" for name in ("statement", "reference"))
PLAIN = "should be the plain name of a file in the voice's folder"
RECORDINGS: dict[str, tuple[Change, type[ClearspotError], str]] = {
    "a statement that is gone": (
        gone("statement.wav"),
        Refused,
        f"{STATEMENT}.sha256: {DOES_NOT}evidence.statement.sha256: asked 'no file statement.wav', allowed '",
    ),
    "a reference that is gone": (
        gone("reference.wav"),
        Refused,
        f"{REFERENCE}.sha256: {DOES_NOT}evidence.reference.sha256: asked 'no file reference.wav', allowed '",
    ),
    "a statement that is a folder": (
        a_folder("statement.wav"),
        Refused,
        f"{STATEMENT}.sha256: {DOES_NOT}evidence.statement.sha256: asked 'no file statement.wav', allowed '",
    ),
    "a statement that is a link out": (
        a_link_out("statement.wav"),
        BadInput,
        f"{STATEMENT}.file: 'statement.wav' leads out of ana/. Name a file in that folder.",
    ),
    "a reference that is a link out": (
        a_link_out("reference.wav"),
        BadInput,
        f"{REFERENCE}.file: 'reference.wav' leads out of ana/. Name a file in that folder.",
    ),
    "a statement that is a link to itself": (
        a_link_to_itself("statement.wav"),
        BadInput,
        f"{STATEMENT}.file: 'statement.wav' is no file name that can be used.",
    ),
    "a statement in the folder above": (named("../statement.wav"), BadInput, f"{STATEMENT}.file: {PLAIN} (it is '../"),
    "a statement at an absolute path": (named("/etc/passwd"), BadInput, f"{STATEMENT}.file: {PLAIN} (it is '/etc"),
    "a statement with a NUL in its name": (named("a\0.wav"), BadInput, f"{STATEMENT}.file: {PLAIN} (it is 'a\\x00"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "told"), RECORDINGS.values(), ids=RECORDINGS)
def test_a_recording_that_is_not_the_one(ana: Stage, change: Change, kind: type[ClearspotError], told: str) -> None:
    with pytest.raises(kind) as refused:
        change_and_ask(ana, change)
    assert str(refused.value).startswith(told.format(consent=ana.consent)), str(refused.value)


def change_and_ask(ana: Stage, change: Change) -> None:
    change(ana)
    ana.authorize()


# --- names that lead elsewhere -----------------------------------------------------------------------------------

IDS = ["../ana", "ana/../ana", "/etc/passwd", "ana\0", "ana/", ".", "..", "", "ANA", "ana ", "%2e%2e/ana", "\u0430na"]
COMMANDS: dict[str, tuple[str, ...]] = {
    "show": (),
    "check": (),
    "sign": ("--as", "talent", "--key", "KEY"),
    "enroll": ("--locale", "es-ES", "--talent", "Ana"),
    "revoke": ("--reason", "spite", "--yes"),
    "affected": (),
}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("voice_id", IDS, ids=repr)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_voice_that_is_named_by_a_path(
    ana: Stage, clearspot: Call, tmp_path: Path, command: str, voice_id: str
) -> None:
    pem = private_pem(tmp_path / "talent.pem", ana.keys["talent"])
    before = everything_in(tmp_path)
    options = [str(pem) if option == "KEY" else option for option in COMMANDS[command]]
    code, out, err = clearspot("voices", command, *options, "--", voice_id)
    assert (code, out) == (2, "")
    assert err == f"clearspot: voices/: there is no voice {voice_id!r}; there is: ana, house, joe.\n"
    after = everything_in(tmp_path)
    assert {name for name in before | after if before.get(name) != after.get(name)} <= {
        "project/.clearspot/audit/.lock"
    }


@pytest.mark.parametrize("voice_id", ["../ana", "/etc/passwd", "ana\0", ".", "", "ANA", "ana/../house"], ids=repr)
def test_a_spot_that_names_its_voice_by_a_path(scene: Scene, voice_id: str) -> None:
    edit(scene.spot / "spot.yaml", "voice: house", dump_yaml({"voice": voice_id}).strip())
    with pytest.raises(BadInput) as refused:
        load_spot(scene.spot)
    told = f"voice: should be lower-case letters, digits and hyphens, at most 64 (it is {voice_id!r})."
    assert str(refused.value) == f"{scene.spot / 'spot.yaml'}: {told}"


# --- YAML that is a trap -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trap:
    """Text in place of a file's, or a size."""

    text: str
    told: str
    size_bytes: int = 0


BOMB = "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8))
NOT_YAML = "is not the YAML we read: "
TRAPS: dict[str, Trap] = {
    "a bomb": Trap("a: &a [x]\n" + BOMB, NOT_YAML + "aliases (*name) are not allowed here."),
    "an alias to itself": Trap("a: &a [*a]\n", NOT_YAML + "aliases (*name) are not allowed here."),
    "a merge": Trap("base: &base {x: 1}\nscope:\n  <<: *base\n", NOT_YAML + "aliases (*name) are not allowed here."),
    "a tag that runs": Trap(
        "id: !!python/object/apply:os.system ['true']\n",
        NOT_YAML + "tags (tag:yaml.org,2002:python/object/apply:os.system) are not allowed here.",
    ),
    "a harmless tag": Trap("id: !!str ana\n", NOT_YAML + "tags (tag:yaml.org,2002:str) are not allowed here."),
    "a field twice": Trap("id: a\nid: b\n", NOT_YAML + "the key 'id' is there twice."),
    "a field that is no text": Trap("1: a\n", NOT_YAML + "the key 1 is not text; put it in quotes."),
    "two documents": Trap("id: a\n---\nid: b\n", NOT_YAML + "but found another document."),
    "50 MB": Trap("", "is 50,000,000 bytes; at most 1,000,000 are read.", size_bytes=50_000_000),
    "nested a hundred deep": Trap("id: " + "[" * 100 + "]" * 100, ""),
    "nested ten thousand deep": Trap("id: " + "[" * 10_000 + "]" * 10_000, NOT_YAML + "nested too deep or malformed."),
    "fields nested deep": Trap("id: " + "{a: " * 3_000 + "}" * 3_000, NOT_YAML + "nested too deep or malformed."),
    "a number of a million digits": Trap("id: " + "9" * 900_000, NOT_YAML + "nested too deep or malformed."),
    "not a number": Trap("id: .nan\n", "id: should be a finite number (it is nan)."),
    "half a character": Trap('id: "\\ud800"\n', "id: holds half a character (it is '\\ud800')."),
    "a NUL": Trap("id: a\0\n", NOT_YAML),
    "nothing": Trap("", "should hold fields (name: value)."),
    "a list": Trap("- id\n", "should hold fields (name: value)."),
    "a word": Trap("consent\n", "should hold fields (name: value)."),
}


def follow_and_name_the_older(ana: Stage) -> Path:
    older = ana.keep()
    ana.follow({"exclusivity": "none"})
    return older / "consent.yaml"


TARGETS: dict[str, Callable[[Stage], Path]] = {
    "the record": lambda ana: ana.consent,
    "its signatures": lambda ana: ana.signature,
    "the voice": lambda ana: ana.folder / "voice.yaml",
    "the circle of signers": lambda ana: ana.project.own_trust_dir / "consent-keys.yaml",
    "a revocation": lambda ana: ana.folder / "revocation.yaml",
    "a record before it": follow_and_name_the_older,
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_yaml_that_is_a_trap(ana: Stage, target: Callable[[Stage], Path], trap: Trap) -> None:
    path = target(ana)
    path.write_text(trap.text, encoding="utf-8")
    if trap.size_bytes:
        os.truncate(path, trap.size_bytes)
    with pytest.raises(BadInput) as refused:
        ana.authorize()
    told = str(refused.value)
    assert told.startswith(str(path))
    assert trap.told in told
    assert len(told) < 1000
    assert "\n" not in told


def test_bytes_that_are_no_text(ana: Stage) -> None:
    ana.consent.write_bytes(b"id: \xff\xfe\n")
    told = f"{ana.consent}: is not UTF-8 text. Save it as UTF-8 and try again."
    assert str(ana.refusal(kind=BadInput)) == told


@pytest.mark.parametrize("value", [".nan", ".inf", '"\\ud800"', "!!binary /w=="], ids=["NaN", "inf", "half", "bytes"])
def test_a_setting_that_has_no_digest_is_refused(ana: Stage, value: str) -> None:
    """What cannot be hashed cannot be consented to."""
    edit(ana.folder / "voice.yaml", "settings:\n", f"settings:\n  pitch: {value}\n")
    assert str(ana.refusal(kind=BadInput)).startswith(str(ana.folder / "voice.yaml"))


def test_a_voice_without_a_record(ana: Stage) -> None:
    ana.consent.unlink()
    assert str(ana.refusal()) == (
        f"{ana.consent}: voice 'ana' has no consent record; nobody may speak with it. Its owner's consent comes first; "
        "see docs/consent.md."
    )
