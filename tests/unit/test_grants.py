"""Grants: what one holds, that none is made by hand, and the proof from the source that nothing else makes one."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from clearspot.consent.grant import Grant, release
from clearspot.errors import Refused
from clearspot.files import PinnedFile
from clearspot.project import Project
from tests.conftest import CHECKOUT
from tests.unit.consent_scenes import SHA_A, Stage, house_voice, id_of, talent_voice
from tests.unit.grant_proof import forgeries, last_name


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


@pytest.fixture
def grant(ana: Stage) -> Grant:
    return ana.authorize()


# --- what a grant holds ------------------------------------------------------------------------------------------


def test_the_shipped_voice_may_speak(project: Project) -> None:
    house = house_voice(project)
    grant, voice = house.authorize(), house.load()
    assert (grant.voice, grant.engine, grant.record_id) == ("house", "kokoro", "house-2026-11")
    assert (grant.record_sha256, grant.voice_sha256) == (voice.record.digest, voice.file.digest)
    assert (grant.basis, grant.signed_by) == ("synthetic", ("9d6661d014e49156",))
    assert (grant.locale, grant.uses) == ("es-ES", (house.use(),))
    assert dict(grant.weights) == house.weights
    assert grant.settings["mix"] == {"jf_gongitsune": 0.5, "jm_kumo": 0.5}


def test_a_grant_is_written_down_before_anybody_has_it(ana: Stage, grant: Grant) -> None:
    noted = ana.entries()[-1]
    assert noted.event == "grant"
    assert noted.data == {
        "step": "speak",
        "voice": "ana",
        "record": "ana-2026-11",
        "record_sha256": grant.record_sha256,
        "previous_sha256": "",
        "spot": "lumen-coffee",
        "script_sha256": "5" * 64,
        "locale": "es-ES",
        "markets": ["ES"],
        "advertiser": "Lumen Coffee",
        "product": "Lumen Coffee subscription",
        "medium": "radio",
        "purpose": "advertising",
        "operator": "Lumen Coffee SL",
        "signed_by": [id_of(ana.keys["talent"]), id_of(ana.keys["licensee"])],
    }


def test_a_grants_settings_cannot_be_changed_through_the_voice(ana: Stage) -> None:
    """The settings were consented to as they were; nobody mixes another voice after that."""
    from clearspot.consent.grant import authorize

    voice = ana.load()
    grant = authorize(voice, (ana.use(),), ana.authority, weights=ana.weights, step="speak")
    voice.file.settings["mix"]["a"] = 0.5
    assert grant.settings["mix"] == {"a": 1.0}


def test_what_a_grant_gives_is_the_file_that_consent_names(grant: Grant) -> None:
    assert {role: file.read() for role, file in grant.weights.items()} == {"model": b"model", "styles": b"styles"}
    grant.weights["model"].path.write_bytes(b"other")
    with pytest.raises(Refused, match=r"m\.onnx: is not the file that was named .*; it is not opened\."):
        grant.weights["model"].read()


# --- none is made by hand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seal", [None, object(), True, "seal"], ids=["None", "an object", "True", "text"])
def test_a_grant_cannot_be_made_by_hand(grant: Grant, seal: object) -> None:
    fields = {field.name: getattr(grant, field.name) for field in dataclasses.fields(grant)}
    with pytest.raises(TypeError, match=r"made by consent\.authorize and nowhere else"):
        Grant(**fields, seal=seal)
    with pytest.raises(TypeError, match="seal"):
        Grant(**fields)
    with pytest.raises(TypeError, match=r"made by consent\.authorize and nowhere else"):
        dataclasses.replace(grant, uses=(), seal=seal)


def test_a_grant_cannot_be_replaced_or_changed(ana: Stage, grant: Grant) -> None:
    italian = (ana.use(locale="it-IT"),)
    with pytest.raises((TypeError, ValueError), match="seal"):
        dataclasses.replace(grant, uses=italian)
    with pytest.raises(dataclasses.FrozenInstanceError):
        grant.uses = italian  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        grant.locale = "it-IT"  # type: ignore[misc]
    with pytest.raises(TypeError):
        grant.weights["model"] = PinnedFile(Path("other"), SHA_A)  # type: ignore[index]
    with pytest.raises(TypeError):
        grant.settings["mix"] = {"b": 1.0}  # type: ignore[index]


def test_a_grants_settings_cannot_be_changed_inside(grant: Grant) -> None:
    """They are part of what was consented to, however deep they lie."""
    with pytest.raises(TypeError):
        grant.settings["mix"]["a"] = 0.5
    assert grant.settings["mix"] == {"a": 1.0}


def test_a_copy_of_a_grant_is_for_the_same_use(grant: Grant) -> None:
    assert copy.copy(grant) == grant


def test_a_grant_does_not_leave_its_process(grant: Grant) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(grant)


# --- the last look before a file leaves --------------------------------------------------------------------------


def revoked(ana: Stage) -> None:
    from clearspot.consent.withdrawal import withdraw_consent

    withdraw_consent(ana.load(), "from-now", "as agreed", ana.keys["talent"], ana.authority)


def replaced(ana: Stage) -> None:
    ana.follow({"scope/markets": []})


def edited(ana: Stage) -> None:
    ana.change({"exclusivity": "none"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (revoked, "consent record 'ana-2026-11' was revoked on "),
        (replaced, "does not allow this: record: asked "),
        (edited, "does not allow this: record: asked "),
    ],
    ids=["revoked", "replaced", "edited"],
)
def test_what_was_spoken_does_not_leave_when_consent_ended(ana: Stage, grant: Grant, change: Any, told: str) -> None:
    change(ana)
    with pytest.raises(Refused) as refused:
        release(ana.load(), grant, ana.authority, {"path": "spot.wav"})
    assert told in str(refused.value)
    assert "export" not in [entry.event for entry in ana.entries()]


def test_what_leaves_is_written_down_first(ana: Stage, grant: Grant) -> None:
    entry = release(ana.load(), grant, ana.authority, {"path": "spot.wav"})
    record = {"voice": "ana", "record": "ana-2026-11", "record_sha256": grant.record_sha256}
    assert (entry.event, entry.data) == ("export", {**record, "path": "spot.wav"})


def test_a_grant_of_one_voice_lets_out_nothing_of_another(ana: Stage, grant: Grant) -> None:
    with pytest.raises(Refused, match="does not allow this: record: asked "):
        release(house_voice(ana.project).load(), grant, ana.authority, {"path": "spot.wav"})


# --- the proof: nothing but authorize makes one ------------------------------------------------------------------

SOURCES = sorted(path for base in ("src", "flows") for path in (CHECKOUT / base).rglob("*.py"))
MAKER = CHECKOUT / "src" / "clearspot" / "consent" / "grant.py"


@pytest.mark.parametrize("path", [p for p in SOURCES if p != MAKER], ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_nothing_but_authorize_makes_grants(path: Path) -> None:
    assert forgeries(path.read_text(encoding="utf-8")) == []


def test_authorize_makes_grants_in_one_place() -> None:
    tree = ast.parse(MAKER.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and last_name(node.func) == "Grant"]
    inside = {
        function.name: ast.unparse(function)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and "_SEAL" in ast.unparse(function)
    }
    assert len(calls) == 1
    assert set(inside) == {"authorize", "__post_init__"}
    assert inside["authorize"].count("_SEAL") == inside["__post_init__"].count("_SEAL") == 1
    found = {problem.split(": ")[1] for problem in forgeries(MAKER.read_text(encoding="utf-8"))}
    assert found == {"calls Grant", "names the seal"}


FORGED: dict[str, tuple[str, str]] = {
    "by its name": ("Grant(voice='x')", "line 1: calls Grant"),
    "through its module": ("import clearspot.consent.grant as g\ng.Grant(voice='x')", "line 2: calls Grant"),
    "under another name": ("from clearspot.consent.grant import Grant as G\nG(voice='x')", "line 2: calls Grant"),
    "by a name given to it": ("Leave = Grant\nLeave(voice='x')", "line 2: calls Grant"),
    "looked up": ("getattr(grant_module, 'Grant')(voice='x')", "line 1: looks for the class by its name"),
    "replaced": ("dataclasses.replace(grant, uses=())", "line 1: copies a grant"),
    "replaced, from where it lies": ("replace(made.grant, uses=())", "line 1: copies a grant"),
    "replaced, by an annotation": ("def f(leave: Grant):\n    replace(leave, uses=())", "line 2: copies a grant"),
    "replaced by its own method": ("grant.__replace__(uses=())", "line 1: copies a grant"),
    "copied": ("copy.deepcopy(grant)", "line 1: copies a grant"),
    "by object": ("object.__new__(Grant)", "line 1: makes a Grant without its seal"),
    "by itself": ("Grant.__new__(Grant)", "line 1: makes a Grant without its seal"),
    "by its type": ("type(grant).__new__(type(grant))", "line 1: makes a Grant without its seal"),
    "of its class": ("grant.__class__(voice='x')", "line 1: makes another of its kind"),
    "of its type": ("type(grant)(voice='x')", "line 1: makes another of its kind"),
    "a kind of it": ("class Free(Grant):\n    pass", "line 1: makes a kind of Grant"),
    "changed by object": ("object.__setattr__(leave, 'uses', ())", "line 1: changes a grant"),
    "changed by name": ("setattr(grant, 'uses', ())", "line 1: changes a grant"),
    "changed by its state": ("grant.__setstate__(state)", "line 1: changes a grant"),
    "its class changed": ("Grant.__post_init__ = lambda *_: None", "line 1: changes a grant"),
    "the seal": ("from clearspot.consent.grant import _SEAL", "line 1: names the seal"),
    "the seal, from its module": ("seal = grant_module._SEAL", "line 1: names the seal"),
    "the seal, as text": ("seal = vars(grant_module)['_SEAL']", "line 1: names the seal"),
    "the seal, with everything": ("from clearspot.consent.grant import *", "line 1: names the seal"),
    "the seal, from where authorize looks": ("authorize.__globals__", "line 1: uses __globals__"),
    "from bytes": ("import pickle", "line 1: makes objects from bytes"),
    "from text": ("eval('Gr' + 'ant(...)')", "line 1: uses eval"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "told"), FORGED.values(), ids=FORGED)
def test_the_proof_finds_a_forged_grant(source: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in forgeries(source)), forgeries(source)


@pytest.mark.parametrize(
    "source",
    [
        "def speak(grant: Grant, text: str) -> Clip: ...",
        "grant = authorize(voice, uses, authority, weights=weights, step='speak')",
        "made = Made(grant=grant, text=text.replace('a', 'b'))",
        "os.replace(path, target); copy.copy(settings); isinstance(found, Grant)",
    ],
    ids=["taken", "authorized", "handed on", "other things replaced"],
)
def test_the_proof_lets_a_grant_be_used(source: str) -> None:
    assert forgeries(source) == []
