"""One use of a voice, and whether a record's scope covers it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

from clearspot.consent.record import ANY, ConsentRecord
from clearspot.consent.registry import Voice
from clearspot.errors import Refused
from clearspot.spot import Spot
from clearspot.text.names import look_alike


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a voice: where, for whom, in what, by whom. When it is says the clock, not who asks.

    ``operator`` is who runs this project; ``source_locale`` the locale of the approved script.
    """

    spot: str
    script_sha256: str
    locale: str
    source_locale: str
    market: str
    advertiser: str
    product: str
    categories: tuple[str, ...]
    medium: str
    purpose: str
    operator: str


def uses_of(spot: Spot, locale: str, operator: str) -> tuple[Use, ...]:
    """The uses of a voice that a spot asks for in one locale, one a market."""
    return tuple(
        Use(
            spot=spot.id,
            script_sha256=spot.script.digest,
            locale=locale,
            source_locale=spot.script.locale,
            market=market,
            advertiser=spot.script.advertiser,
            product=spot.script.product,
            categories=spot.script.categories,
            medium=spot.order.medium,
            purpose=spot.order.purpose,
            operator=operator,
        )
        for market in spot.order.locales[locale].markets
    )


def require_in_scope(voice: Voice, use: Use) -> None:
    """Hold a use against everything in a record that needs no log to know.

    Raises:
        Refused: Something is not covered; the message names record, field, asked and allowed.
    """
    for field, asked, allowed in _beyond(voice.record, use):
        raise out_of_scope(voice, field, asked=asked, allowed=allowed)


def require_in_term(voice: Voice, now: dt.datetime) -> None:
    """Hold a time against a record's term, in the record's own time zone.

    Raises:
        Refused: It is not in force; the message names record, field, asked and allowed.
    """
    record, term = voice.record, voice.record.term
    if record.status != "active":
        raise out_of_scope(voice, "status", asked="active", allowed=record.status)
    day = now.astimezone(zoneinfo.ZoneInfo(term.time_zone)).date().isoformat()
    if not term.start <= day <= term.end:
        field = "term.start" if day < term.start else "term.end"
        raise out_of_scope(voice, field, asked=day, allowed=f"{term.start} to {term.end}, {term.time_zone}")


def out_of_scope(voice: Voice, field: str, *, asked: str, allowed: str) -> Refused:
    """How what a record does not allow is refused: record, field, asked and allowed."""
    record = voice.record
    alike = next((told for name in allowed.split(", ") if (told := look_alike(asked, name))), "")
    return Refused(
        f"consent record {record.id!r} does not allow this: {field}: asked {asked!r}, allowed {allowed!r}"
        + (f" (they look alike, but it {alike})" if alike else "")
        + ".",
        where=f"{voice.consent_path}: {field}",
        remedy="Ask the voice's owner for a record that covers it, or change the spot.",
    )


def _beyond(record: ConsentRecord, use: Use) -> Iterator[tuple[str, str, str]]:
    """Each field that does not cover the use: its name, what was asked, what is allowed."""
    scope = record.scope
    listed = {
        "locales": (use.locale, scope.locales),
        "markets": (use.market, scope.markets),
        "advertisers": (use.advertiser, scope.advertisers),
        "products": (use.product, scope.products),
        "media": (use.medium, scope.media),
        "purposes": (use.purpose, scope.purposes),
    }
    for name, (asked, allowed) in listed.items():
        country = asked.split("-", maxsplit=1)[0] if name == "markets" else asked  # US covers US-NY
        if allowed != ANY and not {asked, country} & set(allowed):
            yield f"scope.{name}", asked, ", ".join(allowed) or "nothing"
    yield from _categories(record, use)
    if use.locale != use.source_locale and not record.derivatives.translation:
        yield "derivatives.translation", f"{use.source_locale} to {use.locale}", "no translation"
    mine = (record.licensee.name, *record.licensee.agents)
    if use.operator not in mine and not record.derivatives.sublicence:
        yield "licensee", use.operator, ", ".join(mine)


def _categories(record: ConsentRecord, use: Use) -> Iterator[tuple[str, str, str]]:
    excluded = record.scope.excluded_categories
    if not excluded:
        return
    allowed = f"anything but {', '.join(excluded)}"
    if not use.categories:  # what an ad is for must be said where something is ruled out
        yield "scope.excluded_categories", "no categories in script.yaml", allowed
    for category in use.categories:
        if category in excluded:
            yield "scope.excluded_categories", category, allowed
