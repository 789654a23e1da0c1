"""Each rule of the gate: what passes it, what fails it, and in what words; and what the doctor says of a machine."""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clearspot.config import load_limits, load_profile
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import Grant
from clearspot.disclosure import DisclosureAsked
from clearspot.errors import Refused
from clearspot.gate import rules
from clearspot.gate.evidence import Certificate, Evidence, Expected, HeardClip
from clearspot.gate.levels import ClipLevel
from clearspot.gate.requirements import add_up
from clearspot.gate.rules import RULES, Finding, judge
from clearspot.gate.speaker import Speaker
from clearspot.hashing import sha256_bytes
from clearspot.media.loudness import Loudness
from clearspot.project import Project, Settings, shipped
from clearspot.provenance.keys import create_keys
from clearspot.provenance.manifest import ManifestFacts
from clearspot.provenance.tags import Tags
from clearspot.stages.translate import LocalLine, Translation
from clearspot.text.said import Said
from clearspot.timeline import Placed, Timeline
from tests.conftest import a_grant

RATE_HZ = 48_000
ESSENCE = "e" * 64
SAID = Tags("Title", "spa", "Comment", "http://type", "Provider", "Clearspot", "1", "2026-11-22", "unique")
PROJECT = Project(Path(), Settings())


@functools.cache
def grant() -> Grant:
    """A grant in a project of its own, once for all rules."""
    root = Path(tempfile.mkdtemp(prefix="clearspot-test-"))
    try:
        project = Project(root, Settings())
        create_keys(project.keys_dir, project.own_trust_dir, "Test", dt.datetime.now(dt.UTC), renew=False)
        writing_authority(project).log.begin()
        return a_grant(project)
    finally:
        shutil.rmtree(root)


def clip(line_id: str, text: str, start_s: float, end_s: float) -> HeardClip:
    """A clip heard exactly as it was placed."""
    sound = np.zeros(round((end_s - start_s) * RATE_HZ), dtype=np.float32)
    said = Said(text, text, 0.0, (), (), (), ())
    placed = Placed(line_id, text, round(start_s * RATE_HZ), sound, 1.0)
    return HeardClip(placed, said, start_s, end_s, ClipLevel(-20.0, -70.0))


def passing() -> Evidence:
    """A deliverable with nothing wrong: European broadcast, a disclosure and two lines, twelve seconds."""
    opening = clip("disclosure", "Este anuncio utiliza una voz sintética.", 0.25, 3.0)
    hook = clip("hook", "Hola, soy Nora.", 3.5, 5.0)
    offer = clip("offer", "Ahorra un 30 % en Lumen Coffee.", 6.0, 9.0)
    offer = replace(offer, said=replace(offer.said, exact=("30",), exact_heard=("30",), names=(("Lumen Coffee", 1.0),)))
    timeline = Timeline((opening.placed, hook.placed, offer.placed), 12 * RATE_HZ)
    lines = tuple(
        LocalLine(each.placed.line_id, each.placed.text, "approved", "Ana", "2026-11-20") for each in (hook, offer)
    )
    expected = Expected(
        translation=Translation("es-ES", opening.placed.text, lines),
        timeline=timeline,
        protected=("Lumen Coffee",),
        profile=load_profile(PROJECT, "broadcast-eu"),
        limits=load_limits(PROJECT).deliverable,
        tags=SAID,
        drafts_allowed=False,
        grant=grant(),
        requirements=add_up(()),
    )
    return Evidence(
        expected=expected,
        essence_sha256=ESSENCE,
        duration_s=12.0,
        loudness=Loudness(-23.1, -4.0, -19.5),
        clips=(opening, hook, offer),
        speaker=Speaker("spoken", 0.91, 0.89, ("hook", 0.76)),
        watermark=0.7,
        watermark_from=0.5,
        tags=SAID.as_pairs(),
        manifest=ManifestFacts("Trusted", (), "signer", "", "Clearspot 1", (), {"essence_sha256": ESSENCE}),
        consent=grant(),
        script={"by": "Ana", "worst_line": "worst 0.02, hook"},
        certificate=lasting(365),
    )


