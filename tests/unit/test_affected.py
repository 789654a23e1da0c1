"""What left with a voice is known for good: by the log, the file, its bytes; and verify says what became of it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearspot.audit import Entry
from clearspot.consent.authority import writing_authority
from clearspot.consent.registry import load_voice
from clearspot.consent.revocation import REVOCATION_FILE
from clearspot.consent.withdrawal import withdraw_consent
from clearspot.gate.receipt import ENDING, read_receipt, sign_receipt, to_text
from clearspot.hashing import sha256_file
from clearspot.media.audio import essence_sha256
from clearspot.project import Project, Settings
from clearspot.provenance import manifest
from clearspot.provenance.keys import RECEIPT_KEY, create_keys, load_private_key, load_signing_keys, load_trust
from clearspot.provenance.nature import Nature
from tests.conftest import Scene, edit, run_ffmpeg

Call = Callable[..., tuple[int, str, str]]
FORMATS = ("wav", "mp3", "m4a")
EFFECTS = ("from-now", "take-down")
DAYS = 30
"""How long after a revocation the shipped voice's record gives to delete what there is."""


@dataclass(frozen=True)
class Left:
    """A project that three files left: their paths by ending, and one receipt each."""

    project: Project
    files: dict[str, Path]

    @property
    def receipts(self) -> list[Path]:
        return [path.with_name(path.stem + ENDING) for path in self.files.values()]

    def exports(self) -> list[Entry]:
        return [entry for _, entry in writing_authority(self.project).log.read() if entry.event == "export"]

    def revoke(self, effect: str, at: dt.datetime | None = None) -> dt.datetime:
        authority = writing_authority(self.project)
        if at is not None:
            authority.log.clock = lambda: at
        voice = load_voice("house", self.project.voice_folders())
        key = load_private_key(self.project.keys_dir / RECEIPT_KEY)
        assert withdraw_consent(voice, effect, "We parted.", key, authority)[1] == len(FORMATS)
        return authority.now()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one run's files, and the project's state after it, are kept for all tests here."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def left(scene: Scene, clearspot: Call, shelf: Path) -> Left:
    """A real run's deliverables in their place, and the project that made them; each test gets both as they were."""
    out, made, state, root = shelf / "out", shelf / "made", shelf / "state", scene.project.root
    if not made.exists():
        edit(scene.spot / "spot.yaml", "markets: [ES]", "markets: [ES, MX]")
        assert clearspot("run", scene.spot, "--runner", "inline", "--locale", "es-ES", "--out", out, "--json")[0] == 0
        shutil.copytree(root / ".clearspot", state)
        shutil.copytree(out, made)
        (shelf / "said.json").write_text(json.dumps(scene.listener.script), encoding="utf-8")
    scene.listener.script = json.loads((shelf / "said.json").read_text(encoding="utf-8"))
    for target, source in ((out, made), (root / ".clearspot", state)):
        shutil.rmtree(target)
        shutil.copytree(source, target)
    files = {path.suffix[1:]: path for path in out.rglob("*") if path.suffix[1:] in FORMATS}
    return Left(scene.project, {ending: files[ending] for ending in FORMATS})


# --- the log and what it says of a voice -----------------------------------------------------------------------


def test_every_export_is_in_the_log(left: Left) -> None:
    exports = {entry.data["path"]: entry for entry in left.exports()}
    assert set(exports) == {str(path) for path in left.files.values()}
    record = load_voice("house", left.project.voice_folders()).record
    for path, receipt in zip(left.files.values(), left.receipts, strict=True):
        body = read_receipt(receipt)["receipt"]
        assert exports[str(path)].data == {
            "path": str(path), "file_sha256": sha256_file(path), "essence_sha256": essence_sha256(path),
            "unique_id": body["clearance"]["unique_id"], "spot": "lumen-coffee", "locale": "es-ES",
            "markets": ["ES", "MX"], "voice": "house", "record": record.id, "record_sha256": record.digest,
        }  # fmt: skip
        assert body["audit"] == exports[str(path)].anchor
    grants = [entry.n for _, entry in writing_authority(left.project).log.read() if entry.data.get("step") == "export"]
    assert max(grants) < max(entry.n for entry in exports.values())


def affected(clearspot: Call, voice: str = "house") -> list[dict[str, Any]]:
    code, out, _ = clearspot("voices", "affected", voice, "--json")
    told = json.loads(out)
    assert (code, told["voice"]) == (0, voice)
    return told["deliverables"]


