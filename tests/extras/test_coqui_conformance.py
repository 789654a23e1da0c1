"""Coqui does what every engine has to do (``tests/engines/test_conformance.py``), with a real model of every kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clearspot.engines.conformance import SpeechTrial, check_speech
from clearspot.engines.coqui import CoquiEngine
from clearspot.project import Project
from tests.extras.coqui_models import MAKERS
from tests.extras.coqui_voices import TEXTS, Made, voice_of

NOT_SPOKEN = "fr-FR"
"""Consent covers it, and no tiny model speaks it."""


@pytest.mark.parametrize("kind", MAKERS)
def test_coqui_passes_what_every_engine_has_to(project: Project, tiny: Callable[[str], Made], kind: str) -> None:
    made = tiny(kind)
    stage = voice_of(project, made)
    locale = made.locales[0]
    grant = stage.authorize(stage.use(locale=locale))
    sentences = (TEXTS[locale], f"{TEXTS[locale]} {TEXTS[locale]} {TEXTS[locale]}")
    elsewhere = stage.authorize(stage.use(locale=NOT_SPOKEN))
    found = check_speech(SpeechTrial(lambda: CoquiEngine({}), grant, elsewhere, sentences))
    assert [one for one in found if one.verdict != "pass"] == []
