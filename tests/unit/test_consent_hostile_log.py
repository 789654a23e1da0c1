"""The audit log that consent rests on: without it nobody speaks, every no is in it, and no two share a last spot."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import shutil
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.errors import BadInput, Refused
from clearspot.files import PinnedFile
from clearspot.project import Project, Settings
from tests.unit.consent_scenes import FILES, Change, Stage, id_of, talent_voice


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


# --- the log -----------------------------------------------------------------------------------------------------


def lines_of(ana: Stage) -> tuple[Path, list[bytes]]:
    path = ana.project.audit_dir / "log.jsonl"
    return path, path.read_bytes().splitlines(keepends=True)


def on_lines(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    def attack(ana: Stage) -> None:
        path, lines = lines_of(ana)
        path.write_bytes(b"".join(change(lines)))

    return attack


def signed_by_another_key(ana: Stage) -> None:
    path = ana.project.audit_dir / "head.json"
    head = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(head | {"key": id_of(Ed25519PrivateKey.generate())}), encoding="utf-8")


def an_older_day(line: bytes) -> bytes:
    at = json.loads(line)["at"].encode()
    return line.replace(at, b"2020" + at[4:])


BROKEN_LOG = "the audit log was tampered with or damaged: "
LOGS: dict[str, tuple[Change, str]] = {
    "all of it deleted": (lambda ana: shutil.rmtree(ana.project.audit_dir), "there is no audit log here."),
    "the entries deleted": (
        lambda ana: (ana.project.audit_dir / "log.jsonl").unlink(),
        BROKEN_LOG + "it is shorter than the ",
    ),
    "the head deleted": (
        lambda ana: (ana.project.audit_dir / "head.json").unlink(),
        BROKEN_LOG + "the signed head of the log is missing.",
    ),
    "entries taken out": (on_lines(lambda lines: [*lines[:1], *lines[4:]]), BROKEN_LOG + "it is shorter than the "),
    "the newest entries cut off": (on_lines(lambda lines: lines[:-2]), BROKEN_LOG + "it is shorter than the "),
    "an entry put in": (on_lines(lambda lines: [*lines, lines[-1]]), BROKEN_LOG + "there is more in it than the "),
    "an entry edited": (
        on_lines(lambda lines: [lines[0], an_older_day(lines[1]), *lines[2:]]),
        BROKEN_LOG + "entry 3 does not follow the one before it.",
    ),
    "the newest entry edited": (
        on_lines(lambda lines: [*lines[:-1], an_older_day(lines[-1])]),
        BROKEN_LOG + "its last entry is not entry ",
    ),
    "two entries exchanged": (
        on_lines(lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]),
        BROKEN_LOG + "entry 2 does not follow the one before it.",
    ),
    "an entry of noise": (
        on_lines(lambda lines: [lines[0], b"x" * (len(lines[1]) - 1) + b"\n", *lines[2:]]),
        BROKEN_LOG + "entry 2 is none.",
    ),
    "signed by another key": (signed_by_another_key, BROKEN_LOG + "the head is signed with key "),
}


@pytest.mark.parametrize(("attack", "told"), LOGS.values(), ids=LOGS)
def test_without_a_log_that_is_whole_nobody_speaks(ana: Stage, attack: Change, told: str) -> None:
    ana.authorize()
    attack(ana)
    refusal = ana.refusal()
    assert refusal.what.startswith(told)
    assert refusal.where.startswith(str(ana.project.audit_dir))


def test_a_clock_that_was_set_back(ana: Stage) -> None:
    """Else a term that has ended would begin anew."""
    time = dt.datetime(2026, 12, 31, 12, 0, tzinfo=dt.UTC)
    authority = ana.at(time)
    ana.authorize(authority=authority)
    authority.log.clock = lambda: time - dt.timedelta(days=1)
    assert str(ana.refusal(authority=authority)) == (
        f"{authority.log.path}: this machine's clock says 2026-12-30T12:00:00+00:00, and the audit log's newest entry "
        "is of 2026-12-31T12:00:00+00:00. Set the clock right; a term of consent cannot be held against a clock that "
        "runs backwards."
    )


def test_machines_that_share_a_log_may_differ_by_seconds(ana: Stage) -> None:
    time = dt.datetime(2026, 12, 31, 12, 0, tzinfo=dt.UTC)
    authority = ana.at(time)
    authority.log.clock = lambda: time - dt.timedelta(seconds=4)
    assert ana.authorize(authority=authority).voice == "ana"


def test_a_clock_that_is_set_back_little_by_little(ana: Stage) -> None:
    """Four seconds with each entry are a day in a night."""
    time = dt.datetime(2026, 12, 31, 12, 0, tzinfo=dt.UTC)
    authority = ana.at(time)
    for seconds in (4, 5):
        authority.log.clock = lambda behind=seconds: time - dt.timedelta(seconds=behind)
        ana.authorize(authority=authority)
    authority.log.clock = lambda: time - dt.timedelta(seconds=8)
    assert "this machine's clock says " in str(ana.refusal(authority=authority))


def test_what_cannot_be_written_down_is_not_granted(ana: Stage) -> None:
    from clearspot.consent.authority import reading_authority

    with pytest.raises(ValueError, match="this log was opened to be read"):
        ana.authorize(authority=reading_authority(ana.project))


# --- what was refused is written down ----------------------------------------------------------------------------


def statement_gone(ana: Stage) -> None:
    (ana.folder / "statement.wav").unlink()


def statement_outside(ana: Stage) -> None:
    """A link that leads out of the voice's folder."""
    (ana.project.root / "elsewhere.wav").write_bytes(FILES["statement.wav"])
    statement_gone(ana)
    (ana.folder / "statement.wav").symlink_to(ana.project.root / "elsewhere.wav")


