"""The store in a bucket of a real S3-compatible server on this machine; and what holds wherever a store is."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from fsspec.registry import known_implementations
from moto.server import ThreadedMotoServer

from clearspot import store as store_module
from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.job import open_store
from clearspot.project import Project, Settings
from clearspot.shelves import Bucket, Folder, Shelf
from clearspot.store import YOUNG_S, Checked, Status, Store, Swept
from tests.unit.store_scenes import (
    BLOB_DAMAGE,
    GB,
    RECORD_DAMAGE,
    Run,
    an_action,
    blob_name,
    flipped,
    keep_text,
    key_of,
    read_back,
    record_name,
    said,
    spoil,
    things,
)

SECRET = "wJalrXUtnFEMI-nobody-may-see-this"
KEY_ID = "AKIA-distinctive"


def options_for(url: str) -> dict[str, Any]:
    """What a project's ``store_options`` would be: a server that is not there is not asked for long."""
    config = {"retries": {"max_attempts": 0}, "connect_timeout": 2, "read_timeout": 5}
    return {"key": KEY_ID, "secret": SECRET, "client_kwargs": {"endpoint_url": url}, "config_kwargs": config}


@dataclass
class Place:
    """A bucket of a test's own, as the store sees it, and as somebody else does who speaks S3."""

    name: str
    url: str

    def __post_init__(self) -> None:
        self.stranger = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        self.stranger.create_bucket(Bucket=self.name)

    def shelf(self, folder: str = "clearspot") -> Bucket:
        return Bucket(f"s3://{self.name}/{folder}", options_for(self.url))

    def put(self, name: str, data: bytes) -> None:
        self.stranger.put_object(Bucket=self.name, Key=name, Body=data)

    def get(self, name: str) -> bytes:
        data: bytes = self.stranger.get_object(Bucket=self.name, Key=name)["Body"].read()
        return data

    def delete(self, name: str) -> None:
        self.stranger.delete_object(Bucket=self.name, Key=name)

    def names(self) -> list[str]:
        return [each["Key"] for each in self.stranger.list_objects_v2(Bucket=self.name).get("Contents", [])]


def serving() -> tuple[ThreadedMotoServer, str]:
    """An S3-compatible server on a port of its own, and its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return server, f"http://{host}:{port}"


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no account of this machine is in the way."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running, url = serving()
    yield url
    running.stop()


@pytest.fixture
def place(server: str) -> Place:
    return Place(f"spots-{uuid4().hex}", server)


# --- wherever it is --------------------------------------------------------------------------------------------

Opening = Callable[[], Shelf]


@pytest.fixture(params=["folder", "s3", "memory"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens the same shelf again and again, as each process would."""
    if request.param == "folder":
        return lambda: Folder(tmp_path / "store")
    if request.param == "s3":
        place: Place = request.getfixturevalue("place")
        return place.shelf
    url = f"memory://{uuid4().hex}/clearspot"
    return lambda: Bucket(url, {})


def test_an_empty_store_is_in_order(opening: Opening) -> None:
    store = Store(opening(), GB)
    assert (store.find(key_of("a")), store.verify(), store.sweep(0)) == (None, Checked(0, 0, ()), Swept(0, 0))
    assert store.status() == Status(opening().place, GB, 0, 0, {})


@pytest.mark.parametrize("data", [b"", b"sound", bytes(range(256)) * 4_000], ids=["empty", "short", "1 MB"])
def test_what_is_kept_is_found_again(opening: Opening, data: bytes) -> None:
    facts = {"samples": 5, "of": "ñ ☕", "more": [1.5, None, True]}
    kept = Store(opening(), GB).keep("speak", key_of("a"), data, facts)
    store = Store(opening(), GB)
    assert (store.find(key_of("a")), store.read(kept)) == (kept, data)
    assert {name: item.size_bytes for name, item in things(opening()).items()} == {
        blob_name(kept.output): len(data),
        record_name(kept.key): store.status().bytes - len(data),
    }
    assert all(abs(item.used - time.time()) < 60 for item in opening().items())
    assert store.verify() == Checked(1, 1, ())


# A folder meets every damage in test_store; these are the ways in which shelves could differ.
BLOBS_HERE = ["a bit in the middle flipped", "truncated by one", "emptied", "huge", "deleted"]
RECORDS_HERE = [
    "a bit flipped", "emptied", "deleted", "not UTF-8", "huge and binary", "another output",
    "the record of another key", "sealed, of a blob that is not there",
]  # fmt: skip


@pytest.mark.parametrize("case", BLOBS_HERE)
def test_a_damaged_blob_is_a_miss_and_made_again(opening: Opening, case: str) -> None:
    kept = keep_text(Store(opening(), GB), "Hello")
    spoil(opening(), blob_name(kept.output), BLOB_DAMAGE[case])
    assert read_back(Store(opening(), GB), kept.key) is None
    assert opening().size(blob_name(kept.output)) != kept.size
    heals(opening)


