"""A spot's files: every wrong field is told with its file, its value and the choices; digests follow the words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clearspot.errors import BadInput
from clearspot.spot import Script, load_spot
from clearspot.yamlfile import load_model
from tests.conftest import DEMO, edit

DEMO_DIGEST = "90532dbf60ab508591c4b5cf355b6abefcf98a81fff49ee2f8139f2df5e8b420"

LONG = "a" * 2_000


def refusal(folder: Path) -> str:
    with pytest.raises(BadInput) as refused:
        load_spot(folder)
    told = str(refused.value)
    assert "\n" not in told, "one paragraph"
    return told


def test_the_demo_spot_loads(spot_folder: Path) -> None:
    spot = load_spot(spot_folder)
    assert spot.id == "lumen-coffee"
    assert list(spot.order.locales) == ["es-ES", "it-IT", "pt-BR"]
    assert spot.order.locales["pt-BR"].markets == ("BR",)
    assert list(spot.script.lines) == ["hello", "roast", "nothing", "offer", "tagline", "legal"]
    assert sorted(spot.translations) == ["es-ES", "it-IT", "pt-BR"]
    assert spot.recording == (spot_folder / "recording.flac").resolve()
    assert spot.bed == (spot_folder / "bed.opus").resolve()
    assert spot.order.duration_s == 40
    assert spot.order.policy.drafts == "refuse"
    assert spot.commercial


SPOT_FIELDS = (
    "id, voice, script, recording, bed, locales, profiles, timing, duration_s, medium, purpose, policy, policies"
)
BCP47 = "should be a BCP-47 tag of language and territory that exists, such as es-ES or pt-BR"
ISO3166 = "should be an ISO 3166 country such as ES, or a part of one such as US-NY"
ID = "should be lower-case letters, digits and hyphens, at most 64"
MEDIA = "'radio', 'online-audio', 'podcast', 'in-store', 'tv' or 'online-video'"

# What is edited in spot.yaml, and what the refusal says. No new text: the old is taken out.
SPOT_YAML: dict[str, tuple[str, str, list[str]]] = {
    "an unknown key": ("timing: flow", "timeing: flow", [f"timeing: unknown field; known here: {SPOT_FIELDS}"]),
    "an unknown key in policy": (
        "timing: flow",
        "policy: {draft: export}",
        ["policy.draft: unknown field; known here: drafts"],
    ),
    "an unknown key in a locale": (
        "{markets: [ES]}",
        "{markets: [ES], market: ES}",
        ["locales.es-ES.market: unknown field; known here: markets"],
    ),
    "a key twice": ("timing: flow", "timing: flow\nid: other", ["the key 'id' is there twice"]),
    "no id": ("id: lumen-coffee\n", "", ["id: is missing"]),
    "no voice": ("voice: house\n", "", ["voice: is missing"]),
    "no recording": ("recording: recording.flac\n", "", ["recording: is missing"]),
    "no medium": ("medium: radio\n", "", ["medium: is missing"]),
    "no profiles": ("profiles: [broadcast-eu, podcast, stream]\n", "", ["profiles: is missing"]),
    "an empty id": ("id: lumen-coffee", 'id: ""', [f"id: {ID} (it is '')"]),
    "capitals in the id": ("id: lumen-coffee", "id: Lumen", [f"id: {ID} (it is 'Lumen')"]),
    "a path as the id": ("id: lumen-coffee", "id: ../x", [f"id: {ID} (it is '../x')"]),
    "a number as the id": ("id: lumen-coffee", "id: 7", ["id: ", "valid string (it is 7)"]),
    "a long id": ("id: lumen-coffee", f"id: {'a' * 65}", [f"id: {ID} (it is 'aaaa"]),
    "a voice that is a path": ("voice: house", "voice: voices/house", [f"voice: {ID} (it is 'voices/house')"]),
    "an unknown locale": ("es-ES:", "xx-YY:", ["locales.xx-YY", BCP47, "(it is 'xx-YY')"]),
    "an unknown territory": ("es-ES:", "es-QQQ:", ["locales.es-QQQ", BCP47, "(it is 'es-QQQ')"]),
    "a locale without territory": ("es-ES:", "es:", ["locales.es", BCP47, "(it is 'es')"]),
    "a locale with an underscore": ("es-ES:", "es_ES:", ["locales.es_ES", BCP47, "(it is 'es_ES')"]),
    "a locale in the wrong case": ("es-ES:", "ES-es:", ["locales.ES-es", BCP47, "(it is 'ES-es')"]),
    "a locale that is a number": ("es-ES:", "34:", ["the key 34 is not text; put it in quotes"]),
    "Norwegian without quotes": ("es-ES:", "no:", ["the key False is not text; put it in quotes"]),
    "a locale without markets": ("{markets: [ES]}", "{}", ["locales.es-ES.markets: is missing"]),
    "a locale with nothing": ("{markets: [ES]}", "", ["locales.es-ES: ", "(it is None)"]),
    "no market": ("[ES]", "[]", ["locales.es-ES.markets: ", "at least 1 item", "(it is [])"]),
    "a market that is no list": ("[ES]", "ES", ["locales.es-ES.markets: ", "(it is 'ES')"]),
    "a malformed market": ("[ES]", "[Spain]", ["locales.es-ES.markets.0: ", ISO3166, "(it is 'Spain')"]),
    "a market in small letters": ("[ES]", "[ES, es]", ["locales.es-ES.markets.1: ", ISO3166, "(it is 'es')"]),
    "a market that does not exist": ("[ES]", "[QQ]", ["locales.es-ES.markets.0: ", ISO3166, "(it is 'QQ')"]),
    "a market that is a group of countries": (
        "[ES]",
        "[EU]",
        ["locales.es-ES.markets.0: is no country of ISO 3166", "name each one", "(it is 'EU')"],
    ),
    "a market with a long part": ("[ES]", "[US-NEWY]", ["locales.es-ES.markets.0: ", ISO3166, "'US-NEWY'"]),
    "Norway without quotes": ("[ES]", "[NO]", ["locales.es-ES.markets.0: ", "(it is False)"]),
    "no locales": (
        "  es-ES: {markets: [ES]}\n  it-IT: {markets: [IT]}\n  pt-BR: {markets: [BR]}\n",
        "  {}\n",
        ["locales: ", "at least 1 item", "(it is {})"],
    ),
    "the recording's own locale": (
        "es-ES:",
        "en-US:",
        ["spot.yaml: locales: en-US is the recording's own locale", "Take it out of the list."],
    ),
    "no profile": ("[broadcast-eu, podcast, stream]", "[]", ["profiles: ", "at least 1 item", "(it is [])"]),
    "a profile that is no list": ("[broadcast-eu, podcast, stream]", "podcast", ["profiles: ", "(it is 'podcast')"]),
    "a profile that is a path": ("[broadcast-eu,", "[../x,", [f"profiles.0: {ID} (it is '../x')"]),
    "an unknown timing": ("timing: flow", "timing: loose", ["timing: ", "'flow' or 'locked'", "(it is 'loose')"]),
    "an unknown medium": ("medium: radio", "medium: wireless", ["medium: ", MEDIA, "(it is 'wireless')"]),
    "an unknown purpose": (
        "purpose: advertising",
        "purpose: fun",
        ["purpose: ", "'advertising', 'public-service' or 'internal'", "(it is 'fun')"],
    ),
    "an unknown policy for drafts": (
        "timing: flow",
        "policy: {drafts: allow}",
        ["policy.drafts: ", "'refuse' or 'export'", "(it is 'allow')"],
    ),
    "duration zero": ("duration_s: 40", "duration_s: 0", ["duration_s: ", "greater than 0", "(it is 0)"]),
    "a negative duration": ("duration_s: 40", "duration_s: -1", ["duration_s: ", "greater than 0", "(it is -1)"]),
    "a duration over ten minutes": ("duration_s: 40", "duration_s: 601", ["duration_s: ", "600", "(it is 601)"]),
    "a duration that is no number": ("duration_s: 40", "duration_s: .nan", ["duration_s: ", "(it is nan)"]),
    "an endless duration": ("duration_s: 40", "duration_s: .inf", ["duration_s: ", "finite", "(it is inf)"]),
    "an endless negative duration": ("duration_s: 40", "duration_s: -.inf", ["duration_s: ", "(it is -inf)"]),
    "a duration in words": ("duration_s: 40", "duration_s: forty", ["duration_s: ", "(it is 'forty')"]),
    "a duration that is a truth": ("duration_s: 40", "duration_s: yes", ["duration_s: ", "(it is True)"]),
    "a duration in quotes": ("duration_s: 40", 'duration_s: "40"', ["duration_s: ", "(it is '40')"]),
    "a duration where the recording gives the times": (
        "timing: flow",
        "timing: locked",
        ["spot.yaml: duration_s: cannot be set with `timing: locked`"],
    ),
    "a recording outside": (
        "recording: recording.flac",
        "recording: ../x",
        ["spot.yaml: recording: '../x' leads out of lumen-coffee/. Name a file in that folder."],
    ),
    "an absolute recording": (
        "recording: recording.flac",
        "recording: /etc/hostname",
        ["spot.yaml: recording: '/etc/hostname' leads out of lumen-coffee/."],
    ),
    "a recording that is not there": (
        "recording: recording.flac",
        "recording: take-2.wav",
        ["spot.yaml: recording: there is no file 'take-2.wav' in", "Put it there."],
    ),
    "a recording that is a folder": (
        "recording: recording.flac",
        "recording: translations",
        ["spot.yaml: recording: there is no file 'translations' in"],
    ),
    "a recording without a name": (
        "recording: recording.flac",
        'recording: ""',
        ["spot.yaml: recording: there is no file '' in"],
    ),
    "a recording with a NUL in its name": (
        "recording: recording.flac",
        'recording: "a\\0.wav"',
        ["spot.yaml: recording: ", "'a\\x00.wav'"],
    ),
    "a recording with too long a name": (
        "recording: recording.flac",
        f"recording: {'a' * 300}.wav",
        ["spot.yaml: recording: ", "'aaaa"],
    ),
    "a bed outside": ("bed: bed.opus", "bed: ../../bed.opus", ["spot.yaml: bed: '../../bed.opus' leads out of"]),
    "a bed that is not there": ("bed: bed.opus", "bed: b.wav", ["spot.yaml: bed: there is no file 'b.wav' in"]),
    "a script outside": (
        "voice: house",
        "voice: house\nscript: ../script.yaml",
        ["spot.yaml: script: '../script.yaml' leads out of"],
    ),
    "a script that is not there": (
        "voice: house",
        "voice: house\nscript: other.yaml",
        ["other.yaml: there is no such file."],
    ),
    "a script that is the spot": ("voice: house", "voice: house\nscript: spot.yaml", ["advertiser: is missing"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), SPOT_YAML.values(), ids=SPOT_YAML)
def test_what_is_wrong_in_spot_yaml(spot_folder: Path, old: str, new: str, told: list[str]) -> None:
    edit(spot_folder / "spot.yaml", old, new)
    refused = refusal(spot_folder)
    assert refused.startswith(str(spot_folder))
    for part in told:
        assert part in refused


NO_SPEECH = "holds a character that cannot be spoken"
HELLO = '"Hi, I\'m Nora, from Lumen Coffee."'
SCRIPT_YAML: dict[str, tuple[str, str, list[str]]] = {
    "an unknown key": (
        "locale: en-US",
        "locale: en-US\nlanguage: en",
        ["language: unknown field; known here: advertiser, product, categories, locale, protected, lines"],
    ),
    "no advertiser": ("advertiser: Lumen Coffee\n", "", ["advertiser: is missing"]),
    "an empty advertiser": ("advertiser: Lumen Coffee\n", 'advertiser: ""\n', ["advertiser: ", "(it is '')"]),
    "an empty product": ("product: Lumen Coffee subscription", 'product: ""', ["product: ", "(it is '')"]),
    "an unknown locale": ("locale: en-US", "locale: xx-YY", ["locale: ", BCP47, "(it is 'xx-YY')"]),
    "a list of protected words that is none": (
        "[Lumen Coffee, lumencoffee.com]",
        "Lumen Coffee",
        ["protected: ", "(it is 'Lumen Coffee')"],
    ),
    "a line id twice": ("roast:", "hello:", ["script.yaml, line ", "the key 'hello' is there twice"]),
    "a line id with capitals": ("roast:", "Roast:", ["lines.Roast", ID, "(it is 'Roast')"]),
    "a line id with a space": ("roast:", "our roast:", ["lines.our roast", ID, "(it is 'our roast')"]),
    "a line id that is a number": ("roast:", "2:", ["script.yaml, line ", "the key 2 is not text"]),
    "the disclosure's id": (
        "roast:",
        "disclosure:",
        ["script.yaml: lines: no line may be called 'disclosure'", "Clearspot speaks the disclosure under that name"],
    ),
    "an empty line": (HELLO, '""', ["lines.hello: should not be empty (it is '')"]),
    "a line of spaces": (HELLO, '"   "', ["lines.hello: should not be empty (it is '   ')"]),
    "a line of no-break spaces": (HELLO, '"\u00a0\u00a0"', ["lines.hello: should not be empty"]),
    "a line that is a number": (HELLO, "30", ["lines.hello: ", "valid string (it is 30)"]),
    "a line that is nothing": (HELLO, "", ["lines.hello: ", "valid string (it is None)"]),
    "a line of 1,001 characters": (
        HELLO,
        "a" * 1_001,
        ["lines.hello: has 1,001 characters; a line has at most 1,000: split it in two (it is 'aaa"],
    ),
    "a line of 2,000 characters": (
        HELLO,
        LONG,
        ["lines.hello: has 2,000 characters; a line has at most 1,000: split it in two (it is 'aaa"],
    ),
    "a smile": ("I'm Nora", "I'm Nora \U0001f600", [f"lines.hello: {NO_SPEECH} (GRINNING FACE)"]),
    "a cup": ("I'm Nora", "I'm Nora ☕", [f"lines.hello: {NO_SPEECH} (HOT BEVERAGE)"]),
    "a flag": ("I'm Nora", "I'm Nora \U0001f1ea\U0001f1f8", [NO_SPEECH, "REGIONAL INDICATOR SYMBOL LETTER E"]),
    "a line break": ("I'm Nora", "I'm\\nNora", [f"lines.hello: {NO_SPEECH} (U+000A)"]),
    "an escape": ("I'm Nora", "I'm \\e[31mNora", [f"lines.hello: {NO_SPEECH} (U+001B)"]),
    "a NUL": ("I'm Nora", "I'm \\0 Nora", [f"lines.hello: {NO_SPEECH} (U+0000)"]),
    "half a character": ("I'm Nora", "I'm \\ud800 Nora", ["lines.hello: "]),
    "a private character": ("I'm Nora", "I'm \\ue000 Nora", [f"lines.hello: {NO_SPEECH} (U+E000)"]),
    "lines that are a list": (
        "lines:\n",
        "lines: [a]\nothers:\n",
        ["lines: ", "should hold fields", "(it is ['a'])"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), SCRIPT_YAML.values(), ids=SCRIPT_YAML)
def test_what_is_wrong_in_script_yaml(spot_folder: Path, old: str, new: str, told: list[str]) -> None:
    edit(spot_folder / "script.yaml", old, new)
    refused = refusal(spot_folder)
    assert str(spot_folder / "script.yaml") in refused
    for part in told:
        assert part in refused


def test_a_script_has_at_most_200_lines(spot_folder: Path) -> None:
    path = spot_folder / "script.yaml"
    script = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(script | {"lines": {f"line-{i}": "Hello." for i in range(201)}}), encoding="utf-8")
    assert "lines: Dictionary should have at most 200 items" in refusal(spot_folder)


def test_a_script_without_lines(spot_folder: Path) -> None:
    path = spot_folder / "script.yaml"
    script = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(script | {"lines": {}}), encoding="utf-8")
    assert "lines: Dictionary should have at least 1 item" in refusal(spot_folder)


TRANSLATION_YAML: dict[str, tuple[str, str, list[str]]] = {
    "an unknown key": ("locale: es-ES", "locale: es-ES\nby: me", ["by: unknown field; known here: locale, lines"]),
    "another locale inside": ("locale: es-ES", "locale: es-MX", [": locale: says es-MX, the file is named es-ES."]),
    "an unknown locale": ("locale: es-ES", "locale: xx-YY", ["locale: ", BCP47, "(it is 'xx-YY')"]),
    "no locale": ("locale: es-ES\n", "", ["locale: is missing"]),
    "an unknown line": (
        "roast:",
        "rost:",
        [": lines: no such line in the script: rost; it has: hello, roast, nothing, offer, tagline, legal."],
    ),
    "a line for the disclosure": ("roast:", "disclosure:", [": lines: no such line in the script: disclosure"]),
    "a line twice": ("roast:", "hello:", ["line 4", "the key 'hello' is there twice"]),
    "an empty line": ('"Hola, soy Nora, de Lumen Coffee."', '""', ["lines.hello: should not be empty"]),
    "an emoji": ("Hola,", "Hola ☕,", [f"lines.hello: {NO_SPEECH} (HOT BEVERAGE)"]),
    "a long line": ("Hola,", LONG, ["lines.hello: has 2,", "a line has at most 1,000: split it in two"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), TRANSLATION_YAML.values(), ids=TRANSLATION_YAML)
def test_what_is_wrong_in_a_translation(spot_folder: Path, old: str, new: str, told: list[str]) -> None:
    path = spot_folder / "translations" / "es-ES.yaml"
    edit(path, old, new)
    refused = refusal(spot_folder)
    assert refused.startswith(str(path))
    for part in told:
        assert part in refused


def test_a_translation_may_be_missing_or_lack_lines(spot_folder: Path) -> None:
    (spot_folder / "translations" / "it-IT.yaml").unlink()
    path = spot_folder / "translations" / "es-ES.yaml"
    path.write_text('locale: es-ES\nlines: {hello: "Hola."}\n', encoding="utf-8")
    spot = load_spot(spot_folder)
    assert list(spot.translations) == ["es-ES", "pt-BR"]
    assert list(spot.translations["es-ES"].lines) == ["hello"]


def test_a_translation_that_the_spot_does_not_order_is_not_read(spot_folder: Path) -> None:
    (spot_folder / "translations" / "fr-FR.yaml").write_text("not: [ours", encoding="utf-8")
    assert "fr-FR" not in load_spot(spot_folder).translations


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == (
        f"{tmp_path / 'none'}: there is no such folder. Name the folder that holds spot.yaml."
    )


def test_a_spot_that_is_a_file(spot_folder: Path) -> None:
    assert "there is no such folder." in refusal(spot_folder / "spot.yaml")


def test_a_folder_without_spot_yaml(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path / 'spot.yaml'}: there is no such file. A spot is a folder with spot.yaml; see docs/reference.md."
    )


@pytest.mark.parametrize("name", ["recording.flac", "bed.opus"])
def test_a_link_that_leads_out_is_no_file_of_the_spot(spot_folder: Path, name: str) -> None:
    (spot_folder / name).rename(spot_folder.parent / name)
    (spot_folder / name).symlink_to(spot_folder.parent / name)
    assert f"{name!r} leads out of lumen-coffee/." in refusal(spot_folder)


def test_a_recording_that_is_a_link_to_itself(spot_folder: Path) -> None:
    (spot_folder / "recording.flac").unlink()
    (spot_folder / "recording.flac").symlink_to(spot_folder / "recording.flac")
    assert "'recording.flac'" in refusal(spot_folder)


# --- what a digest is of -----------------------------------------------------------------------------------------


def digest(folder: Path) -> str:
    return load_model(Script, folder / "script.yaml").digest


def test_the_demo_scripts_digest_is_a_contract() -> None:
    """What approvals are for: another digest here makes every approval there is stale."""
    assert digest(DEMO) == DEMO_DIGEST


SAME_SCRIPT = {
    "a comment": ("lines:", "# As signed off in the meeting.\nlines:  # six of them"),
    "spaces": ("hello:   ", "hello: "),
    "other quotes": ('"Offer ends June 30. Terms apply."', "'Offer ends June 30. Terms apply.'"),
    "the order of fields": (
        "advertiser: Lumen Coffee\nproduct: Lumen Coffee subscription\n",
        "product: Lumen Coffee subscription\nadvertiser: Lumen Coffee\n",
    ),
    "an escape that means the same": ("Hi, I'm Nora", "Hi, I\\x27m Nora"),
}


@pytest.mark.parametrize(("old", "new"), SAME_SCRIPT.values(), ids=SAME_SCRIPT)
def test_what_leaves_a_script_the_same(spot_folder: Path, old: str, new: str) -> None:
    edit(spot_folder / "script.yaml", old, new)
    assert digest(spot_folder) == DEMO_DIGEST


ROAST = '  roast:   "Every morning we roast our beans in small batches, by hand."\n'
NOTHING = '  nothing: "No shortcuts. No waste. Just coffee that tastes the way it should."\n'
OTHER_SCRIPT = {
    "a word": ("save 30%", "save 40%"),
    "a comma": ("small batches, by hand", "small batches by hand"),
    "a capital": ("Terms apply", "terms apply"),
    "the order of lines": (ROAST + NOTHING, NOTHING + ROAST),
    "a line's id": ("roast:", "beans:"),
    "a line less": (ROAST, ""),
    "a protected word": ("protected: [Lumen Coffee, lumencoffee.com]", "protected: [Lumen Coffee]"),
    "the order of protected words": ("[Lumen Coffee, lumencoffee.com]", "[lumencoffee.com, Lumen Coffee]"),
    "the product": ("Lumen Coffee subscription", "Lumen Coffee beans"),
    "the advertiser": ("advertiser: Lumen Coffee", "advertiser: Lumen Coffee Ltd"),
    "the locale": ("locale: en-US", "locale: en-GB"),
}


@pytest.mark.parametrize(("old", "new"), OTHER_SCRIPT.values(), ids=OTHER_SCRIPT)
def test_what_makes_it_another_script(spot_folder: Path, old: str, new: str) -> None:
    edit(spot_folder / "script.yaml", old, new)
    assert digest(spot_folder) != DEMO_DIGEST


def test_a_letter_and_its_accent_are_one_character(spot_folder: Path) -> None:
    """Text is composed (NFC) when it is read: what looks the same is the same."""
    edit(spot_folder / "script.yaml", "Terms apply", "Café terms apply")
    composed = digest(spot_folder)
    edit(spot_folder / "script.yaml", "Café", "Cafe\u0301")
    assert digest(spot_folder) == composed


def test_each_line_has_its_digest(spot_folder: Path) -> None:
    before = load_model(Script, spot_folder / "script.yaml").line_digests()
    edit(spot_folder / "script.yaml", "save 30%", "save 40%")
    after = load_model(Script, spot_folder / "script.yaml").line_digests()
    assert [line_id for line_id in before if before[line_id] != after[line_id]] == ["offer"]


@pytest.mark.parametrize("name", ['""', '" "', '"☕"'])
def test_a_protected_name_that_nobody_can_say_is_refused(spot_folder: Path, name: str) -> None:
    """It would be found in anything that is heard."""
    edit(spot_folder / "script.yaml", "[Lumen Coffee,", f"[{name},")
    with pytest.raises(BadInput, match=r"protected\.0"):
        load_spot(spot_folder)
