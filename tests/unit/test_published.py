"""What lies there is kept only while it is what it should be; what may not lie there goes, whatever else is wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from clearspot import pipeline, work
from clearspot.errors import MachineFault
from clearspot.files import held_to
from clearspot.gate.receipt import sign_receipt, to_text
from clearspot.hashing import sha256_file
from clearspot.ingredients import changes
from clearspot.locks import UnderWay, sweep_lock
from clearspot.media.audio import Samples
from clearspot.project import Project, Settings
from clearspot.provenance.keys import RECEIPT_KEY, load_private_key
from tests.change_scenes import Call, change, everything, made_before, plan, run, serve, sine, states
from tests.conftest import Scene, edit


@pytest.fixture
def there(scene: Scene, tmp_path_factory: pytest.TempPathFactory, clearspot: Call) -> Scene:
    """The small spot, made."""
    return made_before(scene, tmp_path_factory.getbasetemp(), clearspot)


def media(scene: Scene) -> set[str]:
    return {path.name for path in scene.out.rglob("*") if path.suffix in {".mp3", ".m4a"}}


# --- a file is held to its digest while it is read ---------------------------------------------------------------


def test_a_file_that_is_put_back_while_it_is_read_was_touched(tmp_path: Path) -> None:
    path = tmp_path / "bed.flac"
    path.write_bytes(b"bed")
    digest = sha256_file(path)
    with held_to(path, digest) as given:
        assert given.read_bytes() == b"bed"
    with pytest.raises(MachineFault, match="changed while the spot was made"), held_to(path, digest):
        swap_and_put_back(path)
    with pytest.raises(MachineFault, match="changed while the spot was made"), held_to(path, "0" * 64):
        pass


def swap_and_put_back(path: Path) -> None:
    right = path.read_bytes()
    path.write_bytes(b"another")
    path.write_bytes(right)


def test_a_bed_that_is_swapped_in_the_middle_is_in_no_file_and_in_no_store(
    there: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed = there.spot / "bed.flac"
    sine(bed, 330, 3)
    decode, swap = pipeline.decode, threading.Lock()

    def decode_another(path: Path, **options: int) -> Samples:
        if path.name != bed.name:
            return decode(path, **options)
        with swap:
            right = bed.read_bytes()
            sine(bed, 440, 3)
            heard = decode(path, **options)
            bed.write_bytes(right)
            return heard

    monkeypatch.setattr(pipeline, "decode", decode_another)
    code, report = run(clearspot, there)
    assert code == 3
    assert {one["verdict"] for one in report["deliverables"]} == {"machine-fault"}
    monkeypatch.undo()


# --- what may not lie there --------------------------------------------------------------------------------------


def test_a_revoked_voice_is_taken_away_though_nothing_can_be_made(
    there: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(*_: object) -> None:
        raise MachineFault("the signer does not answer.")

    assert media(there)
    assert clearspot("voices", "revoke", "house", "--reason", "no more", "--yes")[0] == 0
    monkeypatch.setattr(work, "require_ready", out_of_reach)
    code, _ = run(clearspot, there)
    assert (code, media(there)) == (1, set())


def test_a_certificate_that_ends_is_signed_with_the_new_one(there: Scene, clearspot: Call) -> None:
    (path, *_) = there.out.rglob("*es-ES_podcast.receipt.json")
    body = json.loads(path.read_text())["receipt"]
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    body["provenance"] |= {"certificate_ends": soon.isoformat(), "trusted_time": False}
    write_receipt(there.project, path, body)
    state, why = states(plan(clearspot, there))["es-ES podcast"]
    assert (state, why) == ("again", (f"its certificate ends on {soon:%Y-%m-%d}",))
    body["provenance"]["trusted_time"] = True
    write_receipt(there.project, path, body)
    assert states(plan(clearspot, there))["es-ES podcast"][0] == "kept"


def write_receipt(project: Project, path: Path, body: dict[str, object]) -> None:
    path.write_bytes(to_text(sign_receipt(body, load_private_key(project.keys_dir / RECEIPT_KEY))))


def test_what_another_version_wrote_down_is_not_passed_over() -> None:
    told = changes({"music {x}": "1"}, {"music {x}": "2"}, "es-ES", "podcast")
    assert told == {"transcribe": ["`music (x)` changed"]}


def test_only_what_this_project_let_out_is_its_to_keep(there: Scene, clearspot: Call) -> None:
    """A receipt may be signed by a key that is trusted, and be of an export that another project's log has."""
    (path, *_) = there.out.rglob("*es-ES_podcast.receipt.json")
    body = json.loads(path.read_text())["receipt"]
    assert states(plan(clearspot, there))["es-ES podcast"][0] == "kept"
    for anchor in ({"entry": 1, "sha256": body["audit"]["sha256"]}, {"entry": 9999, "sha256": "0" * 64}, None):
        write_receipt(there.project, path, body | {"audit": anchor})
        told = states(plan(clearspot, there))["es-ES podcast"]
        assert told == ("again", ("its receipt is of no export in this project's log",))


