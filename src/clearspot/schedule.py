"""When something is looked at again."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Self

from pydantic import Field, model_validator

from clearspot.yamlfile import Strict


class Schedule(Strict):
    """``schedule:``: a cron line with its time zone, or every so many seconds."""

    cron: str = ""
    timezone: str = "UTC"
    interval_s: int | None = Field(default=None, ge=5, le=366 * 86_400)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.cron) == (self.interval_s is not None):
            raise ValueError("should have either cron or interval_s")
        if self.cron:
            from cronsim import CronSim, CronSimError

            try:
                CronSim(self.cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
            except CronSimError as error:
                raise ValueError(f"cron: should be a cron line such as '*/10 * * * *' (it is {self.cron!r})") from error
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"timezone: should be such as Europe/Madrid (it is {self.timezone!r})") from error
        return self

    def __str__(self) -> str:
        return f"at {self.cron!r}, {self.timezone}" if self.cron else f"every {self.interval_s} s"
