"""The report's page: what it says, that nothing in it runs or fetches, and that everybody can read it."""

# ruff: noqa: RUF001  (pages have dashes, minus signs and Arabic letters)

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from clearspot.gate.rules import Finding
from clearspot.media.loudness import LoudnessOverTime
from clearspot.report import charts, page
from clearspot.report.data import Approval, ByHand, Clip, Deliverable, Fact, Media, Policy, Problem, RunReport, Sound
from clearspot.report.explanations import EXPLANATIONS, UNKNOWN, explain
from clearspot.report.page import render, visible
from tests.htmltree import Element, parse
from tests.report_scenes import CLIPS, RULE_NAMES, a_deliverable, a_refusal, a_report, a_sound, findings


def shown(*deliverables: Deliverable, **changes: Any) -> Element:
    return parse(render(a_report(*deliverables, **changes)))


# --- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_of_the_gate_is_explained(rule: str) -> None:
    told = EXPLANATIONS[rule]
    assert min(len(told.title), len(told.mend)) > 15
    assert len(told.checks) > 60
    assert rule not in told.title, "a title is for people who do not know the rule's name"
    row = next(row for row in shown(a_refusal(findings=findings(rule))).all("tr") if row.all("code"))
    assert all(part in row.text for part in (rule, told.title, told.checks, told.mend, f"{rule} measured"))


def test_no_two_rules_have_the_same_explanation_and_an_unknown_rule_is_told_as_such() -> None:
    assert len({told.checks for told in EXPLANATIONS.values()}) == len(EXPLANATIONS)
    assert explain("invented-tomorrow") == UNKNOWN
    tree = shown(a_refusal(findings=(Finding("invented-tomorrow", "fail", "x", "y"),)))
    assert UNKNOWN.title in tree.text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("passed", "Passed"), ("refused", "Refused"), ("failed", "Not made"), ("unproven", "Not proven")],
)
def test_a_verdict_is_a_word_and_a_shape_of_its_own(verdict: Any, words: str) -> None:
    tree = shown(a_deliverable(verdict=verdict))
    (badge,) = tree.by_id("of-es-es-podcast").all("div")[0].with_class("badge")
    assert badge.text == words
    (use,) = badge.all("use")
    assert use.attributes["href"] == f"#icon-{verdict}"
    outlines = [symbol.all("path", "circle")[0].attributes for symbol in tree.all("symbol")]
    assert len({str(outline) for outline in outlines}) == len(page.VERDICTS) == len(outlines)


def test_the_top_says_what_when_by_whom_and_how_it_ended() -> None:
    tree = shown()
    (top,) = tree.all("header")
    for part in ("lumen-coffee", "22 November 2026, 14:03 UTC", "Lumen Coffee demo", "Passed 1 of 2", "Refused 1 of 2"):
        assert part in top.text
    rows = tree.by_id("main").with_class("summary")[0].all("tbody")[0].all("tr")
    assert [[cell.text for cell in row.all("th", "td")] for row in rows] == [
        ["Spanish (Spain), Podcast", "Passed", "ES", "loudness measured", "true-peak measured", "duration measured"],
        ["Italian (Italy), Podcast", "Refused", "ES", "loudness measured", "true-peak measured", "duration measured"],
    ]
    for row in rows:
        (link,) = row.all("a")
        assert tree.by_id(link.attributes["href"][1:]).tag == "section"


def test_a_refusal_says_what_where_and_how_to_mend_it_and_its_failures_come_first() -> None:
    section = shown().by_id("of-it-it-podcast")
    problem = section.with_class("problem")[0].text
    assert problem == (
        "the gate refused it. Where lumen-coffee_it-IT_podcast How to mend it Mend what the findings name."
    )
    rows = section.with_class("findings")[0].all("tbody")[0].all("tr")
    assert "disclosure-heard" in rows[0].text
    assert rows[0].with_class("badge")[0].text == "Fail"
    assert len(rows) == len(RULE_NAMES)
    assert "open" in section.all("details")[0].attributes
    assert not section.all("audio")


def test_lines_and_disclosure_stand_in_the_waveform_and_in_a_table() -> None:
    section = shown().by_id("of-es-es-podcast")
    wave = section.with_class("wave")[0]
    assert [title.text for title in wave.all("title")][1:] == [
        "disclosure, 0.2 to 4.0 s: Este anuncio utiliza una voz generada.",
        "hello, 5.0 to 9.0 s: Hola, soy Nora.",
        "legal, 15.0 to 19.5 s: Oferta válida.",
    ]
    rows = section.with_class("lines")[0].all("tbody")[0].all("tr")
    assert [[cell.text for cell in row.all("th", "td")] for row in rows] == [
        ["D disclosure", "0.2–4.0 s", "Este anuncio utiliza una voz generada.", "Este anuncio"],
        [
            "1 hello",
            "5.0–9.0 s",
            "Hola, soy Nora. Hi, I'm Nora.",
            "Hola, soy Nora error rate 0.08, spoken at 1.10 of its natural speed",
        ],
        ["2 legal", "15.0–19.5 s", "Oferta válida. Offer ends.", "nothing error rate 1.00"],
    ]


