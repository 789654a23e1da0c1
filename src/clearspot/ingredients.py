"""Everything that a deliverable is made from, by name and digest: what a receipt keeps, and what a plan compares.

Each name belongs to the first stage that it matters to, and has its words for when it changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from clearspot.actions import VERSIONS, Tool
from clearspot.consent.registry import Voice
from clearspot.hashing import sha256_json
from clearspot.job import Job
from clearspot.media import ffmpeg

EXPORT = "2"
"""The number of what signing, gate and export make of the same inputs."""

STAGES = ("transcribe", "align", "translate", "authorize", "speak", "fit", "mix", "encode", "sign", "gate", "export")
"""In order, as a plan names them; ``sign``, ``gate`` and ``export`` are never served from the store."""

WORDS: tuple[tuple[str, str, str], ...] = (
    (r"clearspot", "transcribe", "this version of Clearspot makes it otherwise"),
    (r"recording", "transcribe", "the recording changed"),
    (r"recogniser", "transcribe", "the recogniser changed"),
    (r"ffmpeg", "transcribe", "another ffmpeg"),
    (r"source (.+)", "align", "line `{0}` changed in the script"),
    (r"script", "align", "the script's locale, names, order or protected words changed"),
    (r"limits", "align", "configs/listening.yaml changed"),
    (r"drafter", "translate", "what drafts the lines of {locale} that are not written"),
    (r"words (.+)", "speak", "line `{0}` changed in {locale}"),
    (r"state (.+)", "sign", "line `{0}` is approved now, or is not any more, in {locale}"),
    (r"disclosure", "speak", "the disclosure changed in {locale}"),
    (r"voice", "speak", "the voice's settings changed"),
    (r"engine of (.+)", "speak", "another version of {0}"),
    (r"weights of (.+)", "speak", "weights of {0} changed"),
    (r"timing", "fit", "timing or length changed"),
    (r"bed", "mix", "the bed changed"),
    (r"watermark", "mix", "the watermark changed"),
    (r"speaker encoder", "gate", "what compares voices changed"),
    (r"profile", "encode", "delivery profile {profile} changed"),
    (r"requirements", "sign", "what the markets of {locale} ask for changed"),
    (r"order", "sign", "markets, medium, purpose or provider changed"),
    (r"stamps", "sign", "who stamps the time changed"),
    (r"consent", "export", "consent renewed: export only"),
)
"""A name's pattern, the first stage that it matters to, and what is told when it changed."""


SIGNED = "approved"
APPROVED = sha256_json(SIGNED)
"""The ingredient of a line whose words are signed off."""


def recogniser_of(job: Job) -> Tool:
    return Tool(job.studio.recogniser().version, job.studio.recogniser_sha256())


def watermark_of(job: Job) -> Tool:
    return Tool(job.studio.watermarker().version, job.studio.watermark_sha256())


def speaker_encoder_of(job: Job) -> Tool:
    return Tool(job.studio.speaker_encoder().version, job.studio.speaker_sha256())


def speech_of(job: Job, voice: Voice) -> Tool:
    """How a voice is spoken with, whether or not it may be."""
    weights = job.studio.weights.pinned_voice(voice.file, voice.folder, commercial=job.spot.commercial)
    digests = {role: file.sha256 for role, file in weights.items()}
    return Tool(job.studio.speech(voice.file.engine).version, digests)


def ingredients(job: Job, voice: Voice, locale: str, profile_id: str) -> dict[str, str]:
    """What one deliverable is made from, as it is now; see ``ingredients_of_locale``."""
    return with_profile(job, ingredients_of_locale(job, voice, locale), profile_id)


def with_profile(job: Job, of_locale: Mapping[str, str], profile_id: str) -> dict[str, str]:
    """What one deliverable is made from, where what its locale's have in common is known."""
    return {**of_locale, "profile": sha256_json(job.profiles[profile_id].plain)}


def ingredients_of_locale(job: Job, voice: Voice, locale: str) -> dict[str, str]:
    """What all deliverables of a locale are made from, as it is now.

    Raises:
        Refused: A licence forbids the voice's weights, or there is no wording for the disclosure.
    """
    script, order = job.spot.script, job.spot.order
    asked = job.requirements[locale]
    engine, speech = voice.file.engine, speech_of(job, voice)
    written = job.spot.translations.get(locale)
    words = dict(written.lines) if written else {}
    states = {
        line: job.approvals.translation_state(script, locale, line, words[line]) if line in words else "not written"
        for line in script.lines
    }
    about_script = script.model_dump(mode="json", exclude={"lines"}) | {"order": list(script.lines)}
    parts: dict[str, object] = {
        "clearspot": [dict(VERSIONS), EXPORT],
        "recording": job.inputs["recording"],
        "recogniser": recogniser_of(job).parts,
        "script": about_script,
        "limits": job.inputs["limits"],
        "disclosure": [job.disclosure_of(locale), asdict(asked.disclosure)],
        "voice": voice.file.digest,
        f"engine of {engine}": speech.version,
        f"weights of {engine}": dict(speech.weights),
        "timing": [order.timing, order.duration_s],
        "bed": job.inputs.get("bed", ""),
        "watermark": watermark_of(job).parts,
        "speaker encoder": speaker_encoder_of(job).parts,
        "ffmpeg": ffmpeg.version(),
        "requirements": asked.as_json(),
        "order": [
            job.spot.id, locale, list(order.locales[locale].markets), order.medium, order.purpose, order.policy.drafts,
            job.project.settings.provider,
        ],
        "stamps": job.project.settings.signing.tsa_url,
        "consent": voice.record.digest,
    }  # fmt: skip
    if missing := [line for line in script.lines if line not in words]:
        drafter = job.studio.translator(script.locale, locale)
        parts["drafter"] = [missing, drafter.version if drafter else ""]
    parts |= {f"source {line}": text for line, text in script.lines.items()}
    parts |= {f"words {line}": text for line, text in words.items()}
    parts |= {f"state {line}": SIGNED if state == "approved" else "draft" for line, state in states.items()}
    return {name: sha256_json(part) for name, part in parts.items()}


def _unknown(names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Words for names that have none here: of another version, whose files are not taken for ours."""
    for name in names:
        if not any(re.fullmatch(pattern, name) for pattern, _, _ in WORDS):
            yield re.escape(name), STAGES[0], f"`{name.replace('{', '(').replace('}', ')')}` changed"


def changes(before: Mapping[str, str], now: Mapping[str, str], locale: str, profile: str) -> dict[str, list[str]]:
    """What differs between two lists of ingredients: by stage, in words."""
    found: dict[str, list[str]] = {}
    differing = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    for pattern, stage, words in (*WORDS, *_unknown(differing)):
        for name in differing:
            if form := re.fullmatch(pattern, name):
                found.setdefault(stage, []).append(words.format(*form.groups(), locale=locale, profile=profile))
    if "export" in found and len(found) > 1:
        found["export"] = ["consent renewed"]  # it is not the only thing
    return found
