"""When something is looked at again."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Self

from pydantic import Field, model_validator

from clearspot.yamlfile import Strict

PLAIN_CRON = re.compile(r"(?!.*\d[LW#])(?!.*(^|[ ,])(L|LW)([ ,-]|$))(?!.*#)\S+( \S+){4}", re.IGNORECASE)
"""Five fields without extensions: what every reader of cron lines understands alike, Prefect's among them."""

NO_PLACES = frozenset({"Factory", "localtime"})


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

            told = f"cron: should be five fields such as '*/10 * * * *' (it is {self.cron[:60]!r})"
            if not PLAIN_CRON.fullmatch(self.cron):
                raise ValueError(told)
            try:
                CronSim(self.cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
            except CronSimError as error:
                raise ValueError(told) from error
        if self.timezone != "UTC" and self.timezone not in zoneinfo.available_timezones() - NO_PLACES:
            raise ValueError(f"timezone: should be such as Europe/Madrid (it is {self.timezone[:60]!r})")
        return self

    def __str__(self) -> str:
        return f"at {self.cron!r}, {self.timezone}" if self.cron else f"every {self.interval_s} s"
