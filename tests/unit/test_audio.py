"""What decoding gives, what it refuses, what an essence is, and who may run ffmpeg."""

from __future__ import annotations

import ast
import contextlib
import math
import os
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from clearspot.errors import BadInput
from clearspot.media import ffmpeg
from clearspot.media.audio import (
    Samples,
    decode,
    essence_sha256,
    for_listening,
    from_f32le,
    probe,
    resample,
    to_f32le,
)
from clearspot.provenance import tags
from tests.conftest import CHECKOUT, run_ffmpeg, tone

SOURCE = CHECKOUT / "src" / "clearspot"
LENGTH_S = 1.5
LEVEL_DB = -12.0
ENCODINGS = {
    "telephone.wav": ("-ar", "8000", "-ac", "1", "-acodec", "pcm_mulaw"),
    "mono.wav": ("-ac", "1", "-acodec", "pcm_s16le"),
    "deep.wav": ("-ac", "2", "-acodec", "pcm_s24le"),
    "float.wav": ("-ac", "2", "-acodec", "pcm_f32le"),
    "cinema.wav": ("-af", "pan=5.1|FC=c0", "-acodec", "pcm_s16le"),
    "lossless.flac": ("-ac", "1"),
    "radio.mp3": ("-ac", "2", "-ar", "44100", "-b:a", "192k"),
    "phone.m4a": ("-ac", "2", "-b:a", "192k"),
    "voice.opus": ("-ac", "1", "-b:a", "96k", "-acodec", "libopus"),
}

SINE_DB = 3.01
"""How much a sine's root mean square is under its peak."""

SHARE_DB = {1: 0.0, 2: 3.01}
"""How much quieter each channel is when what sits in the middle is shared among so many (equal power)."""


def rms_db(samples: Samples) -> float:
    """Root-mean-square level in dBFS."""
    return 10 * math.log10(float((samples.astype(np.float64) ** 2).mean()) + 1e-20)


def write_f32(path: Path, sound: Samples) -> Path:
    """Mono float32 WAV at 48 kHz, for ffmpeg to encode."""
    path.write_bytes(to_f32le(sound))
    return path


