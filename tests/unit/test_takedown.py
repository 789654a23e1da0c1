"""What left with a consent that was revoked since goes, whatever else is wrong with its spot or this project."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from clearspot import inline, job, takedown
from clearspot.consent.authority import Authority, writing_authority
from clearspot.consent.registry import load_voice
from clearspot.consent.revocation import REVOCATION_FILE
from clearspot.consent.withdrawal import withdraw_consent
from clearspot.delivery import Outcome
from clearspot.errors import MachineFault, Refused
from clearspot.locks import UnderWay, spot_lock
from clearspot.project import Project
from clearspot.provenance.keys import RECEIPT_KEY, load_private_key
from clearspot.sweep import find_spots, sweep
from clearspot.takedown import TakenDown, take_down
from clearspot.work import Hands
from tests.change_scenes import Call, another_spot, logged, make_small, run, serve
from tests.conftest import Scene
from tests.unit.signing_scenes import NOW, authority, settle

REVOKE = ("voices", "revoke", "house", "--reason", "no more", "--yes")


@pytest.fixture
def left(scene: Scene, clearspot: Call) -> Scene:
    """The small spot, made here: the log names these very paths."""
    make_small(scene)
    assert run(clearspot, scene)[0] == 0
    return scene


def media(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.out.rglob("*") if path.suffix in {".mp3", ".m4a"})


def without_italian(scene: Scene) -> None:
    path = scene.spot / "spot.yaml"
    path.write_text(path.read_text().replace("  it-IT: {markets: [IT]}\n", ""))


# --- in a run and in a sweep -------------------------------------------------------------------------------------


def test_a_locale_that_left_the_spot_is_taken_down_too(left: Scene, clearspot: Call) -> None:
    without_italian(left)
    assert clearspot(*REVOKE)[0] == 0
    code, out, _ = clearspot("run", left.spot, "--runner", "inline", "--out", left.out, "--json")
    assert (code, media(left)) == (1, [])
    told = json.loads(out)["warnings"]
    assert [one["what"].partition(" was taken down")[0] for one in told] == [
        "lumen-coffee_it-IT_podcast.mp3", "lumen-coffee_it-IT_stream.m4a",
    ]  # fmt: skip
    refusal = json.loads((left.out / "lumen-coffee/it-IT/lumen-coffee_it-IT_podcast.refusal.json").read_text())
    assert "was revoked" in refusal["error"]["what"]
    assert refusal["about"]["locale"] == "it-IT"
    assert {Path(one["path"]).name for one in logged(left.project, "withdrawal")} == {
        "lumen-coffee_it-IT_podcast.mp3", "lumen-coffee_it-IT_stream.m4a",
    }  # fmt: skip


def test_a_spot_that_does_not_open_any_more_is_taken_down_once(left: Scene, clearspot: Call) -> None:
    assert clearspot(*REVOKE)[0] == 0
    (left.spot / "recording.flac").unlink()
    code, out, err = clearspot("serve", "--once")
    assert (code, media(left)) == (2, [])
    assert out.count(": taken down") == 4
    assert err.count("was taken down: consent record 'house-2026-11' was revoked") == 4
    assert "no file 'recording.flac'" in err
    code, out, err = clearspot("serve", "--once")
    assert (code, out.count("taken down"), err.count("taken down")) == (2, 0, 0)


def test_a_sweep_takes_down_and_says_it_once(left: Scene, clearspot: Call) -> None:
    """Also where nothing else is wrong: the spot itself has nothing to add."""
    assert clearspot(*REVOKE)[0] == 0
    code, states, _ = serve(clearspot)
    assert (code, media(left), states["lumen-coffee"]) == (1, [], "unchanged")
    assert serve(clearspot)[:2] == (0, {"lumen-coffee": "unchanged"})


def test_the_page_is_written_once_for_all_that_went(
    left: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows every file, and decodes those that are left: not once for each that goes."""
    written: list[Path] = []
    monkeypatch.setattr(takedown, "write_report", lambda home, _: written.append(home))
    assert clearspot(*REVOKE, "--effect", "take-down")[0] == 0
    assert (written, media(left)) == ([left.out / "lumen-coffee"], [])


