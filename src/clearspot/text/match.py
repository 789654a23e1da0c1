"""What was heard of each expected line: one alignment in which no heard word is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearspot.text.normalise import normalise
from clearspot.transcript import Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Larger than any distance; what may not happen costs this.
_NEVER = 1 << 40
# Cost and first word of the line are carried as one integer: cost * _RADIX + word.
_RADIX = 1 << 20
# How far a boundary between two lines is moved in search of an equally good, more literal one.
_REACH_WORDS = 8


@dataclass(frozen=True, slots=True)
class LineMatch:
    """What was heard of one expected line.

    ``expected`` and ``heard`` are normalised. ``character_error_rate`` is their Levenshtein distance
    without spaces divided by the length of ``expected``; it may exceed 1. ``start_s`` and ``end_s``
    are seconds from the start of the recording, None when nothing was heard. ``words`` are the heard
    words of this line in order, as the recogniser spelt them.
    """

    expected: str
    heard: str
    character_error_rate: float
    start_s: float | None
    end_s: float | None
    words: tuple[Word, ...]


def match_lines(expected: Sequence[str], words: Sequence[Word], locale: str) -> tuple[LineMatch, ...]:
    """Share all heard words out among the expected lines, in order, at the least total edit distance.

    Every word goes to exactly one line: what was said beyond the script counts as insertions in a
    neighbouring line.

    Args:
        expected: the approved lines in the order they are spoken.
        words: everything heard, in order.
        locale: a BCP 47 tag.

    Raises:
        ValueError: words were heard, but there is no line to attribute them to.
    """
    if not expected:
        if words:
            raise ValueError(f"{len(words)} words were heard but no line was expected; give at least one line")
        return ()
    lines = [normalise(line, locale) for line in expected]
    bounds = _partition([_spaceless(line) for line in lines], [_spaceless(w) for w in _each(words, locale)])
    bounds = _settle_ties(lines, words, bounds, locale)
    return tuple(
        _line_match(line, tuple(words[start:end]), locale)
        for line, start, end in zip(lines, bounds, bounds[1:], strict=False)
    )


def closeness(expected: str, heard: str, locale: str) -> float:
    """How nearly ``expected`` was said somewhere in ``heard``, 0..1; 1.0 means exactly.

    One minus the edit distance of ``expected`` to the most similar stretch of ``heard``, divided by
    the length of ``expected``; both normalised, without spaces (Sellers, 1980). An empty ``expected``
    is always said.
    """
    wanted = _spaceless(normalise(expected, locale))
    if not wanted:
        return 1.0
    # The column for a prefix of `wanted`; starting anywhere in `heard` is free, hence the 0 in front.
    column = list(range(len(wanted) + 1))
    least = column[-1]
    for char in _spaceless(normalise(heard, locale)):
        above_left, column[0] = column[0], 0
        for row, letter in enumerate(wanted, start=1):
            best = min(column[row] + 1, column[row - 1] + 1, above_left + (letter != char))
            above_left, column[row] = column[row], best
        least = min(least, column[-1])
    return 1.0 - least / len(wanted)


def best_stretch(expected: str, words: Sequence[Word], locale: str) -> LineMatch:
    """The stretch of whole words that comes nearest to ``expected``, and is at least half and at most twice as long.

    What was said before and after it is left out, and whatever is inside it is in. Nothing, where nothing comes nearer.
    """
    line = normalise(expected, locale)
    each = [len(_spaceless(word)) for word in _each(words, locale)]
    least, most = len(_spaceless(line)) // 2, 2 * len(_spaceless(line))
    best = _line_match(line, (), locale)
    for start in range(len(words)):
        length = 0
        for end in range(start, len(words)):
            length += each[end]
            if length > most:
                break
            if length < least:
                continue
            found = _line_match(line, tuple(words[start : end + 1]), locale)
            if found.character_error_rate < best.character_error_rate:
                best = found
    return best


def heard_text(words: Sequence[Word]) -> str:
    """The words as one text, figures that the recogniser cut in two ("$2", ".99") rejoined."""
    texts = [word.text for word in words]
    if any(text[:1].isspace() for text in texts):
        # Whisper's own words carry the space in front of them, or none when they belong together.
        return "".join(texts).strip()
    joined = " ".join(text for text in texts if text)
    joined = re.sub(r"(?<=\d) (?=[.,:]\d)|(?<=\w) (?=\.[a-z]{2,}\b)", "", joined)
    return re.sub(r"(?<=\w) (?=-[^\W\d])", "", joined)


def _spaceless(text: str) -> str:
    return text.replace(" ", "")


def _each(words: Sequence[Word], locale: str) -> list[str]:
    return [normalise(word.text, locale) for word in words]


def _line_match(line: str, words: tuple[Word, ...], locale: str) -> LineMatch:
    heard = normalise(heard_text(words), locale)
    return LineMatch(
        expected=line,
        heard=heard,
        character_error_rate=_distance(line, heard) / max(1, len(_spaceless(line))),
        start_s=words[0].start_s if words else None,
        end_s=words[-1].end_s if words else None,
        words=words,
    )


def _distance(one: str, other: str) -> int:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(_spaceless(one), _spaceless(other))


def _partition(lines: list[str], words: list[str]) -> list[int]:
    """Where each line begins among the words, and the end: ``len(lines) + 1`` ascending indices.

    An edit-distance table of all lines against all words, with a row per expected character and a
    column per heard one. A line may end only where a word ends; there the next one begins.
    """
    import numpy as np

    ends = np.cumsum([0, *(len(word) for word in words)])
    heard = np.array([ord(char) for char in "".join(words)], dtype=np.int64)
    steps = np.arange(len(heard) + 1, dtype=np.int64) * _RADIX
    # Words without letters share a column with their neighbour; they stay with the line before.
    columns = np.unique(ends)
    first_words = np.searchsorted(ends, columns, side="right") - 1
    first_words[0] = 0 if len(columns) > 1 else first_words[0]
    cost = np.full(len(columns), _NEVER, dtype=np.int64)
    cost[0] = 0
    begun: list[NDArray[np.int64]] = []
    for line in lines:
        row = np.full(len(heard) + 1, _NEVER * _RADIX, dtype=np.int64)
        row[columns] = cost * _RADIX + first_words
        row = _row_after(line, row, heard, steps)[columns]
        cost = row // _RADIX
        begun.append(row % _RADIX)
    bounds = _walk_back(begun, first_words.tolist(), len(words))
    return [0, *bounds[1:]]


def _row_after(
    line: str, row: NDArray[np.int64], heard: NDArray[np.int64], steps: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The last row of the table of one line, from the row above its first."""
    import numpy as np

    row = np.minimum.accumulate(row - steps) + steps
    for char in line:
        below = row + _RADIX
        np.minimum(below[1:], row[:-1] + _RADIX * (heard != ord(char)), out=below[1:])
        # Insertions run along the row: each step costs one, so a running minimum finds them all.
        row = np.minimum.accumulate(below - steps) + steps
    return row