def encode(folder: Path, name: str, *options: str, hz: float = 1000.0, length_s: float = LENGTH_S) -> Path:
    raw = write_f32(folder / "tone.f32", tone(length_s, hz=hz, level_db=LEVEL_DB))
    run_ffmpeg("-f", "f32le", "-ar", "48000", "-ac", "1", "-i", raw, *options, f"file:{folder / name}")
    raw.unlink()
    return folder / name


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tone in every format; and as the sound of a film."""
    folder = tmp_path_factory.mktemp("recordings")
    made = {name: encode(folder, name, *options) for name, options in ENCODINGS.items()}
    film = folder / "film.mp4"
    run_ffmpeg(
        "-f", "lavfi", "-i", f"testsrc=size=64x48:rate=10:duration={LENGTH_S}", "-i", made["mono.wav"],
        "-c:v", "mpeg4", "-c:a", "aac", "-b:a", "128k", film,
    )  # fmt: skip
    return made | {"film.mp4": film}


@pytest.mark.parametrize("name", [*ENCODINGS, "film.mp4"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_decodes_to_its_length_and_level(recordings: dict[str, Path], name: str, channels: int) -> None:
    samples = decode(recordings[name], channels=channels)

    assert samples.dtype == np.float32
    assert samples.ndim == channels
    assert samples.shape[1:] == (() if channels == 1 else (2,))
    assert len(samples) / 48_000 == pytest.approx(LENGTH_S, abs=0.02)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    assert rms_db(middle) == pytest.approx(LEVEL_DB - SINE_DB - SHARE_DB[channels], abs=0.5)


@pytest.mark.parametrize("name", [*ENCODINGS, "film.mp4"])
def test_every_format_keeps_its_pitch(recordings: dict[str, Path], name: str) -> None:
    samples = decode(recordings[name], channels=1)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * 48_000 / len(samples) == pytest.approx(1000.0, abs=2)


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "channels"),
    [
        ("telephone.wav", "pcm_mulaw", 8000, 1),
        ("deep.wav", "pcm_s24le", 48_000, 2),
        ("cinema.wav", "pcm_s16le", 48_000, 6),
        ("phone.m4a", "aac", 48_000, 2),
        ("film.mp4", "aac", 48_000, 1),
    ],
)
def test_probe_says_what_the_file_says(
    recordings: dict[str, Path], name: str, codec: str, rate_hz: int, channels: int
) -> None:
    facts = probe(recordings[name])
    assert (facts.codec, facts.rate_hz, facts.channels) == (codec, rate_hz, channels)
    assert facts.duration_s == pytest.approx(LENGTH_S, abs=0.05)


def test_decoding_at_another_rate_gives_that_many_samples(recordings: dict[str, Path]) -> None:
    assert len(decode(recordings["mono.wav"], channels=1, rate_hz=16_000)) == round(LENGTH_S * 16_000)


# --- what is not audio -----------------------------------------------------------------------------------------


def unknown_codec() -> bytes:
    """A WAV whose format tag nobody knows."""
    form = struct.pack("<HHIIHH", 0x7A7A, 1, 48_000, 96_000, 2, 16)
    data = bytes(9600)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def decode_mono(path: Path) -> Samples:
    return decode(path, channels=1)


READERS = (probe, essence_sha256, decode_mono)
NOT_AUDIO = {
    "text": b"Dear sound engineer, please find the recording attached.\n" * 20,
    "empty": b"",
    "one-byte": b"R",
    "riff-header-only": b"RIFF\xff\xff\xff\xffWAVE",
    "zeros": bytes(4096),
    "unknown-codec": unknown_codec(),
    "html": b"<!doctype html><html><body>404</body></html>",
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a"])
@pytest.mark.parametrize("kind", NOT_AUDIO)
def test_what_is_not_audio_is_bad_input_that_names_the_file(
    tmp_path: Path, kind: str, ending: str, read: Callable[[Path], object]
) -> None:
    path = tmp_path / f"recording.{ending}"
    path.write_bytes(NOT_AUDIO[kind])
    with pytest.raises(BadInput) as caught:
        read(path)
    assert caught.value.where == str(path)
    assert len(caught.value.what.splitlines()) == 1


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["folder", "missing"])
def test_a_folder_and_a_missing_file_are_bad_input(
    tmp_path: Path, make: Callable[[Path], object], read: Callable[[Path], object]
) -> None:
    path = tmp_path / "recording.wav"
    make(path)
    with pytest.raises(BadInput, match="is not audio that can be read"):
        read(path)


def test_a_film_without_sound_is_bad_input(tmp_path: Path) -> None:
    film = tmp_path / "silent.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=0.5", "-c:v", "mpeg4", film)
    with pytest.raises(BadInput, match="holds no audio"):
        decode(film, channels=1)
    with pytest.raises(BadInput):
        essence_sha256(film)


@pytest.mark.parametrize("name", [*ENCODINGS, "film.mp4"])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.95])
def test_a_truncated_file_is_shorter_or_bad_input(
    recordings: dict[str, Path], tmp_path: Path, name: str, share: float
) -> None:
    whole = recordings[name].read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: int(len(whole) * share)])
    with contextlib.suppress(BadInput):
        assert len(decode(cut, channels=1)) / 48_000 <= LENGTH_S + 0.02
    with contextlib.suppress(BadInput):
        assert essence_sha256(cut) != essence_sha256(recordings[name])


# --- names -----------------------------------------------------------------------------------------------------

NAMES = (
    "two words.wav",
    'it\'s "quoted".wav',
    "-dash.wav",
    "-i.wav",
    "Grüße, 珈琲, кофе ☕.wav",
    "100%d.wav",
    "percent%03d.wav",
    "back\\slash.wav",
    "semi;colon|pipe&and$(touch owned).wav",
    "[brackets]{braces}.wav",
    "line\nbreak.wav",
    "file:inner.wav",
    "http:inner.wav",
    "concat:a.wav|b.wav",
    "data:audio.wav",
    "pipe:0.wav",
    "rtmp:x.wav",
    "crypto:x.wav",
    "~.wav",
)


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_works_absolute_and_relative(
    recordings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(recordings["mono.wav"], tmp_path / name)
    wanted = essence_sha256(recordings["mono.wav"])
    for path in (tmp_path / name, Path(name)):
        assert probe(path).codec == "pcm_s16le"
        assert len(decode(path, channels=1)) == round(LENGTH_S * 48_000)
        assert essence_sha256(path) == wanted
    assert os.listdir(tmp_path) == [name]


def test_a_name_like_a_protocol_never_opens_another_file(
    recordings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(recordings["mono.wav"], "inner.wav")
    shutil.copyfile(recordings["telephone.wav"], "file:inner.wav")
    assert probe(Path("file:inner.wav")).codec == "pcm_mulaw"
    assert essence_sha256(Path("file:inner.wav")) == essence_sha256(recordings["telephone.wav"])


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine that writes down who calls."""
    seen: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}/a.wav'\n",
    ],
    ids=["hls", "ffconcat"],
)
def test_a_playlist_in_a_recordings_clothes_calls_nobody(
    tmp_path: Path, visits: tuple[str, list[str]], playlist: str
) -> None:
    url, seen = visits
    path = tmp_path / "recording.wav"
    path.write_text(playlist.format(url=url))
    with pytest.raises(BadInput):
        decode(path, channels=1)
    assert seen == []


