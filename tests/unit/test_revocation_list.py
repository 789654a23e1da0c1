"""A list of revocations from elsewhere: believed when its keeper signed it; out of reach, nobody speaks."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearspot.consent import revocation_list
from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import Grant, authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.revocation_list import DOMAIN, PolledList
from clearspot.engines.weights import load_weights
from clearspot.errors import Refused
from clearspot.project import Project, RevocationSource, find_project
from clearspot.signing import public_text, sign
from clearspot.yamlfile import MAX_BYTES, dump_yaml
from tests.conftest import a_use

Call = Callable[..., tuple[int, str, str]]
NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ENDING = "; nobody may speak before it is known who may not. Make it reachable, or ask its keeper."

KEEPER = Ed25519PrivateKey.generate()
REVOKED = {
    "voice": "house", "record": "house-2026-11", "record_sha256": "a" * 64, "before": [], "effect": "take-down",
    "reason": "The estate asked for it.", "at": "2026-11-20T10:00:00+00:00",
}  # fmt: skip


def a_list(*, key: Ed25519PrivateKey = KEEPER, change: dict[str, Any] | None = None, **body: Any) -> bytes:
    """A list as its keeper publishes it; ``change`` is what somebody did to it afterwards."""
    plain = {
        "schema_version": 1, "serial": 7, "issued_at": "2026-11-22T11:00:00+00:00",
        "next_update": "2026-11-29T11:00:00+00:00", "revocations": [], **body,
    }  # fmt: skip
    return dump_yaml({**plain, "ed25519": sign(DOMAIN, plain, key), **(change or {})}).encode()


@dataclass
class Clock:
    now: dt.datetime = NOON

    def __call__(self) -> dt.datetime:
        return self.now


@dataclass
class Keeper:
    """A web server that answers with a list, and counts how often it was asked."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    drip_s: float = 0.0
    asked: int = 0
    url: str = ""


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(revocation_list, "TIMEOUT_S", 0.4)
    made, closing = Keeper(a_list()), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            closing.wait(made.pause_s)
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not made.drip_s:
                self.wfile.write(made.body)
            for byte in made.body if made.drip_s else b"":
                self.wfile.write(bytes([byte]))
                if closing.wait(made.drip_s):
                    return

        def log_message(self, *_: object) -> None: ...

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return  # who asked has gone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/revocations.yaml"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    closing.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def polled(url: str, folder: Path, clock: Clock, **source: int) -> PolledList:
    settings = RevocationSource(url=url, key=public_text(KEEPER.public_key()), **source)
    return PolledList(settings, folder / ".clearspot" / "revocations.yaml", folder, clock)


def refusal_of(listed: PolledList) -> str:
    with pytest.raises(Refused) as refusal:
        listed.current()
    where, what = listed.source.url, str(refusal.value)
    assert what.startswith(f"{where}: the list of revocations "), what
    assert what.endswith(ENDING), what
    return what.removeprefix(f"{where}: the list of revocations ").removesuffix(ENDING)


# --- a list that is there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["url", "file", "absolute file"])
def test_a_list_is_read_and_kept(keeper: Keeper, clock: Clock, tmp_path: Path, source: str) -> None:
    body = a_list(revocations=[REVOKED])
    keeper.body = body
    (tmp_path / "shared.yaml").write_bytes(body)
    where = {"url": keeper.url, "file": "shared.yaml", "absolute file": str(tmp_path / "shared.yaml")}[source]
    listed = polled(where, tmp_path, clock)
    (one,) = listed.current().revocations
    assert (one.voice, one.effect, one.reason) == ("house", "take-down", "The estate asked for it.")
    assert listed.kept.stat().st_mtime == clock.now.timestamp()
    assert polled(where, tmp_path, clock).current() == listed.current()
    assert keeper.asked == (1 if source == "url" else 0)


def test_it_is_asked_again_when_it_is_time_and_not_before(keeper: Keeper, clock: Clock, tmp_path: Path) -> None:
    def listed() -> PolledList:
        return polled(keeper.url, tmp_path, clock, refresh_s=600)

    one = listed()
    for minutes, asked in ((0, 1), (5, 1), (9.9, 1), (10, 2), (19, 2), (21, 3), (20, 4)):
        clock.now = NOON + dt.timedelta(minutes=minutes)
        one.current()
        listed().current()  # another process
        assert keeper.asked == asked, minutes


