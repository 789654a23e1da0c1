"""The report from what runs left on disk: what is in order, what is not, and what must never stop a run."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearspot import pipeline
from clearspot.consent.record import Scope
from clearspot.consent.spot_approval import load_spot_approval
from clearspot.errors import BadInput, MachineFault
from clearspot.gate.receipt import sign_receipt
from clearspot.media.loudness import decode_and_follow, decode_and_measure
from clearspot.provenance.keys import CONSENT_KEY, load_private_key, load_trust
from clearspot.report import collect as collecting
from clearspot.report.collect import collect
from clearspot.report.data import Approval, Deliverable, RunReport
from clearspot.report.facts import SCOPE
from clearspot.report.waveform import envelope
from clearspot.spot import load_spot
from tests.conftest import Scene, edit, run_ffmpeg, tone
from tests.htmltree import parse
from tests.report_scenes import RULE_NAMES

Call = Callable[..., tuple[int, str, str]]
STEM = "lumen-coffee_es-ES_podcast"


def run(clearspot: Call, scene: Scene, *arguments: str) -> int:
    code, _, _ = clearspot(
        "run", scene.spot, "--runner", "inline", "--out", scene.out, "--json", "--profile", "podcast", *arguments
    )
    return code


def home(scene: Scene) -> Path:
    return scene.out / "lumen-coffee"


def collected(scene: Scene) -> RunReport:
    return collect(home(scene), load_trust(scene.project.trust_dirs).receipt_keys)


def of(report: RunReport, locale: str = "es-ES") -> Deliverable:
    (one,) = [one for one in report.deliverables if one.locale == locale]
    return one


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs it puts what a run of one locale left, for the others to copy."""
    return tmp_path_factory.mktemp("kept") / "out"


@pytest.fixture
def exported(scene: Scene, clearspot: Call, kept: Path) -> Scene:
    """A scene after a run of one locale in one profile."""
    if kept.exists():
        shutil.copytree(kept, scene.out)
    else:
        assert run(clearspot, scene, "--locale", "es-ES") == 0
        shutil.copytree(scene.out, kept)
    return scene


# --- what a run leaves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", ["inline", "prefect"])
def test_a_run_leaves_a_page_that_shows_each_deliverable(scene: Scene, clearspot: Call, runner: str) -> None:
    which = ("--locale", "es-ES", "--profile", "broadcast-eu", "--profile", "podcast")
    code, out, err = clearspot("run", scene.spot, "--runner", runner, "--out", scene.out, "--json", *which)
    assert (code, err, json.loads(out)["warnings"]) == (0, "", [])
    tree = parse((home(scene) / "report.html").read_text(encoding="utf-8"))
    assert tree.all("ul")[0].text == "Passed 2 of 2"
    assert len(tree.all("audio")) == 2
    report = collected(scene)
    assert [one.anchor for one in report.deliverables] == ["of-es-es-broadcast-eu", "of-es-es-podcast"]
    whole = of(dataclasses.replace(report, deliverables=report.deliverables[1:2]))
    assert whole.verdict == "passed"
    assert [clip.disclosure for clip in whole.clips] == [True] + [False] * 6
    assert whole.clips[1].text == "Hola, soy Nora, de Lumen Coffee."
    assert whole.clips[1].source == "Hi, I'm Nora, from Lumen Coffee."
    assert [finding.rule for finding in whole.findings] == list(RULE_NAMES)
    assert {(one.status, one.by != "") for one in whole.approvals} == {("approved", True)}
    assert len(whole.approvals) == 7
    assert whole.limits is not None
    assert (whole.limits.loudness_lufs, whole.limits.tolerance_lu, whole.limits.true_peak_dbtp) == (-16.0, 0.5, -1.0)
    assert whole.limits.short_term_max_lufs is None, "nothing is asked of a podcast's loudest three seconds"
    broadcast = next(one for one in report.deliverables if one.profile == "broadcast-eu")
    assert broadcast.limits is not None
    assert broadcast.limits.short_term_max_lufs == -18.0
    assert whole.sound is not None
    assert whole.sound.duration_s == pytest.approx(40.0, abs=0.05)
    assert whole.sound.loudness.integrated_lufs == pytest.approx(-16.0, abs=0.5)