def lasting(days: int) -> Certificate:
    return Certificate(dt.datetime(2027, 11, 22, tzinfo=dt.UTC), days, "Renew it.")


Change = Callable[[Evidence], Evidence]


def expecting(**other: Any) -> Change:
    return lambda evidence: replace(evidence, expected=replace(evidence.expected, **other))


def having(**other: Any) -> Change:
    return lambda evidence: replace(evidence, **other)


def speaking(**other: Any) -> Change:
    return lambda evidence: replace(evidence, speaker=replace(evidence.speaker, **other))


def hearing(which: int | None, **other: Any) -> Change:
    """Line ``which`` (None: the disclosure) heard otherwise: fields of Said, or start_s and end_s."""
    times = {name: other.pop(name) for name in ("start_s", "end_s") if name in other}

    def change(evidence: Evidence) -> Evidence:
        clips = list(evidence.clips)
        index = 0 if which is None else which + 1
        clips[index] = replace(clips[index], said=replace(clips[index].said, **other), **times)
        return replace(evidence, clips=tuple(clips))

    return change


def manifest(**other: Any) -> Change:
    return lambda evidence: replace(evidence, manifest=replace(evidence.manifest, **other))


def without_tag(name: str) -> Change:
    return lambda evidence: replace(evidence, tags={each: text for each, text in evidence.tags.items() if each != name})


def with_tag(name: str, text: str) -> Change:
    return lambda evidence: replace(evidence, tags={**evidence.tags, name: text})


def draft(*line_ids: str) -> Change:
    def change(evidence: Evidence) -> Evidence:
        translation = evidence.expected.translation
        lines = tuple(replace(line, status="draft") if line.id in line_ids else line for line in translation.lines)
        return expecting(translation=replace(translation, lines=lines))(evidence)

    return change


def both(*changes: Change) -> Change:
    def change(evidence: Evidence) -> Evidence:
        for each in changes:
            evidence = each(evidence)
        return evidence

    return change


def again(at_s: float, **other: Any) -> Change:
    """The disclosure heard a second time, after the lines."""

    def change(evidence: Evidence) -> Evidence:
        first = evidence.clips[0]
        placed = replace(first.placed, start=round(at_s * RATE_HZ))
        heard = replace(first, placed=placed, start_s=placed.start_s, end_s=placed.end_s)
        timeline = replace(evidence.expected.timeline, clips=(*evidence.expected.timeline.clips, placed))
        evidence = replace(evidence, clips=(*evidence.clips, replace(heard, **other)))
        return expecting(timeline=timeline)(evidence)

    return change


def reordered(evidence: Evidence) -> Evidence:
    first, hook, *rest = evidence.expected.timeline.clips
    return expecting(timeline=replace(evidence.expected.timeline, clips=(hook, first, *rest)))(evidence)


def asking(**other: Any) -> Change:
    return requiring(disclosure=DisclosureAsked(**other))


def requiring(**other: Any) -> Change:
    return expecting(requirements=replace(add_up(()), **other))


def limits(**other: Any) -> Change:
    return lambda evidence: expecting(limits=evidence.expected.limits.model_copy(update=other))(evidence)


def level(index: int, speech_db: float, background_db: float) -> Change:
    def change(evidence: Evidence) -> Evidence:
        clips = list(evidence.clips)
        clips[index] = replace(clips[index], level=ClipLevel(speech_db, background_db))
        return replace(evidence, clips=tuple(clips))

    return change


REVOKED = Refused("consent record 'house-2026-11' does not allow this: status.", where="consent.yaml")
UNAPPROVED = Refused("the script is not approved.", where="approvals.yaml")

