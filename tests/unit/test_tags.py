"""Every format says every field: read back by ourselves, by mutagen, by libav, and by parsers of this test's own."""

from __future__ import annotations

import json
import resource
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import av
import mutagen
import pytest
from mutagen.mp4 import MP4

from clearspot.config import CODECS, Profile, load_profile
from clearspot.errors import BadInput, MachineFault
from clearspot.gate.policy import Tag
from clearspot.media.audio import essence_sha256, probe
from clearspot.media.loudness import decode_and_measure
from clearspot.project import Project, Settings
from clearspot.provenance import tags
from clearspot.provenance.nature import COMPOSITE_SYNTHETIC
from clearspot.publish import PUBLISHED
from clearspot.yamlfile import parse_model
from tests.conftest import CHECKOUT, Scene
from tests.unit.tag_scenes import (
    FORMATS,
    LENGTH_S,
    PROFILES,
    SAID,
    SHIPPED,
    SYSTEM,
    UNIQUE,
    encoded,
    mp4_boxes,
    programme,
    riff_chunks,
)

LONG = replace(SAID, title="Lumen ☕ " * 12_000 + "!", comment="This voice is synthetic. " * 4_000 + "!")
"""A title of 120,000 bytes and a comment of 100,000: over a FLAC page, an Ogg page, and any buffer."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programme in every format, without tags."""
    folder = tmp_path_factory.mktemp("bare")
    return {ending: encoded(folder, ending) for ending in FORMATS}


def written(bare: dict[str, Path], folder: Path, ending: str, said: tags.Tags = SAID) -> Path:
    path = folder / f"spot.{ending}"
    path.write_bytes(bare[ending].read_bytes())
    tags.write(path, said)
    return path


def by_libav(path: Path) -> dict[str, str]:
    """What a player finds, by names in small letters."""
    with av.open(str(path)) as container:
        found = {**container.streams.audio[0].metadata, **container.metadata}
    return {name.lower(): text for name, text in found.items()}


# --- every field, in every format ------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [SAID, LONG], ids=["ordinary", "long"])
@pytest.mark.parametrize("ending", FORMATS)
def test_every_field_comes_back_as_it_was_given(
    bare: dict[str, Path], tmp_path: Path, ending: str, said: tags.Tags
) -> None:
    path = written(bare, tmp_path, ending, said)
    assert tags.read(path) == said.as_pairs()
    assert tuple(tags.read(path)) == tags.NAMES


