"""Ways to break a deliverable: other sounds into the real stages, another profile or signer, other bytes on disk.

What the gate expects stays what was approved. ``scripts/gate_errors.py`` tries them all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from clearspot import pipeline
from clearspot.config import load_wordings
from clearspot.delivery import Made
from clearspot.errors import ClearspotError
from clearspot.job import Job
from clearspot.media import ffmpeg
from clearspot.media.audio import Samples, for_listening
from clearspot.media.loudness import decode_and_measure
from clearspot.spot import DISCLOSURE_ID
from clearspot.stages.speak import SPEECH_LEVEL_DB, Clip, _levelled, _trimmed
from clearspot.timebase import RATE_HZ, samples, seconds
from clearspot.timeline import Placed, Timeline
from scripts.programmes import Programme
from scripts.styles import said_by

OTHER_VOICE = {"jf_tebukuro": 1.0}
"""A voice that is clearly not the house's (docs/measurements.md has the others)."""
MARKED = "watermark-detected"
OTHER_LANGUAGE = {"es-ES": "it-IT", "it-IT": "pt-BR", "pt-BR": "en-US"}
WITHOUT = {"es": ("sin ", "con "), "it": ("senza ", "con "), "pt": ("sem ", "com ")}
"""A denial, and what is left of a sentence without it."""


@dataclass(frozen=True)
class Bench:
    """Where breakages are made: an empty folder, the profile asked for, and a second project nobody here trusts."""

    folder: Path
    profile: str
    stranger: Job


Make = Callable[[Programme, Bench], Made]


@dataclass(frozen=True)
class Breakage:
    """One way to break a deliverable, and the rule that has to catch it, or else ``or_rule`` where there is one."""

    name: str
    rule: str
    make: Make
    only: Callable[[Programme], bool] = lambda _: True
    or_rule: str = ""

    @property
    def rules(self) -> frozenset[str]:
        return frozenset({self.rule, self.or_rule} - {""})


def good(programme: Programme, bench: Bench) -> Made:
    """As it should be."""
    return programme.deliver(bench.profile, bench.folder)


# --- other sounds into the real stages ---------------------------------------------------------------------------


def sounding(change: Callable[[Programme], Samples]) -> Make:
    """Another programme than was approved."""

    def make(programme: Programme, bench: Bench) -> Made:
        return programme.deliver(bench.profile, bench.folder, change(programme))

    return make


def with_clips(change: Callable[[Programme, Placed], Placed]) -> Make:
    """The approved timeline with some of its clips changed."""

    def sound(programme: Programme) -> Samples:
        clips = tuple(change(programme, clip) for clip in programme.timeline.clips)
        return programme.marked(Timeline(clips, programme.timeline.length))

    return sounding(sound)


def of_disclosure(change: Callable[[Samples], Samples]) -> Make:
    """The disclosure's samples changed, at the start and wherever else it is heard."""
    return with_clips(lambda _, clip: _sounding(clip, change) if clip.line_id == DISCLOSURE_ID else clip)


def of_line(change: Callable[[Samples], Samples]) -> Make:
    """The second line's samples changed."""
    return with_clips(lambda p, clip: _sounding(clip, change) if is_second_line(p, clip) else clip)


def is_second_line(programme: Programme, clip: Placed) -> bool:
    return clip.line_id == programme.clips[2].line_id


def _sounding(clip: Placed, change: Callable[[Samples], Samples]) -> Placed:
    return replace(clip, samples=change(clip.samples))


def saying(words: Callable[[Programme, Clip], str]) -> Make:
    """The voice says other words, and they are fitted as if they had been approved."""

    def sound(programme: Programme) -> Samples:
        clips = []
        for clip in programme.clips:
            other = words(programme, clip)
            clips.append(clip if other == clip.text else programme.say(clip.line_id, other))
        return _fitted(programme, clips)

    return sounding(sound)


