"""Makes a Dask worker note each model that it loads: `dask worker --preload tests.loads`, notes in ``LOADS``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faster_whisper
import kokoro_onnx


def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        with Path(os.environ["LOADS"]).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {name}\n")
        return real(*arguments, **options)

    return call


faster_whisper.WhisperModel.__init__ = noted("whisper", faster_whisper.WhisperModel.__init__)
kokoro_onnx.Kokoro.from_session = staticmethod(noted("kokoro", kokoro_onnx.Kokoro.from_session))