# --- the essence -----------------------------------------------------------------------------------------------

SAID = tags.Tags("Title", "spa", "Synthetic voice", "http://x", "Provider", "Clearspot", "1", "2026", "id-1")


@pytest.mark.parametrize("name", ["deep.wav", "radio.mp3", "phone.m4a"])
def test_tags_leave_the_essence_alone(recordings: dict[str, Path], tmp_path: Path, name: str) -> None:
    tagged = tmp_path / name
    shutil.copyfile(recordings[name], tagged)
    tags.write(tagged, SAID)
    assert tagged.read_bytes() != recordings[name].read_bytes()
    assert essence_sha256(tagged) == essence_sha256(recordings[name])


@pytest.mark.parametrize("name", ["deep.wav", "radio.mp3", "phone.m4a", "lossless.flac"])
def test_one_changed_packet_changes_the_essence(recordings: dict[str, Path], tmp_path: Path, name: str) -> None:
    import av

    with av.open(str(recordings[name])) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
    whole = bytearray(recordings[name].read_bytes())
    middle = packets[len(packets) // 2]
    at = whole.find(middle) + len(middle) // 2
    whole[at] ^= 1
    changed = tmp_path / name
    changed.write_bytes(whole)
    assert essence_sha256(changed) != essence_sha256(recordings[name])


@pytest.mark.parametrize(("name", "options"), [(n, ENCODINGS[n]) for n in ("deep.wav", "radio.mp3")])
def test_equal_samples_give_equal_essences_and_others_do_not(
    recordings: dict[str, Path], tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    assert essence_sha256(encode(tmp_path, name, *options)) == essence_sha256(recordings[name])
    other = tmp_path / "other"
    other.mkdir()
    assert essence_sha256(encode(other, name, *options, hz=1001.0)) != essence_sha256(recordings[name])


def test_the_same_samples_in_another_codec_are_another_essence(recordings: dict[str, Path]) -> None:
    digests = {essence_sha256(path) for path in recordings.values()}
    assert len(digests) == len(recordings)


# --- arrays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(480,), (480, 2)])
def test_samples_survive_their_bytes(shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    raw = to_f32le(samples)
    assert len(raw) == samples.size * 4
    assert np.array_equal(from_f32le(raw, 1 if len(shape) == 1 else 2), samples)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 48_000), (24_000, 48_000), (22_050, 48_000), (48_000, 16_000)])
