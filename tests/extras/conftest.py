"""Tests that need torch: `make test-extras` installs it; where it is not, there is nothing here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

collect_ignore_glob = [] if find_spec("torch") and find_spec("perth") else ["test_watermark_reference.py"]
collect_ignore_glob += [] if find_spec("ray") and find_spec("prefect_ray") else ["test_ray.py"]
collect_ignore_glob += [] if find_spec("torch") and find_spec("whisper") else ["test_openai_whisper.py"]
if not (find_spec("torch") and find_spec("TTS")):
    collect_ignore_glob += ["test_coqui*.py", "coqui_models.py"]


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Any]:
    """A tiny Coqui model by its kind (see ``coqui_models.MAKERS``), made once a session."""
    from tests.extras.coqui_models import MAKERS

    return functools.cache(lambda kind: MAKERS[kind]())
