"""The one place where seconds become samples."""

from __future__ import annotations

RATE_HZ = 48_000
"""The rate of everything between the engines and the encoder."""


def samples(seconds: float, rate_hz: int = RATE_HZ) -> int:
    """The nearest whole number of samples in a time. Half a sample rounds to even."""
    return round(seconds * rate_hz)


def seconds(count: int, rate_hz: int = RATE_HZ) -> float:
    """The time that a number of samples takes, in seconds."""
    return count / rate_hz


def timestamp(time_s: float, separator: str = ",") -> str:
    """``HH:MM:SS,mmm``, as SubRip writes it; WebVTT wants ``.`` as the separator."""
    millis = max(0, round(time_s * 1000))
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, millis = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{separator}{millis:03}"