def _walk_back(begun: list[NDArray[np.int64]], first_words: list[int], word_count: int) -> list[int]:
    bounds = [word_count]
    column = len(first_words) - 1
    index_of = {int(word): index for index, word in enumerate(first_words)}
    for origins in reversed(begun):
        bounds.append(int(origins[column]))
        column = index_of[bounds[-1]]
    return bounds[::-1]


def _settle_ties(lines: list[str], words: Sequence[Word], bounds: list[int], locale: str) -> list[int]:
    """Move boundaries between lines to where, at no greater distance, more words match literally.

    Distances are those of the rejoined text here, so that "30" and "%" are not parted.
    """
    settled = list(bounds)
    each = _each(words, locale)
    for index in range(1, len(lines)):
        low, high = settled[index - 1], settled[index + 1]
        at = settled[index]
        if low == high or _both_exact(lines, words, settled, index, locale):
            continue
        nearby = range(max(low, at - _REACH_WORDS), min(high, at + _REACH_WORDS) + 1)
        settled[index] = min(
            nearby,
            key=lambda cut: (
                _cost(lines[index - 1], words, each, (low, cut), locale)
                + _cost(lines[index], words, each, (cut, high), locale),
                abs(cut - at),
            ),
        )
    return settled


def _both_exact(lines: list[str], words: Sequence[Word], bounds: list[int], index: int, locale: str) -> bool:
    return all(
        not _distance(lines[line], normalise(heard_text(words[bounds[line] : bounds[line + 1]]), locale))
        for line in (index - 1, index)
    )


def _cost(line: str, words: Sequence[Word], each: list[str], span: tuple[int, int], locale: str) -> float:
    """Edit distance of a line to a span of words, less a trifle for every word that is in the line."""
    start, end = span
    known = set(line.split())
    literal = sum(1 for word in each[start:end] if word and known.issuperset(word.split()))
    heard = normalise(heard_text(words[start:end]), locale)
    return _distance(line, heard) - literal / (len(words) + 1)
