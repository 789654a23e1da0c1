"""The spoken disclosure: its words, its pace, where it is heard again; never over anything nor under anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.config import load_disclosure
from clearspot.consent.record import BASES
from clearspot.disclosure import DisclosureAsked, Wording, characters_per_minute, rate_for
from clearspot.errors import Refused
from clearspot.project import Project
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages import captions
from clearspot.stages.fit import Plan, Slot, Spoken, fit
from clearspot.stages.mix import mix
from clearspot.timeline import AFTER_DISCLOSURE_S, Timeline
from tests.conftest import Scene
from tests.unit.policy_scenes import WHY, own_policy

Call = Callable[..., tuple[int, str, str]]
RATE_HZ = 48_000
SAMPLE_S = 1 / RATE_HZ


def spoken(line_id: str, duration_s: float) -> Spoken:
    sound = np.full(round(duration_s * RATE_HZ), 0.1, dtype=np.float32)
    return Spoken(line_id, line_id.upper(), len(sound) / RATE_HZ, sound)


DISCLOSURE = spoken(DISCLOSURE_ID, 2.0)


def lines_of(*durations_s: float) -> list[Spoken]:
    return [spoken(f"l{index}", duration_s) for index, duration_s in enumerate(durations_s)]


def plan(timing: Any, lines: list[Spoken], pause_s: float = 0.5, duration_s: float | None = None, **more: Any) -> Plan:
    """Each line as long in the source as it is spoken, with equal pauses."""
    slots, at_s = [], 0.0
    for line in lines:
        slots.append(Slot(line.line_id, at_s, at_s + line.natural_s))
        at_s += line.natural_s + pause_s
    return Plan(timing, tuple(slots), duration_s, at_s, **more)


def order(timeline: Timeline) -> str:
    return " ".join("D" if clip.line_id == DISCLOSURE_ID else clip.line_id for clip in timeline.clips)


def longest_away_s(timeline: Timeline) -> float:
    times = [(clip.start_s, clip.end_s) for clip in timeline.disclosures] + [(timeline.duration_s, 0.0)]
    return max(after - before for (_, before), (after, _) in pairwise(times))


WITHIN_A_SAMPLE_S = 1e-4
TEN = (10.0, 10.0, 10.0)
PLACES: dict[str, tuple[str, dict[str, Any], str]] = {
    "first alone, where nothing is asked": ("flow", {}, "D l0 l1 l2"),
    "at the end": ("flow", {"at_end": True}, "D l0 l1 l2 D"),
    "at the end of a spot of a given length": ("flow", {"at_end": True, "duration_s": 40.0}, "D l0 l1 l2 D"),
    "again in a long one": ("flow", {"repeat_every_s": 24.0}, "D l0 l1 D l2"),
    "again and again": ("flow", {"repeat_every_s": 12.5}, "D l0 D l1 D l2"),
    "again and at the end": ("flow", {"repeat_every_s": 24.0, "at_end": True}, "D l0 l1 D l2 D"),
    "not in a shorter one": ("flow", {"repeat_every_s": 600.0}, "D l0 l1 l2"),
    "again in a given length": ("flow", {"repeat_every_s": 24.0, "duration_s": 45.0}, "D l0 l1 D l2"),
    "once more after a long tail": ("flow", {"repeat_every_s": 36.0, "duration_s": 70.0}, "D l0 l1 l2 D"),
    "in a pause of a locked one": ("locked", {"repeat_every_s": 24.0, "pause_s": 3.0}, "D l0 l1 D l2"),
    "after a locked one": ("locked", {"at_end": True}, "D l0 l1 l2 D"),
}


@pytest.mark.parametrize(("timing", "asked", "expected"), PLACES.values(), ids=PLACES)
def test_where_the_disclosure_is_heard(timing: str, asked: dict[str, Any], expected: str) -> None:
    lines = lines_of(*TEN)
    timeline = fit(DISCLOSURE, lines, plan(timing, lines, **asked))
    assert order(timeline) == expected
    apart(timeline)
    if asked.get("duration_s"):
        assert timeline.duration_s == asked["duration_s"]


def apart(timeline: Timeline) -> None:
    """Half a second of nothing on either side of every disclosure, and no sample lost."""
    assert all(clip.samples is DISCLOSURE.samples for clip in timeline.disclosures)
    for before, after in pairwise(timeline.clips):
        least_s = AFTER_DISCLOSURE_S if DISCLOSURE_ID in (before.line_id, after.line_id) else 0.0
        assert after.start_s - before.end_s >= least_s - 2 * SAMPLE_S
    assert timeline.clips[-1].end <= timeline.length


def test_locked_lines_stay_in_their_places_around_a_disclosure() -> None:
    lines = lines_of(*TEN)
    asked = plan("locked", lines, pause_s=3.0, repeat_every_s=24.0)
    once = fit(DISCLOSURE, lines, plan("locked", lines, pause_s=3.0))
    assert [clip.start for clip in fit(DISCLOSURE, lines, asked).lines] == [clip.start for clip in once.lines]


def test_a_locked_line_gives_room_to_the_disclosure_after_it() -> None:
    slots = (Slot("l0", 0.0, 10.0), Slot("l1", 13.5, 23.5))
    asked = Plan("locked", slots, None, 24.0, repeat_every_s=20.0)
    timeline = fit(DISCLOSURE, lines_of(11.0, 10.0), asked)
    assert order(timeline) == "D l0 D l1"
    assert timeline.lines[0].rate == pytest.approx(11.0 / 10.5, abs=0.01)
    apart(timeline)


def test_where_a_recording_has_no_pause_for_it_the_spot_is_refused() -> None:
    lines = lines_of(*TEN)
    with pytest.raises(Refused) as refused:
        fit(DISCLOSURE, lines, plan("locked", lines, pause_s=2.9, repeat_every_s=24.0))
    assert str(refused.value) == (
        "line 'l2': the disclosure has to be heard again within 24 s, and the recording has no pause of 3.0 s for it "
        "before line 'l2' ends. Leave a pause there in the recording, split the line, or use timing: flow."
    )


def test_a_line_longer_than_the_disclosure_may_be_away_is_refused() -> None:
    lines = lines_of(30.0, 5.0)
    with pytest.raises(Refused, match="has to be heard again within 24 s"):
        fit(DISCLOSURE, lines, plan("flow", lines, repeat_every_s=24.0))


@settings(max_examples=200, deadline=None)
@given(
    durations_s=st.lists(st.floats(0.3, 9.9), min_size=1, max_size=12),
    every_s=st.none() | st.floats(11.0, 60.0),
    at_end=st.booleans(),
    spare_s=st.none() | st.floats(0.0, 30.0),
)
def test_the_disclosure_is_never_away_for_longer_than_asked(
    durations_s: list[float], every_s: float | None, at_end: bool, spare_s: float | None
) -> None:
    lines = lines_of(*durations_s)
    asked = plan("flow", lines, repeat_every_s=every_s, at_end=at_end)
    natural = fit(DISCLOSURE, lines, asked)
    assert every_s is None or longest_away_s(natural) <= every_s + WITHIN_A_SAMPLE_S
    if spare_s is not None:
        asked = plan(
            "flow", lines, repeat_every_s=every_s, at_end=at_end, duration_s=round(natural.duration_s + spare_s, 2)
        )
    try:
        timeline = fit(DISCLOSURE, lines, asked)
    except Refused:  # the time that is left is too long for no disclosure, and too short for one more
        assert every_s is not None
        assert spare_s is not None
        assert natural.duration_s + spare_s - natural.clips[-1].end_s > 1.5
        return
    assert [clip.line_id for clip in timeline.lines] == [line.line_id for line in lines]
    assert timeline.clips[0].line_id == DISCLOSURE_ID
    assert not at_end or timeline.clips[-1].line_id == DISCLOSURE_ID
    quiet_at_the_end_s = timeline.duration_s - timeline.clips[-1].end_s
    assert every_s is None or longest_away_s(timeline) <= max(every_s, quiet_at_the_end_s) + WITHIN_A_SAMPLE_S
    apart(timeline)


# --- never under anything ----------------------------------------------------------------------------------------


def test_nothing_is_under_any_disclosure() -> None:
    lines = lines_of(*TEN)
    timeline = fit(DISCLOSURE, lines, plan("flow", lines, repeat_every_s=24.0, at_end=True))
    bed = np.random.default_rng(1).normal(scale=0.3, size=(30 * RATE_HZ, 2)).astype(np.float32)
    alone, mixed = mix(timeline, None), mix(timeline, bed)
    for clip in timeline.disclosures:
        assert np.array_equal(mixed[clip.start : clip.end], alone[clip.start : clip.end])
    last = timeline.disclosures[-1]
    assert not mixed[last.end :].any(), "the bed does not come back after the end"
    for before, after in pairwise(timeline.lines):
        if after.start_s - before.end_s < 1.3:
            assert np.abs(mixed[before.end : after.start]).mean() > 1e-4, "the bed is there between lines"
    inner = timeline.disclosures[1]
    assert np.abs(mixed[inner.end + 12_000 : inner.end + 24_000]).mean() > 1e-4, "and comes back after it"


def test_captions_say_it_each_time() -> None:
    lines = lines_of(*TEN)
    timeline = fit(DISCLOSURE, lines, plan("flow", lines, repeat_every_s=24.0, at_end=True))
    cues = [cue.splitlines()[-1] for cue in captions.vtt(timeline).split("\n\n")[1:]]
    assert [cue for cue in cues if cue] == ["DISCLOSURE", "L0", "L1", "DISCLOSURE", "L2", "DISCLOSURE"]


# --- its words and its pace --------------------------------------------------------------------------------------

WORDINGS: tuple[Wording, ...] = ("short", "long")
FOURTEEN = ["en-US", "en-GB", "es-ES", "es-MX", "it-IT", "pt-BR", "pt-PT", "de-DE", "fr-FR", "nl-NL", "pl-PL", "ja-JP",
            "zh-CN", "hi-IN"]  # fmt: skip


@pytest.mark.parametrize("locale", FOURTEEN)
def test_there_are_two_wordings_in_every_locale(project: Project, locale: str) -> None:
    short, long = (load_disclosure(project, locale, DisclosureAsked(w), "talent") for w in WORDINGS)
    assert 10 < len(short) < len(long)


CONSENT = (
    "consent", "consentimiento", "consenso", "consentimento", "Einwilligung", "consentement", "toestemming", "zgod",
    "同意", "सहमति",
)  # fmt: skip
"""How it is told in each of the languages."""


@pytest.mark.parametrize("basis", [*BASES, ""])
@pytest.mark.parametrize("wording", ["short", "long"])
@pytest.mark.parametrize("locale", FOURTEEN)
def test_only_a_talents_voice_says_that_somebody_consented(
    project: Project, locale: str, wording: Wording, basis: str
) -> None:
    """To whoever listens, in any language; all else that it says it says of every voice."""
    said = load_disclosure(project, locale, DisclosureAsked(wording), basis)
    told = any(word in said for word in CONSENT)
    assert told == (wording == "long" and basis == "talent")
    if wording == "long" and basis != "talent":
        longest = load_disclosure(project, locale, DisclosureAsked(wording), "talent")
        letters = iter(longest)
        assert all(letter in letters for letter in said), "the same sentence without a few words"
        assert 10 < len(said) < len(longest)


def test_a_voice_that_is_nobodys_needs_a_long_wording_of_its_own(project: Project) -> None:
    path = project.root / "configs" / "disclosures.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text('it-IT: {short: "Voce generata.", long: "Voce generata, col consenso."}\n', encoding="utf-8")
    asked = DisclosureAsked("long")
    assert load_disclosure(project, "it-IT", asked, "talent") == "Voce generata, col consenso."
    assert load_disclosure(project, "it-IT", DisclosureAsked(), "synthetic") == "Voce generata."
    for basis in ("synthetic", "public-dedication"):
        with pytest.raises(
            Refused, match=f"there is no long_plain disclosure in it-IT, and a voice .* '{basis}'"
        ) as told:
            load_disclosure(project, "it-IT", asked, basis)
        assert "name a talent's voice" in str(told.value)


def test_a_run_with_nobodys_voice_tells_of_no_consent(scene: Scene, clearspot: Call) -> None:
    asked = {"value": "long", "why": "Counsel.", "known_from": "our-reading"}
    own_policy(scene.project, requires={"disclosure": {"wording": asked}, "manifest": WHY})
    arguments = ("--runner", "inline", "--out", scene.out, "--locale", "es-ES", "--profile", "podcast")
    code, out, err = clearspot("run", scene.spot, *arguments)
    assert code == 0, out + err
    (receipt,) = scene.out.rglob("*.receipt.json")
    said = json.loads(receipt.read_text())["receipt"]["clearance"]["disclosure"]["text"]
    assert said == "La voz de este anuncio ha sido generada por inteligencia artificial."


def test_a_locale_without_wording_is_refused(project: Project) -> None:
    with pytest.raises(Refused, match="there is no disclosure wording for sv-SE; there is for: en-US, en-GB"):
        load_disclosure(project, "sv-SE", DisclosureAsked())


CN = (("人工智能", "AI"), ("生成", "合成"))


@pytest.mark.parametrize(
    ("locale", "must_hold", "refused"),
    [
        ("zh-CN", CN, ""),
        ("zh-CN", (("机器",),), "the disclosure in zh-CN has to hold '机器'; it is '本广告使用人工智能生成的语音。'"),
        ("en-US", CN, "the disclosure in en-US has to hold '生成' or '合成'; it is 'This ad uses"),
        ("en-US", (("ai",),), ""),
    ],
)
def test_words_that_a_market_asks_for(project: Project, locale: str, must_hold: Any, refused: str) -> None:
    asked = DisclosureAsked(must_hold=must_hold)
    if not refused:
        assert load_disclosure(project, locale, asked)
        return
    with pytest.raises(Refused) as told:
        load_disclosure(project, locale, asked)
    assert refused in str(told.value)


@pytest.mark.parametrize(
    ("natural_s", "limits", "rate"),
    [
        (6.0, None, 1.0),
        (6.0, (120.0, 160.0), 1.0),
        (3.0, (120.0, 160.0), 0.5),
        (12.0, (120.0, 160.0), 2.0),
        (2.8, (120.0, 160.0), 0.5),  # not in the middle of what may be, and within it
        (13.0, (120.0, 160.0), 2.0),
        (2.6, (120.0, 160.0), None),  # no engine speaks that slowly
        (15.0, (120.0, 160.0), None),  # nor that fast
    ],
)
def test_the_rate_that_brings_it_into_its_pace(
    natural_s: float, limits: tuple[float, float] | None, rate: float | None
) -> None:
    text = "本广告使用人工智能生成的语音。"
    assert characters_per_minute(text, 6.0) == pytest.approx(140)
    assert rate_for(DisclosureAsked(characters_per_minute=limits), text, natural_s) == pytest.approx(rate)
