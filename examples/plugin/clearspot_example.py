"""Two engines for Clearspot: espeak-ng speaks, and a glossary drafts."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clearspot.consent.grant import Grant, require_grant
from clearspot.engines.protocols import Speech
from clearspot.engines.registry import require_options, require_rate, require_words
from clearspot.errors import BadInput, MachineFault

WORDS_A_MINUTE = 175
"""How fast espeak-ng speaks at rate 1; it knows 80 to 450."""

TIMEOUT_S = 60


class EspeakEngine:
    """Speaks with espeak-ng as the package espeakng-loader brings it.

    Its voices have one file, in the role ``recipe``: JSON such as
    ``{"locale": "en-US", "espeak_voice": "en-us", "pitch": 40}``.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Takes ``engines.espeak`` of the project's settings; it has no options."""
        require_options(options, (), "espeak")

    @property
    def version(self) -> str:
        return f"espeakng-loader {importlib.metadata.version('espeakng-loader')}"

    def prepare(self, grant: Grant) -> None:
        """Nothing is kept from one call to the next; only the recipe is looked at."""
        require_grant(grant)
        _recipe(grant)

    def speak(self, grant: Grant, text: str, rate: float) -> Speech:
        """Rates from 0.5 to 2.0; the samples are at 22,050 Hz."""
        require_grant(grant)  # first of all: nothing is opened without it
        recipe = _recipe(grant)
        if grant.locale != recipe["locale"]:
            raise BadInput(f"this voice speaks {recipe['locale']}, not {grant.locale}.", where=f"voice {grant.voice!r}")
        require_rate(rate)
        require_words(text, "espeak")
        # espeak-ng keeps something of each call for the next, which is then a few samples longer. Speech has to be the
        # same each time, so each call has a process of its own; that lets calls run side by side, too.
        asked = recipe | {"text": text, "words_a_minute": round(WORDS_A_MINUTE * rate)}
        command = [sys.executable, "-m", "clearspot_example_voice"]
        try:
            done = subprocess.run(
                command, input=json.dumps(asked).encode(), capture_output=True, timeout=TIMEOUT_S, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise MachineFault(f"espeak-ng failed: {error}.", where="espeak") from error
        rate_hz, samples = int.from_bytes(done.stdout[:4], "little"), np.frombuffer(done.stdout[4:], dtype="<i2")
        if not len(samples):
            raise BadInput("espeak-ng makes no sound of this.", where=repr(text))
        return Speech(samples.astype(np.float32) / 32768, rate_hz)


def _recipe(grant: Grant) -> dict[str, Any]:
    if grant.weights.keys() != {"recipe"}:
        raise BadInput("espeak asks for the role recipe, one file.", where=f"voice {grant.voice!r}: files")
    # read() checks the digest that the consent record names: never open the file by its path.
    data = grant.weights["recipe"].read()
    try:
        recipe = json.loads(data)
        return {key: recipe[key] for key in ("locale", "espeak_voice", "pitch")}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"a recipe cannot be read: {error!r}.", where=f"voice {grant.voice!r}: recipe") from error


class GlossaryTranslator:
    """Drafts by a table: CSV lines of source locale, target locale, words, words in the target.

    The longest words that fit come first; what is not in the table stays as it is, for a person to see.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Takes ``engines.glossary`` of the project's settings: ``{file: PATH}``."""
        require_options(options, ("file",), "glossary")
        self._table: dict[tuple[str, str], dict[str, str]] = {}
        if path := options.get("file"):
            try:
                with Path(path).open(encoding="utf-8", newline="") as file:
                    for source, target, words, drafted in csv.reader(file):
                        self._table.setdefault((source, target), {})[words] = drafted
            except (OSError, ValueError) as error:
                raise BadInput(f"the glossary cannot be read: {error}.", where=str(path)) from error

    @property
    def version(self) -> str:
        return f"clearspot-example-engines {importlib.metadata.version('clearspot-example-engines')}"

    def knows(self, source: str, target: str) -> bool:
        return (source, target) in self._table

    def translate(self, text: str, source: str, target: str) -> str:
        table = self._table[source, target]
        for words in sorted(table, key=len, reverse=True):
            text = text.replace(words, table[words])
        return text