FAILING: dict[str, dict[str, tuple[Change, str]]] = {
    "consent-valid": {
        "revoked since": (having(consent=REVOKED), "does not allow this: status"),
        "another record meanwhile": (
            expecting(grant=SimpleNamespace(record_sha256="0" * 64, voice_sha256="0" * 64)),
            "not the one it was spoken with",
        ),
        "unsigned": (having(consent=Refused("consent record 'x' is not signed.")), "is not signed"),
    },
    "script-approved": {
        "never approved": (having(script=UNAPPROVED), "the script is not approved"),
        "changed since": (having(script=Refused("was changed after approval.")), "changed after approval"),
    },
    "translation-approved": {
        "one draft": (draft("offer"), "drafts: offer"),
        "all drafts": (draft("hook", "offer"), "drafts: hook, offer"),
    },
    "disclosure-heard": {
        "not said": (hearing(None, heard="", error_rate=1.0, start_s=None, end_s=None), "was not said"),
        "other words": (hearing(None, heard="Un anuncio.", error_rate=0.11), "error rate 0.11, at most 0.1"),
        "without times": (hearing(None, start_s=None), "was not said"),
        "at the end": (hearing(None, start_s=9.0, end_s=11.0), "heard from 9.0 to 11.0 s, its place is 0.2 to 3.0 s"),
        "a little late": (hearing(None, start_s=2.0, end_s=4.01), "its place is"),
        "a word more": (hearing(None, added=("casi",)), "heard besides: casi"),
        "other numbers": (hearing(None, exact_heard=("7",)), "numbers differ: approved none, heard 7"),
        "the second one not said": (
            again(10.0, said=Said("", "", 1.0, (), (), (), ()), start_s=None), "at 10.0 s: was not said",
        ),
        "its locale is stricter": (both(limits(disclosure_error_rate={"other": 0.15, "es-ES": 0.02}),
                                        hearing(None, error_rate=0.03)), "error rate 0.03, at most 0.02"),
    },
    "disclosure-clear": {
        "over the bed": (level(0, -20.0, -61.0), "at 0.2 s something is heard under it"),
        "nothing there": (level(0, -120.0, -120.0), "at 0.2 s something is heard under it"),
        "softer": (level(0, -23.1, -70.0), "at 0.2 s it is softer than the lines"),
        "the second one softer": (both(again(10.0), level(3, -26.0, -70.0)), "at 10.0 s it is softer"),
    },
    "disclosure-placed": {
        "not first": (reordered, "it does not come first"),
        "not at the end": (asking(at_end=True), "it is not heard at the end"),
        "not again": (asking(repeat_every_s=5.0), "it is away for 9 s"),
        "again too late": (both(again(10.0), asking(repeat_every_s=5.0)), "it is away for 7 s"),
        "too fast": (asking(characters_per_minute=(120.0, 160.0)), "it is read at 720 characters a minute"),
        "too slow": (asking(characters_per_minute=(900.0, 999.0)), "it is read at 720 characters a minute"),
    },
    "lines-heard": {
        "not said": (hearing(0, heard="", error_rate=1.0), "line 'hook': was not said"),
        "another price": (hearing(1, exact_heard=("13",)), "numbers differ: approved 30, heard 13"),
        "no price": (hearing(1, exact_heard=()), "numbers differ: approved 30, heard none"),
        "a price more": (hearing(1, exact_heard=("30", "30")), "heard 30, 30"),
        "another name": (hearing(1, names=(("Lumen Coffee", 0.59),)), "the name 'Lumen Coffee' was not heard"),
        "other words": (hearing(0, heard="Ola.", error_rate=0.21), "error rate 0.21, at most 0.2"),
        "too early": (hearing(1, start_s=4.9), "line 'offer': heard from 4.9 to 9.0 s"),
        "too late": (hearing(1, end_s=10.1), "its place is 6.0 to 9.0 s"),
        "a word more": (hearing(1, added=("gratis",)), "line 'offer': heard besides: gratis"),
        "two wrong": (both(hearing(0, heard=""), hearing(1, heard="")), "line 'hook': was not said; line 'offer'"),
    },
    "speaker-consented": {
        "another voice": (speaking(disclosure=0.79, lines=0.80), "the disclosure is another's voice; the speech of"),
        "another in the disclosure": (speaking(disclosure=0.839), "the disclosure is another's voice"),
        "another in the lines": (speaking(lines=0.839), "the speech of the lines is another's voice"),
        "another in one line": (speaking(least=("offer", 0.699)), "line 'offer' is another's voice"),
        "too little said": (speaking(lines=None, least=None), "too little of the speech of the lines to tell whose"),
        "no disclosure": (speaking(disclosure=None), "there is too little of the disclosure to tell whose it is"),
        "not a number": (speaking(disclosure=math.nan), "the disclosure is another's voice"),
        "another in a short line": (speaking(short=("legal", 0.494)), "line 'legal' is another's voice (0.49)"),
        "a line that is no number": (speaking(least=("offer", math.nan)), "line 'offer' is another's voice"),
        "not the talent's": (speaking(kind="recorded", lines=0.719), "the speech of the lines is another's voice"),
    },
    "loudness": {
        "too loud": (having(loudness=Loudness(-22.4, -4.0, -19.5)), ""),
        "too soft": (having(loudness=Loudness(-23.6, -4.0, -19.5)), ""),
        "silent": (having(loudness=Loudness(-70.0, -math.inf, -70.0)), ""),
        "not a number": (having(loudness=Loudness(math.nan, -4.0, -19.5)), ""),
        "three loud seconds": (having(loudness=Loudness(-23.0, -4.0, -17.9)), "three seconds of it are louder"),
        "three seconds of no number": (having(loudness=Loudness(-23.0, -4.0)), "three seconds of it are louder"),
    },
    "true-peak": {
        "just over": (having(loudness=Loudness(-23.0, -0.9, -19.5)), ""),
        "clipped": (having(loudness=Loudness(-23.0, 1.3, -19.5)), ""),
        "not a number": (having(loudness=Loudness(-23.0, math.nan, -19.5)), ""),
    },
    "duration": {
        "too long": (having(duration_s=12.051), ""),
        "too short": (having(duration_s=11.949), ""),
        "empty": (having(duration_s=0.0), ""),
        "not a number": (having(duration_s=math.nan), ""),
    },
    "watermark-detected": {
        "not there": (having(watermark=0.0), ""),
        "just under": (having(watermark=0.499), ""),
        "not a number": (having(watermark=math.nan), ""),
    },
    "tags-present": {
        **{f"no {name}": (without_tag(name), f"missing or different: {name}") for name in SAID.as_pairs()},
        "none": (having(tags={}), "missing or different: Title, Language"),
        "another provider": (with_tag("Provider", "Somebody"), "missing or different: Provider"),
        "another id": (with_tag("UniqueId", "other"), "missing or different: UniqueId"),
        "empty comment": (with_tag("Comment", ""), "missing or different: Comment"),
        "a label asked for that was never given": (requiring(tags=frozenset({"AIGC"})), "missing or different: AIGC"),
        "the same, and somebody's is there": (
            both(requiring(tags=frozenset({"AIGC"})), with_tag("AIGC", "{}")), "missing or different: AIGC",
        ),
        "a label given that is not in the file": (
            expecting(tags=replace(SAID, aigc="{}")), "missing or different: AIGC",
        ),
        "another's label": (
            both(expecting(tags=replace(SAID, aigc="{}")), with_tag("AIGC", "[]")), "missing or different: AIGC",
        ),
    },
    "manifest-trusted": {
        "none": (manifest(state="None", problems=("no JUMBF data found",), clearance={}), "no JUMBF data found"),
        "intact, by anyone": (manifest(state="Valid", problems=("signingCredential.untrusted: ",)), "untrusted"),
        "changed": (manifest(state="Invalid", problems=("a: b", "c: d")), "a: b; c: d"),
        "of other bytes": (manifest(clearance={"essence_sha256": "f" * 64}), "it names another essence"),
        "of no bytes": (manifest(clearance={}), "it names another essence"),
        "bytes changed since": (having(essence_sha256="f" * 64), "it names another essence"),
    },
    "certificate-lasts": {
        "ended": (having(certificate=lasting(-1)), ""),
        "nobody looked": (having(certificate=Refused("was not asked for.")), "was not asked for."),
    },
}  # fmt: skip

