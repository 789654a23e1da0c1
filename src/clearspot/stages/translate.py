"""translate: the script's lines in another locale, each approved, or a draft that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from clearspot.approvals import Approvals, ApprovalState
from clearspot.engines.protocols import Translator
from clearspot.errors import Refused
from clearspot.spot import DISCLOSURE_ID, Spot

LineStatus = Literal["approved", "draft"]


@dataclass(frozen=True, slots=True)
class LocalLine:
    """One line in its locale: what will be spoken, who says it may be, and where a draft came from."""

    id: str
    text: str
    status: LineStatus
    approved_by: str = ""
    approved_at: str = ""
    drafted_by: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """All lines of a spot in one locale, in the script's order."""

    locale: str
    disclosure: str
    lines: tuple[LocalLine, ...]

    @property
    def spoken(self) -> tuple[tuple[str, str], ...]:
        """Id and text of everything that is spoken, in order, the disclosure first."""
        return ((DISCLOSURE_ID, self.disclosure), *((line.id, line.text) for line in self.lines))


def translate(
    spot: Spot,
    locale: str,
    disclosure: str,
    approvals: Approvals,
    translator: Callable[[str, str], Translator | None],
) -> Translation:
    """Lines from the approved file; those that it lacks are drafted by the first engine that knows the pair.

    Args:
        spot: The spot with its translation files.
        locale: One of its locales.
        disclosure: The wording of the spoken disclosure in that locale.
        approvals: Its sign-offs.
        translator: Gives the engine for a pair of locales, or None.

    Raises:
        Refused: A line is not approved and the spot's policy lets no draft out, or no engine can draft it.
    """
    file = spot.translations.get(locale)
    written = file.lines if file else {}
    lines = tuple(
        _written(spot, locale, line_id, written[line_id], approvals)
        if line_id in written
        else _draft(spot, locale, line_id, translator)
        for line_id in spot.script.lines
    )
    drafts = [line for line in lines if line.status == "draft"]
    if drafts and spot.order.policy.drafts == "refuse":
        told = "; ".join(f"{line.id}: {line.text!r} ({line.drafted_by})" for line in drafts)
        raise Refused(
            f"not approved in {locale}: {told}.",
            where=str(spot.folder / "translations" / f"{locale}.yaml"),
            remedy=(
                f"Correct the lines there, then: clearspot approve translation {spot.folder} --locale {locale} "
                "--by NAME. A draft goes out only where spot.yaml says policy: {drafts: export}."
            ),
        )
    return Translation(locale, disclosure, lines)


def still_approved(translation: Translation, spot: Spot, approvals: Approvals) -> Translation:
    """A translation with its lines' sign-offs as they are now: one that was taken back makes a draft."""
    lines = tuple(
        line
        if line.status == "draft" or _state(spot, translation.locale, line, approvals) == "approved"
        else replace(line, status="draft", drafted_by="approval withdrawn")
        for line in translation.lines
    )
    return replace(translation, lines=lines)


def _state(spot: Spot, locale: str, line: LocalLine, approvals: Approvals) -> ApprovalState:
    return approvals.translation_state(spot.script, locale, line.id, line.text)


def _written(spot: Spot, locale: str, line_id: str, text: str, approvals: Approvals) -> LocalLine:
    state = approvals.translation_state(spot.script, locale, line_id, text)
    if state == "approved":
        approval = approvals.translations[locale][line_id]
        return LocalLine(line_id, text, "approved", approval.by, approval.at)
    why = "changed since it was approved" if state == "stale" else "never approved"
    return LocalLine(line_id, text, "draft", drafted_by=why)


def _draft(spot: Spot, locale: str, line_id: str, translator: Callable[[str, str], Translator | None]) -> LocalLine:
    source = spot.script.locale
    engine = translator(source, locale)
    if engine is None:
        raise Refused(
            f"line {line_id!r} is not translated, and no engine here drafts from {source} to {locale}.",
            where=str(spot.folder / "translations" / f"{locale}.yaml"),
            remedy="Write the translation there and have it approved.",
        )
    text = engine.translate(spot.script.lines[line_id], source, locale)
    return LocalLine(line_id, text, "draft", drafted_by=f"draft by {engine.version}")
