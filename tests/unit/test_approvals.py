"""Sign-offs: who approved exactly which words, and what a changed word undoes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clearspot.approvals import (
    FILE,
    approve_script,
    approve_translation,
    load_approvals,
    require_script_approval,
)
from clearspot.errors import BadInput, Refused
from clearspot.spot import load_spot
from clearspot.stages.translate import translate
from tests.conftest import NOW, edit

LINES = ["hello", "roast", "nothing", "offer", "tagline", "legal"]
DISCLOSURE = "Este anuncio utiliza una voz generada por inteligencia artificial."


def states(folder: Path, locale: str = "es-ES") -> dict[str, str]:
    """What is not approved in a locale: each such line and why."""
    spot, approvals = load_spot(folder), load_approvals(folder)
    found = {
        line_id: approvals.translation_state(spot.script, locale, line_id, text)
        for line_id, text in spot.translations[locale].lines.items()
    }
    return {line_id: state for line_id, state in found.items() if state != "approved"}


def script_refusal(folder: Path) -> str:
    with pytest.raises(Refused) as refused:
        require_script_approval(load_spot(folder), load_approvals(folder))
    return str(refused.value)


# --- the script --------------------------------------------------------------------------------------------------


def test_the_demo_script_is_approved(spot_folder: Path) -> None:
    approval = require_script_approval(load_spot(spot_folder), load_approvals(spot_folder))
    assert approval.by == "Demo producer"
    assert list(approval.lines) == LINES


def test_a_script_that_nobody_approved(spot_folder: Path) -> None:
    (spot_folder / FILE).unlink()
    assert script_refusal(spot_folder) == (
        f"{spot_folder / FILE}: the script was never approved. "
        f"Read it, then: clearspot approve script {spot_folder} --by NAME"
    )


ROAST = '  roast:   "Every morning we roast our beans in small batches, by hand."\n'
NOTHING = '  nothing: "No shortcuts. No waste. Just coffee that tastes the way it should."\n'

CHANGED_SCRIPT = {
    "one word": ([("save 30%", "save 40%")], "line offer"),
    "two lines": ([("save 30%", "save 40%"), ("Terms apply", "terms apply")], "line offer, legal"),
    "a line more": ([("lines:\n", 'lines:\n  intro: "Listen."\n')], "line intro"),
    "a line less": ([(ROAST, "")], "line roast"),
    "a line renamed": ([("roast:", "beans:")], "line beans, roast"),
    "two lines swapped": ([(ROAST + NOTHING, NOTHING + ROAST)], "its order, names or protected words"),
    "another protected word": (
        [("[Lumen Coffee, lumencoffee.com]", "[Lumen Coffee]")],
        "its order, names or protected words",
    ),
    "another product": (
        [("Lumen Coffee subscription", "Lumen beans")],
        "its order, names or protected words",
    ),
}


@pytest.mark.parametrize(("edits", "what"), CHANGED_SCRIPT.values(), ids=CHANGED_SCRIPT)
def test_a_script_that_changed_names_exactly_what_changed(
    spot_folder: Path, edits: list[tuple[str, str]], what: str
) -> None:
    # Translations hold only lines that the script has.
    for path in (spot_folder / "translations").iterdir():
        path.unlink()
    for old, new in edits:
        edit(spot_folder / "script.yaml", old, new)
    assert script_refusal(spot_folder) == (
        f"{spot_folder / FILE}: the script changed since Demo producer approved it on 2026-11-22 ({what}). "
        f"Read it, then: clearspot approve script {spot_folder} --by NAME"
    )


def test_a_comment_changes_nothing(spot_folder: Path) -> None:
    edit(spot_folder / "script.yaml", "lines:", "# read twice\nlines:")
    assert require_script_approval(load_spot(spot_folder), load_approvals(spot_folder)).by == "Demo producer"


def test_a_changed_script_can_be_approved_again(spot_folder: Path) -> None:
    edit(spot_folder / "script.yaml", "save 30%", "save 40%")
    before = load_approvals(spot_folder).translations
    approve_script(load_spot(spot_folder), "  Ana Núñez  ", NOW)
    approval = require_script_approval(load_spot(spot_folder), load_approvals(spot_folder))
    assert (approval.by, approval.at) == ("Ana Núñez", "2026-11-22T12:00:00+00:00")
    assert load_approvals(spot_folder).translations == before, "translations keep their sign-offs"


def test_the_time_is_written_in_utc(spot_folder: Path) -> None:
    in_tokyo = dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    approvals = approve_script(load_spot(spot_folder), "Ana", in_tokyo)
    assert approvals.script is not None
    assert approvals.script.at == "2026-11-22T16:30:00+00:00"


# --- translations ------------------------------------------------------------------------------------------------


def test_the_demo_translations_are_approved(spot_folder: Path) -> None:
    assert [states(spot_folder, locale) for locale in ("es-ES", "it-IT", "pt-BR")] == [{}, {}, {}]


def test_a_translation_that_nobody_approved(spot_folder: Path) -> None:
    (spot_folder / FILE).unlink()
    assert states(spot_folder) == dict.fromkeys(LINES, "missing")


STALE = {
    "the translation changed": ("translations/es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %", "offer"),
    "a capital changed": ("translations/es-ES.yaml", "Sin atajos", "sin atajos", "nothing"),
    "the source line changed": ("script.yaml", "save 30%", "save 40%", "offer"),
    "another source line changed": ("script.yaml", "Terms apply", "See terms", "legal"),
}


@pytest.mark.parametrize(("file", "old", "new", "line_id"), STALE.values(), ids=STALE)
def test_only_the_changed_line_is_stale(spot_folder: Path, file: str, old: str, new: str, line_id: str) -> None:
    edit(spot_folder / file, old, new)
    assert states(spot_folder) == {line_id: "stale"}
    others = {} if file != "script.yaml" else {line_id: "stale"}
    assert states(spot_folder, "it-IT") == others


def test_another_source_locale_makes_every_line_stale(spot_folder: Path) -> None:
    edit(spot_folder / "script.yaml", "locale: en-US", "locale: en-GB")
    assert states(spot_folder) == dict.fromkeys(LINES, "stale")


def test_the_sign_off_of_one_locale_or_line_is_not_anothers(spot_folder: Path) -> None:
    path = spot_folder / FILE
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("  es-ES:\n", "  xx:\n").replace("  it-IT:\n", "  es-ES:\n").replace("  xx:\n", "  it-IT:\n"),
        encoding="utf-8",
    )
    assert states(spot_folder) == dict.fromkeys(LINES, "stale")


def test_a_stale_line_is_refused_by_name_with_its_text(spot_folder: Path) -> None:
    edit(spot_folder / "translations" / "es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %")
    spot = load_spot(spot_folder)
    with pytest.raises(Refused) as refused:
        translate(spot, "es-ES", DISCLOSURE, load_approvals(spot_folder), lambda *_: None)
    told = str(refused.value)
    assert told.startswith(f"{spot_folder / 'translations' / 'es-ES.yaml'}: not approved in es-ES: offer: ")
    assert "ahorra un 40 %" in told
    assert "(changed since it was approved)" in told
    assert f"clearspot approve translation {spot_folder} --locale es-ES --by NAME" in told
    assert not any(f"{line_id}: " in told for line_id in LINES if line_id != "offer")


def test_drafts_go_out_where_the_spot_says_so_and_stay_drafts(spot_folder: Path) -> None:
    edit(spot_folder / "spot.yaml", "timing: flow", "timing: flow\npolicy: {drafts: export}")
    edit(spot_folder / "translations" / "es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %")
    translation = translate(load_spot(spot_folder), "es-ES", DISCLOSURE, load_approvals(spot_folder), lambda *_: None)
    assert [line.id for line in translation.lines] == LINES
    assert {line.id: line.status for line in translation.lines if line.status != "approved"} == {"offer": "draft"}


# --- signing off -------------------------------------------------------------------------------------------------


def test_approving_one_line_signs_that_line_alone(spot_folder: Path) -> None:
    edit(spot_folder / "translations" / "es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %")
    edit(spot_folder / "translations" / "es-ES.yaml", "Sin atajos", "Nada de atajos")
    before = load_approvals(spot_folder)
    approve_translation(load_spot(spot_folder), "es-ES", "Ana", NOW, ["offer"])
    assert states(spot_folder) == {"nothing": "stale"}
    after = load_approvals(spot_folder)
    assert after.translations["es-ES"]["offer"].by == "Ana"
    assert after.translations["es-ES"]["hello"] == before.translations["es-ES"]["hello"]
    assert after.translations["it-IT"] == before.translations["it-IT"]
    assert after.script == before.script


def test_approving_a_locale_signs_all_its_lines(spot_folder: Path) -> None:
    (spot_folder / FILE).unlink()
    approve_translation(load_spot(spot_folder), "pt-BR", "Ana", NOW)
    assert states(spot_folder, "pt-BR") == {}
    assert states(spot_folder, "es-ES") == dict.fromkeys(LINES, "missing")
    assert load_approvals(spot_folder).script is None


@pytest.mark.parametrize("name", ["", "   ", "\t\n"])
def test_nobody_cannot_approve(spot_folder: Path, name: str) -> None:
    before = (spot_folder / FILE).read_bytes()
    spot = load_spot(spot_folder)
    with pytest.raises(BadInput, match=r"^--by: should be a person's name\.$"):
        approve_script(spot, name, NOW)
    with pytest.raises(BadInput, match=r"^--by: should be a person's name\.$"):
        approve_translation(spot, "es-ES", name, NOW)
    assert (spot_folder / FILE).read_bytes() == before


def test_a_translation_that_is_not_there_cannot_be_approved(spot_folder: Path) -> None:
    path = spot_folder / "translations" / "es-ES.yaml"
    path.unlink()
    with pytest.raises(BadInput) as refused:
        approve_translation(load_spot(spot_folder), "es-ES", "Ana", NOW)
    assert str(refused.value) == f"{path}: there is no translation to approve. Write it first."


@pytest.mark.parametrize("line_ids", [(), ("roast",)], ids=["all lines", "that line"])
def test_a_line_that_is_not_translated_cannot_be_approved(spot_folder: Path, line_ids: tuple[str, ...]) -> None:
    path = spot_folder / "translations" / "es-ES.yaml"
    edit(path, '  roast:   "Cada mañana tostamos nuestro café en pequeños lotes, a mano."\n', "")
    with pytest.raises(BadInput) as refused:
        approve_translation(load_spot(spot_folder), "es-ES", "Ana", NOW, line_ids)
    assert str(refused.value) == (
        f"{path}: lines: not translated: roast; the file has: hello, nothing, offer, tagline, legal."
    )


def test_an_unknown_line_cannot_be_approved(spot_folder: Path) -> None:
    with pytest.raises(BadInput, match="lines: not translated: lgeal; the file has: hello, roast"):
        approve_translation(load_spot(spot_folder), "es-ES", "Ana", NOW, ["offer", "lgeal"])


WRONG_FILES = {
    "an unknown field": (
        "script:\n  by:",
        "script:\n  of: me\n  by:",
        "script.of: unknown field; known here: by, at, digest, lines",
    ),
    "an unknown locale": ("  es-ES:\n", "  xx-YY:\n", "(it is 'xx-YY')"),
    "a sign-off by nobody": ("  by: Demo producer\n", "", "script.by: is missing"),
    "an alias": ("by: Demo producer", "by: *someone", "aliases (*name) are not allowed here"),
}


@pytest.mark.parametrize(("old", "new", "told"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_file_of_sign_offs_that_is_wrong(spot_folder: Path, old: str, new: str, told: str) -> None:
    edit(spot_folder / FILE, old, new)
    with pytest.raises(BadInput) as refused:
        load_approvals(spot_folder)
    assert str(refused.value).startswith(str(spot_folder / FILE))
    assert told in str(refused.value)


# --- by the command line -----------------------------------------------------------------------------------------


def test_approve_says_which_words_were_signed(spot_folder: Path, clearspot) -> None:  # type: ignore[no-untyped-def]
    edit(spot_folder / "translations" / "es-ES.yaml", "ahorra un 30 %", "ahorra un 40 %")
    arguments = ("--locale", "es-ES", "--line", "offer", "--by", "Ana")
    code, out, err = clearspot("approve", "translation", spot_folder, *arguments)
    assert (code, err) == (0, "")
    assert out == "approved  es-ES offer: Hasta el domingo, ahorra un 40 % en tu primer pedido en lumencoffee.com.\n"
    assert states(spot_folder) == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("script", "--by", ""), "clearspot: --by: should be a person's name.\n"),
        (("script",), "clearspot: Missing option '--by'. clearspot --help shows what there is.\n"),
        (("translation", "--locale", "fr-FR", "--by", "Ana"), "there is no translation to approve. Write it first.\n"),
    ],
    ids=["by nobody", "by whom", "an unknown locale"],
)  # fmt: skip
def test_approve_refuses_in_one_paragraph(  # type: ignore[no-untyped-def]
    spot_folder: Path, clearspot, arguments: tuple[str, ...], told: str
) -> None:
    what, *rest = arguments
    code, out, err = clearspot("approve", what, spot_folder, *rest)
    assert (code, out) == (2, "")
    assert err.startswith("clearspot: ")
    assert err.endswith(told)
    assert err.count("\n") == 1