PASSING: dict[str, dict[str, Change]] = {
    "disclosure-clear": {"just so": level(0, -23.0, -65.0), "louder": level(0, -12.0, -54.0)},
    "disclosure-placed": {
        "at the end too": both(again(10.0), asking(at_end=True)),
        "often enough": both(again(10.0), asking(repeat_every_s=7.0)),
        "at its pace": asking(characters_per_minute=(719.0, 721.0)),
    },
    "translation-approved": {"drafts let out": both(draft("offer"), expecting(drafts_allowed=True))},
    "disclosure-heard": {
        "at the limit": hearing(None, error_rate=0.10),
        "a second late": hearing(None, end_s=3.99),
        "a little early": hearing(None, start_s=0.0),
    },
    "lines-heard": {
        "at the limit": hearing(0, error_rate=0.2),
        "a name nearly": hearing(1, names=(("Lumen Coffee", 0.6),)),
        "a second out": both(hearing(0, start_s=2.51), hearing(1, end_s=9.99)),
    },
    "loudness": {
        "loudest": having(loudness=Loudness(-22.5, -4.0, -18.0)),
        "softest": having(loudness=Loudness(-23.5, -4.0, -23.0)),
        "three loud seconds where nothing is asked of them": both(
            expecting(profile=load_profile(PROJECT, "archive")),
            having(loudness=Loudness(-23.0, -4.0, -12.0)),
        ),
    },
    "true-peak": {"at the limit": having(loudness=Loudness(-23.0, -1.0, -19.5))},
    "duration": {"a codec frame more": having(duration_s=12.024), "less": having(duration_s=11.976)},
    "tags-present": {"others too": with_tag("Encoder", "x")},
    "certificate-lasts": {"just long enough": having(certificate=lasting(30))},
}