def test_the_page_can_be_made_again_at_any_time_and_is_the_same(exported: Scene, clearspot: Call) -> None:
    scene = exported
    first = collected(scene)
    (home(scene) / "report.html").unlink()
    code, out, _ = clearspot("report", home(scene))
    assert (code, out) == (0, f"{home(scene) / 'report.html'}\n")
    assert dataclasses.replace(collected(scene), written="") == dataclasses.replace(first, written="")
    code, out, _ = clearspot("report", home(scene), "--json")
    assert json.loads(out) == {"report": str(home(scene) / "report.html")}


def test_a_refused_deliverable_says_why(scene: Scene, clearspot: Call) -> None:
    scene.deaf_to = "inteligencia artificial"
    assert run(clearspot, scene, "--locale", "es-ES") == 1
    one = of(collected(scene))
    assert (one.verdict, one.media, one.sound) == ("refused", None, None)
    assert one.problem is not None
    assert one.problem.what.startswith("the gate refused it: disclosure-heard: ")
    assert one.problem.remedy == "Mend what the findings name and run again."
    assert [finding.rule for finding in one.findings if finding.verdict == "fail"] == ["disclosure-heard"]


def test_a_refused_deliverable_says_who_had_approved_what_and_what_consent_allows(
    scene: Scene, clearspot: Call
) -> None:
    assert run(clearspot, scene, "--locale", "es-ES") == 0
    passed = of(collected(scene))
    scene.deaf_to = "inteligencia artificial"
    edit(scene.spot / "spot.yaml", "duration_s: 40", "duration_s: 41")
    assert run(clearspot, scene, "--locale", "es-ES") == 1
    one = of(collected(scene))
    assert one.verdict == "refused"
    assert (one.approvals, one.consent) == (passed.approvals, passed.consent)
    assert len(one.approvals) > 3


@pytest.mark.parametrize("refused", [False, True], ids=["exported", "refused"])
def test_the_owners_own_yes_to_a_spot_is_told_by_role_and_key(
    scene: Scene, clearspot: Call, tmp_path: Path, refused: bool
) -> None:
    scene.resign("approval: not-needed", "approval: per-spot")
    assert run(clearspot, scene, "--locale", "es-ES") == 1
    assert clearspot("approve", "voice", scene.spot, "--key", scene.project.keys_dir / CONSENT_KEY)[0] == 0
    scene.deaf_to = "inteligencia artificial" if refused else ""
    assert run(clearspot, scene, "--locale", "es-ES") == int(refused)
    said = load_spot_approval(scene.spot)
    assert said is not None
    (told,) = (home(scene) / "es-ES").glob("*.refusal.json" if refused else "*.receipt.json")
    body = json.loads(told.read_text())
    assert (body if refused else body["receipt"])["approvals"]["voice"] == {
        "role": "licensee", "key": said.key, "at": said.signed_at, "script_sha256": load_spot(scene.spot).script.digest,
    }  # fmt: skip
    (row,) = [each for each in of(collected(scene)).approvals if each.voice]
    assert row == Approval("", "approved", f"licensee, with key {said.key}", said.signed_at, voice=True)
    page = (home(scene) / "report.html").read_text()
    assert "The voice in this spot" in page
    assert said.key in page