def test_a_list_out_of_reach_is_not_asked_all_the_time(keeper: Keeper, clock: Clock, tmp_path: Path) -> None:
    listed = polled(keeper.url, tmp_path, clock, refresh_s=600)
    keeper.status = 500
    for _ in range(3):
        refusal_of(listed)
    assert keeper.asked == 1
    keeper.status, clock.now = 200, NOON + dt.timedelta(minutes=10)
    assert listed.current().serial == 7
    assert keeper.asked == 2


def test_a_newer_list_takes_its_place(keeper: Keeper, clock: Clock, tmp_path: Path) -> None:
    listed = polled(keeper.url, tmp_path, clock)
    assert listed.current().revocations == ()
    keeper.body, clock.now = a_list(serial=8, revocations=[REVOKED]), NOON + HOUR
    assert [one.voice for one in listed.current().revocations] == ["house"]


# --- what is wrong with it -----------------------------------------------------------------------------------------

STRANGER = Ed25519PrivateKey.generate()
NOT_SIGNED = "is not signed by the key that configs/clearspot.yaml names."
BODIES: dict[str, tuple[bytes, str]] = {
    "another's key": (a_list(key=STRANGER), NOT_SIGNED),
    "a revocation taken out": (a_list(revocations=[REVOKED], change={"revocations": []}), NOT_SIGNED),
    "a revocation put in": (a_list(change={"revocations": [REVOKED]}), NOT_SIGNED),
    "another number": (a_list(change={"serial": 8}), NOT_SIGNED),
    "good for longer": (a_list(change={"next_update": "2036-01-01T00:00:00+00:00"}), NOT_SIGNED),
    "no signature": (a_list(change={"ed25519": ""}), NOT_SIGNED),
    "another schema": (a_list(schema_version=2), "schema_version: Input should be 1 (it is 2)."),
    "a field more": (a_list(change={"note": "x"}), "note: unknown field; known here: schema_version, serial, "),
    "a number below one": (a_list(serial=0), "serial: Input should be greater than or equal to 1 (it is 0)."),
    "a time without its offset": (
        a_list(next_update="2026-11-29T11:00:00"), "next_update: should be a time with its offset"
    ),
    "no such effect": (a_list(revocations=[REVOKED | {"effect": "pause"}]), "revocations.0.effect: Input should be "),
    "empty": (b"", "should hold fields (name: value)."),
    "a web page": (b"<!DOCTYPE html><html></html>", "should hold fields (name: value)."),
    "not UTF-8": (b"serial: \xff", "is not UTF-8 text."),
    "YAML with aliases": (b"a: &a [1]\nb: *a", "is not the YAML we read: aliases (*name) are not allowed here."),
    "nested too deep": (b"[" * 2_000, "is not the YAML we read: nested too deep or malformed."),
    "too large": (b"#" * (MAX_BYTES + 1), ""),
}  # fmt: skip


@pytest.mark.parametrize("source", ["url", "file"])
@pytest.mark.parametrize("case", BODIES)
def test_what_is_no_list_of_its_keeper_is_not_believed(
    keeper: Keeper, clock: Clock, tmp_path: Path, case: str, source: str
) -> None:
    """Never reached before: nobody speaks. Reached before: what was known then counts, as if it were out of reach."""
    keeper.body, told = BODIES[case]
    if case == "too large":
        told = (
            "is longer than 1,000,000 bytes." if source == "url" else "is 1,000,001 bytes; at most 1,000,000 are read."
        )
    (tmp_path / "shared.yaml").write_bytes(keeper.body)
    where = {"url": keeper.url, "file": "shared.yaml"}[source]
    assert refusal_of(polled(where, tmp_path, clock)).startswith(f"was never reached ({told}")
    (tmp_path / "good.yaml").write_bytes(a_list(serial=5, revocations=[REVOKED]))
    polled("good.yaml", tmp_path, clock).current()
    listed, clock.now = polled(where, tmp_path, clock), NOON + HOUR
    assert (listed.current().serial, len(listed.current().revocations)) == (5, 1)
    clock.now = NOON + DAY + HOUR
    assert refusal_of(listed).startswith(f"was last reached 25.0 hours ago, grace is 24.0 ({told}")


