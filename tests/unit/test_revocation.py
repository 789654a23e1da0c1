"""Revocation: whose word ends consent, what happens from then on, and how little brings a voice back."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot import pipeline, publish
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.grant import Grant, Step, authorize, release
from clearspot.consent.record import ConsentRecord, Role
from clearspot.consent.registry import VOICE_FILE, Voice, history_folder, load_voice
from clearspot.consent.revocation import REVOCATION_FILE, Revocation, revoke, write_revocation
from clearspot.consent.withdrawal import withdraw_consent
from clearspot.engines.weights import load_weights
from clearspot.errors import BadInput, Refused
from clearspot.project import Project, Settings, shipped
from clearspot.provenance.keys import CONSENT_KEY, RECEIPT_KEY, load_private_key
from clearspot.signing import key_id
from clearspot.yamlfile import dump_yaml, load_yaml
from tests.conftest import Scene, a_use, edit, sign_folder, trust_key

Call = Callable[..., tuple[int, str, str]]
STEPS: tuple[Step, ...] = get_args(Step)
YES = ("--reason", "We parted.", "--yes")


def house(project: Project) -> Voice:
    return load_voice("house", project.voice_folders())


def ask(project: Project, step: Step = "speak", authority: Authority | None = None) -> Grant:
    """Leave for one use of the house voice; without an authority, as a process would that only just began."""
    voice = house(project)
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (a_use(),), authority or writing_authority(project), weights=weights, step=step)


def end_consent(project: Project, effect: str = "from-now") -> None:
    key = load_private_key(project.keys_dir / RECEIPT_KEY)
    withdraw_consent(house(project), effect, "We parted.", key, writing_authority(project))


def key_file(project: Project, key: Ed25519PrivateKey) -> Path:
    path = project.root / f"{key_id(key.public_key())}.pem"
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*private))
    path.chmod(0o600)
    return path


def own_copy(project: Project) -> Path:
    """The shipped voice's folder, in the project, to be changed; a revocation that lies there stays."""
    folder = project.own_voice("house")
    shutil.copytree(shipped("voices") / "house", folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def replace_record(project: Project, **changes: Any) -> ConsentRecord:
    """Put another record in the place of the voice's, signed by the licensee; the one before goes into history."""
    before, folder = house(project).record, own_copy(project)
    body = before.canonical() | changes
    (folder / "consent.yaml").write_text(dump_yaml(body), encoding="utf-8")
    kept = history_folder(folder, before.digest)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "consent.yaml").write_text(dump_yaml(before.canonical()), encoding="utf-8")
    sign_folder(folder, load_private_key(project.keys_dir / CONSENT_KEY))
    return house(project).record


def revoked_words(record: str, effect: str, day: str) -> str:
    return (
        f"consent record '{record}' was revoked on {day} ({effect}): status: asked 'active', allowed 'revoked'. "
        "Nothing more is made with this voice. Consent given anew needs a record that follows the revoked one."
    )


# --- whose word ----------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "not meant": (
        ("house", "--reason", "We parted."), 2,
        "--yes: this ends the consent record 'house-2026-11' for good (from-now). Add --yes if that is meant.",
    ),
    "no such effect": (
        ("house", *YES, "--effect", "for-a-while"), 2,
        "--effect: should be from-now or take-down (it is 'for-a-while').",
    ),
    "no reason": (("house", "--reason", "", "--yes"), 2, "--reason: should say why."),
    "a reason of spaces": (("house", "--reason", " \t", "--yes"), 2, "--reason: should say why."),
    "a reason as long as a book": (("house", "--reason", "because " * 300, "--yes"), 2, "--reason: "),
    "a reason with half a character": (("house", "--reason", "\udcff", "--yes"), 2, "--reason: "),
    "no such voice": (("hosue", *YES), 2, "voices/: there is no voice 'hosue'; there is: house, joe."),
    "no such key": (("house", *YES, "--key", "nowhere.pem"), 2, "nowhere.pem: there is no such key."),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_said_rightly_revokes_nothing(project: Project, clearspot: Call, case: str) -> None:
    arguments, exit_code, told = WRONG[case]
    code, out, err = clearspot("voices", "revoke", *arguments)
    assert (code, out, err.startswith(f"clearspot: {told}")) == (exit_code, "", True), err
    assert_stands(project)


def assert_stands(project: Project) -> None:
    assert not project.own_voice("house").exists()
    assert ask(project).voice == "house"