def in_another_voice(whose: Callable[[Programme, Placed], bool]) -> Make:
    """Some clips as another style of the same model says them, in their time and at their level."""

    def change(programme: Programme, clip: Placed) -> Placed:
        if not whose(programme, clip):
            return clip
        say = partial(said_by, OTHER_VOICE, programme.job.studio, programme.locale, clip.text, RATE_HZ)
        longer = len(_trimmed(say())) / len(clip.samples)
        sound = _levelled(_trimmed(say(speed=max(1.0, 1.05 * longer))))[: len(clip.samples)]
        return replace(clip, samples=np.pad(sound, (0, len(clip.samples) - len(sound))))

    return with_clips(change)


def _fitted(programme: Programme, clips: Iterable[Clip]) -> Samples:
    timeline = pipeline.fit_timeline(programme.job, programme.timed, programme.grant, tuple(clips))
    return programme.marked(timeline)


def in_another_language(line: int) -> Make:
    """The disclosure (0) or a line as another locale has it, in the same voice, read as that locale's letters."""

    def words(programme: Programme, clip: Clip) -> str:
        if clip is not programme.clips[line]:
            return clip.text
        other = OTHER_LANGUAGE[programme.locale]
        if line:
            return str(programme.ad["lines"][other][clip.line_id])
        return load_wordings(programme.job.project)[other].short

    return saying(words)


def another_number(programme: Programme, clip: Clip) -> str:
    line_id, right, wrong = programme.ad["wrong"]
    return clip.text.replace(right, wrong) if clip.line_id == line_id else clip.text


def another_name(programme: Programme, clip: Clip) -> str:
    return clip.text.replace(programme.ad["name"], "Vento Grande")


def no_denial(programme: Programme, clip: Clip) -> str:
    there, instead = WITHOUT[programme.language]
    return clip.text.replace(there, instead).replace(there.capitalize(), instead.capitalize())


def has_denial(programme: Programme) -> bool:
    return any(no_denial(programme, clip) != clip.text for clip in programme.clips[1:])


def swapped(programme: Programme) -> Samples:
    """The second and the third line in each other's places."""
    first, opening, one, other, *rest = programme.clips
    return _fitted(programme, [first, opening, _called(other, one), _called(one, other), *rest])


def _called(clip: Clip, line: Clip) -> Clip:
    return replace(clip, line_id=line.line_id)


def twice(programme: Programme) -> Samples:
    """The second line again, right after itself; all that follows later."""
    line = programme.timeline.lines[1]
    again = len(line.samples) + samples(0.2)
    clips = [
        clip if clip.start <= line.start else replace(clip, start=clip.start + again)
        for clip in programme.timeline.clips
    ]
    clips.insert(clips.index(line) + 1, replace(line, start=line.end + samples(0.2)))
    return programme.marked(Timeline(tuple(clips), programme.timeline.length + again))


def twice_in_its_time(programme: Programme) -> Samples:
    """The last line again in the quiet after it; where there is little quiet, the end of the spot is cut off."""
    line = programme.timeline.lines[-1]
    again = replace(line, start=line.end + samples(0.3))
    whole = Timeline((*programme.timeline.clips, again), max(programme.timeline.length, again.end))
    return programme.marked(whole)[: programme.timeline.length]


def ends_with_a_line(programme: Programme) -> bool:
    """Whether nothing comes after the last line that the repeated one would be heard over."""
    return len(programme.timeline.disclosures) == 1


def late(programme: Programme) -> Samples:
    """Everything 1.5 s later, and as long as it should be."""
    quiet = np.zeros((samples(1.5), 2), np.float32)
    return np.concatenate([quiet, programme.samples])[: len(programme.samples)]


def bed_under_disclosure(under_db: float) -> Make:
    """The bed, or noise where there is none, under the disclosure's speech of -20 dBFS."""

    def sound(programme: Programme) -> Samples:
        end = programme.timeline.disclosures[0].end
        bed = programme.bed
        if bed is None:
            bed = np.random.default_rng(3).standard_normal((end, 2)).astype(np.float32)
        under = np.resize(bed, (end, 2))
        made = programme.samples.copy()
        made[:end] += under * np.float32(10 ** ((SPEECH_LEVEL_DB + under_db) / 20) / np.sqrt((under**2).mean()))
        return made

    return sounding(sound)