NAMES = tuple(FAILING)
MEASURES: dict[str, tuple[str, str]] = {
    "consent-valid": ("record house-2026-11", "a grant"),
    "script-approved": ("by Ana; recording matches (worst 0.02, hook)", "approved and matched"),
    "translation-approved": ("2 of 2 approved", "all approved"),
    "disclosure-heard": ("error rate 0.00 at 0.2 s", "at most 0.1 at 0.2 s"),
    "disclosure-clear": ("50 dB over what is under it, +0.0 dB softer than the lines", "at least 42 dB, at most 3 dB"),
    "disclosure-placed": ("once, 720 characters a minute", "first"),
    "lines-heard": ("worst error rate 0.00 (hook)", "at most 0.2, numbers exact"),
    "speaker-consented": (
        "disclosure 0.91, lines 0.89, least 0.76 (hook)",
        "at least 0.84, each line 0.7, short ones 0.5, like the voice as spoken",
    ),
    "loudness": ("-23.1 LUFS, short-term at most -19.5", "-23 ±0.5 LUFS, short-term at most -18"),
    "true-peak": ("-4.0 dBTP", "at most -1 dBTP"),
    "duration": ("12.000 s", "12.000 ±0.05 s"),
    "watermark-detected": ("confidence 0.70", "at least 0.5"),
    "tags-present": ("9 of 9", "all 9"),
    "manifest-trusted": ("Trusted", "Trusted"),
    "certificate-lasts": ("365 days, until 2027-11-22", "valid, at least 30 days"),
}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return passing()


def finding(evidence: Evidence, rule: str) -> Finding:
    (found,) = [each for each in judge(evidence) if each.rule == rule]
    return found


