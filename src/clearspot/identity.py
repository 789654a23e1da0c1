"""What a voice sounds like, for the gate to know it again: the talent's own recording, or the granted voice itself.

What is spoken for this is spoken here, under a grant, and is never taken from the store: whoever could write there
could bring another voice, and its likeness with it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from clearspot.consent.grant import Grant
from clearspot.consent.record import TalentEvidence
from clearspot.consent.registry import load_voice
from clearspot.errors import ClearspotError, MachineFault
from clearspot.files import held_to, inside, write_atomically
from clearspot.gate.speaker import Likeness
from clearspot.hashing import sha256_json
from clearspot.job import Job
from clearspot.leave import make_ready
from clearspot.media.audio import LISTEN_RATE_HZ, decode, resample
from clearspot.signing import is_signed, sign
from clearspot.text.spoken import spoken_form
from clearspot.yamlfile import read_text

DOMAIN = b"clearspot likeness\x00"


def likeness_of(job: Job, grant: Grant) -> Likeness:
    """What the speech under a grant must sound like.

    Raises:
        Refused: The consent has no evidence that can be listened to.
        BadInput: There is too little speech in it.
        MachineFault: It cannot be read, or the voice cannot be loaded.
    """
    voice = load_voice(grant.voice, job.project.voice_folders())
    evidence = voice.record.evidence
    if isinstance(evidence, TalentEvidence):
        reference = evidence.reference
        path = inside(voice.folder, reference.file, where=f"{voice.consent_path}: evidence.reference.file")
        return job.studio.once(f"likeness {reference.sha256}", lambda: _recorded(job, path, reference.sha256))
    return job.studio.once(f"likeness {_key(job, grant)}", lambda: _spoken(job, grant))


def _recorded(job: Job, path: Path, sha256: str) -> Likeness:
    """Of the recording that the consent's evidence names, and of no other that lies in its place meanwhile."""
    with held_to(path, sha256) as given:
        sound = decode(given, rate_hz=LISTEN_RATE_HZ, channels=1)
    return Likeness("recorded", job.studio.speaker_encoder().embed(sound))


def _spoken(job: Job, grant: Grant) -> Likeness:
    """Of the disclosure's words, spoken once on this machine and then remembered in the project's private folder."""
    key = _key(job, grant)
    kept = job.project.likenesses_dir / f"{key}.json"
    if (known := _read(kept, key, job.keys.receipt_key.public_key())) is not None:
        return Likeness("spoken", known)
    make_ready(job, grant)  # every clip may have come from the store, and the weights never to this machine
    text = spoken_form(job.disclosure_of(grant.locale), grant.locale)
    speech = job.studio.speech(grant.engine).speak(grant, text, 1.0)
    sound = resample(speech.samples, speech.rate_hz, LISTEN_RATE_HZ)
    found = job.studio.speaker_encoder().embed(sound)
    body = {"key": key, "embedding": [float(value) for value in found]}
    signed = {"likeness": body, "signature": sign(DOMAIN, body, job.keys.receipt_key)}
    with contextlib.suppress(OSError, MachineFault):  # where it cannot be remembered, it is spoken again
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(signed).encode())
    return Likeness("spoken", found)


def _key(job: Job, grant: Grant) -> str:
    """Everything that a spoken likeness depends on."""
    return sha256_json(
        {
            "voice": grant.voice_sha256,
            "weights": {role: file.sha256 for role, file in grant.weights.items()},
            "engine": job.studio.speech(grant.engine).version,
            "encoder": [job.studio.speaker_encoder().version, job.studio.speaker_sha256()],
            "locale": grant.locale,
            "text": job.disclosure_of(grant.locale),
        }
    )


def _read(path: Path, key: str, signer: Ed25519PublicKey) -> NDArray[np.float32] | None:
    """A likeness that this project remembered under this key; None where there is none that can be believed.

    It is signed: who can write into the folder could else say what voice is to be heard.
    """
    try:
        told = json.loads(read_text(path))
        body, signature = told["likeness"], told["signature"]
        if not is_signed(DOMAIN, body, signature, signer) or body["key"] != key:
            return None
        return np.asarray(body["embedding"], dtype=np.float32)
    except (ClearspotError, ValueError, TypeError, KeyError, RecursionError):
        return None
