"""Policy files that are wrong: each is refused with its file, its field and what it may be. And the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel import Locale

from clearspot.errors import BadInput
from clearspot.gate.explain import LABELS, NOTICE, rows
from clearspot.gate.policy import BASELINE, SOFT_RULES, load_policies
from clearspot.gate.requirements import ORDER, add_up
from clearspot.gate.rules import RULES
from clearspot.project import Project, shipped
from clearspot.spot import NO_COUNTRIES
from clearspot.yamlfile import dump_yaml, load_yaml
from tests.conftest import edit
from tests.unit.policy_scenes import SMALL, WHY, asked, own_policy

Call = Callable[..., tuple[int, str, str]]
MANIFEST = {"manifest": WHY}


def refusal(project: Project, **fields: Any) -> str:
    path = own_policy(project, **fields)
    with pytest.raises(BadInput) as refused:
        load_policies(project)
    told = str(refused.value)
    assert told.startswith(str(path)), told
    assert "\n" not in told, "one paragraph"
    return told.removeprefix(str(path))


# --- hostile and mistaken files -----------------------------------------------------------------------------------

# What a policy says, and what the refusal says.
FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"exempt": ["US-NY"]}, "exempt: unknown field; known here: id, title, notice, markets"),
    "nothing asked": ({"requires": {}}, "requires: asks for nothing"),
    "an unknown requirement": (
        {"requires": MANIFEST | {"skip": True}},
        "requires.skip: unknown field; known here: disclosure, manifest, watermark, tags, consent, severity, people",
    ),
    "an unknown part of the disclosure": (
        {"requires": {"disclosure": {"nowhere": WHY}}},
        "requires.disclosure.nowhere: unknown field; known here: at_start, at_end, wording, repeat_every_s",
    ),
    "the disclosure switched off": (
        {"requires": {"disclosure": {"at_start": False}}},
        "requires.disclosure.at_start: should hold fields (name: value) (it is False)",
    ),
    "a manifest that is not asked for": ({"requires": {"manifest": False}}, "requires.manifest: should hold fields"),
    "no reason": ({"requires": {"manifest": {"known_from": "memory"}}}, "requires.manifest.why: is missing"),
    "an empty reason": ({"requires": {"manifest": WHY | {"why": " "}}}, "requires.manifest.why: "),
    "known from nowhere": ({"requires": {"manifest": {"why": "Because."}}}, "requires.manifest.known_from: is missing"),
    "known from hearsay": (
        {"requires": {"manifest": WHY | {"known_from": "hearsay"}}},
        "'official', 'secondary', 'memory', 'our-reading' or 'house-rule'",
    ),
    "an unknown tag": ({"requires": {"tags": [asked(["Provdier"])]}}, "(it is 'Provdier')"),
    "no tag": ({"requires": {"tags": [asked([])]}}, "at least 1 item"),
    "a tag twice": ({"requires": {"tags": [asked(["AIGC", "AIGC"])]}}, "holds AIGC twice"),
    "a basis that is none": ({"requires": {"consent": {"bases": asked(["implied"])}}}, "(it is 'implied')"),
    "no basis": ({"requires": {"consent": {"bases": asked([])}}}, "at least 1 item"),
    "a scope that is none": ({"requires": {"consent": {"stated": asked(["mood"])}}}, "(it is 'mood')"),
    "a repeat that is none": ({"requires": {"disclosure": {"repeat_every_s": asked(0)}}}, "15 (it is 0)"),
    "an endless repeat": ({"requires": {"disclosure": {"repeat_every_s": asked(float("inf"))}}}, "finite number"),
    "a repeat in words": ({"requires": {"disclosure": {"repeat_every_s": asked("often")}}}, "(it is 'often')"),
    "a pace backwards": (
        {"requires": {"disclosure": {"characters_per_minute": asked([160, 120])}}},
        "should be the lowest and then the highest number",
    ),
    "a pace of one number": ({"requires": {"disclosure": {"characters_per_minute": asked([160])}}}, "is missing"),
    "an empty group of words": ({"requires": {"disclosure": {"must_hold": asked([[]])}}}, "at least 1 item"),
    "an empty word": ({"requires": {"disclosure": {"must_hold": asked([[""]])}}}, "should not be empty"),
    "no markets": ({"markets": []}, "markets: is empty; list countries, or say `all`, or `by_name: true`"),
    "markets and a name": ({"by_name": True}, "markets: should be empty where by_name is true"),
    "everywhere and by name": ({"by_name": True, "markets": "all"}, "markets: should be empty where by_name is true"),
    "a market twice": ({"markets": ["ES", "ES"]}, "holds ES twice"),
    "a market that does not exist": ({"markets": ["QQ"]}, "(it is 'QQ')"),
    "a market that is a group": ({"markets": ["EU"]}, "is no country of ISO 3166; rules are found by country"),
    "Norway without quotes": ({"markets": ["ES", False]}, "markets.1: "),
    "markets in a word": ({"markets": "everywhere"}, "markets: should be a list, or 'all' (it is 'everywhere')"),
    "a day that is none": ({"applies_from": "2026-02-30"}, "applies_from: "),
    "a day in words": ({"applies_from": "soon"}, "applies_from: "),
    "a day without hyphens": ({"applies_from": "20260802"}, "should be a date such as 2026-11-22, or 'always'"),
    "no day": ({"applies_from": None}, "applies_from: "),
    "never checked": ({"checked": ""}, "checked: "),
    "no sources": ({"sources": []}, "sources: "),
    "a source that is no address": (
        {"sources": [{"what": "x", "known_from": "secondary", "url": "javascript:alert(1)"}]},
        "sources.0.url: ",
    ),
    "no notice": ({"notice": ""}, "notice: "),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELDS)
def test_a_wrong_field_is_told(project: Project, case: str) -> None:
    fields, told = FIELDS[case]
    assert told in refusal(project, **fields)


@pytest.mark.parametrize(
    "field", ["id", "title", "notice", "markets", "applies_from", "requires", "sources", "checked"]
)
def test_a_policy_has_all_of_these(project: Project, field: str) -> None:
    path = own_policy(project)
    path.write_text(dump_yaml({name: value for name, value in SMALL.items() if name != field}), encoding="utf-8")
    with pytest.raises(BadInput, match=f"{field}: is missing"):
        load_policies(project)


HOSTILE = {
    "a tag of YAML": ("title: A house rule", "title: !!python/object/apply:os.system [id]", "tags"),
    "an alias": ("title: A house rule", "title: &a x\nnote: *a", "aliases"),
    "a key twice": ("title: A house rule", "title: A house rule\ntitle: B", "'title' is there twice"),
    "half a character": ("title: A house rule", 'title: "\\ud800"', "half a character"),
    "no YAML": ("title: A house rule", "title: [", "is not the YAML we read"),
    "nested without end": ("title: A house rule", f"title: {'[' * 5000}", "is not the YAML we read"),
    "huge": ("title: A house rule", f"title: {'x' * 1_100_000}", "bytes; at most"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(project: Project, case: str) -> None:
    old, new, told = HOSTILE[case]
    path = own_policy(project)
    edit(path, old, new)
    with pytest.raises(BadInput) as refused:
        load_policies(project)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_no_text(project: Project) -> None:
    own_policy(project).write_bytes(b"\xff\xfe\x00id: house")
    with pytest.raises(BadInput, match="is not UTF-8 text"):
        load_policies(project)


HARD_RULES = sorted({rule.__name__.replace("_", "-") for rule in RULES} - set(SOFT_RULES))


@pytest.mark.parametrize("rule", [*HARD_RULES, "lines_heard", ""])
@pytest.mark.parametrize("severity", ["warn", "fail"])
def test_no_file_can_say_how_severe_a_core_rule_is(project: Project, rule: str, severity: str) -> None:
    told = refusal(project, requires=MANIFEST | {"severity": {rule: asked(severity)}})
    assert "only of watermark-detected may a policy say how severe it is; every other rule fails" in told


def test_a_severity_is_fail_or_warn(project: Project) -> None:
    told = refusal(project, requires=MANIFEST | {"severity": {"watermark-detected": asked("ignore")}})
    assert "'fail' or 'warn' (it is 'ignore')" in told


def test_a_file_is_named_as_its_policy(project: Project) -> None:
    own_policy(project).rename(project.root / "configs" / "policies" / "villa.yaml")
    with pytest.raises(BadInput, match=r"villa\.yaml: id: says house, the file is named villa"):
        load_policies(project)


# --- the floor ----------------------------------------------------------------------------------------------------


def own_baseline(project: Project) -> Path:
    path = project.root / "configs" / "policies" / "baseline.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((shipped("configs") / "policies" / "baseline.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


# What is taken out of a project's own baseline, and what is told to be missing.
FLOOR: dict[str, tuple[tuple[str, ...], str]] = {
    "the disclosure": (("disclosure",), "disclosure.at_start"),
    "the manifest": (("manifest",), "manifest"),
    "consent": (("consent",), "consent.bases"),
    "the severity of a missing watermark": (("severity",), "severity.watermark-detected"),
    "the tags": (("tags",), "tags: Title, tags: Language"),
    "all but one": (
        ("disclosure", "manifest", "tags", "consent"),
        "consent.bases, disclosure.at_start, manifest, tags",
    ),
}


@pytest.mark.parametrize("case", FLOOR)
def test_a_projects_baseline_asks_for_no_less(project: Project, case: str) -> None:
    out, told = FLOOR[case]
    path = own_baseline(project)
    fields = load_yaml(path)
    fields["requires"] = {name: value for name, value in fields["requires"].items() if name not in out}
    path.write_text(dump_yaml(fields), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_policies(project)
    assert f"the baseline may ask for more and never for less; it lacks: {told}" in str(refused.value)


def test_a_projects_baseline_lacks_no_tag(project: Project) -> None:
    edit(own_baseline(project), "Created, UniqueId]", "Created]")
    with pytest.raises(BadInput, match="it lacks: tags: UniqueId"):
        load_policies(project)


@pytest.mark.parametrize(
    ("old", "new"), [("markets: all", "markets: [ES]"), ("applies_from: always", "applies_from: 2030-01-01")]
)
def test_a_projects_baseline_holds_everywhere_and_always(project: Project, old: str, new: str) -> None:
    edit(own_baseline(project), old, new)
    with pytest.raises(BadInput, match="the baseline holds in all markets, always"):
        load_policies(project)


def test_a_projects_baseline_may_ask_for_more(project: Project) -> None:
    edit(own_baseline(project), "  manifest:\n", "  watermark: {why: Ours., known_from: house-rule}\n  manifest:\n")
    assert load_policies(project)[BASELINE].requires.watermark is not None


def test_comments_and_order_do_not_change_what_a_policy_says(project: Project) -> None:
    before = load_policies(project)[BASELINE].digest
    path = own_baseline(project)
    path.write_text(dump_yaml(dict(reversed(load_yaml(path).items()))), encoding="utf-8")
    assert load_policies(project)[BASELINE].digest == before
    edit(path, "Signed by whoever", "signed by whoever")
    assert load_policies(project)[BASELINE].digest != before


# --- the command --------------------------------------------------------------------------------------------------


def test_list(project: Project, clearspot: Call) -> None:
    own_policy(project, markets="all", applies_from="2099-01-01")
    code, out, err = clearspot("policy", "list", "--on", "2026-07-01")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()}
    assert lines["house"] == "house all UPCOMING, from 2099-01-01 2026-11-22 project's A house rule"
    assert lines["us-ny"].startswith("us-ny US-NY in force since 2026-06-09 2026-11-22 shipped New York")
    assert lines["us-sag-aftra"].startswith("us-sag-aftra by name in force since 2025-04-01, where a spot names it")
    assert "AT, BE, BG, and 34 more UPCOMING, from 2026-08-02" in lines["eu-ai-act"]
    assert out.endswith(f"{NOTICE}\n")


def test_list_for_machines(project: Project, clearspot: Call) -> None:
    code, out, _ = clearspot("policy", "list", "--json", "--on", "2026-07-01")
    told = json.loads(out)
    assert code == 0
    assert {one["id"]: one["in_force"] for one in told["policies"]}["eu-ai-act"] is False
    assert all(one["sources"] and one["checked"] and len(one["sha256"]) == 64 for one in told["policies"])


def test_explain_of_the_demo_spot(spot_folder: Path, clearspot: Call) -> None:
    code, out, err = clearspot("policy", "explain", spot_folder, "--on", "2026-11-22")
    assert (code, err) == (0, "")
    spain, italy, brazil = (part for part in out.split("\n\n") if " in " in part.splitlines()[0])
    assert spain.startswith("es-ES in ES: baseline, eu-ai-act\n")
    assert italy.startswith("it-IT in IT: baseline, eu-ai-act\n")
    assert brazil.startswith("pt-BR in BR: baseline\nno policy but the baseline knows BR\n")
    said = [" ".join(line.split()) for line in spain.splitlines()]
    assert any(line.startswith("watermark not found fail baseline") for line in said)
    assert any(line.startswith("watermark in the sound eu-ai-act The second layer of the marking is") for line in said)
    assert any(line.startswith("disclosure, repeated every 60 s in anything longer eu-ai-act") for line in said)
    assert any(line.endswith("our-reading") for line in said)
    assert any(line.startswith("eu-ai-act: Systems that were on the market before that day") for line in said)
    assert "watermark in the sound" not in " ".join(brazil.split())
    assert out.endswith(f"{NOTICE}\n")


def test_explain_before_a_policys_first_day(spot_folder: Path, clearspot: Call) -> None:
    code, out, _ = clearspot("policy", "explain", spot_folder, "--locale", "es-ES", "--on", "2026-08-01")
    said = " ".join(out.split())
    assert code == 0
    assert said.startswith("es-ES in ES: baseline, eu-ai-act from 2026-08-02 ")
    assert "watermark in the sound eu-ai-act, UPCOMING: from 2026-08-02 The second layer" in said
    assert "watermark not found fail baseline" in said


def test_explain_today(spot_folder: Path, clearspot: Call) -> None:
    code, out, _ = clearspot("policy", "explain", spot_folder, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["locales"]["pt-BR"]["only_baseline"] == ["BR"]
    assert told["on"] >= "2026"


def test_explain_for_a_spot_of_all_markets(spot_folder: Path, clearspot: Call) -> None:
    """Every country there is, and every name: each policy is there, with every requirement, a reason and its source."""
    countries = sorted(code for code in Locale("en").territories if len(code) == 2 and code.isalpha())
    countries = [code for code in countries if code not in NO_COUNTRIES]
    assert len(countries) == 250, "the 249 of ISO 3166-1, and Kosovo"
    markets = ", ".join(f'"{code}"' for code in countries)
    edit(spot_folder / "spot.yaml", "{markets: [ES]}", f"{{markets: [{markets}]}}")
    named = "us-sag-aftra, platform-youtube, platform-tiktok, platform-meta"
    edit(spot_folder / "spot.yaml", "timing: flow", f"policies: [{named}]\ntiming: flow")
    code, out, _ = clearspot("policy", "explain", spot_folder, "--locale", "es-ES", "--json", "--on", "2026-11-22")
    told = json.loads(out)["locales"]["es-ES"]
    assert code == 0
    assert set(told["policies"]) == {one.stem for one in (shipped("configs") / "policies").glob("*.yaml")}
    assert {one["policy"] for one in told["reasons"]} == set(told["policies"])
    assert all(one["why"] and one["known_from"] and one["asked"] for one in told["reasons"])
    assert told["disclosure"] == {
        "wording": "short",
        "at_end": False,
        "repeat_every_s": 60,
        "must_hold": [["AI", "人工智能"], ["合成", "生成"]],
        "characters_per_minute": [120, 160],
    }
    assert told["consent"]["bases"] == ["talent"]
    assert "AIGC" in told["tags"]
    assert {"GB", "JP", "BR"} < set(told["only_baseline"])
    assert len(told["instructions"]) == 9
    code, table, _ = clearspot("policy", "explain", spot_folder, "--locale", "es-ES", "--on", "2026-11-22")
    assert code == 0
    assert all(one["why"] in table for one in told["reasons"])


def test_explain_says_what_cannot_be_met(project: Project, spot_folder: Path, clearspot: Call) -> None:
    own_policy(project, requires={"consent": {"bases": asked(["synthetic"])}})
    edit(spot_folder / "spot.yaml", "timing: flow", "policies: [us-sag-aftra]\ntiming: flow")
    code, out, _ = clearspot("policy", "explain", spot_folder, "--locale", "es-ES")
    assert code == 0
    assert "CANNOT BE MET: no basis of consent is accepted by all of baseline, house, us-sag-aftra" in out
    assert "consent accepted none is left together" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--locale", "fr-FR"), "--locale: spot 'lumen-coffee' has no fr-FR; it has: es-ES, it-IT, pt-BR."),
        (("--on", "tomorrow"), "--on: 'tomorrow' is no date; write it like 2027-01-31."),
    ],
)
def test_explain_of_what_is_not_there(
    spot_folder: Path, clearspot: Call, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = clearspot("policy", "explain", spot_folder, *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_explain_of_a_policy_that_is_not_there(spot_folder: Path, clearspot: Call) -> None:
    edit(spot_folder / "spot.yaml", "timing: flow", "policies: [sag]\ntiming: flow")
    code, out, _ = clearspot("policy", "explain", spot_folder, "--json")
    assert code == 2
    assert "spot.yaml: policies" in json.loads(out)["error"]["where"]
    assert "there is no policy 'sag'; there is: baseline, cn" in json.loads(out)["error"]["what"]


def test_who_asks_in_another_order_asks_for_the_same(project: Project) -> None:
    house = {
        "disclosure": {"must_hold": asked([["b", "a"], ["a", "b"]])},
        "consent": {"bases": asked(["synthetic", "talent"]), "stated": asked(["media", "products"])},
        "tags": [asked(["UniqueId", "Title"])],
    }
    own_policy(project, requires=house)
    got = add_up([load_policies(project)["house"]])
    assert [row.asked for row in rows(got) if row.by == "house"] == [
        "a or b", "Title, UniqueId", "talent, synthetic", "products, media: said, not any",
    ]  # fmt: skip
    assert [row for row in rows(got) if row.by == "together"] == []


def test_every_requirement_has_a_label() -> None:
    assert set(LABELS) == set(ORDER)
