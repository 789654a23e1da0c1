"""What each shipped policy asks, for which markets, from which day; and how several add up."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearspot.config import load_disclosure
from clearspot.consent.record import BASES, Scope
from clearspot.disclosure import DisclosureAsked, Wording
from clearspot.errors import BadInput
from clearspot.gate.policy import BASELINE, SOFT_RULES, Basis, Policy, ScopeField, Tag, load_policies, policy_day
from clearspot.gate.requirements import (
    ORDER,
    ConsentAsked,
    Requirements,
    add_up,
    requirements,
    requirements_of,
)
from clearspot.gate.rules import RULES
from clearspot.provenance.tags import Tags
from clearspot.spot import load_spot
from tests.conftest import DEMO, Scene, edit
from tests.unit.policy_scenes import SHIPPED, TODAY, WHY, asked, not_weaker, policies, policy, some_policies

ALL = load_policies(SHIPPED)
NINE = {
    "Title",
    "Language",
    "Comment",
    "DigitalSourceType",
    "Provider",
    "System",
    "SystemVersion",
    "Created",
    "UniqueId",
}
PLAIN = DisclosureAsked()
ANY_BASIS = ConsentAsked()
OF_TN = ConsentAsked(bases=frozenset({"talent", "synthetic"}))
OF_CA = ConsentAsked(bases=OF_TN.bases, stated=frozenset({"products", "media", "purposes"}))
OF_SAG = ConsentAsked(bases=frozenset({"talent"}), stated=frozenset({"products", "max_spots"}), per_spot=True)
ONE_MINUTE = DisclosureAsked(repeat_every_s=60)
CHINESE = DisclosureAsked(
    must_hold=(("AI", "人工智能"), ("合成", "生成")),
    characters_per_minute=(120, 160),
)


def of(*markets: str, named: tuple[str, ...] = (), today: dt.date = TODAY) -> Requirements:
    return requirements(ALL, markets, named, today)


# --- every row of the table of rules: what a market or a name asks for, beside the baseline -------------------------

# Markets, named policies; policies in force; disclosure; tags beside the nine; watermark; consent; people.
ROWS: dict[str, tuple[list[str], tuple[str, ...], set[str], DisclosureAsked, set[str], bool, ConsentAsked, int]] = {
    "baseline": (["AR"], (), set(), PLAIN, set(), False, ANY_BASIS, 0),
    "eu-ai-act": (["ES"], (), {"eu-ai-act"}, ONE_MINUTE, set(), True, ANY_BASIS, 1),
    "us-ny": (["US-NY"], (), {"us-ny"}, PLAIN, set(), False, ANY_BASIS, 0),
    "us-ca": (["US-CA"], (), {"us-ca"}, PLAIN, set(), False, OF_CA, 2),
    "us-tn": (["US-TN"], (), {"us-tn"}, PLAIN, set(), False, OF_TN, 0),
    "us-sag-aftra": (["US-OH"], ("us-sag-aftra",), {"us-sag-aftra"}, PLAIN, set(), False, OF_SAG, 3),
    "cn": (["CN"], (), {"cn"}, CHINESE, {"AIGC"}, False, ANY_BASIS, 0),
    "in": (["IN"], (), {"in"}, PLAIN, set(), False, ANY_BASIS, 0),
    "platform-youtube": (["BR"], ("platform-youtube",), {"platform-youtube"}, PLAIN, set(), False, ANY_BASIS, 1),
    "platform-tiktok": (["BR"], ("platform-tiktok",), {"platform-tiktok"}, PLAIN, set(), False, ANY_BASIS, 1),
    "platform-meta": (["BR"], ("platform-meta",), {"platform-meta"}, PLAIN, set(), False, ANY_BASIS, 1),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_table(row: str) -> None:
    markets, named, besides, disclosure, more_tags, watermark, consent, people = ROWS[row]
    got = of(*markets, named=named)
    assert set(got.policies) == {BASELINE} | besides
    assert got.disclosure == disclosure
    assert got.tags == NINE | more_tags
    assert got.manifest, "always"
    assert got.watermark is watermark
    assert got.severity_of("watermark-detected") == "fail", "also where no market asks for a watermark"
    assert got.consent == consent
    assert len(got.instructions) == people
    assert got.conflicts == ()


def test_the_union_wants_a_way_to_detect_the_marking() -> None:
    """The code of practice does: whoever marks also says how others find the marks."""
    (instruction,) = of("ES").instructions
    assert "trust anchors" in instruction.do
    assert "clearspot verify" in instruction.do


def test_the_table_is_what_is_shipped() -> None:
    assert set(ALL) == set(ROWS)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_shipped_policy_says_where_it_comes_from(name: str) -> None:
    one = ALL[name]
    assert one.checked == "2026-11-22"
    assert "not legal advice" in one.notice
    assert all(source.what for source in one.sources)
    assert all(asked.known_from != "official" for _, asked in one.each_asked()), "nobody read an official text"
    text = SHIPPED.configs("policies")[name].read_text(encoding="utf-8")
    assert text.startswith("# "), "its first line says what it is"


@pytest.mark.parametrize(
    ("name", "asks_for"),
    [
        ("eu-ai-act", {"disclosure.at_start", "disclosure.repeat_every_s", "manifest", "watermark", "tags", "people"}),
        ("us-ny", {"disclosure.at_start"}),
        ("us-ca", {"tags", "manifest", "consent.bases", "consent.stated", "people"}),
        ("us-tn", {"consent.bases"}),
        ("us-sag-aftra", {"consent.bases", "consent.stated", "consent.per_spot", "people"}),
        ("cn", {"disclosure.at_start", "disclosure.must_hold", "disclosure.characters_per_minute", "tags"}),
        ("in", {"disclosure.at_start", "tags", "manifest"}),
        ("platform-youtube", {"people"}),
    ],
)
def test_each_requirement_names_who_asks_and_why(name: str, asks_for: set[str]) -> None:
    market, named, *_ = ROWS[name]
    reasons = [one for one in of(*market, named=named).reasons if one.policy == name]
    assert {one.requirement for one in reasons} - {"severity.watermark-detected"} == asks_for
    assert all(len(one.why.split()) >= 5 for one in reasons)


def test_what_is_only_remembered_or_read_into_a_law_says_so() -> None:
    known = {(one.policy, one.requirement): one.known_from for one in of("CN", "ES").reasons}
    assert known["cn", "disclosure.must_hold"] == "memory"
    assert known["cn", "disclosure.characters_per_minute"] == "memory"
    assert known["eu-ai-act", "disclosure.repeat_every_s"] == "our-reading"
    assert known["eu-ai-act", "watermark"] == "secondary"


def test_california_asks_for_the_five_fields_of_its_latent_disclosure() -> None:
    (tags,) = ALL["us-ca"].requires.tags
    assert set(tags.value) == {"Provider", "System", "SystemVersion", "Created", "UniqueId"}


def test_the_shipped_wording_holds_what_china_asks_for() -> None:
    wordings: tuple[Wording, ...] = ("short", "long")
    for wording, basis in itertools.product(wordings, BASES):
        text = load_disclosure(SHIPPED, "zh-CN", DisclosureAsked(wording), basis)
        assert all(any(word in text for word in group) for group in of("CN").disclosure.must_hold), text


# --- markets ------------------------------------------------------------------------------------------------------

MEMBERS = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]  # fmt: skip
EEA = ["IS", "LI", "NO"]
PARTS_OF_MEMBERS = ["AX", "GF", "GP", "MF", "MQ", "RE", "YT"]


def test_the_union_and_the_eea_country_by_country() -> None:
    assert len(MEMBERS) == 27
    assert sorted(ALL["eu-ai-act"].markets) == sorted(MEMBERS + EEA + PARTS_OF_MEMBERS)


@pytest.mark.parametrize("market", ["GB", "CH", "NC", "SJ", "TR", "UA", "AR", "HK", "MO"])
def test_a_market_that_no_policy_knows_has_the_baseline(market: str) -> None:
    got = of(market)
    assert set(got.policies) == {BASELINE}
    assert got.only_baseline == (market,)


@pytest.mark.parametrize(
    ("market", "besides"),
    [
        ("US", {"us-ny", "us-ca", "us-tn"}),  # what runs in the whole country runs in each of its states
        ("US-NY", {"us-ny"}),
        ("US-CA", {"us-ca"}),
        ("US-OH", set()),
        ("ES-CT", {"eu-ai-act"}),  # a part has its country's rules
        ("CN-BJ", {"cn"}),
        ("RE", {"eu-ai-act"}),
    ],
)
def test_a_country_and_its_parts(market: str, besides: set[str]) -> None:
    assert set(of(market).policies) == {BASELINE} | besides


def test_several_markets_add_up() -> None:
    together, apart = of("CN", "US", "ES"), [of("CN"), of("US"), of("ES")]
    assert set(together.policies) == set().union(*(one.policies for one in apart))
    assert all(all(not_weaker(together, one).values()) for one in apart)
    assert together.disclosure == DisclosureAsked("short", False, 60, CHINESE.must_hold, (120, 160))


def test_a_policy_of_a_market_may_be_named_too() -> None:
    assert "cn" in of("AR", named=("cn",)).policies


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(BadInput, match=r"there is no policy 'eu-ai'; there is: baseline, cn, eu-ai-act, .* us-tn"):
        of("ES", named=("eu-ai",))


def test_without_a_baseline_nothing_is_required_because_nothing_is_made() -> None:
    with pytest.raises(BadInput, match="there is no policy 'baseline'"):
        requirements({name: one for name, one in ALL.items() if name != BASELINE}, ["ES"], (), TODAY)


# --- days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first_day"),
    [
        ("eu-ai-act", "2026-08-02"),
        ("us-ny", "2026-06-09"),
        ("us-ca", "2026-08-02"),
        ("us-tn", "2024-07-01"),
        ("cn", "2025-09-01"),
        ("in", "2026-02-20"),
    ],
)
def test_a_policy_is_required_from_its_first_day_and_told_before(name: str, first_day: str) -> None:
    market, *_ = ROWS[name]
    day = dt.date.fromisoformat(first_day)
    before, then = of(*market, today=day - dt.timedelta(days=1)), of(*market, today=day)
    assert name not in before.policies
    assert [(one.policy, one.applies_from) for one in before.upcoming] == [(name, first_day)]
    assert before.only_baseline == (), "it is known, only not in force"
    assert name in then.policies
    assert then.upcoming == ()
    assert {one for one in then.reasons if one.policy == name} == set(before.upcoming[0].reasons)


def test_a_policys_day_begins_where_the_day_begins_first() -> None:
    """In Kiritimati it is the second already when it is ten in the morning of the first in London."""
    assert policy_day(dt.datetime(2026, 8, 1, 9, 59, tzinfo=dt.UTC)) == dt.date(2026, 8, 1)
    assert policy_day(dt.datetime(2026, 8, 1, 10, 0, tzinfo=dt.UTC)) == dt.date(2026, 8, 2)


# --- adding up ----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(some_policies, policies)
def test_another_policy_never_weakens_anything(before: list[Policy], another: Policy) -> None:
    """Whatever is in force already, and the baseline always is."""
    base = [ALL[BASELINE], *(one for one in before if one.id != another.id)]
    assert [name for name, held in not_weaker(add_up([*base, another]), add_up(base)).items() if not held] == []


@settings(max_examples=100, deadline=None)
@given(some_policies.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_order_changes_nothing_and_twice_is_once(both: tuple[list[Policy], list[Policy]]) -> None:
    one, another = both
    assert add_up(one) == add_up(another) == add_up([*one, *another])


@settings(max_examples=50, deadline=None)
@given(some_policies, st.lists(st.sampled_from(["US", "US-NY", "ES", "CN", "IN", "AR"]), min_size=1))
def test_requirements_do_not_hang_on_order(some: list[Policy], markets: list[str]) -> None:
    there = dict(ALL) | {one.id: one for one in some}
    backwards = dict(reversed(there.items()))
    one, other = (
        requirements(each, order, (), TODAY) for each, order in ((there, markets), (backwards, markets[::-1]))
    )
    assert one.as_json() == other.as_json()
    assert (one.reasons, one.upcoming) == (other.reasons, other.upcoming)


# What two policies ask, and what they ask together.
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], str, Any]] = {
    "the longer wording": ({"wording": asked("short")}, {"wording": asked("long")}, "wording", "long"),
    "at the end where one wants it": ({"wording": asked("short")}, {"at_end": WHY}, "at_end", True),
    "the shorter time": ({"repeat_every_s": asked(90)}, {"repeat_every_s": asked(30)}, "repeat_every_s", 30),
    "the words of both": (
        {"must_hold": asked([["AI", "KI"]])},
        {"must_hold": asked([["KI", "AI"], ["synthetic"]])},
        "must_hold",
        (("AI", "KI"), ("synthetic",)),
    ),
    "the pace that both allow": (
        {"characters_per_minute": asked([100, 200])},
        {"characters_per_minute": asked([150, 300])},
        "characters_per_minute",
        (150, 200),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_strictest_disclosure_wins(pair: str) -> None:
    one, other, field, strictest = PAIRS[pair]
    together = add_up(policy(id=name, requires={"disclosure": each}) for name, each in (("a", one), ("b", other)))
    assert getattr(together.disclosure, field) == strictest


@pytest.mark.parametrize(
    ("asks", "severity"),
    [
        ([], "fail"),  # where nobody says that a warning will do, it will not
        (["warn"], "warn"),
        (["warn", "warn"], "warn"),
        (["warn", "fail"], "fail"),
        (["warn", "watermark"], "fail"),  # two layers are asked for
    ],
)
def test_a_failure_is_never_made_a_warning(asks: list[str], severity: str) -> None:
    made: dict[str, dict[str, Any]] = {
        "watermark": {"watermark": WHY},
        "warn": {"severity": {"watermark-detected": asked("warn")}},
        "fail": {"severity": {"watermark-detected": asked("fail")}},
    }
    got = add_up(policy(id=f"p{number}", requires=made[ask]) for number, ask in enumerate(asks))
    assert got.severity_of("watermark-detected") == severity


def test_every_other_rule_of_the_gate_always_fails() -> None:
    got = of("AR")
    hard = {rule.__name__.replace("_", "-") for rule in RULES} - set(SOFT_RULES)
    assert {got.severity_of(rule) for rule in hard} == {"fail"}
    assert set(got.severity) == set(SOFT_RULES) == {"watermark-detected"}


def test_what_cannot_be_met_together_is_told() -> None:
    bases = [{"consent": {"bases": asked([basis])}} for basis in ("talent", "synthetic")]
    paces = [{"disclosure": {"characters_per_minute": asked(pace)}} for pace in ([100, 150], [160, 200])]
    made = [policy(id=f"p{number}", requires=one) for number, one in enumerate([*bases, *paces])]
    assert add_up(made).conflicts == (
        "no basis of consent is accepted by all of p0, p1",
        "no pace of the disclosure suits all of p2, p3",
    )
    assert add_up(made[:1]).conflicts == ()


def test_every_name_has_its_place_among_the_requirements() -> None:
    named = {name for one in ALL.values() for name, _ in one.each_asked()}
    assert named <= set(ORDER)


# --- the words of other rooms -------------------------------------------------------------------------------------


def test_the_closed_lists_are_those_of_the_rooms_they_speak_of() -> None:
    assert set(get_args(Basis)) == set(BASES)
    assert set(get_args(ScopeField)) < set(Scope.model_fields)
    assert {*Tags(*[""] * 9).as_pairs()} <= set(get_args(Tag))


# --- spots --------------------------------------------------------------------------------------------------------


def test_the_demo_spot(spot_folder: Path) -> None:
    spot = load_spot(DEMO)
    assert [set(requirements_of(ALL, spot, locale, TODAY).policies) for locale in ("es-ES", "it-IT", "pt-BR")] == [
        {BASELINE, "eu-ai-act"},
        {BASELINE, "eu-ai-act"},
        {BASELINE},
    ]
    assert spot.order.policies == ()


def test_a_spot_names_policies(spot_folder: Path) -> None:
    edit(spot_folder / "spot.yaml", "timing: flow", "policies: [platform-youtube, us-sag-aftra]\ntiming: flow")
    got = requirements_of(ALL, load_spot(spot_folder), "pt-BR", TODAY)
    assert set(got.policies) == {BASELINE, "platform-youtube", "us-sag-aftra"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("us-sag-aftra", "policies: should be a list (it is 'us-sag-aftra')"),
        ("[US-NY]", "policies.0: should be lower-case letters"),
        ("[../cn]", "policies.0: should be lower-case letters"),
        ("[7]", "policies.0: "),
    ],
)
def test_a_spots_policies_are_ids(spot_folder: Path, written: str, told: str) -> None:
    edit(spot_folder / "spot.yaml", "timing: flow", f"policies: {written}\ntiming: flow")
    with pytest.raises(BadInput) as refused:
        load_spot(spot_folder)
    assert told in str(refused.value)


def test_a_run_of_a_spot_with_an_unknown_policy_ends_before_it_begins(scene: Scene, clearspot: Any) -> None:
    edit(scene.spot / "spot.yaml", "timing: flow", "policies: [sag]\ntiming: flow")
    code, _, err = clearspot("run", scene.spot, "--runner", "inline", "--out", scene.out)
    assert code == 2
    assert "spot.yaml: policies: there is no policy 'sag'; there is: baseline, cn, eu-ai-act" in err
    assert scene.files() == []