def signatures_of_nonsense(ana: Stage) -> None:
    ana.signature.write_text("nonsense", encoding="utf-8")


NOTED: dict[str, tuple[Change, dict[str, Any], Any]] = {
    "out of scope": (lambda _: None, {"market": "MX"}, Refused),
    "unsigned": (lambda ana: ana.signature.unlink(), {}, Refused),
    "edited": (lambda ana: ana.change({"exclusivity": "none"}), {}, Refused),
    "no spot left": (lambda ana: ana.resign({"scope/max_spots": 1}) or ana.authorize(ana.use(spot="one")), {}, Refused),
    "a statement that is gone": (statement_gone, {}, Refused),
    "a statement outside the folder": (statement_outside, {}, BadInput),
    "signatures that are none": (signatures_of_nonsense, {}, BadInput),
}


@pytest.mark.parametrize("step", ["prepare", "speak", "export"])
@pytest.mark.parametrize(("change", "asked", "kind"), NOTED.values(), ids=NOTED)
def test_every_no_is_written_down(ana: Stage, change: Change, asked: dict[str, Any], kind: Any, step: Any) -> None:
    change(ana)
    before = len(ana.entries())
    use = ana.use(**asked)
    told = [ana.refusal(use, kind=kind, step=step) for _ in range(2)]
    written = [entry for entry in ana.entries()[before:] if entry.event != "trust"]
    assert [entry.event for entry in written] == ["refusal", "refusal"], "each time"
    for entry, refusal in zip(written, told, strict=True):
        expected = {
            "step": step,
            "voice": "ana",
            "record_sha256": ana.load().record.digest,
            "spot": "lumen-coffee",
            "markets": [use.market],
            "why": refusal.what,
            "where": refusal.where,
        }
        assert {name: entry.data[name] for name in expected} == expected


# --- the last permitted spot -------------------------------------------------------------------------------------

RACERS, ROUNDS = 3, 5


def race(root: Path, racer: int, weights: list[dict[str, PinnedFile]], start: Barrier, told: Any) -> None:
    """One process that asks for a spot of its own with each voice, at the same moment as the others."""
    project = Project(root, Settings())
    for number in range(ROUNDS):
        stage = Stage(project, root / "voices" / f"ana-{number}", {}, weights[number])
        authority = stage.authority
        start.wait(60)
        try:
            stage.authorize(stage.use(spot=f"spot-{racer}"), authority=authority)
        except Refused as refusal:
            told.put((number, refusal.what))
        else:
            told.put((number, ""))


def test_of_several_processes_one_gets_the_last_permitted_spot(project: Project) -> None:
    stages = [talent_voice(project, f"ana-{number}") for number in range(ROUNDS)]
    for stage in stages:
        stage.resign({"scope/max_spots": 1})
    spawn = multiprocessing.get_context("spawn")
    start, told, weights = spawn.Barrier(RACERS), spawn.Queue(), [stage.weights for stage in stages]
    racers = [spawn.Process(target=race, args=(project.root, n, weights, start, told)) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    answers = [told.get(timeout=60) for _ in range(RACERS * ROUNDS)]
    for racer in racers:
        racer.join(60)
    for number, stage in enumerate(stages):
        refusals = [what for round_of, what in answers if round_of == number and what]
        assert len(refusals) == RACERS - 1, "exactly one wins"
        assert all("scope.max_spots: asked 'spot-" in what and "as spot 2', allowed '1'" in what for what in refusals)
        granted = [
            entry for entry in stage.entries() if entry.event == "grant" and entry.data["voice"] == f"ana-{number}"
        ]
        assert len(granted) == 1
    assert stages[0].authority.log.inspect()[1] == ()