def test_a_number_that_goes_back_is_no_contact(keeper: Keeper, clock: Clock, tmp_path: Path) -> None:
    listed = polled(keeper.url, tmp_path, clock)
    keeper.body = a_list(serial=9, revocations=[REVOKED])
    assert listed.current().serial == 9
    keeper.body, clock.now = a_list(serial=8), NOON + HOUR
    assert [one.voice for one in listed.current().revocations] == ["house"]
    clock.now = NOON + DAY + HOUR
    told = "was last reached 25.0 hours ago, grace is 24.0 (it went back from number 9 to 8)"
    assert refusal_of(listed) == told


def test_a_list_that_is_overdue_is_refused(keeper: Keeper, clock: Clock, tmp_path: Path) -> None:
    """However new its copy is: its keeper promised another by then."""
    listed, clock.now = polled(keeper.url, tmp_path, clock), NOON + 6 * DAY
    assert listed.current().serial == 7
    clock.now = NOON + 7 * DAY
    told = "is overdue: a newer one was promised by 2026-11-29T11:00:00+00:00"
    assert refusal_of(listed) == told
    os.utime(listed.kept, (clock.now.timestamp(),) * 2)  # its time set by hand
    assert refusal_of(polled(keeper.url, tmp_path, clock)) == told
    keeper.body = a_list(serial=8, next_update="2027-01-01T00:00:00+00:00")
    clock.now += HOUR
    assert listed.current().serial == 8


# --- out of reach --------------------------------------------------------------------------------------------------

REACH: dict[str, tuple[Callable[[Keeper], object], str]] = {
    "an error of the server": (lambda keeper: setattr(keeper, "status", 500), "cannot be reached: Server error '500"),
    "not there": (lambda keeper: setattr(keeper, "status", 404), "cannot be reached: Client error '404"),
    "sent elsewhere": (
        lambda keeper: (setattr(keeper, "status", 302), keeper.headers.update(Location=keeper.url)),
        "cannot be reached: Redirect response '302",
    ),
    "slow to answer": (lambda keeper: setattr(keeper, "pause_s", 5.0), "cannot be reached: timed out"),
    "a byte at a time": (lambda keeper: setattr(keeper, "drip_s", 0.006), "cannot be reached: "),
    "cut off": (
        lambda keeper: keeper.headers.update({"Content-Length": "100000"}), "cannot be reached: peer closed connection"
    ),
    "no such compression": (
        lambda keeper: keeper.headers.update({"Content-Encoding": "gzip"}), "cannot be reached: "
    ),
    "nobody listens": (lambda keeper: setattr(keeper, "url", "http://127.0.0.1:9/list"), "cannot be reached: "),
    "no such port": (lambda keeper: setattr(keeper, "url", "http://127.0.0.1:99999/list"), "cannot be reached: "),
}  # fmt: skip


@pytest.mark.parametrize("case", REACH)
def test_out_of_reach_the_kept_copy_counts_for_its_grace_and_no_longer(
    keeper: Keeper, clock: Clock, tmp_path: Path, case: str
) -> None:
    make_it_fail, told = REACH[case]
    keeper.body = a_list(revocations=[REVOKED])
    polled(keeper.url, tmp_path, clock).current()
    make_it_fail(keeper)
    started = time.monotonic()
    listed = polled(keeper.url, tmp_path, clock, grace_s=7200, refresh_s=60)
    clock.now = NOON + 2 * HOUR
    assert [one.voice for one in listed.current().revocations] == ["house"]
    clock.now += dt.timedelta(seconds=1)
    assert refusal_of(listed) == "was last reached 2.0 hours ago, grace is 2.0 (not asked again yet)"
    clock.now = NOON + 3 * HOUR
    assert refusal_of(listed).startswith(f"was last reached 3.0 hours ago, grace is 2.0 ({told}")
    assert time.monotonic() - started < 3.0, "whoever waits for a grant waits for this"


