"""What any copy of a deliverable still proves to a listener: its spoken disclosure, its watermark, its loudness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspot.config import DeliverableLimits, DisclosureWording
from clearspot.engines.protocols import Recogniser, Watermarker
from clearspot.errors import BadInput, ClearspotError
from clearspot.gate.rules import Finding
from clearspot.media.audio import LISTEN_RATE_HZ, Samples, for_listening, probe
from clearspot.media.loudness import Loudness, decode_and_measure
from clearspot.text.match import best_stretch, closeness, heard_text
from clearspot.text.said import denials, hold_against
from clearspot.transcript import Word

AROUND_S = 1.5
"""How much is listened to before and after the place of a disclosure."""

OPENING_S = 30.0
"""Where nothing says what the disclosure should be, it is looked for this far from the start."""

BREATH_S = 0.3
"""A longer pause parts what is said: between a line and a disclosure there is always one."""

SENTENCE_ENDS = (".", "!", "?", "…")

MAX_S = 3600.0


@dataclass(frozen=True, slots=True)
class Ears:
    """What listens, and how closely."""

    recogniser: Recogniser
    watermarker: Watermarker
    limits: DeliverableLimits
    wordings: Mapping[str, DisclosureWording]


@dataclass(frozen=True, slots=True)
class Sound:
    """A file, decoded once. ``listening`` is mono at 16 kHz, shape (samples,)."""

    listening: Samples
    loudness: Loudness


def sound_of(path: Path) -> Sound | ClearspotError:
    """A file's sound, or why there is none."""
    try:
        if (length_s := probe(path).duration_s) > MAX_S:
            raise BadInput(f"is {length_s / 60:.0f} minutes long; at most an hour is listened to.", where=str(path))
        programme, loudness = decode_and_measure(path)
        return Sound(for_listening(programme), loudness)
    except ClearspotError as error:
        return error


def listen(sound: Sound | ClearspotError, clearance: Mapping[str, Any], ears: Ears) -> Iterator[Finding]:
    """Every check that takes ears.

    Args:
        sound: The file's.
        clearance: What its trusted manifest says of it; empty where there is none to be believed.
        ears: Who listens.
    """
    if isinstance(sound, ClearspotError):
        for rule in ("disclosure-heard", "watermark-detected", "loudness"):
            yield Finding(rule, "fail", "unreadable", "audio", str(sound))
        return
    yield _disclosure_as_named(sound, clearance, ears) if clearance.get("disclosure") else _any_disclosure(sound, ears)
    yield _watermark(sound, clearance, ears)
    yield _loudness(sound, clearance)


def _disclosure_as_named(sound: Sound, clearance: Mapping[str, Any], ears: Ears) -> Finding:
    """The disclosure in the words and the places that the manifest names."""
    try:
        locale, named = str(clearance["locale"]), clearance["disclosure"]
        text, start_s = str(named["text"]), float(named["start_s"])
        lasts_s = float(named["end_s"]) - start_s
        starts_s = [start_s, *map(float, named.get("again_at_s", ()))]
    except (KeyError, TypeError, ValueError, AttributeError):
        return Finding("disclosure-heard", "fail", "unknown", "as its manifest says", "its manifest does not say how")
    heard = [_heard_at(sound, locale, at_s, lasts_s, ears) for at_s in starts_s]
    rate = max(1 - closeness(text, heard_text(words), locale) for words in heard)
    most = ears.limits.disclosure_error_rate_in(locale)
    at = " and ".join(f"{each:.1f} s" for each in starts_s)
    detail = "" if rate <= most else f"not heard where it should be, in the words {text!r}"
    detail = detail or next((denied for words in heard if (denied := _denied(text, words, locale))), "")
    return Finding(
        "disclosure-heard", _verdict(not detail), f"error rate {rate:.2f}", f"at most {most:g} at {at}", detail
    )


def _heard_at(sound: Sound, locale: str, at_s: float, lasts_s: float, ears: Ears) -> tuple[Word, ...]:
    part = _part(sound.listening, at_s - AROUND_S, at_s + lasts_s + AROUND_S)
    return ears.recogniser.recognise(part, language=locale.split("-", maxsplit=1)[0]).words