@pytest.mark.parametrize("said", [SAID, LONG], ids=["ordinary", "long"])
@pytest.mark.parametrize("ending", FORMATS)
def test_mutagen_reads_every_field(bare: dict[str, Path], tmp_path: Path, ending: str, said: tags.Tags) -> None:
    found = mutagen.File(written(bare, tmp_path, ending, said)).tags

    def value(name: str) -> str:
        if ending in {"wav", "mp3"}:
            return str(found[f"TXXX:{name}"])
        if ending in {"m4a", "mp4"}:
            return bytes(found[f"----:io.clearspot:{name}"][0]).decode()
        (only,) = found[name]
        return str(only)

    assert {name: value(name) for name in tags.NAMES} == said.as_pairs()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_player_finds_every_field(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    found = by_libav(written(bare, tmp_path, ending))
    wanted = {name.lower(): text for name, text in SAID.as_pairs().items()}
    if ending == "wav":  # one field for one text
        assert found.pop("comment").startswith(wanted.pop("comment"))
    assert {name: found.get(name) for name in wanted if name != "language"} == {
        name: text for name, text in wanted.items() if name != "language"
    }
    assert found["language"] in {"spa", "und"}  # of m4a and mp4 libav shows the track's


ID3 = {"TIT2": SAID.title, "TLAN": "spa", "COMM::eng": SAID.comment, "TSSE": SYSTEM}
ITUNES = {"©nam": SAID.title, "©cmt": SAID.comment, "©too": SYSTEM}
XIPH = {
    "title": SAID.title,
    "language": "spa",
    "comment": SAID.comment,
    "description": SAID.comment,
    "organization": SAID.provider,
    "date": SAID.created,
    "encoder": SYSTEM,
}


@pytest.mark.parametrize(
    ("ending", "usual"),
    [
        *((ending, ID3) for ending in ("wav", "mp3")),
        *((ending, ITUNES) for ending in ("m4a", "mp4")),
        *((ending, XIPH) for ending in ("flac", "ogg", "opus")),
    ],
)
def test_the_usual_fields_of_a_format_say_it_too(
    bare: dict[str, Path], tmp_path: Path, ending: str, usual: dict[str, str]
) -> None:
    found = mutagen.File(written(bare, tmp_path, ending)).tags
    for name, text in usual.items():
        assert str(found[name][0] if isinstance(found[name], list) else found[name]) == text


def test_the_names_are_those_that_policies_ask_for() -> None:
    assert set(tags.NAMES) == set(get_args(Tag))


# --- wav: LIST/INFO, bext, iXML --------------------------------------------------------------------------------


def wav_chunks(path: Path) -> dict[bytes, bytes]:
    found = list(riff_chunks(path.read_bytes()))
    assert len({name for name, _ in found}) == len(found)
    return dict(found)


def test_a_wav_says_it_before_the_sound(bare: dict[str, Path], tmp_path: Path) -> None:
    path = written(bare, tmp_path, "wav")
    assert [name for name, _ in riff_chunks(path.read_bytes())] == [
        b"fmt ", b"bext", b"iXML", b"LIST", b"data", b"id3 ",
    ]  # fmt: skip
    before, after = wav_chunks(bare["wav"]), wav_chunks(path)
    assert {name: after[name] for name in before} == before


def test_bext_is_as_the_ebu_has_it(bare: dict[str, Path], tmp_path: Path) -> None:
    """EBU Tech 3285, version 1: ASCII in fields of fixed length."""
    body = wav_chunks(written(bare, tmp_path, "wav"))[b"bext"]
    layout = struct.Struct("<256s32s32s10s8sIIH64s190s")
    description, originator, reference, date, time, low, high, version, umid, reserved = layout.unpack_from(body)
    text = description.rstrip(b"\0").decode("ascii")
    assert text == f"{SAID.comment} DigitalSourceType={COMPOSITE_SYNTHETIC} UniqueId={UNIQUE}"
    assert originator.rstrip(b"\0") == b"Lumen Coffee ? Pr?fung ????"
    assert reference == UNIQUE.replace("-", "").encode()
    assert (date, time) == (b"2026-11-22", b"12:34:56")
    assert (low, high, version) == (0, 0, 1)
    assert not any(umid + reserved)
    assert body[layout.size :] == b"A=PCM,F=48000,W=24,M=stereo,T=Clearspot 0.1.0\r\n"


def test_libav_finds_in_bext_what_broadcasters_look_for(bare: dict[str, Path], tmp_path: Path) -> None:
    """By names of its own: it tells an originator as who encoded it, and an origination time as one of creation."""
    found = by_libav(written(bare, tmp_path, "wav"))
    assert found["encoded_by"] == "Lumen Coffee ? Pr?fung ????"
    assert found["originator_reference"] == UNIQUE.replace("-", "")
    assert found["coding_history"] == "A=PCM,F=48000,W=24,M=stereo,T=Clearspot 0.1.0\r\n"
    assert found["creation_time"] == "12:34:56"


def test_bext_cuts_the_sentence_and_never_an_id(bare: dict[str, Path], tmp_path: Path) -> None:
    path = written(bare, tmp_path, "wav", LONG)
    description = wav_chunks(path)[b"bext"][:256].partition(b"\0")[0].decode("ascii")
    assert len(description) == 255
    assert description.startswith("This voice is synthetic. This voice")
    assert description.endswith(f" DigitalSourceType={COMPOSITE_SYNTHETIC} UniqueId={UNIQUE}")


@pytest.mark.parametrize("unique_id", ["x" * 300, "número-7"])
def test_an_id_that_bext_cannot_hold_is_not_in_its_text(bare: dict[str, Path], tmp_path: Path, unique_id: str) -> None:
    path = written(bare, tmp_path, "wav", replace(SAID, unique_id=unique_id))
    assert b"UniqueId" not in wav_chunks(path)[b"bext"]
    assert tags.read(path)["UniqueId"] == unique_id


def test_ixml_is_what_a_recorder_reads(bare: dict[str, Path], tmp_path: Path) -> None:
    root = ElementTree.fromstring(wav_chunks(written(bare, tmp_path, "wav"))[b"iXML"])
    assert root.tag == "BWFXML"
    assert root.findtext("IXML_VERSION") == "2.10"
    assert root.findtext("PROJECT") == SAID.title
    assert root.findtext("NOTE") == SAID.comment
    assert root.findtext("FILE_UID") == UNIQUE
    assert {field.tag: field.text for field in root.find("CLEARSPOT") or ()} == SAID.as_pairs()


def test_info_is_what_players_show(bare: dict[str, Path], tmp_path: Path) -> None:
    body = wav_chunks(written(bare, tmp_path, "wav"))[b"LIST"]
    assert body[:4] == b"INFO"
    found = {
        name.decode(): text for name, text in riff_chunks(b"RIFF" + struct.pack("<I", len(body)) + b"WAVE" + body[4:])
    }
    assert all(text.endswith(b"\0") for text in found.values())
    assert {name: text[:-1].decode() for name, text in found.items()} == {
        "INAM": SAID.title,
        "ILNG": "spa",
        "ICMT": f"{SAID.comment} DigitalSourceType={COMPOSITE_SYNTHETIC} UniqueId={UNIQUE}",
        "ICRD": SAID.created,
        "ICOP": SAID.provider,
        "ISFT": SYSTEM,
        "AIGC": SAID.aigc,
    }  # fmt: skip


LEFT = {
    "LIST": {"Title", "Language", "Comment", "DigitalSourceType", "Created", "Provider", "UniqueId", "AIGC"},
    "bext": {"DigitalSourceType", "UniqueId"},
    "iXML": set(tags.NAMES),
    "id3 ": set(tags.NAMES),
}


@pytest.mark.parametrize("kept", LEFT)
def test_each_chunk_of_a_wav_is_read_for_itself(bare: dict[str, Path], tmp_path: Path, kept: str) -> None:
    """What a program leaves that drops chunks it does not know."""
    path = written(bare, tmp_path, "wav")
    chosen = [part for part in riff_chunks(path.read_bytes()) if part[0] in {b"fmt ", b"data", kept.encode()}]
    body = b"".join(struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2) for name, data in chosen)
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WAVE") + body)
    assert tags.read(path) == {name: text for name, text in SAID.as_pairs().items() if name in LEFT[kept]}