def test_where_consent_asks_for_no_yes_to_each_spot_none_is_told(scene: Scene, clearspot: Call) -> None:
    """Whatever lies beside the spot."""
    approve = ("approve", "voice", scene.spot, "--key", scene.project.keys_dir / CONSENT_KEY)
    scene.resign("approval: not-needed", "approval: per-spot")
    assert clearspot(*approve)[0] == 0
    shutil.rmtree(scene.project.root / "voices" / "house")
    assert run(clearspot, scene, "--locale", "es-ES") == 0
    receipt = json.loads((home(scene) / "es-ES" / f"{STEM}.receipt.json").read_text())["receipt"]
    assert "voice" not in receipt["approvals"]


def test_what_the_machine_failed_at_is_on_the_page_though_it_left_no_file(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MachineFault("the disk is full.", where="/srv", remedy="Make room.")

    monkeypatch.setattr(pipeline, "mix", fails)
    assert run(clearspot, scene, "--locale", "es-ES") == 3
    assert scene.files() == []
    one = of(collected(scene))
    assert (one.verdict, one.problem and one.problem.what) == ("failed", "the disk is full.")
    assert (one.title, one.markets) == ("Podcast", ("ES",))


def test_an_earlier_file_stands_but_is_not_told_as_made_by_the_run_that_failed(
    exported: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = exported
    edit(scene.spot / "spot.yaml", "duration_s: 40", "duration_s: 41")

    def fails(*_: object) -> None:
        raise MachineFault("the disk is full.")

    monkeypatch.setattr(pipeline, "mix", fails)
    assert run(clearspot, scene, "--locale", "es-ES") == 3
    one = of(collected(scene))
    assert one.verdict == "failed"
    assert one.media is not None
    assert one.problem is not None
    assert one.problem.what == "The last run could not make it anew; this is the one before. the disk is full."


def test_deliverables_of_earlier_runs_stay_on_the_page(exported: Scene, clearspot: Call) -> None:
    scene = exported
    assert run(clearspot, scene, "--locale", "it-IT") == 0
    assert [(one.locale, one.verdict) for one in collected(scene).deliverables] == [
        ("es-ES", "passed"),
        ("it-IT", "passed"),
    ]


# --- what is shown of consent -----------------------------------------------------------------------------------------


def test_every_field_of_a_scope_has_its_words_on_the_page_and_nothing_else_of_the_record() -> None:
    assert SCOPE.keys() == Scope.model_fields.keys()


def test_consent_is_shown_by_record_and_scope_and_names_nobody(scene: Scene, clearspot: Call) -> None:
    scene.resign("advertisers: any", "advertisers: [Lumen Coffee, Other Brand]")
    assert run(clearspot, scene, "--locale", "es-ES") == 0
    said = {fact.name: fact.value for fact in of(collected(scene)).consent}
    receipt = json.loads((home(scene) / "es-ES" / f"{STEM}.receipt.json").read_text())["receipt"]
    assert said == {
        "Record": "house-2026-11",
        "Basis": "synthetic",
        "Locales": "any",
        "Markets": "any",
        "Advertisers": "Lumen Coffee, Other Brand",
        "Products": "any",
        "Never for": "nothing excluded",
        "Media": "any",
        "Purposes": "any",
        "Most spots": "any",
        "The owner approves each spot": "not needed",
        "Translation": "allowed",
        "Training": "allowed",
        "Sublicence": "allowed",
        "Term": "2026-01-01 to 2036-12-31, UTC",
        "Signed with keys": ", ".join(receipt["consent"]["signed_by_keys"]),
        "Record's sha256": receipt["consent"]["record_sha256"],
    }
    assert receipt["consent"].keys() == {
        "record", "record_sha256", "basis", "signed_by_keys", "markets", "scope", "derivatives", "term",
    }  # fmt: skip


# --- what is not in order ---------------------------------------------------------------------------------------------


def receipt_of(scene: Scene) -> Path:
    return home(scene) / "es-ES" / f"{STEM}.receipt.json"


def media_of(scene: Scene) -> Path:
    return home(scene) / "es-ES" / f"{STEM}.mp3"


def signed_anew(scene: Scene, **changes: Any) -> None:
    """The receipt with changed fields, signed with the project's own key: what a careless or hostile insider makes."""
    body = json.loads(receipt_of(scene).read_text())["receipt"] | changes
    key = load_private_key(scene.project.keys_dir / "receipt.key.pem")
    receipt_of(scene).write_text(json.dumps(sign_receipt(body, key)))


def a_flipped_byte(scene: Scene) -> None:
    data = bytearray(media_of(scene).read_bytes())
    data[len(data) // 2] ^= 1
    media_of(scene).write_bytes(data)


def media_gone(scene: Scene) -> None:
    media_of(scene).unlink()


def a_changed_word(scene: Scene) -> None:
    edit(receipt_of(scene), "soy Nora", "soy Otra")


def another_signer(scene: Scene) -> None:
    for path in scene.project.own_trust_dir.glob("receipt-*.pem"):
        path.unlink()


def another_files_name(scene: Scene) -> None:
    signed_anew(scene, deliverable="other.mp3")


def a_name_that_leads_out(scene: Scene) -> None:
    (scene.out.parent / "secret.mp3").write_bytes(b"secret")
    signed_anew(scene, deliverable="../../../secret.mp3")


def a_failed_rule(scene: Scene) -> None:
    findings = json.loads(receipt_of(scene).read_text())["receipt"]["findings"]
    signed_anew(scene, findings=[findings[0] | {"verdict": "fail"}, *findings[1:]])


def no_findings(scene: Scene) -> None:
    signed_anew(scene, findings=[])


def no_times(scene: Scene) -> None:
    signed_anew(scene, timeline=[{"line": "hello", "start_s": "soon", "end_s": 2}])


def not_json(scene: Scene) -> None:
    receipt_of(scene).write_bytes(b"\xff{")


def a_list(scene: Scene) -> None:
    receipt_of(scene).write_text("[1, 2]")


def nested_too_deep(scene: Scene) -> None:
    receipt_of(scene).write_text("[" * 100_000)


def not_finite(scene: Scene) -> None:
    receipt_of(scene).write_text(receipt_of(scene).read_text().replace('"rate": 1.0', '"rate": NaN'))


WRONG: dict[str, tuple[Callable[[Scene], None], str]] = {
    "one byte of the file flipped": (a_flipped_byte, "its bytes changed since"),
    "the file is gone": (media_gone, "the file cannot be read"),
    "a word of the receipt changed": (a_changed_word, "the receipt was changed after it was signed"),
    "a receipt of a key that is not trusted": (another_signer, "which is not trusted here"),
    "a receipt for another file": (another_files_name, "names a file of another name"),
    "a name that leads out of the folder": (a_name_that_leads_out, "leads out of lumen-coffee/"),
    "a receipt that says that a rule failed": (a_failed_rule, "says itself that a rule failed"),
    "a receipt without findings": (no_findings, "findings"),
    "a receipt with a time that is none": (no_times, "timeline.0.start_s"),
    "not text": (not_json, "is not UTF-8 text"),
    "JSON of another kind": (a_list, "should hold fields"),
    "nested too deep": (nested_too_deep, "is not JSON"),
    "a number that is none": (not_finite, "should be a finite number"),
}


@pytest.mark.parametrize(("wrong", "told"), WRONG.values(), ids=WRONG)
def test_what_proves_nothing_is_told_as_such(
    exported: Scene, clearspot: Call, wrong: Callable[[Scene], None], told: str
) -> None:
    assert of(collected(exported)).verdict == "passed"
    wrong(exported)
    one = of(collected(exported))
    assert one.verdict == "unproven"
    assert one.problem is not None
    assert told in one.problem.what
    assert clearspot("report", home(exported))[0] == 0
    tree = parse((home(exported) / "report.html").read_text(encoding="utf-8"))
    assert tree.all("ul")[0].text == "Not proven 1 of 1"
    assert "secret" not in [element.attributes.get("src", "")[-10:] for element in tree.all("audio")]


def test_a_refusal_beside_a_receipt_wins(exported: Scene) -> None:
    """An export that was killed before its end leaves both: the refusal is what stands."""
    refusal = {
        "deliverable": STEM,
        "about": {"locale": "es-ES", "profile": "podcast"},
        "error": {"kind": "refused", "what": "no.", "where": "", "remedy": ""},
    }
    (home(exported) / "es-ES" / f"{STEM}.refusal.json").write_text(json.dumps(refusal))
    assert of(collected(exported)).verdict == "refused"


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda folder: None, "there is no such folder"),
        (lambda folder: folder.mkdir(), "holds no receipt, no refusal and no record of a run"),
        (lambda folder: folder.write_text("x"), "there is no such folder"),
        (lambda folder: (folder.mkdir(), (folder / "run.json").write_text("{}")), "spot: is missing"),
    ],
    ids=["none", "empty", "a file", "a record that is none"],
)
def test_a_folder_without_a_run_is_told(
    clearspot: Call, project: object, tmp_path: Path, prepare: Callable[[Path], Any], told: str
) -> None:
    prepare(tmp_path / "somewhere")
    code, _, err = clearspot("report", tmp_path / "somewhere")
    assert code == BadInput.exit_code
    assert told in err


