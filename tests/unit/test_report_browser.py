"""The report in a real browser: what people see, hear, reach with a key and are told by a screen reader."""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearspot.report.data import Media
from clearspot.report.page import render
from tests.browser import Browser, browser, find_browser
from tests.conftest import run_ffmpeg
from tests.report_scenes import LENGTH_S, a_deliverable, a_refusal, a_report
from tests.unit.test_report_page import ATTACKS, everywhere

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here; CLEARSPOT_CHROMIUM names one")

BESIDE = "it-IT/50% off #1 é.mp3"
TAB, ENTER = ("Tab", 9), ("Enter", 13)
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
Settings = dict[str, Any]

LOOKS: list[Settings] = [{"width": width, "dark": dark} for width in (360, 1200) for dark in (False, True)]
LOOK_NAMES = ["phone, light", "phone, dark", "desktop, light", "desktop, dark"]


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser(str(PROGRAM)) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a file in it, a file beside it, a refusal and what is not proven; in a folder with an odd name."""
    folder = tmp_path_factory.mktemp("out") / "it's 100% #1"
    sound = folder / BESIDE
    sound.parent.mkdir(parents=True)
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency=330:duration={LENGTH_S}", "-b:a", "64k", sound)
    data = sound.read_bytes()
    inside = a_deliverable(media=Media("inside.mp3", "./inside.mp3", "audio/mpeg", len(data), data))
    beside = a_deliverable(
        anchor="of-it-it-stream",
        locale="it-IT",
        title="Music streaming with a long name, for platforms",
        media=Media("50% off #1 é.mp3", "./it-IT/50%25%20off%20%231%20%C3%A9.mp3", "audio/mpeg", len(data)),
    )
    doubt = replace(a_refusal(), anchor="of-doubt", verdict="unproven", locale="he-IL")
    page = render(a_report(inside, beside, a_refusal(), doubt))
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> str:
    return (folder / "report.html").as_uri()


def complaints(tab: Browser) -> list[Any]:
    """Everything that a browser says in its console, and every dialog."""
    kinds = (
        "Log.entryAdded",
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Page.javascriptDialogOpening",
        "Network.loadingFailed",
    )
    # A player that is sent to another place ends its request and makes another.
    return [told for kind in kinds for told in tab.told(kind) if told.get("errorText") != "net::ERR_ABORTED"]


def requests(tab: Browser) -> list[str]:
    """Every address that was asked for, but what the page carries itself."""
    asked = [told["request"]["url"] for told in tab.told("Network.requestWillBeSent")]
    return [url for url in asked if not url.startswith("data:")]


@pytest.mark.parametrize("look", LOOKS, ids=LOOK_NAMES)
def test_it_opens_from_a_disk_without_a_word_in_the_console_or_a_request(
    tab: Browser, address: str, look: Settings
) -> None:
    tab.open(address, **look)
    tab.value(OPEN_ALL)
    assert complaints(tab) == []
    assert requests(tab) == [address]


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
def test_nothing_is_wider_than_the_window(tab: Browser, address: str, width: int) -> None:
    tab.open(address, width=width)
    tab.value(OPEN_ALL)
    assert tab.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert json.loads(tab.value(TOO_WIDE)) == []


TOO_WIDE = """JSON.stringify([...document.querySelectorAll('body *')].filter(one => {
  const box = one.getBoundingClientRect();
  const hidden = one.closest('svg svg, .symbols, .stack thead, .skip');
  return !hidden && box.width > 0 && (box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5);
}).map(one => one.outerHTML.slice(0, 100)))"""

FAINT = """JSON.stringify((() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const told = walker.currentNode.data.trim() && !one.closest('script, style, title, desc');
    if (!told || !one.getClientRects().length) continue;
    const style = getComputedStyle(one);
    const front = light(parse(one.closest('svg') ? style.fill : style.color));
    const pair = [front, light(ground(one))].sort((a, b) => b - a);
    seen.push([(pair[0] + 0.05) / (pair[1] + 0.05), walker.currentNode.data.trim().slice(0, 40)]);
  }
  return seen;
})())"""


@pytest.mark.parametrize("look", LOOKS, ids=LOOK_NAMES)
def test_every_text_stands_out_from_what_is_behind_it(tab: Browser, address: str, look: Settings) -> None:
    tab.open(address, **look)
    tab.value(OPEN_ALL)
    seen = json.loads(tab.value(FAINT))
    assert len(seen) > 200
    assert [text for ratio, text in seen if ratio < 4.5] == []
    assert tab.value("matchMedia('(prefers-color-scheme: dark)').matches") is look["dark"]
    assert (tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)") is not look["dark"]


FOCUSED = """(() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  if (one === document.body) return null;
  return [one.tagName.toLowerCase(), (one.ariaLabel || one.textContent).trim().replace(/\\s+/g, ' ').slice(0, 40),
          parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== 'none', !!one.closest('#of-es-es-podcast')];
})()"""


def test_everything_is_reached_with_the_tab_key_in_order_and_is_seen_there(tab: Browser, address: str) -> None:
    tab.open(address)
    reached = []
    for _ in range(60):
        tab.press(*TAB)
        focused = tab.value(FOCUSED)
        if focused is None:
            break
        if not reached or reached[-1][:2] != focused[:2]:  # a player has several stops in it
            reached.append(focused)
    assert reached[0][:2] == ["a", "Skip to the deliverables"]
    first = [(tag, text) for tag, text, _, inside in reached if inside]
    assert [tag for tag, _ in first][:7] == ["audio", "a", "summary", "summary", "button", "button", "button"]
    assert ("button", "Play line hello from 5.0–9.0 s") in first  # noqa: RUF001
    assert [text.split(" ")[0] for tag, text in first if tag == "summary"] == [
        "Loudness", "Lines", "Gate", "Who", "Consent's", "To", "Policies", "Receipt",
    ]  # fmt: skip
    assert [text for tag, text, outlined, _ in reached if not outlined and tag != "audio"] == []


def test_the_skip_link_leads_past_the_top_and_a_section_opens_with_the_enter_key(tab: Browser, address: str) -> None:
    tab.open(address)
    tab.press(*TAB)
    tab.press(*ENTER)
    tab.call("Input.dispatchKeyEvent", type="char", text="\r", key="Enter")
    assert tab.value("document.activeElement.id") == "main"
    tab.value("document.querySelector('#of-es-es-podcast .fold:not([open]) summary').focus()")
    before = tab.value("document.querySelectorAll('details[open]').length")
    tab.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", windowsVirtualKeyCode=13, text="\r")
    tab.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", windowsVirtualKeyCode=13)
    assert tab.value("document.querySelectorAll('details[open]').length") == before + 1


def nodes(tab: Browser) -> list[dict[str, Any]]:
    """What a screen reader is given: role, name and level of everything that is not left out."""
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{one["name"]: one["value"].get("value") for one in node.get("properties", ())},
        }
        for node in tree
        if not node["ignored"]
    ]


@pytest.mark.parametrize("width", [360, 1200])
def test_a_screen_reader_gets_names_headings_in_order_and_tables(tab: Browser, address: str, width: int) -> None:
    tab.open(address, width=width)
    tab.value(OPEN_ALL)
    told = nodes(tab)
    roles = {"button", "link", "Audio", "image", "DisclosureTriangle", "table", "heading", "region"}
    assert [node for node in told if node["role"] in roles and not node["name"]] == []
    counted = {role: sum(node["role"] == role for node in told) for role in roles | {"banner", "main", "contentinfo"}}
    assert (counted["banner"], counted["main"], counted["contentinfo"]) == (1, 1, 1)
    assert counted["Audio"] == 2
    assert counted["image"] == 4
    assert counted["table"] == 1 + 2 * 5 + 2 * 2, "narrow or wide, a table is a table"
    assert counted["button"] >= 6
    levels = [node["level"] for node in told if node["role"] == "heading"]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    names = [node["name"] for node in told]
    assert "Play Spanish (Spain), Podcast" in names
    assert any(name.startswith("Waveform of Spanish (Spain), Podcast 3 clips in 20.0 seconds") for name in names)


def playing_at(tab: Browser, player: str) -> float:
    """Where a player is, once it plays."""
    end = time.monotonic() + 30
    where = f"document.getElementById('{player}-player')"
    while time.monotonic() < end:
        if tab.value(f"!{where}.paused && !{where}.seeking && {where}.readyState >= 2"):
            return float(tab.value(f"{where}.currentTime"))
        time.sleep(0.05)
    raise AssertionError(f"{player} does not play: {complaints(tab)}")


@pytest.mark.parametrize("player", ["of-es-es-podcast", "of-it-it-stream"], ids=["in the page", "beside the page"])
def test_a_line_is_heard_from_its_start_and_a_place_of_the_waveform_from_there(
    tab: Browser, address: str, player: str
) -> None:
    tab.open(address)
    tab.value(f"document.querySelectorAll('#{player} button.play')[1].click()")
    assert playing_at(tab, player) == pytest.approx(5.0, abs=1.5)
    tab.value(f"document.getElementById('{player}-player').pause()")
    tab.value(f"""(() => {{
      const chart = document.querySelector('#{player} svg.loud'), box = chart.getBoundingClientRect();
      chart.dispatchEvent(new MouseEvent('click', {{bubbles: true, clientX: box.left + box.width * 0.75}}));
    }})()""")
    assert playing_at(tab, player) == pytest.approx(0.75 * LENGTH_S, abs=1.5)
    assert complaints(tab) == []


def test_only_one_player_plays_and_the_line_that_is_heard_is_marked(tab: Browser, address: str) -> None:
    tab.open(address)
    tab.value("document.querySelectorAll('#of-it-it-stream button.play')[0].click()")
    playing_at(tab, "of-it-it-stream")
    tab.value("document.querySelectorAll('#of-es-es-podcast button.play')[1].click()")
    playing_at(tab, "of-es-es-podcast")
    assert tab.value("document.getElementById('of-it-it-stream-player').paused")
    end = time.monotonic() + 10
    while not (marked := tab.value("document.querySelector('tr.now')?.innerText ?? ''")) and time.monotonic() < end:
        time.sleep(0.05)
    assert "Hola, soy Nora." in marked


def test_without_its_script_everything_can_be_read_and_no_button_is_dead(tab: Browser, address: str) -> None:
    tab.open(address, script=False)
    tree = nodes(tab)
    names = " ".join(node["name"] for node in tree)
    for part in ("Hola, soy Nora.", "Gate", "Spanish (Spain), Podcast", "the gate refused it."):
        assert part in names
    assert not [node for node in tree if node["role"] == "button" and node["name"].startswith("Play line")]
    tab.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_hostile_text_does_nothing(tab: Browser, tmp_path: Path, attack: str) -> None:
    (tmp_path / "report.html").write_text(render(everywhere(attack)), encoding="utf-8")
    tab.open((tmp_path / "report.html").as_uri(), width=360)
    tab.value(OPEN_ALL)
    assert tab.value("document.body.innerText").count(attack) > 10
    assert [one for one in complaints(tab) if "x.mp3" not in str(one)] == []
    assert requests(tab) == [(tmp_path / "report.html").as_uri()]
    assert tab.value("document.documentElement.scrollWidth") <= 360


def test_it_works_from_a_web_server_too_and_asks_it_only_for_what_is_played(tab: Browser, folder: Path) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        tab.open(f"{root}/report.html")
        assert requests(tab) == [f"{root}/report.html"]
        tab.value("document.querySelectorAll('#of-it-it-stream button.play')[0].click()")
        playing_at(tab, "of-it-it-stream")
        assert set(requests(tab)) == {f"{root}/report.html", f"{root}/it-IT/50%25%20off%20%231%20%C3%A9.mp3"}
        tab.open("about:blank")
        server.shutdown()