def test_a_batch_tells_it_and_goes_on(left: Scene, clearspot: Call) -> None:
    """What was taken down is no spot's failure: the batch does not stop for it."""
    assert clearspot(*REVOKE)[0] == 0
    spots = left.project.sweep_root
    code, out, err = clearspot("run", spots, "--runner", "inline", "--out", left.out, "--max-failures", "1")
    assert (code, media(left)) == (1, [])
    assert re.search(rf"^{left.out / 'lumen-coffee'} +taken down", out, re.MULTILINE)
    assert re.search(r"^lumen-coffee +not exported", out, re.MULTILINE)
    assert "was taken down: consent record" in err


def test_it_needs_no_certificate(left: Scene, clearspot: Call, tmp_path: Path) -> None:
    """Where nothing can be signed any more, plans are made and what may not lie there goes."""
    ended = authority(tmp_path / "ended", until=NOW - dt.timedelta(days=1))
    settle(left.project, command=ended.command(), chain=str(ended.chain))
    assert clearspot("plan", left.spot, "--out", left.out)[0] == 0
    assert clearspot(*REVOKE)[0] == 0
    assert (serve(clearspot)[0], media(left)) == (1, [])


def test_where_nothing_can_be_signed_nothing_is_begun(left: Scene, clearspot: Call, tmp_path: Path) -> None:
    ended = authority(tmp_path / "ended", until=NOW - dt.timedelta(days=1))
    settle(left.project, command=ended.command(), chain=str(ended.chain))
    left.studio.voice.asked.clear()
    code, _, err = clearspot("run", left.spot, "--runner", "inline", "--out", left.out.with_name("elsewhere"))
    assert (code, left.studio.voice.asked) == (1, [])
    assert "the signing certificate is valid from" in err


def test_take_down_means_at_once(left: Scene, clearspot: Call) -> None:
    code, out, _ = clearspot(*REVOKE, "--effect", "take-down")
    assert (code, media(left)) == (0, [])
    assert len(re.findall(rf"^taken down: {left.out}/lumen-coffee/\S+\.(?:mp3|m4a)$", out, re.MULTILINE)) == 4


def test_a_revocation_in_the_middle_of_a_sweep_counts_for_the_spots_after_it(left: Scene, clearspot: Call) -> None:
    """Two spots; while the first is made, the voice is revoked."""
    another_spot(left, "a-spot-before")
    other = another_spot(left, "z-spot-after")
    assert run(clearspot, left, other)[0] == 0
    studio = job.open_studio(left.project)

    def revoke_meanwhile(asked: job.Job) -> list[Outcome]:
        outcomes = inline.run(asked)
        assert clearspot(*REVOKE)[0] == 0
        return outcomes

    folders = find_spots(left.project.sweep_root)
    states = {
        one.folder.name: one.state
        for one in sweep(job.open_desk(left.project, studio), folders, left.out, Hands(revoke_meanwhile))
    }
    studio.stop()
    assert states == {"a-spot-before": "made", "lumen-coffee": "not exported", "z-spot-after": "not exported"}


# --- which files -------------------------------------------------------------------------------------------------


@pytest.fixture
def authority_here(project: Project) -> Authority:
    return writing_authority(project)


def exported(authority: Authority, path: Path, record_sha256: str, voice: str = "house") -> Path:
    """A file that left with a record, as the log has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    authority.log.append("export", {"path": str(path), "voice": voice, "record_sha256": record_sha256})
    return path


def revoke_house(project: Project, authority: Authority) -> str:
    """Revoke the demo voice; gives its record's digest."""
    voice = load_voice("house", project.voice_folders())
    withdraw_consent(voice, "from-now", "no more", load_private_key(project.keys_dir / RECEIPT_KEY), authority)
    return voice.record.digest


def gone(found: Iterator[TakenDown]) -> list[str]:
    return [one.path.name for one in found]


def test_the_newest_export_of_a_path_is_what_lies_there(project: Project, authority_here: Authority) -> None:
    out, record = project.sweep_out, revoke_house(project, authority_here)
    exported(authority_here, out / "s/it-IT/again.mp3", record)
    exported(authority_here, out / "s/it-IT/again.mp3", "another record")
    exported(authority_here, out / "s/it-IT/back.mp3", "another record")
    exported(authority_here, out / "s/it-IT/back.mp3", record)
    assert gone(take_down(authority_here, (), out, partial(spot_lock, project))) == ["back.mp3"]
    assert (out / "s/it-IT/again.mp3").exists()
    assert (out / "s/it-IT/back.mp3.withdrawn").read_bytes() == b"sound"


