"""Where lines go: in order, never over each other, never too fast, never short of a word, or not at all."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clearspot.errors import Refused
from clearspot.media.audio import Samples
from clearspot.media.stretch import faster
from clearspot.stages import fit as fit_module
from clearspot.stages.fit import Plan, Slot, Spoken, fit, rates_needed
from clearspot.timeline import Timeline
from tests.conftest import tone

RATE_HZ = 48_000
CAP = 1.15
LEAD_S, QUIET_S = 0.25, 0.5  # before the disclosure; after it
LEAST_GAP_S, LEAST_TAIL_S = 0.15, 0.4
DISCLOSURE_S = 2.0
BEGIN_S = LEAD_S + DISCLOSURE_S + QUIET_S
SAMPLE_S = 1 / RATE_HZ


def spoken(line_id: str, duration_s: float, text: str = "x" * 30, natural_s: float | None = None) -> Spoken:
    """A line whose every sample is different, so that a lost one is seen."""
    count = round(duration_s * RATE_HZ)
    sound = np.linspace(0.1, 0.2, count, dtype=np.float32)
    return Spoken(line_id, text, natural_s or count / RATE_HZ, sound)


DISCLOSURE = spoken("disclosure", DISCLOSURE_S)


def lines_of(*durations_s: float) -> list[Spoken]:
    return [spoken(f"line-{index}", duration_s) for index, duration_s in enumerate(durations_s)]


def slots_of(*times: tuple[float, float]) -> tuple[Slot, ...]:
    return tuple(Slot(f"line-{index}", start_s, end_s) for index, (start_s, end_s) in enumerate(times))


def flow(slots: Sequence[Slot], duration_s: float | None) -> Plan:
    return Plan("flow", tuple(slots), duration_s, slots[-1].end_s)


def locked(slots: Sequence[Slot], source_duration_s: float) -> Plan:
    return Plan("locked", tuple(slots), None, source_duration_s)


def gaps_s(timeline: Timeline) -> list[float]:
    return [after.start_s - before.end_s for before, after in pairwise(timeline.lines)]


def tail_s(timeline: Timeline) -> float:
    return (timeline.length - timeline.clips[-1].end) / RATE_HZ


def check_invariants(timeline: Timeline, lines: Sequence[Spoken]) -> None:
    """What holds of every timeline, whatever was asked."""
    assert [clip.line_id for clip in timeline.clips] == ["disclosure", *(line.line_id for line in lines)]
    assert [clip.text for clip in timeline.lines] == [line.text for line in lines]
    assert timeline.disclosures[0].start == round(LEAD_S * RATE_HZ)
    assert timeline.disclosures[0].samples is DISCLOSURE.samples
    assert timeline.lines[0].start_s >= timeline.disclosures[0].end_s + QUIET_S - SAMPLE_S
    assert all(isinstance(clip.start, int) for clip in timeline.clips)
    assert all(after.start >= before.end for before, after in pairwise(timeline.clips))
    assert timeline.clips[-1].end <= timeline.length
    for line, clip in zip(lines, timeline.lines, strict=True):
        assert clip.rate <= CAP * 1.005
        assert clip.rate == pytest.approx(line.natural_s / (len(clip.samples) / RATE_HZ))
        assert len(clip.samples) <= len(line.samples) + 2


# --- flow ------------------------------------------------------------------------------------------------------

PAUSES = slots_of((0.0, 3.0), (3.5, 6.0), (6.1, 9.0), (12.0, 14.0))
NATURAL_GAPS_S = [0.5, 0.3, 1.2]
"""Between the slots above: as the spokesperson paused; at least 0.3 s; at most 1.2 s."""


def test_without_a_duration_a_spot_takes_as_long_as_it_takes() -> None:
    lines = lines_of(3.0, 2.5, 2.0, 1.5)
    timeline = fit(DISCLOSURE, lines, flow(PAUSES, None))
    check_invariants(timeline, lines)
    assert gaps_s(timeline) == pytest.approx(NATURAL_GAPS_S, abs=SAMPLE_S)
    assert all(clip.samples is line.samples for clip, line in zip(timeline.lines, lines, strict=True))
    assert timeline.lines[0].start_s == pytest.approx(BEGIN_S, abs=SAMPLE_S)
    assert timeline.duration_s == pytest.approx(BEGIN_S + 9.0 + sum(NATURAL_GAPS_S) + 1.5, abs=SAMPLE_S)


@pytest.mark.parametrize("duration_s", [14.2, 15.0, 20.0, 30.0, 30.5, 29.97, 60.0, 1001 / 30])
def test_a_spot_lands_on_its_duration_to_the_sample(duration_s: float) -> None:
    lines = lines_of(3.0, 2.5, 2.0, 1.5)
    timeline = fit(DISCLOSURE, lines, flow(PAUSES, duration_s))
    check_invariants(timeline, lines)
    assert timeline.length == round(duration_s * RATE_HZ)


@pytest.mark.parametrize(
    ("duration_s", "gaps", "rate"),
    [
        (30.0, NATURAL_GAPS_S, 1.0),
        (14.15, NATURAL_GAPS_S, 1.0),  # exactly enough for natural pauses
        (13.375, [0.325, 0.225, 0.675], 1.0),  # half of what may go is gone
        (12.6, [0.15, 0.15, 0.15], 1.0),  # the shortest pauses, nobody hurries yet
        (12.0, [0.15, 0.15, 0.15], 9.0 / 8.4),
        (11.45, [0.15, 0.15, 0.15], 9.0 / 7.85),
    ],
)
def test_pauses_shrink_before_anybody_hurries(duration_s: float, gaps: list[float], rate: float) -> None:
    lines = lines_of(3.0, 2.5, 2.0, 1.5)
    timeline = fit(DISCLOSURE, lines, flow(PAUSES, duration_s))
    check_invariants(timeline, lines)
    assert gaps_s(timeline) == pytest.approx(gaps, abs=2 * SAMPLE_S)
    assert [clip.rate for clip in timeline.lines] == pytest.approx([rate] * 4, rel=0.005)
    assert tail_s(timeline) >= LEAST_TAIL_S - 0.02


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("spare_s", [0.0, 1e-9, -1e-9, -0.01, -0.1, 0.3])
def test_the_edge_between_fitting_and_hurrying(count: int, spare_s: float) -> None:
    lines = lines_of(*[2.0] * count)
    slots = slots_of(*((3.0 * index, 3.0 * index + 2) for index in range(count)))
    duration_s = BEGIN_S + 2.0 * count + LEAST_GAP_S * (count - 1) + LEAST_TAIL_S + spare_s
    timeline = fit(DISCLOSURE, lines, flow(slots, duration_s))
    check_invariants(timeline, lines)
    assert timeline.length == round(duration_s * RATE_HZ)
    assert tail_s(timeline) >= LEAST_TAIL_S - 0.02


@pytest.mark.parametrize("duration_s", [11.2, 11.0, 5.0, 2.0, 0.5])
def test_a_spot_too_long_is_refused_with_line_seconds_and_characters(duration_s: float) -> None:
    lines = [spoken("hook", 3.0, "a" * 45), spoken("offer", 4.0, "b" * 60), spoken("terms", 2.0, "c" * 30)]
    plan = flow(slots_of((0, 3), (3.5, 7), (7.5, 9)), duration_s)
    excess_s = 9.0 / CAP - (duration_s - BEGIN_S - 2 * LEAST_GAP_S - LEAST_TAIL_S)
    with pytest.raises(Refused) as caught:
        fit(DISCLOSURE, lines, plan)
    assert caught.value.where == "line 'offer'"
    told = re.search(r"([\d.]+) s too long for its ([\d.]+) s", caught.value.what)
    assert told
    assert float(told[1]) == pytest.approx(excess_s, abs=0.06)
    assert float(told[2]) == duration_s
    assert "1.15 times" in caught.value.what
    # Its sixty characters take four seconds, at the cap 1.15 times fewer.
    characters = re.search(r"Cut about (\d+) characters", caught.value.remedy)
    assert characters
    assert int(characters[1]) == pytest.approx(excess_s * 60 / 4.0 * CAP, abs=1)


# --- locked ----------------------------------------------------------------------------------------------------

SCENES = slots_of((0.4, 2.0), (3.0, 5.0), (6.0, 8.0))


@pytest.mark.parametrize(
    "durations_s",
    [(1.0, 1.0, 1.0), (2.4, 2.8, 2.0), (2.6, 3.2, 4.2), (0.1, 0.1, 0.1)],
    ids=["shorter", "longer, with room", "longer, hurried", "very short"],
)
def test_locked_lines_start_exactly_where_their_source_starts(durations_s: tuple[float, ...]) -> None:
    lines = lines_of(*durations_s)
    timeline = fit(DISCLOSURE, lines, locked(SCENES, 10.0))
    check_invariants(timeline, lines)
    for clip, slot in zip(timeline.lines, SCENES, strict=True):
        assert clip.start == round((timeline.disclosures[0].end / RATE_HZ + QUIET_S + slot.start_s) * RATE_HZ)
    assert all(gap >= LEAST_GAP_S - 0.02 for gap in gaps_s(timeline))
    assert timeline.length >= round((BEGIN_S + 10.0) * RATE_HZ)


def test_a_locked_spot_is_as_long_as_its_source_and_the_disclosure() -> None:
    timeline = fit(DISCLOSURE, lines_of(1.0, 1.0, 1.0), locked(SCENES, 10.0))
    assert timeline.length == round((BEGIN_S + 10.0) * RATE_HZ)


def test_a_last_line_to_the_very_end_gets_its_tail() -> None:
    timeline = fit(DISCLOSURE, lines_of(1.0, 1.0, 4.0), locked(SCENES, 10.0))
    assert tail_s(timeline) == pytest.approx(LEAST_TAIL_S, abs=2 * SAMPLE_S)


@pytest.mark.parametrize(
    ("durations_s", "line", "room_s"),
    [((3.0, 1.0, 1.0), "line-0", 2.45), ((1.0, 9.0, 1.0), "line-1", 2.85), ((1.0, 1.0, 5.0), "line-2", 4.0)],
)
def test_a_locked_line_too_long_is_refused_by_name(durations_s: tuple[float, ...], line: str, room_s: float) -> None:
    longest_s = max(durations_s)
    with pytest.raises(Refused, match="too long for its place in the recording") as caught:
        fit(DISCLOSURE, lines_of(*durations_s), locked(SCENES, 10.0))
    assert caught.value.where == f"line {line!r}"
    excess_s = longest_s / CAP - room_s
    assert f"{excess_s:.1f} s" in caught.value.what
    assert f"about {math.ceil(excess_s * 30 / longest_s * CAP)} characters" in caught.value.remedy


# --- asking for rates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration_s", "rate"),
    [(None, 1.0), (30.0, 1.0), (12.6, 1.0), (12.0, 9.0 / 8.4 * 1.01), (11.43, 1.15)],
)
def test_the_engine_is_asked_for_a_little_more_than_needed(duration_s: float | None, rate: float) -> None:
    rates = rates_needed(DISCLOSURE, lines_of(3.0, 2.5, 2.0, 1.5), flow(PAUSES, duration_s))
    assert rates == pytest.approx([rate] * 4, abs=1e-3)
    assert max(rates) <= CAP


def test_only_the_line_without_room_is_hurried() -> None:
    rates = rates_needed(DISCLOSURE, lines_of(1.0, 3.0, 1.0), locked(SCENES, 10.0))
    assert rates == pytest.approx([1.0, 3.0 / 2.85 * 1.01, 1.0])


def test_what_the_engine_hurried_enough_is_not_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "faster", lambda *_: pytest.fail("stretched"))
    lines = [spoken(f"line-{i}", natural_s / 1.09, natural_s=natural_s) for i, natural_s in enumerate((3, 2.5, 2, 1.5))]
    timeline = fit(DISCLOSURE, lines, flow(PAUSES, 12.0))
    check_invariants(timeline, lines)
    assert [clip.rate for clip in timeline.lines] == pytest.approx([1.09] * 4, abs=1e-3)


def test_what_the_engine_left_too_long_is_stretched_the_rest_of_the_way() -> None:
    lines = [spoken(f"line-{i}", natural_s / 1.03, natural_s=natural_s) for i, natural_s in enumerate((3, 2.5, 2, 1.5))]
    timeline = fit(DISCLOSURE, lines, flow(PAUSES, 12.0))
    check_invariants(timeline, lines)
    assert [clip.rate for clip in timeline.lines] == pytest.approx([9.0 / 8.4] * 4, rel=0.005)


# --- every case ------------------------------------------------------------------------------------------------


def cut_to_length(speech: Samples, factor: float) -> Samples:
    """Stands for rubberband, which takes a while: the right length, or a sample or two more."""
    return np.interp(
        np.linspace(0, len(speech) - 1, math.ceil(len(speech) / factor) + 1), np.arange(len(speech)), speech
    ).astype(np.float32)


@pytest.fixture
def quick_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "faster", cut_to_length)


seconds = st.floats(0.05, 6.0, allow_nan=False).map(lambda value: round(value, 4))
pauses = st.floats(0.0, 3.0, allow_nan=False).map(lambda value: round(value, 4))
pieces = st.lists(st.tuples(seconds, pauses, st.floats(0.5, 1.6)), min_size=1, max_size=8)
each_case = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def laid_out(parts: list[tuple[float, float, float]]) -> tuple[list[Spoken], tuple[Slot, ...], float]:
    """Lines, each some factor longer than its source, and where the source says them."""
    lines, slots, cursor = [], [], 0.2
    for index, (source_s, pause_s, factor) in enumerate(parts):
        lines.append(spoken(f"line-{index}", source_s * factor))
        slots.append(Slot(f"line-{index}", cursor, cursor + source_s))
        cursor += source_s + pause_s
    return lines, tuple(slots), cursor


def fitted(lines: Sequence[Spoken], plan: Plan) -> Timeline | None:
    """A timeline, or None where it is refused; then asking for rates is refused in the same words."""
    try:
        rates = rates_needed(DISCLOSURE, lines, plan)
    except Refused as refusal:
        with pytest.raises(Refused, match=re.escape(refusal.what)):
            fit(DISCLOSURE, lines, plan)
        return None
    timeline = fit(DISCLOSURE, lines, plan)
    for rate, clip in zip(rates, timeline.lines, strict=True):
        assert 1.0 <= rate <= CAP
        assert clip.rate <= rate * 1.001
    return timeline


@pytest.mark.usefixtures("quick_stretch")
@given(parts=pieces, room=st.one_of(st.none(), st.floats(0.5, 1.5), st.floats(0.98, 1.02)))
@example(parts=[(2.0, 0.0, 1.0)], room=0.9)
@example(parts=[(2.0, 0.0, 1.0)], room=1.0)
@each_case
def test_flow_holds_every_invariant_or_is_refused(parts: list[tuple[float, float, float]], room: float | None) -> None:
    """``room`` is how much time there is for speech, against what it takes at its natural rate."""
    lines, slots, _ = laid_out(parts)
    fixed_s = BEGIN_S + LEAST_GAP_S * (len(lines) - 1) + LEAST_TAIL_S
    wanted = None if room is None else fixed_s + room * sum(line.natural_s for line in lines)
    timeline = fitted(lines, flow(slots, wanted))
    if timeline is None:
        assert room is not None
        assert room < 1 / CAP + 1e-6
        return
    check_invariants(timeline, lines)
    if wanted is not None:
        assert timeline.length == round(wanted * RATE_HZ)
    assert all(gap >= LEAST_GAP_S - 2 * SAMPLE_S for gap in gaps_s(timeline))
    if any(clip.rate > 1.001 for clip in timeline.lines):
        assert gaps_s(timeline) == pytest.approx([LEAST_GAP_S] * (len(lines) - 1), abs=0.02)


@pytest.mark.usefixtures("quick_stretch")
@given(parts=pieces, after_s=pauses)
@each_case
def test_locked_holds_every_invariant_or_is_refused(parts: list[tuple[float, float, float]], after_s: float) -> None:
    lines, slots, end_s = laid_out(parts)
    timeline = fitted(lines, locked(slots, end_s + after_s))
    if timeline is None:
        return
    check_invariants(timeline, lines)
    offsets = {clip.start - round(slot.start_s * RATE_HZ) for clip, slot in zip(timeline.lines, slots, strict=True)}
    assert max(offsets) - min(offsets) <= 1
    assert timeline.length >= round((BEGIN_S + end_s + after_s) * RATE_HZ) - 1


@given(parts=pieces, wanted=st.floats(1.0, 60.0))
@each_case
def test_nothing_but_a_refusal_says_no(parts: list[tuple[float, float, float]], wanted: float) -> None:
    """Asking for rates alone, with no engine: a Refused or one rate a line."""
    lines, slots, end_s = laid_out(parts)
    for plan in (flow(slots, wanted), locked(slots, end_s)):
        with contextlib.suppress(Refused):
            assert len(rates_needed(DISCLOSURE, lines, plan)) == len(lines)


# --- stretching ------------------------------------------------------------------------------------------------


def voiced(duration_s: float, hz: float) -> Samples:
    """Twenty harmonics, as a voice has them."""
    return sum((tone(duration_s, hz=hz * k, level_db=-20) / k for k in range(1, 21)), np.float32(0))


def pitch_hz(sound: Samples) -> float:
    """The fundamental between 80 and 400 Hz, by autocorrelation of the middle of a sound."""
    middle = sound[len(sound) // 5 : -len(sound) // 5].astype(np.float64)
    likeness = np.fft.irfft(np.abs(np.fft.rfft(middle, 2 * len(middle))) ** 2)
    shortest, longest = RATE_HZ // 400, RATE_HZ // 80
    return RATE_HZ / (shortest + int(np.argmax(likeness[shortest:longest])))


def rms_db(sound: Samples) -> float:
    return 10 * math.log10(float((sound.astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize("factor", [1.01, 1.05, 1.1, 1.15])
@pytest.mark.parametrize(("duration_s", "hz"), [(0.5, 110.0), (3.0, 150.0), (1.5, 220.0)])
def test_faster_keeps_pitch_and_level_and_is_as_much_shorter_as_asked(
    factor: float, duration_s: float, hz: float
) -> None:
    speech = voiced(duration_s, hz)
    quick = faster(speech, factor)
    assert quick.dtype == np.float32
    assert quick.ndim == 1
    assert len(quick) == pytest.approx(len(speech) / factor, rel=0.001)
    assert pitch_hz(quick) == pytest.approx(pitch_hz(speech), rel=0.01)
    assert rms_db(quick) == pytest.approx(rms_db(speech), abs=1.0)


def test_faster_keeps_what_is_said_at_both_ends() -> None:
    """Half-way points of three bursts move with the factor; the last burst is not cut."""
    speech = np.zeros(2 * RATE_HZ, dtype=np.float32)
    starts_s = (0.1, 0.9, 1.75)
    for start_s in starts_s:
        at = round(start_s * RATE_HZ)
        speech[at : at + RATE_HZ // 5] = tone(0.2, hz=300, level_db=-10)
    quick = faster(speech, 1.1)
    for start_s in starts_s:
        middle = round((start_s + 0.1) / 1.1 * RATE_HZ)
        around = quick[middle - 2400 : middle + 2400]
        assert 20 * math.log10(float(np.abs(around).max())) == pytest.approx(-10, abs=1.5)