def test_approvals_consent_policies_and_proof_are_there() -> None:
    section = shown().by_id("of-es-es-podcast")
    approvals = [[cell.text for cell in row.all("th", "td")] for row in section.with_class("approvals")[0].all("tr")]
    assert approvals[1:] == [
        ["The whole script", "Approved", "Ada Producer", "20 November 2026, 09:00 UTC"],
        ["Line hello", "Approved", "Ulla Reviewer", "21 November 2026, 10:30 UTC"],
        ["Line legal", "Not approved", "never approved", "–"],
    ]
    for part in (
        "house-2026-11",
        "ab" * 32,
        "eu-ai-act",
        "Listeners are told before they hear.",
        "tick the box for altered content",
        "cd" * 32,
        "kokoro-onnx 0.6.1",
    ):
        assert part in section.text
    bare = shown(a_deliverable(policies=(), by_hand=())).text
    assert "Policies" not in bare
    assert "To do by hand" not in bare


def test_a_warning_is_told_as_one_and_comes_before_what_passed() -> None:
    passed, warned = Finding("loudness", "pass", "-16.0", "-16"), Finding("watermark-detected", "warn", "0.2", "0.5")
    rows = shown(a_deliverable(findings=(passed, warned))).with_class("findings")[0].all("tr")[1:]
    assert [row.all("td")[0].text for row in rows] == ["Warning", "Pass"]
    assert "only warns" in rows[0].text


def test_the_loudness_chart_says_in_words_and_numbers_what_it_draws() -> None:
    section = shown().by_id("of-es-es-podcast")
    (said,) = section.with_class("loud")[0].all("desc")
    assert said.text == (
        "The whole is −16.1 LUFS; required is −16.0 LUFS, give or take 0.5 LU. The loudest 3 seconds are −15.0 LUFS, "
        "the loudest moment −10.0 LUFS. The numbers follow below."
    )
    assert "short-term at most −12.0 LUFS" in section.with_class("legend")[0].text
    rows = section.with_class("numbers")[0].all("tbody")[0].all("tr")
    assert [cell.text for cell in rows[0].all("th", "td")] == ["0:00", "−10.0 LUFS", "silent"]
    assert len(rows) == 20


def test_a_page_without_deliverables_says_so() -> None:
    tree = parse(render(dataclasses.replace(a_report(), deliverables=())))
    assert "Nothing was asked for." in tree.text
    assert not tree.all("table")


# --- where things stand in the charts -------------------------------------------------------------------------------