STRANGERS: dict[str, Callable[[Project, Ed25519PrivateKey], object]] = {
    "nobody known": lambda project, key: None,
    "a talent, of another voice": lambda project, key: trust_key(
        project, key, holder="Nora", role="talent", voices=("nora",)
    ),
    "a licensee whose key was revoked": lambda project, key: trust_key(project, key, revoked="2026-01-01"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_whose_word_does_not_count_revokes_nothing(project: Project, clearspot: Call, case: str) -> None:
    key = Ed25519PrivateKey.generate()
    STRANGERS[case](project, key)
    code, _, err = clearspot("voices", "revoke", "house", *YES, "--key", key_file(project, key))
    assert (code, err) == (
        1,
        f"clearspot: --key: key {key_id(key.public_key())} is none whose word ends the consent for 'house'. Use the "
        "talent's, guardian's or licensee's key, or this project's own (leave out --key).\n",
    )
    assert_stands(project)


@pytest.mark.parametrize("effect", ["from-now", "take-down"])
@pytest.mark.parametrize("role", ["talent", "guardian", "licensee", "the project"])
def test_each_of_these_may_revoke(project: Project, clearspot: Call, role: Role, effect: str) -> None:
    key = Ed25519PrivateKey.generate()
    given: tuple[object, ...] = ("--key", key_file(project, key))
    if role in get_args(Role):
        trust_key(project, key, holder="Nora", role=role)
    else:
        key, given = load_private_key(project.keys_dir / RECEIPT_KEY), ()
    code, out, _ = clearspot("voices", "revoke", "house", *YES, "--effect", effect, *given)
    path = project.own_voice("house") / REVOCATION_FILE
    assert (code, out) == (
        0,
        f"revoked house (house-2026-11), {effect}: {path}\n"
        "0 deliverables were exported with it: clearspot voices affected house\n",
    )
    signed, record = load_yaml(path), house(project).record
    expected = {"voice": "house", "record": "house-2026-11", "record_sha256": record.digest, "effect": effect,
                "reason": "We parted.", "key": key_id(key.public_key()), "before": []}  # fmt: skip
    assert signed.items() >= expected.items()
    entry = [entry for _, entry in writing_authority(project).log.read()][-1]
    plain = {name: value for name, value in signed.items() if name in Revocation.model_fields}
    assert (entry.event, entry.data) == ("revocation", {"revocation": plain, "key": key_id(key.public_key())})
    with pytest.raises(Refused, match="was revoked on"):
        ask(project)


# --- from then on --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["from-now", "take-down"])
@pytest.mark.parametrize("step", STEPS)
def test_from_then_on_every_step_is_refused(project: Project, authority: Authority, step: Step, effect: str) -> None:
    """In the process that had leave a moment ago, and in any other."""
    assert ask(project, step, authority).voice == "house"
    end_consent(project, effect)
    day = authority.now().date().isoformat()
    path = project.own_voice("house") / REVOCATION_FILE
    for one in (authority, writing_authority(project)):
        with pytest.raises(Refused) as refusal:
            ask(project, step, one)
        assert str(refusal.value) == f"{path}: {revoked_words('house-2026-11', effect, day)}"
    refusals = [entry.data for _, entry in authority.log.read() if entry.event == "refusal"]
    assert [(data["step"], data["why"]) for data in refusals] == [(step, refusal.value.what)] * 2


def test_a_shipped_voice_is_revoked_in_this_project_alone(project: Project, clearspot: Call, tmp_path: Path) -> None:
    shutil.copytree(project.root, tmp_path / "other")
    before = sorted((shipped("voices") / "house").rglob("*"))
    assert clearspot("voices", "revoke", "house", *YES)[0] == 0
    assert [path.name for path in project.own_voice("house").iterdir()] == [REVOCATION_FILE]
    assert sorted((shipped("voices") / "house").rglob("*")) == before
    assert ask(Project(tmp_path / "other", Settings())).voice == "house"
    told = revoked_words("house-2026-11", "from-now", writing_authority(project).now().date().isoformat())
    shown = json.loads(clearspot("voices", "list", "--json")[1])["voices"]["house"]["state"]
    assert shown == f"refused: {project.own_voice('house') / REVOCATION_FILE}: {told}"


def test_without_the_file_the_log_remembers(project: Project) -> None:
    end_consent(project)
    (project.own_voice("house") / REVOCATION_FILE).unlink()
    for step in STEPS:
        with pytest.raises(Refused, match=r"'house-2026-11' was revoked on \d{4}-\d\d-\d\d \(from-now\)"):
            ask(project, step)


def test_without_the_log_the_file_counts(project: Project) -> None:
    """Revoked elsewhere, or on a machine where the log could not be written to."""
    key = load_private_key(project.keys_dir / CONSENT_KEY)
    now = writing_authority(project).now()
    write_revocation(project.own_voice("house"), revoke(house(project), "from-now", "Gone.", key, now))
    with pytest.raises(Refused, match="was revoked on"):
        ask(project)


def test_a_log_that_lost_the_entry_is_refused_as_a_whole(project: Project, authority: Authority) -> None:
    end_consent(project)
    (project.own_voice("house") / REVOCATION_FILE).unlink()
    authority.log.append("approval", {"by": "Ana"})
    lines = authority.log.path.read_bytes().splitlines(keepends=True)
    authority.log.path.write_bytes(b"".join(line for line in lines if b'"event":"revocation"' not in line))
    with pytest.raises(Refused, match="the audit log was tampered with or damaged: "):
        ask(project)


def test_the_last_entry_cannot_even_be_taken_away(project: Project, authority: Authority) -> None:
    """The signed head holds it, and puts it back."""
    end_consent(project)
    (project.own_voice("house") / REVOCATION_FILE).unlink()
    whole = authority.log.path.read_bytes()
    authority.log.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(Refused, match="was revoked on"):
        ask(project)
    assert authority.log.path.read_bytes().startswith(whole)


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "another voice": lambda body: body.update(voice="nora"),
    "another record": lambda body: body.update(record="house-2025-01"),
    "another digest": lambda body: body.update(record_sha256="0" * 64),
    "a record before": lambda body: body.update(before=["0" * 64]),
    "another effect": lambda body: body.update(effect="take-down"),
    "another reason": lambda body: body.update(reason="Money."),
    "another time": lambda body: body.update(at="2026-01-01T00:00:00+00:00"),
    "another key": lambda body: body.update(key="0" * 16),
    "no signature": lambda body: body.update(ed25519=""),
    "a signature that is no base64": lambda body: body.update(ed25519="!"),
}


@pytest.mark.parametrize("case", [*FORGED, "signed by a stranger", "signed by a key that was revoked"])
def test_a_forged_revocation_refuses_too_in_its_own_words(project: Project, case: str) -> None:
    key = load_private_key(project.keys_dir / CONSENT_KEY) if case in FORGED else Ed25519PrivateKey.generate()
    if case == "signed by a key that was revoked":
        trust_key(project, key, revoked="2026-01-01")
    signed = revoke(house(project), "from-now", "We parted.", key, writing_authority(project).now())
    path = write_revocation(project.own_voice("house"), signed)
    body = load_yaml(path)
    FORGED.get(case, lambda body: None)(body)
    path.write_text(dump_yaml(body))
    with pytest.raises(Refused) as refusal:
        ask(project)
    assert str(refusal.value) == (
        f"{path}: there is a revocation of voice {body['voice']!r} that is not signed by anyone known here; until that "
        "is cleared up nobody speaks with it. Ask the voice's owner; remove the file only if it is known to be a "
        "forgery."
    )
    path.unlink()
    assert ask(project).voice == "house"


@pytest.mark.parametrize("text", ["", "[]", "voice: house", "a: &a [*a]", "\x00", "voice: house\n" * 90_000])
def test_a_revocation_that_cannot_be_read_refuses(project: Project, text: str) -> None:
    folder = project.own_voice("house")
    folder.mkdir(parents=True)
    (folder / REVOCATION_FILE).write_text(text)
    with pytest.raises(BadInput) as problem:
        ask(project)
    assert problem.value.where.startswith(str(folder / REVOCATION_FILE))


# --- consent given anew ------------------------------------------------------------------------------------------


def test_a_record_that_follows_the_revoked_one_speaks_and_no_other(project: Project) -> None:
    first = house(project).record
    end_consent(project)
    replace_record(project, id="house-sibling")
    with pytest.raises(Refused, match="consent record 'house-2026-11' was revoked on"):
        ask(project)
    second = replace_record(project, id="house-second", previous_sha256=first.digest)
    for step in STEPS:
        assert ask(project, step).record_sha256 == second.digest
    own_copy(project)  # the older one again
    with pytest.raises(Refused, match="consent record 'house-2026-11' was revoked on"):
        ask(project)


def test_who_is_revoked_again_needs_a_record_that_follows_that_one(project: Project) -> None:
    first = house(project).record
    second = replace_record(project, id="house-second", previous_sha256=first.digest)
    assert ask(project).record_sha256 == second.digest
    end_consent(project)
    assert load_yaml(project.own_voice("house") / REVOCATION_FILE)["before"] == [first.digest]
    for changes in ({}, {"id": "house-third", "previous_sha256": first.digest}):
        replace_record(project, **changes)
        with pytest.raises(Refused, match="consent record 'house-second' was revoked on"):
            ask(project)
    third = replace_record(project, id="house-third", previous_sha256=second.digest)
    assert ask(project).record_sha256 == third.digest


def test_following_in_words_alone_is_not_enough(project: Project) -> None:
    """The history must be there, and be that history."""
    first = house(project).record
    end_consent(project)
    replace_record(project, id="house-second", previous_sha256=first.digest)
    edit(history_folder(project.own_voice("house"), first.digest) / "consent.yaml", "2036-12-31", "2037-12-31")
    with pytest.raises(Refused, match="the history of this voice's consent is broken: "):
        ask(project)


def test_another_voice_speaks_on(project: Project) -> None:
    folder = shutil.copytree(own_copy(project), project.own_voice("other"))
    for name, old in ((VOICE_FILE, "id: house"), ("consent.yaml", "voice: house")):
        edit(folder / name, old, old.replace("house", "other"))
    file = load_voice("other", project.voice_folders()).file
    edit(folder / "consent.yaml", house(project).record.voice_sha256, file.digest)
    key = Ed25519PrivateKey.generate()
    trust_key(project, key, voices=("other",))
    sign_folder(folder, key)
    end_consent(project)
    voice = load_voice("other", project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    assert authorize(voice, (a_use(),), writing_authority(project), weights=weights, step="speak").voice == "other"


# --- while something is made -----------------------------------------------------------------------------------

EXPORTED = {"path": "x.mp3", "essence_sha256": "e" * 64, "file_sha256": "f" * 64, "unique_id": "1", "spot": "s",
            "locale": "es-ES", "markets": ["ES"]}  # fmt: skip

ANOTHER = r"does not allow this: record: asked '[0-9a-f]{64}', allowed '[0-9a-f]{64}'"


def give_anew(project: Project) -> None:
    replace_record(project, id="house-second", previous_sha256=house(project).record.digest)


MEANWHILE: dict[str, tuple[tuple[Callable[[Project], object], ...], str]] = {
    "it was revoked": ((end_consent,), "consent record 'house-2026-11' was revoked on "),
    "it was replaced": ((give_anew,), ANOTHER),
    "it was revoked and given anew": ((end_consent, give_anew), ANOTHER),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_nothing_is_let_out_if_meanwhile(project: Project, authority: Authority, case: str) -> None:
    grant = ask(project, "export", authority)
    happens, told = MEANWHILE[case]
    for happen in happens:
        happen(project)
    with pytest.raises(Refused, match=told):
        release(house(project), grant, authority, EXPORTED)
    assert not [entry for _, entry in authority.log.read() if entry.event == "export"]


def run(clearspot: Call, scene: Scene) -> tuple[int, dict[str, Any]]:
    one = ("--locale", "es-ES", "--profile", "podcast", "--json")
    code, out, _ = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out, *one)
    (deliverable,) = json.loads(out)["deliverables"]
    return code, deliverable


def revoke_before(scene: Scene, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
    """Revoke in the middle of a run: before it comes to a function, the first time."""
    real, done, one_at_a_time = getattr(module, name), [], threading.Lock()

    def revoke_first(*given: Any, **named: Any) -> object:
        with one_at_a_time:  # lines are spoken on several threads
            if not done:
                done.append(end_consent(scene.project))
        return real(*given, **named)

    monkeypatch.setattr(module, name, revoke_first)


@pytest.mark.parametrize(("module", "name"), [(pipeline, "speak"), (publish, "publish")], ids=["speaks", "publishes"])
def test_a_run_is_stopped_by_a_revocation_while_it(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    revoke_before(scene, monkeypatch, module, name)
    code, deliverable = run(clearspot, scene)
    assert (code, deliverable["verdict"], deliverable["path"]) == (1, "refused", None)
    left = scene.files()
    assert left == ["lumen-coffee/es-ES/lumen-coffee_es-ES_podcast.refusal.json"]
    assert "consent record 'house-2026-11' was revoked on " in (scene.out / left[0]).read_text()
    log = writing_authority(scene.project).log
    events = [entry.event for _, entry in log.read()]
    assert ("export" in events, events[-1], log.inspect()[1]) == (False, "refusal", ())


def test_after_a_revocation_a_run_refuses_and_sets_aside_what_there_was(scene: Scene, clearspot: Call) -> None:
    assert run(clearspot, scene)[0] == 0
    made = scene.files()
    end_consent(scene.project)
    code, deliverable = run(clearspot, scene)
    assert (code, deliverable["verdict"], deliverable["path"]) == (1, "refused", None)
    stem = "lumen-coffee/es-ES/lumen-coffee_es-ES_podcast"
    assert scene.files() == sorted([f"{stem}.refusal.json", *(f"{name}.withdrawn" for name in made)])
    assert f"{stem}.mp3" in made