def test_affected_lists_what_left(left: Left, clearspot: Call) -> None:
    expected = [
        {
            "path": entry.data["path"], "there": True, "file_sha256": entry.data["file_sha256"],
            "essence_sha256": entry.data["essence_sha256"], "spot": "lumen-coffee", "locale": "es-ES",
            "markets": ["ES", "MX"], "exported_at": entry.time.isoformat(timespec="seconds"),
            "record": "house-2026-11", "revoked": None, "delete_by": None,
        }
        for entry in left.exports()
    ]  # fmt: skip
    assert affected(clearspot) == expected
    lines = [f"{one['exported_at']}  ES, MX       {one['file_sha256'][:16]}  {one['path']}" for one in expected]
    lines.append("3 deliverables were exported with house")
    assert clearspot("voices", "affected", "house") == (0, "\n".join(lines) + "\n", "")


@pytest.mark.parametrize("effect", EFFECTS)
def test_affected_after_a_revocation_says_until_when(left: Left, clearspot: Call, effect: str) -> None:
    delete_by = (left.revoke(effect) + dt.timedelta(days=DAYS)).date().isoformat()
    assert [(one["revoked"], one["delete_by"]) for one in affected(clearspot)] == [(effect, delete_by)] * 3
    told = clearspot("voices", "affected", "house")[1].splitlines()[:3]
    assert all(line.endswith(f"  revoked, {effect}, delete by {delete_by}") for line in told)


def test_affected_forgets_nothing_that_was_moved_or_deleted(left: Left, clearspot: Call) -> None:
    before = affected(clearspot)
    left.files["wav"].unlink()
    left.files["mp3"].rename(left.files["mp3"].with_name("elsewhere.mp3"))
    (left.project.root / "spots").rename(left.project.root / "gone")
    after = affected(clearspot)
    gone = {str(left.files["wav"]), str(left.files["mp3"])}
    assert after == [one | {"there": one["path"] not in gone} for one in before]
    told = clearspot("voices", "affected", "house")[1].splitlines()
    assert [line.endswith("  (not there any more)") for line in told[:3]] == [not one["there"] for one in after]


def test_a_voice_that_nobody_ever_knew_is_a_mistake_and_not_none(left: Left, clearspot: Call) -> None:
    told = clearspot("voices", "affected", "hous")
    assert told == (2, "", "clearspot: voices/: there is no voice 'hous'; there is: house, joe.\n")


def test_affected_does_not_say_none_where_the_log_is_gone_or_touched(left: Left, clearspot: Call) -> None:
    """That nothing is known is not that there is nothing."""
    log = writing_authority(left.project).log
    log.path.write_bytes(log.path.read_bytes().replace(b'"voice":"house"', b'"voice":"nora_"'))
    assert clearspot("voices", "affected", "house")[0] == 1
    shutil.rmtree(log.folder)
    code, out, err = clearspot("voices", "affected", "house")
    assert (code, out, "there is no audit log here." in err) == (1, "", True)


# --- verify ------------------------------------------------------------------------------------------------------


def verify(clearspot: Call, *paths: Path) -> tuple[int, list[tuple[str, str, str]]]:
    """The exit code, and for each file: verdict, measured and detail of the consent it left with."""
    code, out, _ = clearspot("verify", *paths, "--json")
    found = [one["findings"]["consent-stands"] for one in json.loads(out)["files"]]
    assert {one["required"] for one in found} == {"consent not revoked"}
    return code, [(one["verdict"], one["measured"], one["detail"]) for one in found]


def revoked(verdict: str, at: dt.datetime, effect: str) -> tuple[str, str, str]:
    detail = {
        "from-now": {"pass": "this file left before, and may stay", "fail": "nothing shows that this file left before"},
        "take-down": {"fail": "take this file down"},
    }[effect][verdict]
    return verdict, f"revoked on {at.date().isoformat()}, {effect}", detail


def test_a_file_whose_consent_stands_verifies(left: Left, clearspot: Call) -> None:
    assert verify(clearspot, *left.files.values()) == (0, [("pass", "not revoked", "")] * 3)