@pytest.mark.parametrize("case", RECORDS_HERE)
def test_a_damaged_record_is_a_miss_and_made_again(opening: Opening, case: str) -> None:
    kept = keep_text(Store(opening(), GB), "Hello")
    spoil(opening(), record_name(kept.key), RECORD_DAMAGE[case])
    assert Store(opening(), GB).find(kept.key) is None
    heals(opening)


def heals(opening: Opening) -> None:
    """A run gets the right value and makes it once; after it everything is whole for everybody."""
    run = Run(Store(opening(), GB))
    assert [run.ask("Hello"), run.ask("Hello")] == [said("Hello")] * 2
    assert (run.made, run.warnings) == (["Hello"], [])
    after = Run(Store(opening(), GB))
    assert (after.ask("Hello"), after.made) == (said("Hello"), [])
    assert Store(opening(), GB).verify().damaged == ()


def test_status_counts_and_verify_names(opening: Opening) -> None:
    store = Store(opening(), GB)
    records = [store.keep(stage, key_of(stage), f"of {stage}".encode(), {}) for stage in ("speak", "fit", "align")]
    again = store.keep("speak", key_of("another"), b"of speak", {})
    status = Store(opening(), GB).status()
    assert (status.blobs, list(status.stages.items())) == (3, [("align", 1), ("fit", 1), ("speak", 2)])
    spoil(opening(), blob_name(records[0].output), flipped(-1))
    checked = Store(opening(), GB).verify()
    lost = {blob_name(again.output), record_name(again.key), record_name(records[0].key)}
    assert (checked.blobs, checked.records, set(checked.damaged)) == (3, 4, lost)
    assert set(things(opening())).isdisjoint(lost)
    assert Store(opening(), GB).verify() == Checked(2, 2, ())


def test_a_store_can_be_swept_empty(opening: Opening) -> None:
    store = Store(opening(), GB)
    for text in ("One", "Two", "Six"):
        keep_text(store, text)
    total = store.status().bytes
    assert store.sweep() == Swept(0, 0)
    assert store.sweep(0) == Swept(6, total)
    assert (list(opening().items()), store.find(an_action("One").key)) == ([], None)


@pytest.mark.parametrize(("later_s", "stays"), [(0.0, True), (YOUNG_S - 60, True), (YOUNG_S + 60, False)])
def test_a_blob_without_a_record_stays_while_it_is_young(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, later_s: float, stays: bool
) -> None:
    kept, lone = keep_text(Store(opening(), GB), "Hello"), Store(opening(), GB).keep("speak", key_of("a"), b"a", {})
    opening().delete(record_name(lone.key))
    now = time.time() + later_s
    monkeypatch.setattr(store_module, "time", SimpleNamespace(time=lambda: now))
    assert Store(opening(), GB).sweep().count == (0 if stays else 1)
    assert (opening().size(blob_name(lone.output)) is not None) == stays
    assert read_back(Store(opening(), GB), kept.key) == said("Hello").encode()


# --- in a bucket -----------------------------------------------------------------------------------------------


def test_objects_are_named_as_files_would_be(place: Place) -> None:
    kept = keep_text(Store(place.shelf("some/where"), GB), "Hello")
    names = [f"some/where/{name}" for name in (blob_name(kept.output), record_name(kept.key))]
    assert place.names() == names
    assert place.get(names[0]) == said("Hello").encode()
    assert json.loads(place.get(names[1]))["output"] == kept.output


def test_what_others_change_is_seen_at_once(place: Place) -> None:
    """Listings and sizes are not remembered: the objects of a bucket are not ours alone."""
    store, blob = Store(place.shelf(), GB), blob_name(keep_text(Store(place.shelf(), GB), "Hello").output)
    record = store.find(an_action("Hello").key)
    assert record
    assert store.status().blobs == 1
    place.delete(f"clearspot/{blob}")
    assert (store.find(record.key), store.read(record), store.status().blobs) == (None, None, 0)
    place.put(f"clearspot/{blob}", said("Hello").encode())
    assert (store.find(record.key), store.read(record)) == (record, said("Hello").encode())
    place.put(f"clearspot/{blob}", said("Jello").encode())
    assert store.read(record) is None
    assert f"clearspot/{blob}" not in place.names()


