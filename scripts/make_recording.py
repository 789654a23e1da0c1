"""Makes the demo spot's recording: its approved script, spoken by the house voice under a grant.

A real spot has a person's recording here. The demo is nobody's, so that it can be given away.

    python scripts/make_recording.py
"""

from __future__ import annotations

from pathlib import Path

import ffmpeg as graph
import numpy as np

from clearspot.consent.authority import writing_authority
from clearspot.consent.grant import authorize
from clearspot.consent.registry import load_voice
from clearspot.consent.scope import Use
from clearspot.job import open_studio
from clearspot.media import ffmpeg
from clearspot.media.audio import resample, to_f32le
from clearspot.project import find_project
from clearspot.spot import Script
from clearspot.stages.speak import speak
from clearspot.timebase import RATE_HZ
from clearspot.yamlfile import load_model

SPOT = Path(__file__).parents[1] / "spots" / "lumen-coffee"
FILE_RATE_HZ = 24_000
LEAD_S, PAUSE_S = 0.4, 0.45


def main() -> None:
    project = find_project(SPOT)
    script = load_model(Script, SPOT / "script.yaml")
    studio = open_studio(project)
    voice = load_voice("house", project.voice_folders())
    for model in voice.file.weights.values():
        studio.weights.resolve(model, commercial=True)
    use = Use(
        spot="lumen-coffee",
        script_sha256=script.digest,
        locale=script.locale,
        source_locale=script.locale,
        market="US",
        advertiser=script.advertiser,
        product=script.product,
        categories=script.categories,
        medium="radio",
        purpose="advertising",
        operator=project.settings.provider,
    )
    weights = studio.weights.pinned_roles(voice.file.weights, commercial=True)
    grant = authorize(voice, (use,), writing_authority(project), weights=weights, step="speak")
    engine = studio.speech(grant.engine)
    parts = [np.zeros(round(LEAD_S * RATE_HZ), np.float32)]
    for line_id, text in script.lines.items():
        parts += [speak(engine, grant, line_id, text).samples, np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
    recording = resample(np.concatenate(parts), RATE_HZ, FILE_RATE_HZ)
    source = graph.input("pipe:", f="f32le", ar=FILE_RATE_HZ, ac=1)
    target = source.output(
        f"file:{SPOT / 'recording.flac'}",
        acodec="flac",
        sample_fmt="s16",
        compression_level=12,
        fflags="+bitexact",
        map_metadata=-1,
        **{"flags:a": "+bitexact"},
    )
    ffmpeg.run(target, stdin=to_f32le(recording))
    print(f"{SPOT / 'recording.flac'}: {len(recording) / FILE_RATE_HZ:.1f} s")


if __name__ == "__main__":
    main()
