"""The form in which approved and heard text are compared, and the numbers said in either."""

from __future__ import annotations

from clearspot.text.counting import number_runs
from clearspot.text.folding import cardinals_for_ordinals, fold
from clearspot.text.spoken import join_pieces, pieces

__all__ = ["normalise", "number_runs"]


def normalise(text: str, locale: str) -> str:
    """``text`` as it would be heard: spoken form, NFKC, casefolded, without punctuation or signs.

    Two spellings of the same words come out equal: ``"Save 30%!"`` and ``"save thirty percent"``,
    ``"AI-generated"`` and ``"AI generated"``, ``"June 30th"`` and ``"June thirtieth"``. Normalising
    twice changes nothing.

    Args:
        text: the text as approved or heard.
        locale: a BCP 47 tag.
    """
    counted = [piece if isinstance(piece, str) else piece.counted for piece in pieces(text, locale)]
    return cardinals_for_ordinals(fold(join_pieces(counted, locale)), locale)