def test_a_file_that_has_gone_is_out_of_reach(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_bytes(a_list())
    listed = polled("shared.yaml", tmp_path, clock)
    listed.current()
    (tmp_path / "shared.yaml").unlink()
    clock.now = NOON + DAY
    assert listed.current().serial == 7
    clock.now = NOON + DAY + HOUR
    told = "was last reached 25.0 hours ago, grace is 24.0 (there is no such file.)"
    assert refusal_of(listed) == told


KEPT: dict[str, bytes] = {
    "a revocation taken out": a_list(revocations=[REVOKED], change={"revocations": []}),
    "signed by another": a_list(key=STRANGER),
    "good for longer": a_list(change={"next_update": "2036-01-01T00:00:00+00:00"}),
    "emptied": b"",
    "not UTF-8": b"\xff",
}


@pytest.mark.parametrize("case", KEPT)
def test_a_kept_copy_that_was_touched_is_as_good_as_none(
    keeper: Keeper, clock: Clock, tmp_path: Path, case: str
) -> None:
    keeper.body = a_list(revocations=[REVOKED])
    listed = polled(keeper.url, tmp_path, clock)
    listed.current()
    listed.kept.write_bytes(KEPT[case])
    os.utime(listed.kept, (clock.now.timestamp(),) * 2)
    assert refusal_of(listed) == "was never reached"
    clock.now += HOUR  # asked again, it is put right
    assert [one.voice for one in listed.current().revocations] == ["house"]


# --- what comes of it ----------------------------------------------------------------------------------------------


def ask(project: Project) -> Grant:
    voice = load_voice("house", project.voice_folders())
    weights = load_weights(project).pinned_roles(voice.file.weights, commercial=True)
    return authorize(voice, (a_use(),), writing_authority(project), weights=weights, step="speak")


@pytest.fixture
def listening(project: Project, keeper: Keeper) -> Project:
    """A project that polls the keeper's list."""
    source = {"url": keeper.url, "key": public_text(KEEPER.public_key())}
    path = project.root / "configs" / "clearspot.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump_yaml({"provider": "Test", "revocation_list": source}))
    return find_project()


def a_list_of_today(**body: Any) -> bytes:
    return a_list(next_update=(dt.datetime.now(dt.UTC) + DAY).isoformat(), **body)


def test_a_voice_on_the_list_does_not_speak(listening: Project, keeper: Keeper, clearspot: Call) -> None:
    keeper.body = a_list_of_today()
    assert ask(listening).voice == "house"
    record_sha256 = load_voice("house", listening.voice_folders()).record.digest
    keeper.body = a_list_of_today(serial=8, revocations=[REVOKED | {"record_sha256": record_sha256}])
    listening.kept_list.unlink()
    with pytest.raises(Refused) as refusal:
        ask(listening)
    assert str(refusal.value) == (
        f"{keeper.url}: consent record 'house-2026-11' was revoked on 2026-11-20 (take-down): status: asked 'active', "
        "allowed 'revoked'. Nothing more is made with this voice. Consent given anew needs a record that follows the "
        "revoked one."
    )
    state = json.loads(clearspot("voices", "list", "--json")[1])["voices"]["house"]["state"]
    assert state == f"refused: {refusal.value}"


def test_another_voices_revocation_stops_nobody_else(listening: Project, keeper: Keeper) -> None:
    keeper.body = a_list_of_today(revocations=[REVOKED | {"voice": "nora"}])
    assert ask(listening).voice == "house"


def test_a_list_never_reached_stops_every_voice_and_that_is_written_down(listening: Project, keeper: Keeper) -> None:
    keeper.status = 500
    with pytest.raises(Refused, match="the list of revocations was never reached"):
        ask(listening)
    newest = [entry for _, entry in writing_authority(listening).log.read()][-1]
    assert (newest.event, newest.data["where"]) == ("refusal", keeper.url)
    assert newest.data["why"].startswith("the list of revocations was never reached (cannot be reached: ")