def drums_under_disclosure(programme: Programme) -> Samples:
    """A drum's hit of 60 ms every half second under the disclosure, 20 dB under its speech: mostly nothing is there."""
    opening = programme.timeline.disclosures[0]
    time_s = np.arange(samples(0.06)) / RATE_HZ
    hit = np.sin(2 * np.pi * 110 * time_s) * np.exp(-time_s / 0.03)
    hit *= 10 ** ((SPEECH_LEVEL_DB - 20) / 20) / np.sqrt((hit**2).mean())
    made = programme.samples.copy()
    for start in range(samples(0.2), opening.end - len(hit), RATE_HZ // 2):
        made[start : start + len(hit)] += hit.astype(np.float32)[:, None]
    return made


def without_end(share: float) -> Callable[[Samples], Samples]:
    """The first part of a clip, and silence."""

    def cut(sound: Samples) -> Samples:
        kept = sound.copy()
        kept[round(len(sound) * share) :] = 0
        return kept

    return cut


# --- another profile, another signer -----------------------------------------------------------------------------


def delivered_as(**changes: float) -> Make:
    """Encoded by another profile than the one asked for; numbers are added to the profile's."""

    def make(programme: Programme, bench: Bench) -> Made:
        asked = programme.job.profiles[bench.profile]
        wrong = asked.model_copy(update={name: getattr(asked, name) + more for name, more in changes.items()})
        job = replace(programme.job, profiles={**programme.job.profiles, bench.profile: wrong})
        made = programme.deliver(bench.profile, bench.folder, job=job)
        return replace(made, expected=replace(made.expected, profile=asked))  # what was approved

    return make


def over_full_scale(programme: Programme, bench: Bench) -> Made:
    """12 dB too loud and cut off at full scale, in the codec that it came in."""
    return on_disk(lambda path: _through(path, "volume=12dB,asoftclip=type=hard"))(programme, bench)


def foreign(programme: Programme, bench: Bench) -> Made:
    """Signed by a project that this one does not trust."""
    desk = replace(programme.job.desk, all_keys=bench.stranger.keys, trust=bench.stranger.trust)
    job = replace(programme.job, desk=desk)
    return programme.deliver(bench.profile, bench.folder, job=job)


# --- other bytes than the stages gave ----------------------------------------------------------------------------


def on_disk(change: Callable[[Path], None]) -> Make:
    """The file changed after it was made, and decoded as it is then, where it still can be."""

    def make(programme: Programme, bench: Bench) -> Made:
        made = programme.deliver(bench.profile, bench.folder)
        candidate = made.candidate
        change(candidate.path)
        try:
            sound, loudness = decode_and_measure(candidate.path)
        except ClearspotError:
            return made
        heard = replace(candidate, duration_s=seconds(len(sound)), loudness=loudness, listening=for_listening(sound))
        return replace(made, candidate=heard)

    return make


def another_file(programme: Programme, bench: Bench) -> Made:
    """The bytes of the same programme's other candidate, made and signed here a moment ago."""
    other = programme.deliver(bench.profile, bench.folder)
    kept = other.candidate.path.rename(bench.folder / f"other{other.candidate.path.suffix}")
    made = programme.deliver(bench.profile, bench.folder)
    kept.replace(made.candidate.path)
    return made


def flip(where: float) -> Callable[[Path], None]:
    """One bit of the byte at a share of the file."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int((len(data) - 1) * where)] ^= 1
        path.write_bytes(data)

    return change


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 4 // 5])


def strip_tags(path: Path) -> None:
    import mutagen

    file = mutagen.File(path)
    file.delete()


def copy_streams(path: Path) -> None:
    """``ffmpeg -c copy``: tags stay where ffmpeg knows them, the manifest goes."""
    _through(path, None)


def _through(path: Path, filters: str | None) -> None:
    import ffmpeg as graph

    target = path.with_name(f"through{path.suffix}")
    options = {".wav": {"acodec": "pcm_s24le"}, ".mp3": {"acodec": "libmp3lame", "audio_bitrate": "192k"}}
    how = {"af": filters, **options.get(path.suffix, {"acodec": "aac"})} if filters else {"c": "copy"}
    ffmpeg.run(graph.input(f"file:{path}").output(f"file:{target}", **how), about=path)
    shutil.move(target, path)


BREAKAGES: tuple[Breakage, ...] = (
    Breakage("disclosure missing", "disclosure-heard", of_disclosure(np.zeros_like)),
    Breakage("disclosure cut in half", "disclosure-heard", of_disclosure(without_end(0.5))),
    Breakage("disclosure without its last word", "disclosure-heard", of_disclosure(without_end(0.75))),
    Breakage("disclosure in another language", "disclosure-heard", in_another_language(0)),
    Breakage("bed under the disclosure, -20 dB", "disclosure-clear", bed_under_disclosure(-20)),
    Breakage("bed under the disclosure, -6 dB", "disclosure-clear", bed_under_disclosure(-6)),
    Breakage("sparse drums under the disclosure", "disclosure-clear", sounding(drums_under_disclosure)),
    Breakage("disclosure 10 dB softer", "disclosure-clear", of_disclosure(lambda sound: sound * np.float32(0.316))),
    Breakage("one line missing", "lines-heard", of_line(np.zeros_like)),
    Breakage("one line cut", "lines-heard", of_line(without_end(0.6))),
    Breakage("two lines swapped", "lines-heard", sounding(swapped)),
    Breakage("one line twice", "lines-heard", sounding(twice)),
    # Once the disclosure alone was told and not the line: the recogniser hears the whole file in one go, and what is
    # said twice at its end can change what it hears at its start. In fifteen tries since, the line was told.
    Breakage(
        "last line twice, same length",
        "lines-heard",
        sounding(twice_in_its_time),
        ends_with_a_line,
        or_rule="disclosure-heard",
    ),
    Breakage("one line in another language", "lines-heard", in_another_language(1)),
    Breakage("all in another voice", "speaker-consented", in_another_voice(lambda *_: True)),
    Breakage("one line in another voice", "speaker-consented", in_another_voice(is_second_line)),
    Breakage("wrong price or number", "lines-heard", saying(another_number)),
    Breakage("a denial lost", "lines-heard", saying(no_denial), has_denial),
    Breakage("another brand", "lines-heard", saying(another_name)),
    Breakage("all 1.5 s late", "lines-heard", sounding(late)),
    Breakage("2 LU too loud", "loudness", delivered_as(loudness_lufs=2, true_peak_dbtp=0.5)),
    Breakage("2 LU too soft", "loudness", delivered_as(loudness_lufs=-2)),
    Breakage("clipped at full scale", "true-peak", over_full_scale),
    Breakage("0.5 s too long", "duration", sounding(lambda p: np.pad(p.samples, ((0, RATE_HZ // 2), (0, 0))))),
    Breakage("0.2 s too short", "duration", sounding(lambda p: p.samples[: -RATE_HZ // 5])),
    Breakage("truncated file", "manifest-trusted", on_disk(truncate)),
    Breakage("no watermark", MARKED, sounding(Programme.unmarked)),
    # Some kinds of file say it in several places, of which a tag editor knows one: the signature knows them all.
    Breakage("tags stripped", "manifest-trusted", on_disk(strip_tags)),
    Breakage("manifest stripped (-c copy)", "manifest-trusted", on_disk(copy_streams)),
    Breakage("another deliverable's bytes", "tags-present", another_file),
    Breakage("foreign signature", "manifest-trusted", foreign),
    *(
        Breakage(f"one bit flipped, at {share:.0%}", "manifest-trusted", on_disk(flip(share)))
        for share in (0.02, 0.5, 1)
    ),
)