def test_a_page_that_cannot_be_written_is_a_warning_and_the_files_stay(scene: Scene, clearspot: Call) -> None:
    (home(scene) / "report.html").mkdir(parents=True)
    which = ("--locale", "es-ES", "--profile", "podcast")
    arguments = ("run", scene.spot, "--runner", "inline", "--out", scene.out, *which)
    code, out, err = clearspot(*arguments, "--json")
    told = json.loads(out)
    assert (code, err, told["exit_code"]) == (0, "", 0)
    (warning,) = told["warnings"]
    assert warning["kind"] == "machine-fault"
    assert warning["what"].startswith("the report was not written: cannot be written: ")
    assert warning["remedy"].endswith(f"Try again: clearspot report {home(scene)}")
    assert all(Path(one["path"]).is_file() for one in told["deliverables"])
    code, _, err = clearspot(*arguments)
    assert code == 0
    assert "clearspot: warning: " in err
    assert clearspot("report", home(scene))[0] == MachineFault.exit_code
    assert not list(home(scene).glob(".*.partial"))


def test_a_bug_in_the_report_is_a_warning_too(scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("nought")

    monkeypatch.setattr("clearspot.report.write.render", breaks)
    code, out, _ = clearspot(
        "run",
        scene.spot,
        "--runner",
        "inline",
        "--out",
        scene.out,
        "--json",
        "--locale",
        "es-ES",
        "--profile",
        "podcast",
    )
    assert code == 0
    assert "this is a bug in Clearspot: ZeroDivisionError" in json.loads(out)["warnings"][0]["what"]


# --- what is in the page and what is beside it ----------------------------------------------------------------------


def test_the_smallest_small_file_of_each_locale_is_in_the_page(
    scene: Scene, clearspot: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out, "--locale", "es-ES", "--locale", "it-IT")

    def embedded() -> list[tuple[str, str]]:
        kept = [one for one in collected(scene).deliverables if one.media and one.media.embedded]
        for one in kept:
            assert one.media is not None
            assert one.media.embedded == (home(scene) / one.locale / one.media.name).read_bytes()
        return [(one.locale, one.profile) for one in kept]

    small = embedded()
    assert [locale for locale, _ in small] == ["es-ES", "it-IT"]
    assert {profile for _, profile in small} <= {"podcast", "stream"}, "eleven megabytes of WAV stay outside"
    monkeypatch.setattr(collecting, "MAX_EMBEDDED_PAGE_BYTES", 1_000_000)
    assert embedded() == small[:1]
    monkeypatch.setattr(collecting, "MAX_EMBEDDED_FILE_BYTES", 1000)
    assert embedded() == []
    links = [one.media.href for one in collected(scene).deliverables if one.media]
    assert links[0] == "./es-ES/lumen-coffee_es-ES_broadcast-eu.wav"
    assert all((home(scene) / link).is_file() for link in links)


def test_a_link_to_a_file_with_any_name_is_percent_encoded(exported: Scene) -> None:
    scene = exported
    old, name = home(scene) / "es-ES", "50% off? #1 é"
    for path in old.iterdir():
        path.rename(path.with_name(path.name.replace(STEM, name)))
    old.rename(old.with_name("es ES:1"))
    body = json.loads((home(scene) / "es ES:1" / f"{name}.receipt.json").read_text())["receipt"]
    key = load_private_key(scene.project.keys_dir / "receipt.key.pem")
    signed = sign_receipt(body | {"deliverable": f"{name}.mp3"}, key)
    (home(scene) / "es ES:1" / f"{name}.receipt.json").write_text(json.dumps(signed))
    (home(scene) / "run.json").unlink()
    one = of(collected(scene))
    assert one.media is not None
    assert one.media.href == "./es%20ES%3A1/50%25%20off%3F%20%231%20%C3%A9.mp3"


# --- what is measured ------------------------------------------------------------------------------------------------


def test_loudness_over_time_is_that_of_the_standard(tmp_path: Path) -> None:
    """EBU Tech 3341, case 1: a 1 kHz sine at -23 dBFS in both channels is -23.0 LUFS in every window; then silence."""
    path = tmp_path / "tone.wav"
    run_ffmpeg(
        "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000:duration=8,volume=18.062dB,volume=-23dB",
        "-af", "pan=stereo|c0=c0|c1=c0,apad=pad_dur=4", path,
    )  # fmt: skip
    samples, got = decode_and_follow(path)
    assert samples.shape == (12 * 48_000, 2)
    assert got.integrated_lufs == pytest.approx(decode_and_measure(path)[1].integrated_lufs, abs=0.05)
    assert len(got.momentary_lufs) == len(got.short_term_lufs) == 120
    level = got.momentary_lufs[40]
    assert level == pytest.approx(-23.0, abs=0.1)
    assert got.momentary_lufs[4:79] == pytest.approx([level] * 75, abs=0.1)
    assert got.short_term_lufs[31:79] == pytest.approx([level] * 48, abs=0.1)
    assert got.short_term_lufs[94] == pytest.approx(level - 3.0, abs=0.3), "half of the window is silent"
    assert got.momentary_lufs[-1] == got.short_term_lufs[-1] == -70.0


@pytest.mark.parametrize(("columns", "count"), [(600, 600), (7, 7), (10**6, 96_000)])
def test_a_waveform_shows_where_the_sound_is(columns: int, count: int) -> None:
    sound = np.concatenate([np.zeros(48_000, np.float32), tone(1.0, level_db=-6.0)])
    stereo = np.stack([sound, np.zeros_like(sound)], axis=1)
    for programme in (sound, stereo):
        peaks = envelope(programme, columns)
        assert len(peaks) == count
        quiet, loud = peaks[: count // 2], peaks[count // 2 + count % 2 :]
        assert {low for low, _ in quiet} | {high for _, high in quiet} == {0.0}
        assert max(high for _, high in loud) == pytest.approx(0.5, abs=0.01)
        assert min(low for low, _ in loud) == pytest.approx(-0.5, abs=0.01)


def test_a_waveform_of_nothing_and_of_numbers_that_are_none() -> None:
    assert envelope(np.zeros((0, 2), np.float32)) == ()
    wild = np.array([np.nan, np.inf, -np.inf, 3.0], np.float32)
    assert all(-1 <= low <= high <= 1 for low, high in envelope(wild, 4))