def test_every_rule_has_its_failures_here() -> None:
    """A rule that cannot fail is no rule; whoever adds one adds how it fails."""
    assert tuple(rule.__name__.replace("_", "-") for rule in RULES) == NAMES
    assert tuple(found.rule for found in judge(passing())) == NAMES
    assert all(len(cases) >= 2 for cases in FAILING.values())


def test_every_rule_of_the_module_is_run() -> None:
    written = {
        name for name, value in vars(rules).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == "Finding"
        and not name.startswith("_") and name != "judge"
    }  # fmt: skip
    assert {rule.__name__ for rule in RULES} == written


@pytest.mark.parametrize("rule", NAMES)
def test_a_right_deliverable_passes_and_says_what_was_measured(evidence: Evidence, rule: str) -> None:
    measured, required = MEASURES[rule]
    assert finding(evidence, rule) == Finding(rule, "pass", measured, required)


@pytest.mark.parametrize(("rule", "case"), [(rule, case) for rule, cases in FAILING.items() for case in cases])
def test_what_is_wrong_fails_that_rule_and_says_so(evidence: Evidence, rule: str, case: str) -> None:
    change, detail = FAILING[rule][case]
    found = finding(change(evidence), rule)
    assert found.verdict == "fail"
    assert detail in found.detail
    assert found.measured
    assert found.required
    assert (found.measured, found.detail) != (MEASURES[rule][0], "")


@pytest.mark.parametrize(("rule", "case"), [(rule, case) for rule, cases in PASSING.items() for case in cases])
def test_what_is_within_its_limits_passes(evidence: Evidence, rule: str, case: str) -> None:
    assert finding(PASSING[rule][case](evidence), rule).verdict == "pass"


@pytest.mark.parametrize("rule", NAMES)
def test_one_failure_stops_no_other_rule(evidence: Evidence, rule: str) -> None:
    """All rules run and, but for what two of them look at, only the broken one fails."""
    change, _ = next(iter(FAILING[rule].values()))
    found = judge(change(evidence))
    assert tuple(each.rule for each in found) == NAMES
    assert {each.rule for each in found if each.verdict == "fail"} == {rule}


@pytest.mark.parametrize("days", [0, 1, 29])
def test_a_certificate_that_ends_soon_warns_and_says_what_to_do(evidence: Evidence, days: int) -> None:
    found = finding(replace(evidence, certificate=lasting(days)), "certificate-lasts")
    assert (found.verdict, found.detail) == ("warn", "it ends soon: Renew it.")
    assert found.measured == f"{days} days, until 2027-11-22"


def test_everything_wrong_at_once_fails_everywhere(evidence: Evidence) -> None:
    worst = both(*(next(iter(cases.values()))[0] for cases in FAILING.values()))(evidence)
    worst = replace(worst, loudness=Loudness(0.0, 6.0))
    assert {each.verdict for each in judge(worst)} == {"fail"}


@pytest.mark.parametrize(
    ("loudness", "measured"),
    [(Loudness(-70.0, -math.inf), "-inf dBTP"), (Loudness(-23.0, math.nan), "nan dBTP")],
)
def test_strange_numbers_are_shown_as_they_are(evidence: Evidence, loudness: Loudness, measured: str) -> None:
    assert finding(replace(evidence, loudness=loudness), "true-peak").measured == measured


# --- the doctor ------------------------------------------------------------------------------------------------

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def complete(project: Project) -> Project:
    """A project with keys and with one model, which is here."""
    weights = project.root / "weights"
    weights.mkdir()
    (weights / "model.bin").write_bytes(b"model")
    (project.root / "configs").mkdir(exist_ok=True)
    (project.root / "configs" / "models.yaml").write_text(
        "models:\n  tiny:\n    title: Tiny\n    licence: CC0-1.0\n    commercial: true\n"
        f"    files: {{model.bin: {{sha256: {sha256_bytes(b'model')}, bytes: 5}}}}\n"
        "    source: {path: weights}\n"
    )
    return project