# --- two spots of one id -----------------------------------------------------------------------------------------


def test_another_spot_of_the_same_id_takes_no_ones_place(there: Scene, clearspot: Call) -> None:
    """Whoever comes second is refused, also where no sweep sees both; a folder may be renamed."""
    other = there.spot.parent / "elsewhere" / "coffee"
    shutil.copytree(there.spot, other)
    change(other)
    before = everything(there.out)
    code, said = run(clearspot, there, other)
    assert (code, everything(there.out)) == (2, before)
    assert "two spots are called 'lumen-coffee': this one and spots/lumen-coffee" in said["error"]["what"]
    shutil.rmtree(there.spot)
    assert run(clearspot, there, other)[0] == 0


# --- the run's own record ----------------------------------------------------------------------------------------


def test_a_sweep_tells_what_waits_though_something_else_was_made(there: Scene, clearspot: Call) -> None:
    change(there.spot)
    italian = there.spot / "translations" / "it-IT.yaml"
    edit(italian, "Fino a domenica", "Entro domenica")
    code, told, spots = serve(clearspot)
    assert (code, told) == (0, {"lumen-coffee": "made"})
    (waiting,) = spots["lumen-coffee"]["waiting"]
    assert "not approved in it-IT: offer" in waiting
    ended = json.loads((there.out / "lumen-coffee" / "run.json").read_text())["deliverables"]
    assert {one["name"].removeprefix("lumen-coffee_"): one["verdict"] for one in ended} == {
        "es-ES_podcast": "cleared", "es-ES_stream": "cleared", "it-IT_podcast": "waiting", "it-IT_stream": "waiting",
    }  # fmt: skip


def test_what_was_kept_is_not_called_cleared(there: Scene, clearspot: Call) -> None:
    change(there.spot)
    assert run(clearspot, there)[0] == 0
    ended = json.loads((there.out / "lumen-coffee" / "run.json").read_text())["deliverables"]
    assert [one["verdict"] for one in ended] == ["cleared", "cleared", "kept", "kept"]


# --- the page ----------------------------------------------------------------------------------------------------


def test_a_report_that_a_killed_run_left_old_is_written_again(there: Scene, clearspot: Call) -> None:
    report = there.out / "lumen-coffee" / "report.html"
    receipt = next(there.out.rglob("*.receipt.json"))
    report.write_text("old")
    later = receipt.stat().st_mtime
    os.utime(report, (later - 60, later - 60))
    assert run(clearspot, there)[0] == 0
    assert report.read_text() != "old"
    kept = report.stat().st_mtime_ns
    assert run(clearspot, there)[0] == 0
    assert report.stat().st_mtime_ns == kept


# --- sweeps ------------------------------------------------------------------------------------------------------


def test_one_sweep_at_a_time(project: Project) -> None:
    with sweep_lock(project, ()):
        with pytest.raises(UnderWay, match="the sweep before is still under way"), sweep_lock(project, ()):
            pass
        with sweep_lock(project, ("spots/a",)):
            pass
    with sweep_lock(project, ()):
        pass


def test_deployments_follow_the_files(project: Project) -> None:
    """Odd folder names, two projects, a file that is being written: each spot has its own, and keeps it."""
    from clearspot_flows.serving import SWEEP, wanted_of

    order = "id: x\nvoice: house\nrecording: r\nlocales: {es-ES: {markets: [ES]}}\nprofiles: [podcast]\nmedium: radio\n"
    for place in ("coffee & tea", "a-b", "a/b", "plain"):
        folder = project.sweep_root / place
        folder.mkdir(parents=True)
        own = "" if place == "plain" else "schedule: {interval_s: 60}\n"
        (folder / "spot.yaml").write_text(order + own)
    first = wanted_of(project)
    assert len(first) == 4
    assert all(name.replace("-", "").isalnum() for name in first)
    assert first[SWEEP].spots == ()
    (project.sweep_root / "a-b" / "spot.yaml").write_text("id: x\nvoi")
    assert wanted_of(project, first) == first
    shutil.rmtree(project.sweep_root / "a-b")
    assert len(wanted_of(project, first)) == 3
    telling = Project(project.root, Settings(notify="slack-webhook/ops"))
    assert {one.notify for one in wanted_of(telling, first).values()} == {"slack-webhook/ops"}


def test_a_changed_spot_is_made_by_the_next_sweep_alone(there: Scene, clearspot: Call) -> None:
    change(there.spot)
    assert serve(clearspot)[1] == {"lumen-coffee": "made"}
    assert serve(clearspot)[1] == {"lumen-coffee": "unchanged"}