def test_resampling_keeps_length_level_and_pitch(from_hz: int, to_hz: int) -> None:
    made = resample(tone(1.0, rate_hz=from_hz, hz=440, level_db=-6), from_hz, to_hz)
    assert made.dtype == np.float32
    assert len(made) == pytest.approx(to_hz, abs=2)
    assert rms_db(made[to_hz // 4 : -to_hz // 4]) == pytest.approx(-9.01, abs=0.05)
    assert np.argmax(np.abs(np.fft.rfft(made))) * to_hz / len(made) == pytest.approx(440, abs=1)


def test_an_equal_rate_gives_the_same_array() -> None:
    samples = tone(0.1)
    assert resample(samples, 48_000, 48_000) is samples


def test_recognisers_get_mono_at_16_khz() -> None:
    left = tone(1.0, level_db=-6)
    heard = for_listening(np.stack([left, np.zeros_like(left)], axis=1))
    assert heard.shape == (16_000,)
    assert heard.dtype == np.float32
    assert rms_db(heard[4000:-4000]) == pytest.approx(-6 - 3.01 - 6.02, abs=0.05)


# --- ffmpeg ----------------------------------------------------------------------------------------------------


def test_a_failure_has_ffmpegs_own_words(tmp_path: Path) -> None:
    import ffmpeg as graph

    missing = tmp_path / "missing.wav"
    stream = graph.input(f"file:{missing}").output("pipe:", f="f32le")
    with pytest.raises(ffmpeg.FfmpegFailed, match="No such file or directory") as caught:
        ffmpeg.run(stream, about=missing)
    assert caught.value.where == str(missing)
    assert caught.value.exit_code == 3
    assert "missing.wav" in caught.value.report


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    import ffmpeg as graph

    stream = graph.input("pipe:", f="f32le", ar=48_000, ac=1).filter("nosuchfilter").output("pipe:", f="null")
    with pytest.raises(ffmpeg.FfmpegFailed) as caught:
        ffmpeg.run(stream, stdin=to_f32le(tone(0.1)))
    assert "nosuchfilter" in caught.value.report
    assert caught.value.what.startswith("ffmpeg failed: ")


def test_ffmpeg_has_what_the_stages_need() -> None:
    needed = {"ebur128", "alimiter", "rubberband", "aresample", "libmp3lame", "aac", "pcm_s24le"}
    assert needed <= ffmpeg.abilities()


STARTERS = {
    "os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.fork", "pty.spawn",
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "AudioSegment.from_file",
}  # fmt: skip
"""Other ways to start a program; pydub's ``from_file`` runs whatever ffmpeg it finds."""


def modules_of(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_four_modules_start_programs_and_no_other() -> None:
    callers = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "subprocess" in modules_of(path)}
    assert callers == {"media/ffmpeg.py", "engines/fetching.py", "engines/registry.py", "provenance/signers.py"}


def test_nobody_starts_a_program_by_another_door() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in STARTERS, f"{path.name}:{node.lineno} calls {called}"
                assert not called.startswith(("os.exec", "os.spawn")), f"{path.name}:{node.lineno}"
                shell = [word for word in node.keywords if word.arg == "shell"]
                assert not shell, f"{path.name}:{node.lineno} names a shell"


def test_the_fetcher_runs_pip_and_nothing_else() -> None:
    tree = ast.parse((SOURCE / "engines" / "fetching.py").read_text(encoding="utf-8"))
    runs = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess.")
    ]  # fmt: skip
    commands = [node for node in ast.walk(tree) if isinstance(node, ast.List) and "sys.executable" in ast.unparse(node)]
    assert [ast.unparse(node.func) for node in runs] == ["subprocess.run"]
    assert [ast.unparse(element) for element in commands[0].elts[:4]] == [
        "sys.executable", "'-m'", "'pip'", "'download'",
    ]  # fmt: skip
