"""Kokoro-82M in ONNX Runtime: one style vector speaks every language with the same voice."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.kept import SMALL_KEPT, VOICES_KEPT, Kept
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import require_options, require_rate, require_words, versions
from clearspot.engines.sessions import open_session
from clearspot.errors import BadInput, MachineFault

LANGUAGES = {
    "en-US": "en-us",
    "en-GB": "en-gb",
    "es-ES": "es",
    "es-MX": "es-419",
    "it-IT": "it",
    "pt-BR": "pt-br",
    "pt-PT": "pt",
    "fr-FR": "fr-fr",
    "de-DE": "de",
}
"""Locale to espeak voice, which gives the phonemes."""


class KokoroEngine:
    """Speaks through kokoro-onnx. The last few models and styles stay loaded, by their digests."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first grant. It has no options.

        Raises:
            BadInput: There are some.
        """
        require_options(options, (), "kokoro")
        self._models: Kept[Any] = Kept(VOICES_KEPT)
        self._styles: Kept[NDArray[np.float32]] = Kept(SMALL_KEPT)

    @functools.cached_property
    def version(self) -> str:
        """The package, what runs its network, and what gives its phonemes."""
        return versions("kokoro-onnx", "onnxruntime", "phonemizer", "espeakng-loader")

    def prepare(self, grant: Grant) -> None:
        """See ``SpeechEngine.prepare``."""
        require_grant(grant)
        with self._lent(grant):
            pass

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """See ``SpeechEngine.speak``. Rates from 0.5 to 2.0; the samples are at 24 kHz."""
        require_grant(grant)
        if grant.locale not in LANGUAGES:
            raise BadInput(
                f"Kokoro does not speak {grant.locale}; it speaks {', '.join(LANGUAGES)}.",
                where=f"voice {grant.voice!r}",
            )
        require_rate(rate)
        require_words(text, "Kokoro")
        with self._lent(grant) as (kokoro, style):
            try:
                samples, rate_hz = kokoro.create(text, voice=style, speed=rate, lang=LANGUAGES[grant.locale])
            except ValueError as error:
                raise BadInput(f"Kokoro cannot speak this: {error}.", where=repr(text)) from error
        return Speech(np.asarray(samples, dtype=np.float32), int(rate_hz))

    @contextlib.contextmanager
    def _lent(self, grant: Grant) -> Iterator[tuple[Any, NDArray[np.float32]]]:
        """The model and the style of a voice, for as long as it speaks."""
        if grant.weights.keys() != {"model", "styles"}:
            raise BadInput(
                f"Kokoro asks for the roles model and styles, each one file; there is: {', '.join(grant.weights)}.",
                where=f"voice {grant.voice!r}: weights",
            )
        model, styles = grant.weights["model"], grant.weights["styles"]
        mix = _mix(grant)
        key = f"{styles.sha256} {sorted(mix.items())}"
        with (
            self._models.lent(model.sha256, lambda: _open(grant.weights["model"].read())) as kokoro,
            self._styles.lent(key, lambda: _mean_style(grant.weights["styles"].read(), mix, grant.voice)) as style,
        ):
            yield kokoro, style


def _mix(grant: Grant) -> dict[str, float]:
    mix = grant.settings.get("mix")
    shares = list(mix.values()) if isinstance(mix, Mapping) else []
    if not all(isinstance(share, int | float) for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise BadInput(
            "should name styles with weights that add up to 1, such as {jm_kumo: 0.7, jf_nezumi: 0.3}.",
            where=f"voice {grant.voice!r}: settings.mix",
        )
    return dict(mix or {})


def _open(model: bytes) -> Any:
    from kokoro_onnx import Kokoro

    # Its phonemizer reports every word-count mismatch, which is nothing a user can act on.
    logging.getLogger("phonemizer").setLevel(logging.ERROR)
    try:
        session = open_session(model)
        with tempfile.TemporaryDirectory() as folder:
            # kokoro-onnx wants files to exist; it never reads this model path, and styles come with each call.
            stand_in = Path(folder) / "styles.npz"
            np.savez(stand_in)
            session._model_path = str(stand_in)
            return Kokoro.from_session(session, str(stand_in))
    except Exception as error:
        raise MachineFault(f"Kokoro's model cannot be loaded: {error}.", where="kokoro") from error


def _mean_style(styles: bytes, mix: dict[str, float], voice: str) -> NDArray[np.float32]:
    """The weighted mean of style tables, shape (510, 1, 256): a voice that is none of its parts."""
    with np.load(io.BytesIO(styles), allow_pickle=False) as table:
        if unknown := sorted(mix.keys() - set(table.files)):
            raise BadInput(
                f"no such style: {', '.join(unknown)}; there is: {', '.join(table.files)}.",
                where=f"voice {voice!r}: settings.mix",
            )
        parts = [np.float32(share) * table[name] for name, share in sorted(mix.items())]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float32)