def test_clips_stand_at_their_times_and_what_is_outside_is_cut_off() -> None:
    odd = (*CLIPS, Clip("late", "x", 19.0, 99.0), Clip("never", "x", 50.0, 60.0), Clip("early", "x", -5.0, 1.0))
    placed = [(one.number, one.left, one.width) for one in charts.regions(a_deliverable(clips=odd))]
    assert placed == [
        ("D", 1.25, 18.75), ("1", 25.0, 20.0), ("2", 75.0, 22.5), ("3", 95.0, 5.0), ("4", 100.0, 0.0), ("5", 0.0, 5.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("length_s", "labels"),
    [
        (6.5, ["0:00", "0:01", "0:02", "0:03", "0:04", "0:05", "0:06"]),
        (40.0, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25", "0:30", "0:35", "0:40"]),
        (600.0, ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"]),
    ],
)
def test_the_time_axis_has_few_round_times(length_s: float, labels: list[str]) -> None:
    assert [mark.label for mark in charts.time_axis(a_deliverable(sound=a_sound(length_s)))] == labels


def test_loudness_is_drawn_against_its_limits() -> None:
    chart = charts.loudness(a_sound(), a_deliverable().limits)
    span = charts.LOUDNESS_ABOVE_LU + charts.LOUDNESS_BELOW_LU
    assert chart.band_top == pytest.approx((10 - 0.5) / span * 100, abs=0.01)
    assert chart.band_height == pytest.approx(1.0 / span * 100, abs=0.02)
    assert chart.integrated == pytest.approx(10.1 / span * 100, abs=0.01)
    assert chart.short_term_max == pytest.approx(6 / span * 100, abs=0.01)
    drawn = [point.split(",") for point in chart.short_term[1:].split()]
    assert len(drawn) == 170, "the first three seconds have no short-term loudness"
    assert float(drawn[0][0]) == pytest.approx(15.5)
    assert all(0 <= float(y) <= 100 for _, y in drawn)


def test_a_silent_file_and_one_without_limits_are_drawn_too() -> None:
    quiet = LoudnessOverTime(-70.0, (-70.0,) * 9, (-70.0,) * 9)
    silent = Sound(0.9, (), quiet)
    section = shown(a_deliverable(sound=silent, limits=None)).by_id("of-es-es-podcast")
    assert "The whole is silent. The loudest 3 seconds are silent" in section.text
    assert "required" not in section.with_class("legend")[0].text


def test_a_long_programme_has_no_more_points_than_a_short_one() -> None:
    chart = charts.loudness(a_sound(600.0), None)
    assert len(chart.momentary.split()) <= charts.CURVE_POINTS


# --- nothing in it runs, nothing is fetched ---------------------------------------------------------------------------

ATTACKS = {
    "a script": "</script><script>alert(1)</script>",
    "a style": "</style><style>*{display:none}</style>",
    "an image": "<img src=https://evil.example/x onerror=alert(1)>",
    "an attribute": '"\' onmouseover=alert(1) style="color:red" x="',
    "a comment": "<!-- --><svg/onload=alert(1)>",
    "a title": "</title></desc></svg></details></table><h1>",
    "a template": "{{ 7*7 }}{% raw %}{# x #}",
    "an entity": "&lt;b&gt;&#x3c;",
}


def everywhere(text: str) -> RunReport:
    """A report that holds a text in every place where somebody's text may stand."""
    deliverable = a_deliverable(
        name=text,
        locale=text,
        profile=text,
        title=text,
        markets=(text,),
        at=text,
        verdict="unproven",
        problem=Problem(text, text, text),
        media=Media(text, "./x.mp3", "audio/mpeg", 5),
        clips=(Clip(text, text, 0, 1, source=text, heard=text, error_rate=0.5),),
        findings=(Finding(text, "fail", text, text, text),),
        approvals=(Approval(text, text, text, text),),
        consent=(Fact(text, text),),
        policies=(Policy(text, text, text, text),),
        by_hand=(ByHand(text, text, text, text),),
        proof=(Fact(text, text, exact=True),),
        engines=(Fact(text, text),),
    )
    return RunReport(text, text, text, text, text, text, (Fact(text, text),), text, (deliverable,))


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_hostile_text_is_text_wherever_it_stands(attack: str) -> None:
    tree, harmless = parse(render(everywhere(attack))), parse(render(everywhere("harmless")))
    assert [element.tag for element in tree.walk()] == [element.tag for element in harmless.walk()]
    for element, twin in zip(tree.walk(), harmless.walk(), strict=True):
        assert element.attributes.keys() == twin.attributes.keys()
    assert tree.raw.count(attack) == harmless.raw.count("harmless") > 30


HIDDEN = {
    "a right-to-left override": ("save \u202e%03\u202c now", "save ⟦U+202E⟧%03⟦U+202C⟧ now"),
    "an isolate": ("\u2066a\u2069", "⟦U+2066⟧a⟦U+2069⟧"),
    "a zero-width space": ("not\u200bhing", "not⟦U+200B⟧hing"),
    "a control character": ("a\x07b\x00", "a⟦U+0007⟧b⟦U+0000⟧"),
    "half a character": ("a\ud800", "a⟦U+D800⟧"),
    "a line separator": ("a\u2028b", "a⟦U+2028⟧b"),
    "what Persian and Hebrew need": ("می\u200cخواهم \u200fשלום", "می\u200cخواهم \u200fשלום"),
    "ordinary text of anywhere": ("Año 日本 हिन्दी 😀 – ‘x’", "Año 日本 हिन्दी 😀 – ‘x’"),
}


@pytest.mark.parametrize(("text", "seen"), HIDDEN.values(), ids=HIDDEN)
def test_characters_that_hide_or_reorder_words_are_seen(text: str, seen: str) -> None:
    assert visible(text) == seen
    tree = parse(render(everywhere(text)).encode().decode())
    assert tree.raw.count(seen) > 30


def test_no_text_moves_the_text_around_it() -> None:
    """What somebody else wrote stands in an element that keeps its direction to itself."""
    tree = shown(source_locale="ar-EG")
    spoken = tree.with_class("spoken")
    assert {(one.attributes["lang"], one.attributes["dir"]) for one in spoken} == {("es-ES", "ltr"), ("ar-EG", "rtl")}
    assert shown(a_deliverable(locale="he-IL")).with_class("spoken")[0].attributes["dir"] == "rtl"
    assert shown(a_deliverable(locale="??")).with_class("spoken")[0].attributes["dir"] == "auto"


def test_the_only_addresses_are_its_own_places_its_own_bytes_and_files_beside_it() -> None:
    playing = Media("x.mp3", "./x.mp3", "audio/mpeg", 5, b"sound")
    tree = shown(a_deliverable(), a_deliverable(anchor="of-other", media=playing))
    addresses = {
        value
        for element in tree.walk()
        for name, value in element.attributes.items()
        if name in {"src", "href", "action", "poster", "srcset", "data", "xlink:href", "formaction"}
    }
    assert {re.split(r"[^#./]", address)[0] or address.split(";")[0] for address in addresses} <= {
        "#", "./", "data:audio/mpeg", "data:,",
    }  # fmt: skip
    assert f"data:audio/mpeg;base64,{base64.b64encode(b'sound').decode()}" in addresses
    assert not re.search(r"url\(|@import|https?:", page._asset("page.css"))
    assert not re.search(r"fetch|XMLHttp|import\(|WebSocket|innerHTML|eval", page._asset("page.js"))


def test_the_content_policy_allows_its_own_style_and_script_and_nothing_else() -> None:
    tree = shown()
    (policy,) = [m.attributes["content"] for m in tree.all("meta") if "http-equiv" in m.attributes]
    allowed = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    for kind in ("style", "script"):
        (element,) = tree.all(kind)
        digest = base64.b64encode(hashlib.sha256(element.raw.encode()).digest()).decode()
        assert allowed[f"{kind}-src"] == [f"'sha256-{digest}'"]
    assert allowed["default-src"] == allowed["form-action"] == allowed["base-uri"] == ["'none'"]
    assert not [e.tag for e in tree.walk() if any(name == "style" or name.startswith("on") for name in e.attributes)]


# --- everybody can read it --------------------------------------------------------------------------------------------


def test_headings_go_down_one_step_at_a_time_and_there_is_one_first() -> None:
    levels = [int(element.tag[1]) for element in shown().all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert max(levels) == 4


def test_what_is_named_by_id_is_there_once() -> None:
    tree = shown()
    ids = [element.attributes["id"] for element in tree.walk() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    named = [
        name
        for element in tree.walk()
        for key in ("aria-labelledby", "data-player")
        for name in element.attributes.get(key, "").split()
    ]
    links = [element.attributes["href"][1:] for element in tree.all("a", "use") if element.attributes["href"][0] == "#"]
    assert set(named) | set(links) <= set(ids)
    assert len(named) > 6


def test_tables_have_captions_and_scopes_and_pictures_have_names() -> None:
    tree = shown()
    assert len(tree.all("table")) == 8
    for table in tree.all("table"):
        assert len(table.all("caption")) == 1
        assert all(cell.attributes.get("scope") in {"row", "col"} for cell in table.all("th"))
        assert all(cell.attributes["role"] for cell in table.all("tr", "td", "th")), "narrow pages lay them out anew"
    pictures = [svg for svg in tree.all("svg") if svg.attributes.get("role") == "img"]
    assert len(pictures) == 2
    assert all(svg.all("title")[0].text and svg.all("desc")[0].text for svg in pictures)
    inner = [svg for picture in pictures for svg in picture.all("svg")]
    rest = [svg for svg in tree.all("svg") if not any(svg is one for one in inner)]
    assert all(svg.attributes.get("aria-hidden") == "true" for svg in rest), "what has no name is not told"


def test_landmarks_language_and_a_way_past_the_top() -> None:
    tree = shown()
    assert [len(tree.all(tag)) for tag in ("header", "main", "footer")] == [1, 1, 1]
    assert tree.all("html")[0].attributes["lang"] == "en"
    first = tree.all("a")[0]
    assert (first.attributes["href"], first.attributes["class"]) == ("#main", "skip")


def test_nothing_needs_the_script_to_be_read() -> None:
    tree = shown()
    assert not tree.all("button"), "buttons come with the script that makes them work"
    assert not [element for element in tree.walk() if "hidden" in element.attributes]


# --- colours ------------------------------------------------------------------------------------------------------

TEXTS = ["text", "quiet", "link", "pass", "fail", "warn"]
SHAPES = ["wave", "line-edge", "spoken-edge", "momentary", "short-term", "whole", "cursor", "focus"]
Colours = Callable[[str], str]


def schemes() -> dict[str, dict[str, str]]:
    """The colours of the page by name, in light and in dark."""
    blocks = re.findall(r":root \{(.*?)\}", page._asset("page.css"), re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_shapes_stand_out_in(scheme: str) -> None:
    colours = schemes()[scheme]
    assert colours.keys() == schemes()["light"].keys()
    for ground in ("page", "panel"):
        for name in TEXTS:
            assert contrast(colours[name], colours[ground]) >= 4.5, f"{name} on {ground}"
        for name in SHAPES:
            assert contrast(colours[name], colours[ground]) >= 3, f"{name} on {ground}"
    for ground in ("line", "spoken"):
        assert contrast(colours["text"], colours[ground]) >= 4.5
        assert contrast(colours["wave"], colours[ground]) >= 3