def test_what_went_elsewhere_is_left_alone(project: Project, authority_here: Authority, tmp_path: Path) -> None:
    """The log may be that of a project that this one is a copy of."""
    record = revoke_house(project, authority_here)
    elsewhere = exported(authority_here, tmp_path / "elsewhere/s/it-IT/a.mp3", record)
    beside = exported(authority_here, project.sweep_out.with_name("out2") / "s/it-IT/a.mp3", record)
    assert gone(take_down(authority_here, (), project.sweep_out, partial(spot_lock, project))) == []
    assert elsewhere.exists()
    assert beside.exists()


def test_a_revocation_that_cannot_be_believed_hides_no_other(project: Project, authority_here: Authority) -> None:
    record, forged = revoke_house(project, authority_here), project.root / "voices" / "a"
    text = (project.own_voice("house") / REVOCATION_FILE).read_text()
    forged.mkdir()
    (forged / REVOCATION_FILE).write_text(text.replace("no more", "another reason"))
    exported(authority_here, project.sweep_out / "s/it-IT/a.mp3", record)
    found = take_down(authority_here, (), project.sweep_out, partial(spot_lock, project))
    assert next(found).path.name == "a.mp3"
    with pytest.raises(Refused, match="not signed by anyone known here"):
        next(found)
    assert media_below(project) == []


def media_below(project: Project) -> list[Path]:
    return list(project.sweep_out.rglob("*.mp3"))


def test_where_the_log_cannot_be_written_it_goes_all_the_same(
    project: Project, authority_here: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = revoke_house(project, authority_here)
    exported(authority_here, project.sweep_out / "s/it-IT/a.mp3", record)

    def refuse(*_: object) -> None:
        raise Refused("the log is full.")

    monkeypatch.setattr(authority_here.log, "append", refuse)
    (one,) = take_down(authority_here, (), project.sweep_out, partial(spot_lock, project))
    assert [error.what for error in one.told][1] == "the log is full."
    assert media_below(project) == []


def test_what_another_run_works_on_is_left_to_it_and_told(project: Project, authority_here: Authority) -> None:
    """It may put a file there that may lie there; a file that may not is taken down afterwards."""
    record, out = revoke_house(project, authority_here), project.sweep_out
    exported(authority_here, out / "busy/it-IT/a.mp3", record)
    exported(authority_here, out / "free/it-IT/b.mp3", record)
    with spot_lock(project, out / "busy"):
        found = take_down(authority_here, (), out, partial(spot_lock, project))
        assert next(found).path.name == "b.mp3"
        with pytest.raises(UnderWay, match="another run works on this spot"):
            next(found)
    assert gone(take_down(authority_here, (), out, partial(spot_lock, project))) == ["a.mp3"]


def test_what_a_run_put_there_meanwhile_is_looked_at_anew(project: Project, authority_here: Authority) -> None:
    record, out = revoke_house(project, authority_here), project.sweep_out
    path = exported(authority_here, out / "s/it-IT/a.mp3", record)

    @contextlib.contextmanager
    def after_another(_: Path) -> Iterator[None]:
        exported(authority_here, path, "another record")
        yield

    assert gone(take_down(authority_here, (), out, after_another)) == []
    assert path.exists()


def test_a_folder_that_cannot_be_held_is_told(project: Project, authority_here: Authority) -> None:
    """Its files are there still: nobody may think that they went."""
    record, out = revoke_house(project, authority_here), project.sweep_out
    path = exported(authority_here, out / "s/it-IT/a.mp3", record)

    def hold(_: Path) -> contextlib.AbstractContextManager[None]:
        raise MachineFault("cannot be locked.")

    with pytest.raises(MachineFault, match="cannot be locked"):
        list(take_down(authority_here, (), out, hold))
    assert path.exists()


def test_a_take_down_that_another_run_held_up_is_said_again(left: Scene, clearspot: Call) -> None:
    asked = (*REVOKE, "--effect", "take-down")
    with spot_lock(left.project, left.out / "lumen-coffee"):
        code, _, err = clearspot(*asked)
    assert (code, len(media(left))) == (3, 4)
    assert "Wait until it has finished, and try again." in err
    assert clearspot(*asked)[0] == 0
    assert media(left) == []