@pytest.mark.parametrize("effect", EFFECTS)
def test_verify_says_revoked(left: Left, clearspot: Call, tmp_path: Path, effect: str) -> None:
    """The file itself and a renamed copy; whether the revocation lies in the voice's folder or in the log alone."""
    at = left.revoke(effect)
    copy = Path(shutil.copyfile(left.files["mp3"], tmp_path / "sent by mail.mp3"))
    expected = revoked("pass", at, effect) if effect == "from-now" else revoked("fail", at, effect)
    exit_code = 0 if effect == "from-now" else 1
    assert verify(clearspot, *left.files.values(), copy) == (exit_code, [expected] * 4)
    (left.project.own_voice("house") / REVOCATION_FILE).unlink()
    assert verify(clearspot, copy) == (exit_code, [expected])
    code, out, _ = clearspot("verify", copy)
    assert code == exit_code
    assert out.startswith(f"{copy}: {'verified' if exit_code == 0 else 'NOT VERIFIED'}\n")
    assert " ".join(expected[1].split()) in out


def elsewhere(left: Left, monkeypatch: pytest.MonkeyPatch, root: Path, *, told: bool) -> None:
    """Another project, which trusts whoever made the files; it knows of a revocation if it was told."""
    shutil.copytree(left.project.own_trust_dir, root / ".clearspot" / "trust")
    if told:
        shutil.copytree(left.project.own_voice("house"), root / "voices" / "house")
    monkeypatch.setenv("CLEARSPOT_PROJECT", str(root))


@pytest.mark.parametrize("effect", EFFECTS)
def test_where_the_log_is_not_known_nothing_shows_that_a_file_left_before(
    left: Left, clearspot: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, effect: str
) -> None:
    at = left.revoke(effect)
    elsewhere(left, monkeypatch, tmp_path / "told", told=True)
    assert verify(clearspot, *left.files.values()) == (1, [revoked("fail", at, effect)] * 3)
    elsewhere(left, monkeypatch, tmp_path / "not told", told=False)
    assert verify(clearspot, *left.files.values()) == (0, [("pass", "not revoked", "")] * 3)


def test_a_file_that_left_in_the_same_second_left_before(left: Left, clearspot: Call) -> None:
    at = max(entry.time for entry in left.exports()) + dt.timedelta(milliseconds=1)
    left.revoke("from-now", at)
    assert verify(clearspot, *left.files.values()) == (0, [revoked("pass", at, "from-now")] * 3)


def test_the_same_sound_made_again_under_a_new_record_changes_nothing_for_the_old_file(
    left: Left, clearspot: Call
) -> None:
    """Consent given anew: the spot is made again, and is bit for bit the same but for its papers."""
    old = left.exports()
    at = left.revoke("from-now")
    log = writing_authority(left.project).log
    for entry in old:
        log.append("export", {**entry.data, "record": "house-second", "record_sha256": "2" * 64, "unique_id": "2"})
    assert verify(clearspot, *left.files.values()) == (0, [revoked("pass", at, "from-now")] * 3)


def stripped(path: Path, folder: Path) -> Path:
    """The same packets in a new file: no manifest, no tags."""
    copy = folder / f"stripped{path.suffix}"
    run_ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-map_metadata", "-1", copy)
    return copy


@pytest.mark.parametrize("ending", FORMATS)
def test_a_stripped_copy_is_known_by_its_bytes(left: Left, clearspot: Call, tmp_path: Path, ending: str) -> None:
    copy = stripped(left.files[ending], tmp_path)
    assert essence_sha256(copy) == essence_sha256(left.files[ending])
    assert verify(clearspot, copy) == (1, [("pass", "not revoked", "")])  # what fails is its missing manifest
    at = left.revoke("take-down")
    assert verify(clearspot, copy) == (1, [revoked("fail", at, "take-down")])