def _denied(text: str, words: tuple[Word, ...], locale: str) -> str:
    """What says the contrary: one word does, and an error rate hardly sees it. Empty where nothing does.

    It may stand in the sentence, or before it in one breath ("It is not true that this ad ...").
    """
    stretch = best_stretch(text, words, locale)
    said = hold_against(text, stretch, (), locale)
    before = heard_text(_in_one_breath(words, stretch.start_s))
    denied = said.denies or bool(denials(before, locale))
    return f"denied: heard {' '.join(filter(None, (before, said.heard)))!r}" if denied else ""


def _in_one_breath(words: tuple[Word, ...], until_s: float | None) -> tuple[Word, ...]:
    """The words before a time that no pause and no end of a sentence parts from it."""
    before = [word for word in words if until_s is not None and word.end_s <= until_s + BREATH_S / 2]
    begins, next_s = len(before), until_s or 0.0
    for place, word in reversed([*enumerate(before)]):
        if word.text.rstrip().endswith(SENTENCE_ENDS) or next_s - word.end_s > BREATH_S:
            break
        begins, next_s = place, word.start_s
    return tuple(before[begins:])


def _any_disclosure(sound: Sound, ears: Ears) -> Finding:
    """Any wording of the language that is heard, near the start: for copies whose manifest is gone."""
    transcript = ears.recogniser.recognise(_part(sound.listening, 0.0, OPENING_S), language=None)
    heard, language = heard_text(transcript.words), transcript.language
    rates = {
        (locale, text): 1 - closeness(text, heard, locale)
        for locale, wording in ears.wordings.items()
        if locale.split("-", maxsplit=1)[0] == language
        for text in wording.all
    }
    if not rates or not heard:
        return Finding("disclosure-heard", "fail", f"language {language!r}", "a wording known here", "none was heard")
    (locale, text), rate = min(rates.items(), key=lambda item: item[1])
    most = ears.limits.disclosure_error_rate_in(locale)
    required = f"at most {most:g} in the first {OPENING_S:g} s"
    detail = "no wording known here was heard" if rate > most else _denied(text, transcript.words, locale)
    return Finding("disclosure-heard", _verdict(not detail), f"error rate {rate:.2f}, {locale}", required, detail)


def _watermark(sound: Sound, clearance: Mapping[str, Any], ears: Ears) -> Finding:
    found, least = ears.watermarker.detect(sound.listening, LISTEN_RATE_HZ), ears.watermarker.detected_from
    verdict = _verdict(found >= least)
    if verdict == "fail" and clearance.get("watermark") == "not needed":
        verdict = "warn"
    return Finding("watermark-detected", verdict, f"confidence {found:.2f}", f"at least {least:g}")


def _loudness(sound: Sound, clearance: Mapping[str, Any]) -> Finding:
    got = sound.loudness
    measured = f"{got.integrated_lufs:.1f} LUFS, {got.true_peak_dbtp:.1f} dBTP"
    try:
        named = clearance["loudness"]
        target, tolerance, peak = (float(named[name]) for name in ("lufs", "tolerance_lu", "true_peak_dbtp"))
        highest = None if named.get("short_term_max_lufs") is None else float(named["short_term_max_lufs"])
    except (KeyError, TypeError, ValueError):
        return Finding("loudness", "fail", measured, "as its manifest says", "no manifest says how loud it should be")
    passed = abs(got.integrated_lufs - target) <= tolerance and got.true_peak_dbtp <= peak
    required = f"{target:g} ±{tolerance:g} LUFS, at most {peak:g} dBTP"
    if highest is not None:
        passed = passed and got.short_term_max_lufs <= highest
        measured += f", short-term at most {got.short_term_max_lufs:.1f} LUFS"
        required += f", short-term at most {highest:g} LUFS"
    return Finding("loudness", _verdict(passed), measured, required)


def _part(listening: Samples, start_s: float, end_s: float) -> Samples:
    return listening[max(0, round(start_s * LISTEN_RATE_HZ)) : max(0, round(end_s * LISTEN_RATE_HZ))]


def _verdict(passed: bool) -> Any:
    return "pass" if passed else "fail"
