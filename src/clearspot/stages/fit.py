"""fit: clips to a timeline. Lines keep their order, never overlap, never go faster than the cap, never lose a word."""

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
    disclosure that comes first.
    """

    timing: Literal["flow", "locked"]
    slots: tuple[Slot, ...]
    duration_s: float | None
    source_duration_s: float


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
    rooms = _rooms(disclosure, lines, plan)
    _require_within_cap(lines, rooms, plan)
    needed = [line.natural_s / room for line, room in zip(lines, rooms, strict=True)]
    return tuple(1.0 if rate <= 1 else min(RATE_CAP, rate * RATE_MARGIN) for rate in needed)


def fit(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan) -> Timeline:
    """Place the disclosure and every line; what the engine left too long is stretched the rest of the way.

    Raises:
        Refused: A line does not fit at the cap: how many seconds too long, about how many characters to cut.
    """
    rooms = _rooms(disclosure, lines, plan)
    _require_within_cap(lines, rooms, plan)
    opening = Placed(disclosure.line_id, disclosure.text, samples(LEAD_S), disclosure.samples, 1.0)
    fitted = [_within(line, room) for line, room in zip(lines, rooms, strict=True)]
    if plan.timing == "locked":
        starts, length = _locked_places(opening, fitted, plan)
    else:
        starts, length = _flow_places(opening, fitted, plan)
    placed = tuple(
        Placed(line.line_id, line.text, start, line.samples, line.natural_s / line.duration_s)
        for line, start in zip(fitted, starts, strict=True)
    )
    return Timeline(opening, placed, length)


def _rooms(disclosure: Spoken, lines: Sequence[Spoken], plan: Plan) -> list[float]:
    """The longest that each line may take, in seconds."""
    if plan.timing == "locked":
        ends = [slot.start_s - MIN_GAP_S for slot in plan.slots[1:]]
        ends.append(max(plan.source_duration_s, plan.slots[-1].end_s))
        return [end - slot.start_s for slot, end in zip(plan.slots, ends, strict=True)]
    if plan.duration_s is None:
        return [math.inf] * len(lines)
    fixed_s = LEAD_S + disclosure.duration_s + AFTER_DISCLOSURE_S + MIN_GAP_S * (len(lines) - 1) + MIN_TAIL_S
    share = (plan.duration_s - fixed_s) / sum(line.natural_s for line in lines)
    return [line.natural_s * share for line in lines]


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


def _flow_places(opening: Placed, lines: Sequence[Spoken], plan: Plan) -> tuple[list[int], int]:
    begin_s = opening.end_s + AFTER_DISCLOSURE_S
    spoken_s = sum(line.duration_s for line in lines)
    gaps = [
        min(MAX_GAP_S, max(NATURAL_GAP_S, after.start_s - before.end_s))
        for before, after in zip(plan.slots, plan.slots[1:], strict=False)
    ]
    if plan.duration_s is None:
        length = samples(begin_s + spoken_s + sum(gaps) + NATURAL_TAIL_S)
    else:
        length = samples(plan.duration_s)
        gaps = _shortened(gaps, plan.duration_s - begin_s - spoken_s - MIN_TAIL_S)
    starts, cursor = [], samples(begin_s)
    for line, gap_s in zip(lines, [*gaps, 0.0], strict=True):
        starts.append(cursor)
        cursor += len(line.samples) + samples(gap_s)
    return starts, length


def _shortened(gaps: list[float], spare_s: float) -> list[float]:
    """Natural pauses where there is time, shorter ones, never under the least, where there is not."""
    total, least = sum(gaps), MIN_GAP_S * len(gaps)
    if not gaps or total <= spare_s:
        return gaps
    share = max(0.0, (spare_s - least) / (total - least))
    return [MIN_GAP_S + share * (gap - MIN_GAP_S) for gap in gaps]


def _locked_places(opening: Placed, lines: Sequence[Spoken], plan: Plan) -> tuple[list[int], int]:
    begin_s = opening.end_s + AFTER_DISCLOSURE_S
    starts = [samples(begin_s + slot.start_s) for slot in plan.slots]
    last_end_s = seconds(starts[-1] + len(lines[-1].samples))
    return starts, samples(max(begin_s + plan.source_duration_s, last_end_s + MIN_TAIL_S))