def test_the_oldest_goes_first(place: Place) -> None:
    """A bucket tells seconds, and not when something was read."""
    store = Store(place.shelf(), GB)
    for text in ("One", "Two", "Six"):
        keep_text(store, text)
        time.sleep(0 if text == "Six" else 1.05)
    total = store.status().bytes
    assert read_back(store, an_action("One").key)
    assert store.sweep(total - 1) == Swept(2, total // 3)
    left = [text for text in ("One", "Two", "Six") if Store(place.shelf(), GB).find(an_action(text).key)]
    assert left == ["Two", "Six"]
    assert len(place.names()) == 4


def test_neighbours_in_the_bucket_are_left_alone(place: Place) -> None:
    others = ["blobs/aa/x", "clearspot-2/blobs/aa/x", "clearspot.txt", "clearspot/notes.txt", "clearspot/blobs.txt"]
    for name in others:
        place.put(name, b"somebody else's")
    keep_text(Store(place.shelf(), GB), "Hello")
    store = Store(place.shelf(), GB)
    assert (store.status().blobs, store.verify()) == (1, Checked(1, 1, ()))
    store.sweep(0)
    assert sorted(place.names()) == sorted(others)


def test_a_store_may_have_a_whole_bucket(place: Place) -> None:
    for url in (f"s3://{place.name}", f"s3://{place.name}/"):
        run = Run(Store(Bucket(url, options_for(place.url)), GB))
        assert (run.ask("Hello"), run.warnings) == (said("Hello"), [])
    assert [name.split("/")[0] for name in place.names()] == ["blobs", "records"]


def test_the_settings_open_it(place: Place, tmp_path: Path) -> None:
    settings = Settings(store=f"s3://{place.name}/x", store_options=options_for(place.url), store_limit_gb=0.5)
    store = open_store(Project(tmp_path, settings))
    assert Run(store).ask("Hello") == said("Hello")
    assert (store.status().place, store.status().limit_bytes) == (f"s3://{place.name}/x", 500_000_000)
    assert list(tmp_path.iterdir()) == []


# --- that does not answer --------------------------------------------------------------------------------------


def words_of(errors: list[ClearspotError]) -> str:
    """Everything that people or machines are told of errors."""
    return "".join(f"{error} {error!r} {error.as_json()}" for error in errors)


def nobody_saw_the_secret(told: str) -> None:
    for secret in (SECRET, base64.b64encode(SECRET.encode()).decode(), KEY_ID):
        assert secret not in told


def costs_time_and_nothing_else(run: Run) -> None:
    """Every value is right, there is one warning, and it says where and not how one comes in."""
    texts = ["Hello", "Good night", "Hello"]
    assert [run.ask(text) for text in texts] == [said(text) for text in texts]
    (warning,) = run.warnings
    assert isinstance(warning, MachineFault)
    assert "the store is not used for the rest of this run: the store does not answer as it should" in str(warning)
    assert str(warning).startswith("s3://")
    nobody_saw_the_secret(words_of(run.warnings))


def test_a_server_that_was_stopped_is_a_warning_and_no_more() -> None:
    running, url = serving()
    shelf = Place("spots", url).shelf()
    keep_text(Store(shelf, GB), "Hello")
    run = Run(Store(shelf, GB))
    assert (run.ask("Hello"), run.made) == (said("Hello"), [])
    running.stop()
    began = time.monotonic()
    costs_time_and_nothing_else(run)
    assert run.made == ["Hello", "Good night", "Hello"]
    assert time.monotonic() - began < 10, "it is asked no more once it has failed"


def test_a_bucket_that_is_not_there_is_a_warning_and_no_more(server: str) -> None:
    shelf = Bucket(f"s3://nowhere-{uuid4().hex}/x", options_for(server))
    costs_time_and_nothing_else(Run(Store(shelf, GB)))
    for asking in (Store(shelf, GB).status, Store(shelf, GB).sweep, Store(shelf, GB).verify):
        with pytest.raises(MachineFault, match="the store does not answer as it should"):
            asking()


def test_a_bucket_that_is_taken_away_meanwhile_is_a_warning_and_no_more(place: Place) -> None:
    run = Run(Store(place.shelf(), GB))
    run.ask("Before")
    for name in place.names():
        place.delete(name)
    place.stranger.delete_bucket(Bucket=place.name)
    costs_time_and_nothing_else(run)


@pytest.fixture(params=[400, 403, 405])
def unkind(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that refuses everything, and says aloud who came with which key."""

    class Door(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            words = f"<Error><Code>No</Code><Message>{KEY_ID} {SECRET} is not welcome</Message></Error>".encode()
            self.send_response(request.param, f"No, {SECRET}")
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(words)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_server_says_is_not_repeated(unkind: str) -> None:
    """Its words may hold the key that it was given."""
    shelf = Bucket("s3://spots/clearspot", options_for(unkind))
    costs_time_and_nothing_else(Run(Store(shelf, GB)))
    store = Store(shelf, GB)
    for asking in (store.status, store.sweep, store.verify, lambda: shelf.read("a"), lambda: shelf.write("a", b"")):
        with pytest.raises(MachineFault) as caught:
            asking()
        nobody_saw_the_secret(words_of([caught.value]))
    nobody_saw_the_secret(f"{shelf!r} {store!r}")


@pytest.mark.parametrize("url", ["nope://spots/x", "s4://", "reference://spots", "uninstalled://spots/x"])
def test_a_kind_of_store_that_is_not_known_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    absent = {"class": "nowhere.Files", "err": "Install nowhere"}
    monkeypatch.setitem(known_implementations, "uninstalled", absent)
    settings = Settings(store=url, store_options=options_for("http://127.0.0.1:9"))
    with pytest.raises(BadInput, match=r"configs/clearspot\.yaml: store: this store cannot be opened[: ]") as caught:
        open_store(Project(tmp_path, settings))
    assert "clearspot[s3]" in caught.value.remedy
    nobody_saw_the_secret(words_of([caught.value]))
