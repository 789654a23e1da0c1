"""What a run tells while it runs. Whoever shows it decides how."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from clearspot.errors import Refused


@dataclass(frozen=True, slots=True)
class Event:
    """A stage of one locale (empty: of the whole spot) started, finished, was refused or failed."""

    locale: str
    stage: str
    state: Literal["start", "done", "refused", "failed"]
    detail: str = ""


Tell = Callable[[Event], None]


@dataclass
class Stage:
    """A stage that is under way; ``end`` is how it ends if nothing is raised."""

    end: Literal["done", "refused", "failed"] = "done"


@contextlib.contextmanager
def telling(tell: Tell, locale: str, stage: str, detail: str = "") -> Iterator[Stage]:
    """Tell that a stage starts and how it ends."""
    under_way = Stage()
    tell(Event(locale, stage, "start", detail))
    try:
        yield under_way
    except Refused:
        tell(Event(locale, stage, "refused", detail))
        raise
    except BaseException:
        tell(Event(locale, stage, "failed", detail))
        raise
    tell(Event(locale, stage, under_way.end, detail))
