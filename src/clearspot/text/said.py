"""What was heard of one line, held against what was approved: numbers exactly, names closely, the rest by rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearspot.text.match import LineMatch, closeness, heard_text
from clearspot.text.normalise import normalise, number_runs


@dataclass(frozen=True, slots=True)
class Said:
    """One line as it was heard.

    ``names`` is each protected name that the line holds with its closeness (0..1, 1 is exact); ``error_rate`` is
    the character error rate after normalisation.
    """

    text: str
    heard: str
    error_rate: float
    numbers: tuple[str, ...]
    numbers_heard: tuple[str, ...]
    names: tuple[tuple[str, float], ...]

    def difference(self, *, error_rate: float, name_closeness: float) -> str:
        """What is wrong with it, in words; empty where it is within the limits."""
        if not self.heard:
            return "was not said"
        if self.numbers != self.numbers_heard:
            return (
                f"numbers differ: approved {', '.join(self.numbers) or 'none'}, heard "
                f"{', '.join(self.numbers_heard) or 'none'} in {self.heard!r}"
            )
        for name, close in self.names:
            if close < name_closeness:
                return (
                    f"the name {name!r} was not heard in {self.heard!r} (closeness {close:.2f}, at least "
                    f"{name_closeness:g})"
                )
        if self.error_rate > error_rate:
            return (
                f"heard {self.heard!r} (error rate {self.error_rate:.2f}, at most {error_rate:g}), "
                f"approved {self.text!r}"
            )
        return ""


def hold_against(text: str, match: LineMatch, protected: Sequence[str], locale: str) -> Said:
    """One approved line against the words that were attributed to it."""
    heard = heard_text(match.words)
    expected = normalise(text, locale).replace(" ", "")
    return Said(
        text=text,
        heard=heard,
        error_rate=match.character_error_rate,
        numbers=number_runs(text, locale),
        numbers_heard=number_runs(heard, locale),
        names=tuple(
            (name, closeness(name, heard, locale))
            for name in protected
            if normalise(name, locale).replace(" ", "") in expected
        ),
    )
