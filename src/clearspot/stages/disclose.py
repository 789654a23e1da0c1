"""disclose: a programme to a candidate file: loudness, encoding, tags, and the signed manifest last; its captions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clearspot.config import Extension, Profile
from clearspot.errors import MachineFault, Refused
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, essence_sha256, for_listening, to_f32le
from clearspot.media.loudness import Loudness, bring_to, decode_and_measure
from clearspot.provenance import manifest, tags
from clearspot.provenance.keys import SigningKeys, Trust
from clearspot.timebase import RATE_HZ, seconds

ENCODE_TRIES = 3

MORE_OPTIONS: Mapping[Extension, Mapping[str, object]] = {
    "m4a": {"movflags": "+faststart"},
    "mp4": {"movflags": "+faststart"},
    "flac": {"sample_fmt": "s32", "bits_per_raw_sample": 24, "compression_level": 8},
}
"""By kind of file: the index before the sound, for who streams it; 24 bits, as the programme has them."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What a deliverable says of itself, and who signs it; ``captions`` are its texts by their endings."""

    tags: tags.Tags
    claim: manifest.Claim
    recording: Path
    keys: SigningKeys
    trust: Trust
    captions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished file that no gate has seen yet, and what decoding it once gave.

    ``listening`` is what a recogniser takes: mono float32 at 16 kHz, shape (samples,). ``captions`` are signed files
    beside it.
    """

    path: Path
    duration_s: float
    loudness: Loudness
    listening: Samples
    captions: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is published together, in the order of publishing: the sound last, after its manifest."""
        return tuple(file for path in (*self.captions, self.path) for file in manifest.files_of(path))


@dataclass(frozen=True, slots=True)
class Encoded:
    """A programme in a profile's codec, without a word about itself yet, and what decoding it once gave.

    ``decoded`` has shape (samples, 2) at 48 kHz.
    """

    path: Path
    decoded: Samples
    loudness: Loudness


def encode_to(programme: Samples, profile: Profile, path: Path) -> Encoded:
    """Bring a programme to its profile's loudness and encode it.

    A lossy codec may carry true peaks over the limit and lose loudness, so the encoded file is measured, and encoded
    again with more headroom or gain where it did; and softer, within the tolerance, where its loudest three seconds are
    over what the profile allows.

    Raises:
        Refused: The loudness cannot be reached.
        MachineFault: ffmpeg failed or the disk is full.
    """
    headroom_db, makeup_lu, softer_lu = profile.codec_headroom_db, 0.0, 0.0
    for _ in range(ENCODE_TRIES):
        aim_lufs = profile.loudness_lufs - softer_lu
        ready = bring_to(programme, aim_lufs + makeup_lu, profile.true_peak_dbtp - headroom_db)
        encode(ready, profile, path)
        encoded = read_encoded(path)
        over_db = encoded.loudness.true_peak_dbtp - profile.true_peak_dbtp
        off_lu = aim_lufs - encoded.loudness.integrated_lufs
        over_lu = _over_short_term(encoded.loudness, profile)
        if over_db <= 0 and not over_lu > 0 and abs(off_lu) <= profile.loudness_tolerance_lu / 2:
            break
        headroom_db += over_db + 0.1 if over_db > 0 else 0.0
        softer_lu += over_lu + 0.1 if over_lu > 0 else 0.0
        makeup_lu += 0.0 if over_lu > 0 else off_lu
    if over_lu > 0 or softer_lu > profile.loudness_tolerance_lu:
        would_be_lu = over_lu + profile.loudness_lufs - aim_lufs
        raise Refused(
            f"its loudest three seconds would be {would_be_lu:.1f} LU over the {profile.short_term_max_lufs:g} "
            f"LUFS that any may have, with the whole at {profile.loudness_lufs:g} LUFS.",
            where=f"profile {profile.title!r}",
            remedy="Take a bed that is more even, or lines that are.",
        )
    off_lu = profile.loudness_lufs - encoded.loudness.integrated_lufs
    if over_db > 0 or abs(off_lu) > profile.loudness_tolerance_lu:
        raise Refused(
            f"after encoding it is {encoded.loudness.integrated_lufs:.1f} LUFS with a true peak of "
            f"{encoded.loudness.true_peak_dbtp:.1f} dBTP; {profile.loudness_lufs:g} LUFS under "
            f"{profile.true_peak_dbtp:g} dBTP cannot be reached.",
            where=f"profile {profile.title!r}",
            remedy="Ask for a lower loudness or a higher bitrate in the delivery profile.",
        )
    return encoded


def _over_short_term(loudness: Loudness, profile: Profile) -> float:
    """By how much the loudest three seconds are over what they may be; not at all where nothing is asked of them."""
    highest = profile.short_term_max_lufs
    return -math.inf if highest is None else loudness.short_term_max_lufs - highest


def read_encoded(path: Path) -> Encoded:
    """An encoded file, decoded and measured once.

    Raises:
        MachineFault: It cannot be decoded.
    """
    decoded, loudness = decode_and_measure(path)
    return Encoded(path, decoded, loudness)


def disclose(encoded: Encoded, papers: Papers, folder: Path, name: str) -> Candidate:
    """Tag and sign an encoded programme in ``folder``, and sign its captions.

    The manifest names the essence of what was decoded and measured, before a tag is written: tags and manifest have to
    leave it alone, and the gate holds the delivered bytes against that digest.

    Raises:
        Refused: The signer is not trusted.
        MachineFault: The disk is full.
    """
    clearance = {**papers.claim.clearance, "essence_sha256": essence_sha256(encoded.path)}
    claim = replace(papers.claim, clearance=clearance)
    tags.write(encoded.path, papers.tags)
    signed = folder / f"{name}{encoded.path.suffix}"
    manifest.sign(encoded.path, signed, claim, papers.recording, papers.keys, papers.trust)
    encoded.path.unlink()
    captions = tuple(_caption(ending, text, claim, papers, folder / name) for ending, text in papers.captions.items())
    length_s = seconds(len(encoded.decoded))
    return Candidate(signed, length_s, encoded.loudness, for_listening(encoded.decoded), captions)


def _caption(ending: str, text: str, claim: manifest.Claim, papers: Papers, stem: Path) -> Path:
    """Captions are proved like the sound they belong to, whose essence their manifest names; no mark is in them."""
    plain, signed = stem.with_name(f"{stem.name}.plain{ending}"), stem.with_name(stem.name + ending)
    try:
        plain.write_text(text, encoding="utf-8", newline="")
        manifest.sign(plain, signed, replace(claim, watermark=""), papers.recording, papers.keys, papers.trust)
        plain.unlink()
    except OSError as error:
        raise MachineFault(f"cannot be written: {error.strerror}.", where=str(plain)) from error
    return signed


def encode(programme: Samples, profile: Profile, target: Path) -> None:
    """Write a stereo programme, shape (samples, 2), in the profile's codec; equal samples give equal bytes."""
    import ffmpeg as graph

    options: dict[str, object] = {"acodec": profile.codec, "ar": RATE_HZ, "ac": 2, "map_metadata": -1}
    if profile.bitrate_kbps:
        options["audio_bitrate"] = f"{profile.bitrate_kbps}k"
    options |= MORE_OPTIONS.get(profile.extension, {})
    source = graph.input("pipe:", f="f32le", ar=RATE_HZ, ac=2)
    stream = source.output(f"file:{target}", fflags="+bitexact", **{"flags:a": "+bitexact"}, **options)
    ffmpeg.run(stream, stdin=to_f32le(programme), about=target)