def test_a_stripped_copy_that_nobody_knows_proves_nothing(
    left: Left, clearspot: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left.revoke("from-now")
    copy = stripped(left.files["mp3"], tmp_path)
    elsewhere(left, monkeypatch, tmp_path / "told", told=True)
    nothing = ("fail", "no record named", "nothing says which consent it left with")
    assert verify(clearspot, copy) == (1, [nothing])


def test_papers_of_somebody_else_do_not_hide_what_its_bytes_are(left: Left, clearspot: Call, tmp_path: Path) -> None:
    """Stripped, and signed anew by a stranger as made with a record that nobody revoked."""
    copy = stripped(left.files["mp3"], tmp_path)
    stranger, today = Project(tmp_path / "stranger", Settings()), dt.datetime.now(dt.UTC)
    create_keys(stranger.keys_dir, stranger.own_trust_dir, "Stranger", today, renew=False)
    clearance = {"consent_record_sha256": "0" * 64}
    claim = manifest.Claim("T", "en-US", "es-ES", "P", "Clearspot", "0", clearance, Nature("synthetic", bed=False))
    keys, trust = load_signing_keys(stranger.keys_dir, today), load_trust((stranger.own_trust_dir,))
    manifest.sign(copy, tmp_path / "signed.mp3", claim, left.files["wav"], keys, trust)
    at = left.revoke("take-down")
    assert verify(clearspot, tmp_path / "signed.mp3") == (1, [revoked("fail", at, "take-down")])


# --- receipts and the log ------------------------------------------------------------------------------------------


def check(clearspot: Call, *receipts: Path) -> tuple[int, list[str]]:
    code, out, _ = clearspot("audit", "verify", *(part for path in receipts for part in ("--receipt", path)), "--json")
    return code, json.loads(out).get("problems", [])


def test_receipts_and_the_log_belong_together(left: Left, clearspot: Call) -> None:
    assert check(clearspot, *left.receipts) == (0, [])


CHANGED = "the receipt was changed after it was signed"
RECEIPTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another entry": (lambda one: one["receipt"]["audit"].update(entry=1), CHANGED),
    "another digest": (
        lambda one: one["receipt"]["audit"].update(sha256="0" * 64), CHANGED
    ),
    "no entry": (lambda one: one["receipt"].pop("audit"), CHANGED),
    "another market": (
        lambda one: one["receipt"]["clearance"].update(markets=["US"]), CHANGED
    ),
    "no signature": (lambda one: one.pop("signature"), "the receipt is not a receipt of a kind we know"),
}  # fmt: skip


@pytest.mark.parametrize("case", RECEIPTS)
def test_an_edited_receipt_proves_nothing(left: Left, clearspot: Call, case: str) -> None:
    change, told = RECEIPTS[case]
    path, *others = left.receipts
    receipt = read_receipt(path)
    change(receipt)
    path.write_bytes(to_text(receipt))
    assert check(clearspot, path, *others) == (1, [f"{path}: {told}"])


def test_a_receipt_of_another_project_proves_nothing(left: Left, clearspot: Call, tmp_path: Path) -> None:
    stranger = Project(tmp_path / "stranger", Settings())
    create_keys(stranger.keys_dir, stranger.own_trust_dir, "Stranger", dt.datetime.now(dt.UTC), renew=False)
    receipt = sign_receipt(read_receipt(left.receipts[0])["receipt"], load_private_key(stranger.keys_dir / RECEIPT_KEY))
    path = tmp_path / "x.receipt.json"
    path.write_bytes(to_text(receipt))
    told = f"the receipt is signed with key {receipt['signature']['key']}, which is not trusted here"
    assert check(clearspot, path) == (1, [f"{path}: {told}"])


@pytest.mark.parametrize("anchor", [None, {}, {"entry": 10_000, "sha256": None}, {"entry": [1]}, 7, []], ids=repr)
def test_a_receipt_that_names_no_entry_is_told(left: Left, clearspot: Call, tmp_path: Path, anchor: Any) -> None:
    """Signed here, and from before there was a log, or by something that went wrong."""
    body = read_receipt(left.receipts[0])["receipt"]
    body = {name: value for name, value in body.items() if name != "audit"} | (
        {} if anchor is None else {"audit": anchor}
    )
    path = tmp_path / "x.receipt.json"
    path.write_bytes(to_text(sign_receipt(body, load_private_key(left.project.keys_dir / RECEIPT_KEY))))
    code, problems = check(clearspot, path)
    assert (code, len(problems), problems[:1] and problems[0].startswith(f"{path}: ")) == (1, 1, True)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_receipt_is_bad_input(left: Left, clearspot: Call, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.receipt.json"
    path.write_text(text)
    code, _, err = clearspot("audit", "verify", "--receipt", path)
    assert (code, err) == (2, f"clearspot: {path}: is not JSON.\n")
    code, _, err = clearspot("audit", "verify", "--receipt", tmp_path / "missing")
    assert (code, err) == (2, f"clearspot: {tmp_path / 'missing'}: there is no such file.\n")
