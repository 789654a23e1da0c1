"""fit: clips to a timeline. Lines keep their order, never overlap, never go faster than the cap, never lose a word.

The disclosure comes first, and again between lines or at the end where that is asked; nothing is heard over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clearspot.errors import Refused
from clearspot.media.audio import Samples
from clearspot.media.stretch import faster
from clearspot.timebase import samples, seconds
from clearspot.timeline import AFTER_DISCLOSURE_S, Placed, Timeline

RATE_CAP = 1.15
"""No line is spoken faster than this times its natural speed."""

RATE_MARGIN = 1.01
"""An engine asked for a rate does not meet it to the millisecond: it is asked for this much more."""

WITHIN_S = 1e-4
"""Nobody stretches a line for less than this."""

LEAD_S = 0.25
MIN_GAP_S, NATURAL_GAP_S, MAX_GAP_S = 0.15, 0.3, 1.2
MIN_TAIL_S, NATURAL_TAIL_S = 0.4, 1.5


@dataclass(frozen=True, slots=True)
class Slot:
    """When the source says a line: seconds from the start of the recording."""

    line_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit into.

    ``flow``: lines follow each other with the spokesperson's own pauses, and the whole lasts exactly ``duration_s``
    (None: as long as it takes). ``locked``: every line starts where its source starts, the whole moved by the
    disclosure that comes first. ``at_end`` and ``repeat_every_s`` say when the disclosure is heard again (see
    ``DisclosureAsked``).
    """

    timing: Literal["flow", "locked"]
    slots: tuple[Slot, ...]
    duration_s: float | None
    source_duration_s: float
    at_end: bool = False
    repeat_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A clip to place: mono float32 at 48 kHz, shape (samples,); ``natural_s`` is its length at rate 1."""

    line_id: str
    text: str
    natural_s: float
    samples: Samples

    @property
    def duration_s(self) -> float:
        return seconds(len(self.samples))


def rates_needed(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan) -> tuple[float, ...]:
    """The rate to ask the engine for, one a line: 1.0 where the line has room. The disclosure is never hurried.

    Raises:
        Refused: Even at the cap it does not fit.
    """
    rooms = _rooms(disclosure, lines, plan, _breaks(disclosure, lines, plan))
    _require_within_cap(lines, rooms, plan)
    needed = [line.natural_s / room for line, room in zip(lines, rooms, strict=True)]
    return tuple(1.0 if rate <= 1 else min(RATE_CAP, rate * RATE_MARGIN) for rate in needed)


def fit(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan) -> Timeline:
    """Place the disclosure and every line; what the engine left too long is stretched the rest of the way.

    Raises:
        Refused: A line does not fit at the cap: how many seconds too long, about how many characters to cut.
    """
    breaks = _breaks(disclosure, lines, plan)
    rooms = _rooms(disclosure, lines, plan, breaks)
    _require_within_cap(lines, rooms, plan)
    fitted = [_within(line, room) for line, room in zip(lines, rooms, strict=True)]
    places = _locked_places if plan.timing == "locked" else _flow_places
    return places(disclosure, fitted, plan, breaks)


def _breaks(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan) -> tuple[int, ...]:
    """Before which lines the disclosure is heard again; the number of lines means at the end.

    Raises:
        Refused: There is no pause for it in time.
    """
    breaks: list[int] = []
    if plan.repeat_every_s is not None:
        times = _latest_times(lines, plan)
        heard_s, index = times[0][0] - AFTER_DISCLOSURE_S, 0
        while index < len(lines):
            if times[index][1] + AFTER_DISCLOSURE_S - heard_s > plan.repeat_every_s:
                index = _last_pause(disclosure, index, breaks, plan)
                breaks.append(index)
                heard_s = times[index][0] - AFTER_DISCLOSURE_S
            index += 1
        end_s = _latest_end_s(disclosure, lines, plan, breaks, times[-1][1])
        if end_s - heard_s > plan.repeat_every_s:
            breaks.append(len(lines))
    if plan.at_end and len(lines) not in breaks:
        breaks.append(len(lines))
    return tuple(breaks)


def _latest_times(lines: Sequence[Spoken], plan: Plan) -> list[tuple[float, float]]:
    """When each line starts and ends at the latest, in seconds after the first does; no disclosure between them."""
    if plan.timing == "locked":
        return [(slot.start_s, slot.end_s) for slot in plan.slots]
    times, at_s, gaps = [], 0.0, _natural_gaps(plan)
    for index, line in enumerate(lines):
        at_s += gaps.get(index, 0.0)
        times.append((at_s, at_s + line.natural_s))
        at_s += line.natural_s
    return times


def _latest_end_s(
    disclosure: Spoken, lines: Sequence[Spoken], plan: Plan, breaks: Sequence[int], last_s: float
) -> float:
    """When the spot ends, counted as the times of lines are; ``last_s`` is when the last line does.

    Where time is short, lines and pauses get shorter before it does: then everything is nearer to the end than this.
    """
    if plan.timing == "locked":
        return plan.source_duration_s
    if plan.duration_s is None:
        return last_s + NATURAL_TAIL_S
    gaps_s = sum(gap_s for index, gap_s in _natural_gaps(plan).items() if index not in breaks)
    spoken_s = sum(line.natural_s for line in lines)
    tail_s = plan.duration_s - LEAD_S - _disclosed_s(disclosure, lines, breaks) - spoken_s - gaps_s
    return last_s + max(MIN_TAIL_S, tail_s)


def _natural_gaps(plan: Plan) -> dict[int, float]:
    """The pause before each line but the first, as the spokesperson made it, within bounds."""
    return {
        index: min(MAX_GAP_S, max(NATURAL_GAP_S, after.start_s - before.end_s))
        for index, (before, after) in enumerate(zip(plan.slots, plan.slots[1:], strict=False), 1)
    }


def _last_pause(disclosure: Spoken, index: int, breaks: Sequence[int], plan: Plan) -> int:
    """The last line up to ``index`` before which the disclosure has room, after the pause that was used last."""
    aside_s = disclosure.duration_s + 2 * AFTER_DISCLOSURE_S
    for line in range(index, max(breaks, default=0), -1):
        if plan.timing == "flow" or plan.slots[line].start_s - plan.slots[line - 1].end_s >= aside_s:
            return line
    raise Refused(
        f"the disclosure has to be heard again within {plan.repeat_every_s:g} s, and the recording has no pause of "
        f"{aside_s:.1f} s for it before line {plan.slots[index].line_id!r} ends.",
        where=f"line {plan.slots[index].line_id!r}",
        remedy="Leave a pause there in the recording, split the line, or use timing: flow.",
    )


def _rooms(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan, breaks: Sequence[int]) -> list[float]:
    """The longest that each line may take, in seconds."""
    inner = [index for index in breaks if index < len(lines)]
    aside_s = disclosure.duration_s + 2 * AFTER_DISCLOSURE_S
    if plan.timing == "locked":
        before = [aside_s if index in inner else MIN_GAP_S for index in range(1, len(lines))]
        ends = [slot.start_s - gap_s for slot, gap_s in zip(plan.slots[1:], before, strict=True)]
        ends.append(max(plan.source_duration_s, plan.slots[-1].end_s))
        return [end - slot.start_s for slot, end in zip(plan.slots, ends, strict=True)]
    if plan.duration_s is None:
        return [math.inf] * len(lines)
    least_gaps_s = MIN_GAP_S * (len(lines) - 1 - len(inner))
    fixed_s = LEAD_S + _disclosed_s(disclosure, lines, breaks) + least_gaps_s + MIN_TAIL_S
    share = (plan.duration_s - fixed_s) / sum(line.natural_s for line in lines)
    return [line.natural_s * share for line in lines]


def _disclosed_s(disclosure: Spoken, lines: Sequence[Spoken], breaks: Sequence[int]) -> float:
    """What all disclosures take together with the quiet beside them, in seconds."""
    inner = sum(index < len(lines) for index in breaks)
    once_s = disclosure.duration_s + AFTER_DISCLOSURE_S
    return once_s * (1 + len(breaks)) + AFTER_DISCLOSURE_S * inner


def _require_within_cap(lines: Sequence[Spoken], rooms: Sequence[float], plan: Plan) -> None:
    too_long_s = [line.natural_s / RATE_CAP - room for line, room in zip(lines, rooms, strict=True)]
    over = [index for index, excess_s in enumerate(too_long_s) if excess_s > 1e-9]
    if not over:
        return
    if plan.timing == "flow":  # all lines share one room: name the longest, count the whole
        line = max(lines, key=lambda each: each.natural_s)
        excess_s, what = sum(too_long_s), f"the spot is {{}} too long for its {plan.duration_s:g} s"
    else:
        line = lines[over[0]]
        excess_s, what = too_long_s[over[0]], "it is {} too long for its place in the recording"
    a_second = len(line.text) / line.natural_s * RATE_CAP
    raise Refused(
        what.format(f"{excess_s:.1f} s") + f", even spoken {RATE_CAP:g} times as fast as natural.",
        where=f"line {line.line_id!r}",
        remedy=f"Cut about {math.ceil(excess_s * a_second)} characters, or allow more time.",
    )


def _within(line: Spoken, room_s: float) -> Spoken:
    if line.duration_s <= room_s + WITHIN_S:
        return line
    return replace(line, samples=faster(line.samples, line.duration_s / room_s))


def _flow_places(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan, breaks: Sequence[int]) -> Timeline:
    gaps = {index: gap_s for index, gap_s in _natural_gaps(plan).items() if index not in breaks}
    fixed_s = LEAD_S + _disclosed_s(disclosure, lines, breaks) + sum(line.duration_s for line in lines)
    if plan.duration_s is None:
        length = samples(fixed_s + sum(gaps.values()) + NATURAL_TAIL_S)
    else:
        length = samples(plan.duration_s)
        gaps = _shortened(gaps, plan.duration_s - fixed_s - MIN_TAIL_S)
    clips = [_placed(disclosure, samples(LEAD_S))]
    for index, line in enumerate(lines):
        if index in breaks:
            clips.append(_placed(disclosure, clips[-1].end + samples(AFTER_DISCLOSURE_S)))
        gap_s = gaps.get(index, AFTER_DISCLOSURE_S)  # the first line too comes after a disclosure
        clips.append(_placed(line, clips[-1].end + samples(gap_s)))
    if len(lines) in breaks:
        clips.append(_placed(disclosure, clips[-1].end + samples(AFTER_DISCLOSURE_S)))
    return Timeline(tuple(clips), length)


def _placed(clip: Spoken, start: int) -> Placed:
    return Placed(clip.line_id, clip.text, start, clip.samples, clip.natural_s / clip.duration_s)


def _shortened(gaps: dict[int, float], spare_s: float) -> dict[int, float]:
    """Natural pauses where there is time, shorter ones, never under the least, where there is not."""
    total, least = sum(gaps.values()), MIN_GAP_S * len(gaps)
    if not gaps or total <= spare_s:
        return gaps
    share = max(0.0, (spare_s - least) / (total - least))
    return {index: MIN_GAP_S + share * (gap - MIN_GAP_S) for index, gap in gaps.items()}


def _locked_places(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan, breaks: Sequence[int]) -> Timeline:
    clips = [_placed(disclosure, samples(LEAD_S))]
    begin_s = clips[0].end_s + AFTER_DISCLOSURE_S
    for index, (line, slot) in enumerate(zip(lines, plan.slots, strict=True)):
        start = samples(begin_s + slot.start_s)
        if index in breaks:
            clips.append(_placed(disclosure, start - samples(AFTER_DISCLOSURE_S) - len(disclosure.samples)))
        clips.append(_placed(line, start))
    if len(lines) in breaks:
        last = max(clips[-1].end, samples(begin_s + plan.source_duration_s))
        clips.append(_placed(disclosure, last + samples(AFTER_DISCLOSURE_S)))
    end_s = max(begin_s + plan.source_duration_s, clips[-1].end_s + MIN_TAIL_S)
    return Timeline(tuple(clips), samples(end_s))
