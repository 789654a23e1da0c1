"""Scope: every field of a record held against every use, its term, and how many spots there may be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from clearspot.project import Project
from tests.unit.consent_scenes import AGENT, ANA, SHA_A, Stage, talent_voice

ASK = "Ask the voice's owner for a record that covers it, or change the spot."


@pytest.fixture
def ana(project: Project) -> Stage:
    return talent_voice(project)


# --- what the record allows --------------------------------------------------------------------------------------

ANY = dict.fromkeys(["scope/locales", "scope/markets", "scope/advertisers", "scope/products", "scope/media"], "any")
IN_SCOPE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exactly that": ({}, {}),
    "any of everything": (
        ANY | {"scope/purposes": "any"},
        {"locale": "pt-BR", "market": "BR", "medium": "tv", "advertiser": "X", "product": "Y", "purpose": "internal"},
    ),
    "a country covers its parts": ({"scope/markets": ["US"]}, {"market": "US-NY"}),
    "a part covers itself": ({"scope/markets": ["US-NY"]}, {"market": "US-NY"}),
    "one of several": ({"scope/media": ["tv", "radio"]}, {"medium": "radio"}),
    "an advertiser written in another form of Unicode": (
        {"scope/advertisers": ["Sen\u0303al"]},
        {"advertiser": "Se\u00f1al"},
    ),
    "another category than the excluded": ({"scope/excluded_categories": ["alcohol"]}, {"categories": ("drinks",)}),
    "no categories where none is excluded": ({}, {"categories": ()}),
    "the recording's own locale, not translated": ({"derivatives/translation": False}, {"source_locale": "es-ES"}),
    "an agent of the licensee": ({}, {"operator": AGENT}),
    "anyone, where it may be passed on": ({"derivatives/sublicence": True}, {"operator": "Somebody"}),
}


@pytest.mark.parametrize(("changes", "asked"), IN_SCOPE.values(), ids=IN_SCOPE)
def test_a_use_in_scope(ana: Stage, changes: dict[str, Any], asked: dict[str, Any]) -> None:
    ana.resign(changes)
    use = ana.use(**asked)
    assert ana.authorize(use).uses == (use,)


NO_CATEGORY = "scope.excluded_categories: asked 'no categories in script.yaml', allowed 'anything but alcohol'"
OUT_OF_SCOPE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another locale": ({}, {"locale": "it-IT"}, "scope.locales: asked 'it-IT', allowed 'es-ES'"),
    "the same language elsewhere": ({}, {"locale": "es-MX"}, "scope.locales: asked 'es-MX', allowed 'es-ES'"),
    "another market": ({}, {"market": "MX"}, "scope.markets: asked 'MX', allowed 'ES'"),
    "a part does not cover its country": (
        {"scope/markets": ["US-NY"]},
        {"market": "US"},
        "scope.markets: asked 'US', allowed 'US-NY'",
    ),
    "a part does not cover another part": (
        {"scope/markets": ["US-NY", "CA"]},
        {"market": "US-CA"},
        "scope.markets: asked 'US-CA', allowed 'US-NY, CA'",
    ),
    "a country covers no locale": ({"scope/locales": ["es-ES"]}, {"locale": "es-US"}, "scope.locales: asked 'es-US'"),
    "another advertiser": (
        {},
        {"advertiser": "Gloom Tea"},
        "scope.advertisers: asked 'Gloom Tea', allowed 'Lumen Coffee'",
    ),
    "an advertiser whose name only begins so": (
        {},
        {"advertiser": "Lumen Coffee Ltd"},
        "scope.advertisers: asked 'Lumen Coffee Ltd', allowed 'Lumen Coffee'",
    ),
    "an advertiser in capitals": (
        {},
        {"advertiser": "LUMEN COFFEE"},
        "scope.advertisers: asked 'LUMEN COFFEE', allowed 'Lumen Coffee'",
    ),
    "an advertiser called any": (
        {"scope/advertisers": ["any"]},
        {"advertiser": "Gloom Tea"},
        "scope.advertisers: asked 'Gloom Tea', allowed 'any'",
    ),
    "another product": ({}, {"product": "Tea"}, "scope.products: asked 'Tea', allowed 'Lumen Coffee subscription'"),
    "another medium": ({}, {"medium": "tv"}, "scope.media: asked 'tv', allowed 'radio'"),
    "another purpose": ({}, {"purpose": "internal"}, "scope.purposes: asked 'internal', allowed 'advertising'"),
    "nothing allowed": ({"scope/markets": []}, {}, "scope.markets: asked 'ES', allowed 'nothing'"),
    "an excluded category": (
        {"scope/excluded_categories": ["alcohol", "betting"]},
        {"categories": ("drinks", "betting")},
        "scope.excluded_categories: asked 'betting', allowed 'anything but alcohol, betting'",
    ),
    "no category where some are excluded": (
        {"scope/excluded_categories": ["alcohol"]},
        {"categories": ()},
        NO_CATEGORY,
    ),
    "a translation": (
        {"derivatives/translation": False},
        {},
        "derivatives.translation: asked 'en-US to es-ES', allowed 'no translation'",
    ),
    "a translation into the same language elsewhere": (
        {"derivatives/translation": False},
        {"source_locale": "es-MX"},
        "derivatives.translation: asked 'es-MX to es-ES', allowed 'no translation'",
    ),
    "somebody else's project": (
        {},
        {"operator": "Gloom Studios"},
        "licensee: asked 'Gloom Studios', allowed 'Lumen Coffee SL, Studio Norte'",
    ),
    "the advertiser is not the licensee": (
        {},
        {"operator": "Lumen Coffee"},
        "licensee: asked 'Lumen Coffee', allowed 'Lumen Coffee SL, Studio Norte'",
    ),
    "the talent is no licensee either": ({}, {"operator": ANA}, f"licensee: asked {ANA!r}, allowed 'Lumen Coffee SL,"),
    "revoked by its own word": ({"status": "revoked"}, {}, "status: asked 'active', allowed 'revoked'"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "asked", "told"), OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE)
def test_a_use_out_of_scope_is_told_with_what_was_asked_and_what_is_allowed(
    ana: Stage, changes: dict[str, Any], asked: dict[str, Any], told: str
) -> None:
    ana.resign(changes)
    field, refused = told.split(":", maxsplit=1)[0], str(ana.refusal(ana.use(**asked)))
    assert refused.startswith(f"{ana.consent}: {field}: consent record 'ana-2026-11' does not allow this: {told}")
    assert refused.endswith(f"'. {ASK}")


def test_a_grant_is_for_all_markets_of_one_locale(ana: Stage) -> None:
    ana.resign({"scope/markets": ["ES", "MX"]})
    uses = tuple(ana.use(market=market) for market in ("ES", "MX"))
    assert ana.authorize(*uses).uses == uses
    assert "scope.markets: asked 'AR', allowed 'ES, MX'" in str(ana.refusal(*uses, ana.use(market="AR")))


SEVERAL = {
    "two locales": {"locale": "it-IT"},
    "two spots": {"spot": "another"},
    "two advertisers": {"advertiser": "Gloom Tea"},
    "two products": {"product": "Tea"},
    "two scripts": {"script_sha256": SHA_A},
    "two operators": {"operator": AGENT},
}


@pytest.mark.parametrize("other", SEVERAL.values(), ids=SEVERAL)
def test_the_uses_of_a_grant_differ_in_nothing_but_their_market(ana: Stage, other: dict[str, Any]) -> None:
    """What is written down, and counted, is the first of them."""
    ana.resign(ANY)
    with pytest.raises(ValueError, match="exactly one spot in one locale"):
        ana.authorize(ana.use(), ana.use(**other))


def test_a_grant_is_for_a_use(ana: Stage) -> None:
    from clearspot.consent.grant import authorize

    with pytest.raises(ValueError, match="exactly one spot in one locale"):
        authorize(ana.load(), (), ana.authority, weights=ana.weights, step="speak")


# --- the term ----------------------------------------------------------------------------------------------------


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


DECEMBER = "2026-12-01 to 2026-12-31"
TERMS: dict[str, tuple[str, str, str]] = {
    "its first moment": ("UTC", "2026-12-01T00:00:00+00:00", ""),
    "its last moment": ("UTC", "2026-12-31T23:59:59+00:00", ""),
    "a moment too early": ("UTC", "2026-11-30T23:59:59+00:00", "term.start: asked '2026-11-30'"),
    "a moment too late": ("UTC", "2027-01-01T00:00:00+00:00", "term.end: asked '2027-01-01'"),
    "23:30 of the last day in New York": ("America/New_York", "2026-12-31T23:30:00-05:00", ""),
    "the same moment, by a term in UTC": ("UTC", "2026-12-31T23:30:00-05:00", "term.end: asked '2027-01-01'"),
    "half past midnight in New York": ("America/New_York", "2027-01-01T00:30:00-05:00", "term.end: asked '2027-01-01'"),
    "23:30 of the day before in New York": (
        "America/New_York",
        "2026-11-30T23:30:00-05:00",
        "term.start: asked '2026-11-30'",
    ),
    "the same moment, by a term in Tokyo": ("Asia/Tokyo", "2026-11-30T23:30:00-05:00", ""),
    "the first morning on Kiritimati": ("Pacific/Kiritimati", "2026-11-30T10:00:00+00:00", ""),
    "the last evening on Pago Pago": ("Pacific/Pago_Pago", "2027-01-01T10:59:59+00:00", ""),
}


@pytest.mark.parametrize(("zone", "time", "told"), TERMS.values(), ids=TERMS)
def test_a_term_begins_and_ends_with_the_days_of_its_own_time_zone(ana: Stage, zone: str, time: str, told: str) -> None:
    ana.resign({"term": {"start": "2026-12-01", "end": "2026-12-31", "time_zone": zone}})
    if not told:
        assert ana.authorize(authority=ana.at(at(time))).at == at(time)
        return
    refused = str(ana.refusal(authority=ana.at(at(time))))
    field = told.split(":", maxsplit=1)[0]
    assert refused == (
        f"{ana.consent}: {field}: consent record 'ana-2026-11' does not allow this: {told}, "
        f"allowed '{DECEMBER}, {zone}'. {ASK}"
    )


# --- how many spots ----------------------------------------------------------------------------------------------


def test_the_permitted_spots_are_counted_from_the_log(ana: Stage) -> None:
    ana.resign({"scope/max_spots": 2, "scope/products": "any"})
    for spot in ("one", "two", "one"):
        for step in ("prepare", "speak", "export"):
            assert ana.authorize(ana.use(spot=spot), step=step).uses[0].spot == spot
    told = "scope.max_spots: asked 'three as spot 3', allowed '2'. "
    assert told in str(ana.refusal(ana.use(spot="three")))
    assert ana.authorize(ana.use(spot="two")).voice == "ana", "what was permitted once stays so"
    assert "asked 'one as spot 3'" in str(ana.refusal(ana.use(spot="one", product="Tea"))), "another product"


def test_what_was_refused_is_no_spot(ana: Stage) -> None:
    ana.resign({"scope/max_spots": 1})
    ana.refusal(ana.use(spot="one", market="MX"))
    assert ana.authorize(ana.use(spot="two")).uses[0].spot == "two"


def test_spots_are_counted_over_the_records_of_one_id(ana: Stage) -> None:
    """A record that only changed a word does not begin anew."""
    ana.resign({"scope/max_spots": 1})
    ana.authorize(ana.use(spot="one"))
    ana.follow({"exclusivity": "none"})
    assert "scope.max_spots: asked 'two as spot 2', allowed '1'" in str(ana.refusal(ana.use(spot="two")))
    ana.follow({"scope/max_spots": 2})
    assert ana.authorize(ana.use(spot="two")).uses[0].spot == "two"