@pytest.mark.usefixtures("complete")
def test_a_complete_machine_is_told_so(clearspot: Call) -> None:
    code, out, err = clearspot("doctor")
    assert (code, err) == (0, "")
    assert "MISSING" not in out
    code, out, _ = clearspot("doctor", "--json")
    checks = json.loads(out)["checks"]
    assert code == 0
    assert all(check["ok"] for check in checks)
    names = {check["name"] for check in checks}
    assert {"python", "ffmpeg", "disk", "keys", "model tiny", "voice house"} <= names


def test_missing_keys_are_exit_3_with_the_command_that_makes_them(complete: Project, clearspot: Call) -> None:
    shutil.rmtree(complete.keys_dir)
    code, out, _ = clearspot("doctor")
    assert code == 3
    (line,) = [line for line in out.splitlines() if line.startswith("MISSING")]
    assert "keys" in line
    assert line.endswith("->  clearspot keys init")

    code, out, _ = clearspot("doctor", "--json")
    assert code == 3
    wrong = [check for check in json.loads(out)["checks"] if not check["ok"]]
    assert [(check["name"], check["mend"]) for check in wrong] == [("keys", "clearspot keys init")]

    assert clearspot("keys", "init")[0] == 0
    assert clearspot("doctor")[0] == 0


def test_a_missing_model_is_exit_3_with_the_command_that_fetches_it(complete: Project, clearspot: Call) -> None:
    (complete.root / "weights" / "model.bin").unlink()
    code, out, _ = clearspot("doctor")
    assert code == 3
    assert "MISSING  model tiny" in out
    assert "clearspot models fetch tiny" in out


def test_keys_that_others_may_read_are_exit_3_with_the_command_that_hides_them(
    complete: Project, clearspot: Call
) -> None:
    key = complete.keys_dir / "c2pa.key.pem"
    key.chmod(0o644)
    code, out, _ = clearspot("doctor", "--json")
    assert code == 3
    (wrong,) = [check for check in json.loads(out)["checks"] if not check["ok"]]
    assert wrong["mend"] == f"chmod 600 {key}"


def test_an_unsigned_voice_is_exit_3_with_the_command_that_signs_it(complete: Project, clearspot: Call) -> None:
    folder = complete.root / "voices" / "house"
    shutil.copytree(shipped("voices") / "house", folder)
    (folder / "consent.sig.yaml").unlink()
    code, out, _ = clearspot("doctor", "--json")
    assert code == 3
    (wrong,) = [check for check in json.loads(out)["checks"] if not check["ok"]]
    assert wrong["name"] == "voice house"
    assert wrong["mend"].startswith("clearspot voices show house")


def test_one_broken_look_stops_no_other(complete: Project, clearspot: Call) -> None:
    (complete.root / "configs" / "models.yaml").write_text("models: 7\n")
    code, out, _ = clearspot("doctor", "--json")
    assert code == 3
    checks = json.loads(out)["checks"]
    assert [check["name"] for check in checks if not check["ok"]] == ["models"]
    assert {"keys", "voice house"} <= {check["name"] for check in checks if check["ok"]}


# --- severity --------------------------------------------------------------------------------------------------


def test_where_no_market_insists_a_missing_watermark_warns() -> None:
    missing = having(watermark=0.1)(passing())
    assert finding(missing, "watermark-detected").verdict == "fail"
    soft = requiring(severity={"watermark-detected": "warn"})
    assert finding(soft(missing), "watermark-detected").verdict == "warn"
    assert finding(soft(passing()), "watermark-detected").verdict == "pass"


@pytest.mark.parametrize("rule", [name for name in NAMES if name != "watermark-detected"])
def test_a_warning_for_one_rule_is_none_for_another(rule: str) -> None:
    change, _ = next(iter(FAILING[rule].values()))
    wrong = change(passing())
    soft = replace(wrong.expected.requirements, severity={"watermark-detected": "warn"})
    assert finding(expecting(requirements=soft)(wrong), rule).verdict == "fail"
