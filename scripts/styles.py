"""The styles that Kokoro ships, to measure with. They are published and nobody's; nothing that they say is kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clearspot.engines import kokoro
from clearspot.engines.studio import Studio
from clearspot.media.audio import Samples, resample
from clearspot.text.spoken import spoken_form

STYLES = ("jf_gongitsune", "jm_kumo", "jf_alpha", "jf_nezumi", "jf_tebukuro")
HOUSE = {"jf_gongitsune": 0.5, "jm_kumo": 0.5}
"""What the house voice is made of."""


def said_by(
    mix: Mapping[str, float], studio: Studio, locale: str, text: str, rate_hz: int, speed: float = 1.0
) -> Samples:
    """A text in a mix of styles: mono float32 at ``rate_hz``, shape (samples,)."""

    def bytes_of(model: str) -> bytes:
        return next(iter(studio.weights.resolve(model, commercial=True).values())).read()

    model = studio.once("styles to measure with", lambda: kokoro._open(bytes_of("kokoro-82m-int8")))
    style = studio.once(
        f"style {sorted(mix.items())}", lambda: kokoro._mean_style(bytes_of("kokoro-styles"), dict(mix), "measured")
    )
    words, language = spoken_form(text, locale), kokoro.LANGUAGES[locale]
    sound, own_rate_hz = model.create(words, voice=style, lang=language, speed=speed)
    return resample(np.asarray(sound, np.float32), own_rate_hz, rate_hz)