# --- m4a and mp4: XMP ------------------------------------------------------------------------------------------

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC, XAP = "{http://purl.org/dc/elements/1.1/}", "{http://ns.adobe.com/xap/1.0/}"
IPTC, OURS = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}", "{https://clearspot.io/xmp/1.0/}"


def xmp_packets(path: Path) -> list[bytes]:
    return [body[16:] for name, body in mp4_boxes(path.read_bytes()) if name == b"uuid" and body[:16] == XMP_UUID]


@pytest.mark.parametrize("ending", ["m4a", "mp4"])
def test_xmp_says_it_in_the_words_of_iptc(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    (raw,) = xmp_packets(written(bare, tmp_path, ending))
    assert raw.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode())
    said = ElementTree.fromstring(raw)[0][0]
    assert said.tag == f"{RDF}Description"
    assert said.findtext(f"{IPTC}DigitalSourceType") == COMPOSITE_SYNTHETIC
    assert said.findtext(f"{DC}title/{RDF}Alt/{RDF}li") == SAID.title
    assert said.findtext(f"{DC}description/{RDF}Alt/{RDF}li") == SAID.comment
    assert said.findtext(f"{DC}identifier") == UNIQUE
    assert said.findtext(f"{XAP}CreateDate") == SAID.created
    assert said.findtext(f"{XAP}CreatorTool") == SYSTEM
    assert {each.tag.removeprefix(OURS): each.text for each in said if each.tag.startswith(OURS)} == SAID.as_pairs()


@pytest.mark.parametrize("ending", ["m4a", "mp4"])
def test_the_index_and_the_tags_come_before_the_sound(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    kinds = [name for name, _ in mp4_boxes(written(bare, tmp_path, ending).read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat") < kinds.index(b"uuid") == len(kinds) - 1


@pytest.mark.parametrize("ending", ["m4a", "mp4"])
def test_xmp_alone_says_every_field(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    path = written(bare, tmp_path, ending)
    MP4(path).delete()
    assert tags.read(path) == SAID.as_pairs()


def test_xmp_that_a_program_wrote_as_attributes_is_read(tmp_path: Path) -> None:
    """RDF takes a property as an element or as an attribute; programs that save a file choose."""
    raw = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="http://type"'
        b' xmlns:c="https://clearspot.io/xmp/1.0/" c:UniqueId="7 &amp; 8"/></rdf:RDF></x:xmpmeta>'
    )
    path = tmp_path / "spot.mp4"
    path.write_bytes(struct.pack(">I4s", 24 + len(raw), b"uuid") + XMP_UUID + raw)
    assert tags.read(path) == {"DigitalSourceType": "http://type", "UniqueId": "7 & 8"}


# --- China's label ---------------------------------------------------------------------------------------------


def test_chinas_label_has_its_seven_fields() -> None:
    label = json.loads(tags.aigc_label("Lumen 咖啡", UNIQUE))
    assert label == {
        "Label": "1",
        "ContentProducer": "Lumen 咖啡",
        "ProduceID": UNIQUE,
        "ReservedCode1": "",
        "ContentPropagator": "Lumen 咖啡",
        "PropagateID": UNIQUE,
        "ReservedCode2": "",
    }  # fmt: skip
    assert "咖啡" in tags.aigc_label("Lumen 咖啡", UNIQUE)


@pytest.mark.parametrize("ending", FORMATS)
def test_where_nobody_asks_for_it_there_is_none(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    """Also not from before: a file that is tagged again keeps nothing of what it does not say any more."""
    path = written(bare, tmp_path, ending)
    unlabelled = replace(SAID, aigc="")
    tags.write(path, unlabelled)
    assert tags.read(path) == unlabelled.as_pairs()
    assert set(unlabelled.as_pairs()) == set(tags.ALWAYS)
    assert b"ReservedCode1" not in path.read_bytes()


AIGC_IN_SPAIN = """\
id: aigc-in-spain
title: China's label, asked for in Spain
notice: Of a test.
markets: [ES]
applies_from: always
requires:
  tags:
    - {value: [AIGC], why: A test., known_from: house-rule}
sources:
  - {what: A test, known_from: house-rule}
checked: 2026-11-22
"""


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "not asked for"])
def test_a_run_labels_what_its_markets_ask_for(scene: Scene, clearspot: Any, asked: bool) -> None:
    if asked:
        policy = scene.project.root / "configs" / "policies" / "aigc-in-spain.yaml"
        policy.parent.mkdir(parents=True)
        policy.write_text(AIGC_IN_SPAIN, encoding="utf-8")
    which = ("--runner", "inline", "--locale", "es-ES", "--profile", "podcast", "--out", scene.out, "--json")
    code, out, _ = clearspot("run", scene.spot, *which)
    assert code == 0, out
    (path,) = scene.out.rglob("*.mp3")
    found, count = tags.read(path), "10" if asked else "9"
    assert ("AIGC" in found) == asked
    if asked:
        assert json.loads(found["AIGC"])["ProduceID"] == found["UniqueId"]
        assert json.loads(found["AIGC"])["ContentProducer"] == found["Provider"]
    receipt = json.loads(path.with_suffix(".receipt.json").read_text())["receipt"]
    (rule,) = [finding for finding in receipt["findings"] if finding["rule"] == "tags-present"]
    assert (rule["verdict"], rule["measured"]) == ("pass", f"{count} of {count}")
    assert ("AIGC" in receipt["clearance"]["tags"]) == asked
    checks = json.loads(clearspot("verify", path, "--json")[1])
    assert f'"{count} of {count} tags"' in json.dumps(checks)


# --- writing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [SAID, LONG], ids=["ordinary", "long"])
@pytest.mark.parametrize("ending", FORMATS)
def test_tags_leave_the_essence_alone(bare: dict[str, Path], tmp_path: Path, ending: str, said: tags.Tags) -> None:
    path = written(bare, tmp_path, ending, said)
    assert path.read_bytes() != bare[ending].read_bytes()
    assert essence_sha256(path) == essence_sha256(bare[ending])
    tags.write(path, replace(said, title="Another"))
    assert essence_sha256(path) == essence_sha256(bare[ending])


@pytest.mark.parametrize("ending", FORMATS)
def test_tagged_again_a_file_says_the_new_alone(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    path = written(bare, tmp_path, ending, LONG)
    tags.write(path, SAID)
    assert tags.read(path) == SAID.as_pairs()
    assert by_libav(path)["title"] == SAID.title
    assert LONG.title[:100].encode() not in path.read_bytes()


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_tags_give_the_same_bytes(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    (tmp_path / "again").mkdir()
    assert written(bare, tmp_path, ending).read_bytes() == written(bare, tmp_path / "again", ending).read_bytes()


@pytest.mark.parametrize("ending", FORMATS)
def test_nothing_is_left_beside_a_tagged_file(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    path = written(bare, tmp_path, ending)
    path.chmod(0o640)
    tags.write(path, SAID)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content", [b"", b"text", bytes(5000), b"RIFF\4\0\0\0WAVE", b"OggS" + bytes(40)])
@pytest.mark.parametrize("ending", [each for each in FORMATS if each != "mp3"])  # ID3 goes before whatever there is
def test_what_cannot_be_tagged_stays_as_it_was(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"spot.{ending}"
    path.write_bytes(content)
    with pytest.raises((BadInput, MachineFault)) as caught:
        tags.write(path, SAID)
    assert caught.value.where == str(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", FORMATS)
def test_where_the_disk_is_full_the_file_stays_as_it_was(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    path = written(bare, tmp_path, ending)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))  # no file may grow beyond that
    try:
        with pytest.raises(MachineFault, match="tags cannot be written"):
            tags.write(path, SAID)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("wrong", ["a\0b", "two\nlines", "\x1b[31m", "\x85", "\ud800", "\ufffe"])
@pytest.mark.parametrize("ending", FORMATS)
def test_what_some_format_cannot_hold_is_refused_in_all(
    bare: dict[str, Path], tmp_path: Path, ending: str, wrong: str
) -> None:
    path = written(bare, tmp_path, ending)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="control characters") as caught:
        tags.write(path, replace(SAID, provider=wrong))
    assert caught.value.where == f"{path}: Provider"
    assert path.read_bytes() == before


# --- profiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", FORMATS)
def test_a_shipped_profile_is_kept_to_by_its_encoder(bare: dict[str, Path], ending: str) -> None:
    profile, facts = load_profile(SHIPPED, PROFILES[ending]), probe(bare[ending])
    decoded, loudness = decode_and_measure(bare[ending])
    assert (facts.rate_hz, facts.channels) == (48_000, 2)
    assert len(decoded) / 48_000 == pytest.approx(LENGTH_S, abs=0.05)
    assert loudness.integrated_lufs == pytest.approx(profile.loudness_lufs, abs=1.0)
    assert loudness.true_peak_dbtp <= profile.true_peak_dbtp


def test_flac_keeps_24_bits(bare: dict[str, Path]) -> None:
    assert mutagen.File(bare["flac"]).info.bits_per_sample == 24


@pytest.mark.parametrize("ending", FORMATS)
def test_an_equal_programme_is_an_equal_file(bare: dict[str, Path], tmp_path: Path, ending: str) -> None:
    assert encoded(tmp_path, ending, programme()).read_bytes() == bare[ending].read_bytes()


def test_what_is_exported_is_withdrawn_too() -> None:
    assert {f".{ending}" for ending in CODECS} <= set(PUBLISHED)
    assert set(CODECS) == set(FORMATS)


MP3 = {
    "title": "T", "extension": "mp3", "codec": "libmp3lame", "bitrate_kbps": 192, "loudness_lufs": -16.0,
    "loudness_tolerance_lu": 0.5, "true_peak_dbtp": -1.0, "codec_headroom_db": 1.0,
}  # fmt: skip
LOUD = {"loudness_lufs": -16.0, "loudness_tolerance_lu": 0.5, "true_peak_dbtp": -1.0, "codec_headroom_db": 1.0}


@pytest.mark.parametrize(
    ("extension", "codec", "bitrate", "told"),
    [
        ("wav", "aac", None, "codec: should be pcm_s16le or pcm_s24le in wav"),
        ("mp4", "libopus", 96, "codec: should be aac in mp4"),
        ("ogg", "libopus", 96, "codec: should be libvorbis in ogg"),
        ("opus", "libvorbis", 96, "codec: should be libopus in opus"),
        ("flac", "pcm_s24le", None, "codec: should be flac in flac"),
        ("flac", "flac", 192, "bitrate_kbps: flac keeps every bit"),
        ("wav", "pcm_s24le", 192, "bitrate_kbps: pcm_s24le keeps every bit"),
        ("webm", "libopus", 96, "extension: "),
    ],
)
def test_what_does_not_go_together_is_told(extension: str, codec: str, bitrate: int | None, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_model(
            Profile, {"title": "T", "extension": extension, "codec": codec, "bitrate_kbps": bitrate, **LOUD}, Path("p")
        )
    assert told in str(caught.value)


def test_three_seconds_may_be_louder_than_the_whole_and_only_so(tmp_path: Path) -> None:
    for highest in (-16.0, -20.0):
        with pytest.raises(BadInput, match=r"short_term_max_lufs: should be over loudness_lufs, -16 \(it is"):
            parse_model(Profile, {**MP3, "short_term_max_lufs": highest}, tmp_path)
    assert parse_model(Profile, {**MP3, "short_term_max_lufs": -11.0}, tmp_path).short_term_max_lufs == -11.0


def test_every_shipped_profile_can_be_loaded() -> None:
    shipped = Project(Path(), Settings()).configs("profiles")
    assert {load_profile(SHIPPED, name).extension for name in shipped} == set(FORMATS)


ASKED_FOR = {
    "broadcast-eu": (-23.0, 0.5, -1.0, -18.0),  # EBU R 128 and its supplement s1
    "broadcast-us": (-24.0, 2.0, -2.0, None),  # ATSC A/85
    "podcast": (-16.0, 0.5, -1.0, None),
    "stream": (-14.0, 0.5, -1.0, None),
    "audio-ads": (-18.0, 2.0, -1.0, None),  # AES TD1008
}


@pytest.mark.parametrize("name", ASKED_FOR)
def test_the_loudness_that_is_asked_for_where_it_runs(name: str) -> None:
    got = load_profile(SHIPPED, name)
    found = (got.loudness_lufs, got.loudness_tolerance_lu, got.true_peak_dbtp, got.short_term_max_lufs)
    assert found == ASKED_FOR[name]


def test_the_reference_lists_every_shipped_profile() -> None:
    reference = (CHECKOUT / "docs" / "reference.md").read_text(encoding="utf-8")
    names = Project(Path(), Settings()).configs("profiles")
    assert [name for name in names if f"| `{name}` |" not in reference] == []
    assert [name for name in Profile.model_fields if f"| `{name}` |" not in reference] == []
