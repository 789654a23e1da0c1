"""Values of stages as bytes: read as they were packed, the same bytes for the same value, and garbage is none."""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from clearspot.actions import Action
from clearspot.media.audio import Samples
from clearspot.packing import CLIP, PROGRAMME, TEXT, TIMED, TIMELINE, TRANSCRIPT, Codec
from clearspot.shelves import Folder
from clearspot.stages.align import TimedLine, TimedScript
from clearspot.store import Store
from clearspot.timeline import Placed, Timeline
from clearspot.transcript import Transcript, Word
from tests.unit.store_scenes import GB, Run

TEXTS = st.text(max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TRANSCRIPTS = st.builds(
    Transcript, st.lists(st.builds(Word, TEXTS, NUMBERS, NUMBERS), max_size=4).map(tuple), TEXTS, NUMBERS, NUMBERS
)
TIMED_SCRIPTS = st.builds(
    TimedScript, st.lists(st.builds(TimedLine, TEXTS, NUMBERS, NUMBERS, NUMBERS), max_size=4).map(tuple), NUMBERS
)
FLOATS = st.floats(width=32)
MONO = np_st.arrays(np.float32, st.integers(0, 30), elements=FLOATS)
STEREO = np_st.arrays(np.float32, st.tuples(st.integers(0, 30), st.just(2)), elements=FLOATS)
TIMELINES = st.builds(
    Timeline,
    st.lists(st.builds(Placed, TEXTS, TEXTS, st.integers(0, 2**40), MONO, NUMBERS), max_size=4).map(tuple),
    st.integers(0, 2**40),
)
VALUES: dict[str, tuple[Codec[Any], st.SearchStrategy[Any]]] = {
    "transcript": (TRANSCRIPT, TRANSCRIPTS),
    "timed script": (TIMED, TIMED_SCRIPTS),
    "timeline": (TIMELINE, TIMELINES),
    "text": (TEXT, st.text()),
    "clip": (CLIP, MONO),
    "programme": (PROGRAMME, STEREO),
}


def same_samples(one: Samples, other: Samples) -> bool:
    """Bit for bit, and free to be worked on."""
    same = (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return same and one.flags.writeable and one.dtype == np.float32


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; arrays say that of each of their elements."""
    if isinstance(one, np.ndarray):
        return same_samples(one, other)
    if not isinstance(one, Timeline):
        return bool(one == other) and type(one) is type(other)
    plain = [[(c.line_id, c.text, c.start, c.rate) for c in each.clips] + [each.length] for each in (one, other)]
    return plain[0] == plain[1] and all(
        same_samples(*pair) for pair in zip(*([c.samples for c in each.clips] for each in (one, other)), strict=True)
    )


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_values_are_read_as_they_were_packed(kind: str, data: st.DataObject) -> None:
    codec, strategy = VALUES[kind]
    value = data.draw(strategy)
    packed = codec.pack(value)
    read = codec.unpack(packed)
    assert same(read, value)
    assert codec.pack(read) == codec.pack(copy.deepcopy(value)) == packed, "equal values give equal bytes"


def test_samples_are_packed_by_their_values_however_they_lie() -> None:
    sound = np.arange(24, dtype=np.float32).reshape(12, 2)
    ways = (sound, np.asfortranarray(sound), sound.astype(">f4"), sound.astype(np.float64), np.repeat(sound, 2, 0)[::2])
    assert len({PROGRAMME.pack(each) for each in ways}) == 1
    assert CLIP.pack(sound[:, 1]) == CLIP.pack(sound[:, 1].copy()) == np.arange(1, 24, 2, dtype="<f4").tobytes()


def test_a_timeline_keeps_every_clip_and_its_place() -> None:
    clips = tuple(
        Placed(line_id, f"Línea ☕ {n}", n * 48_000, np.full(n * 7, n / 8, np.float32), 1.0 + n / 100)
        for n, line_id in enumerate(("disclosure", "opening", "empty", "disclosure"))
    )
    read = TIMELINE.unpack(TIMELINE.pack(Timeline(clips, 480_000)))
    assert same(read, Timeline(clips, 480_000))
    assert [len(clip.samples) for clip in read.clips] == [0, 7, 14, 21]
    assert [clip.start_s for clip in read.disclosures] == [0.0, 3.0]


MAY_RAISE = (ValueError, KeyError, TypeError)
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a zero": b"\0",
    "zeros": bytes(100),
    "not UTF-8": b"\xff" * 9,
    "half of JSON": b'{"words":[',
    "a number": b"5",
    "a huge number": b"9" * 5_000,
    "a list": b"[]",
    "an object": b"{}",
    "text": b'"words"',
    "null": b"null",
    "numbers where lists should be": b'{"words":5,"lines":5,"duration_s":1}',
    "numbers where objects should be": b'{"words":[5],"lines":[5],"duration_s":1}',
    "lists where objects should be": b'{"words":[[]],"lines":[[]],"duration_s":1}',
    "fields that are none": b'{"words":[{"a":1}],"lines":[{"a":1}],"duration_s":1}',
    "a field more": b'{"words":[],"lines":[],"language":"en","language_probability":1,"more":1}',
    "an empty head": (2).to_bytes(8, "little") + b"{}",
    "a head longer than all": (2**63).to_bytes(8, "little") + b'{"clips":',
    "a head of a list": (2).to_bytes(8, "little") + b"[]",
}


@pytest.mark.parametrize("case", GARBAGE)
@pytest.mark.parametrize("kind", VALUES)
def test_garbage_is_told_as_documented(kind: str, case: str) -> None:
    codec, _ = VALUES[kind]
    try:
        codec.unpack(GARBAGE[case])
    except MAY_RAISE:
        return
    assert kind in {"text", "clip", "programme"}, "bytes of another kind were read"


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_told_as_documented(kind: str, data: st.DataObject) -> None:
    codec, strategy = VALUES[kind]
    packed = bytearray(codec.pack(data.draw(strategy)) or b"\0")
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(packed[: data.draw(st.integers(0, len(packed)))]) + data.draw(st.binary(max_size=5))
    with contextlib.suppress(*MAY_RAISE):
        codec.unpack(damaged)


@pytest.mark.parametrize("case", GARBAGE)
@pytest.mark.parametrize("kind", ["transcript", "timed script", "timeline"])
def test_garbage_in_a_store_is_made_again(kind: str, case: str) -> None:
    """Its digest is in order, as of what another version kept; a run takes it for nothing."""
    codec, _ = VALUES[kind]
    values: dict[str, Any] = {
        "transcript": Transcript((Word("Hello", 0.5, 1.0),), "en", 0.9, 2.0),
        "timed script": TimedScript((TimedLine("opening", 0.5, 1.0, 0.0),), 2.0),
        "timeline": Timeline((Placed("opening", "Hola", 5, np.ones(3, np.float32), 1.0),), 99),
    }
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Folder(Path(folder)), GB)
        asked = Action("align", {"of": kind})
        store.keep("align", asked.key, GARBAGE[case], {})
        run = Run(store)
        for _ in range(2):
            assert same(run.cache.value(asked, codec, lambda: values[kind]), values[kind])
        assert (len(run.cache.made), run.warnings) == (1, [])


def test_packed_text_is_text_for_people_too() -> None:
    """What lies in a store can be looked at: canonical JSON, and text as it is."""
    packed = TRANSCRIPT.pack(Transcript((Word("¡Olé!", 0.5, 1.0),), "es", 0.9, 2.0))
    assert packed.startswith(b'{"duration_s":2.0,"language":"es","language_probability":0.9,')
    assert json.loads(packed)["words"] == [{"text": "¡Olé!", "start_s": 0.5, "end_s": 1.0}]
    assert TEXT.pack("¡Olé! ☕") == "¡Olé! ☕".encode()
