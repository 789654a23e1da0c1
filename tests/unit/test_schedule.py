"""When something is looked at again: what a ``schedule:`` may be, and in which words it may not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clearspot.errors import BadInput
from clearspot.project import find_project
from clearspot.schedule import Schedule
from clearspot.spot import load_spot
from clearspot.sweep import own_schedule
from clearspot.yamlfile import load_model
from tests.conftest import edit

GOOD = {
    "interval_s: 5": "every 5 s",
    "interval_s: 31622400": "every 31622400 s",
    "cron: '*/10 * * * *'": "at '*/10 * * * *', UTC",
    "{cron: '0 6 * * MON-FRI', timezone: Europe/Madrid}": "at '0 6 * * MON-FRI', Europe/Madrid",
    "cron: '0 0 29 2 *'": "at '0 0 29 2 *', UTC",
    "cron: '0 0 * * 7'": "at '0 0 * * 7', UTC",
    "{interval_s: 60, timezone: Asia/Tokyo}": "every 60 s",
}


@pytest.mark.parametrize(("text", "told"), GOOD.items(), ids=GOOD)
def test_what_a_schedule_may_be(tmp_path: Path, text: str, told: str) -> None:
    assert str(read(tmp_path, text)) == told


@pytest.mark.parametrize("text", GOOD)
def test_prefect_takes_what_we_take(tmp_path: Path, text: str) -> None:
    """What is wrong with a schedule is said when its file is read, and not when a server is to keep it."""
    from prefect.schedules import Cron, Interval

    asked = read(tmp_path, text)
    if asked.cron:
        assert Cron(asked.cron, timezone=asked.timezone).cron == asked.cron
    else:
        interval = dt.timedelta(seconds=asked.interval_s or 0)
        assert Interval(interval, timezone=asked.timezone).interval == interval


EITHER, CRON = "should have either cron or interval_s", "cron: should be five fields such as '*/10 * * * *' (it is "
ZONE = "timezone: should be such as Europe/Madrid (it is "

BAD = {
    "nothing": ("{}", EITHER),
    "an empty line": ("cron: ''", EITHER),
    "both": ("{cron: '* * * * *', interval_s: 60}", EITHER),
    "too often": ("interval_s: 4", "interval_s: Input should be greater than or equal to 5 (it is 4)"),
    "never again": ("interval_s: 31622401", "interval_s: Input should be less than or equal to 31622400"),
    "backwards": ("interval_s: -600", "interval_s: Input should be greater than or equal to 5"),
    "a part of a second": ("interval_s: 60.5", "interval_s: Input should be a valid integer (it is 60.5)"),
    "a number in quotes": ("interval_s: '60'", "interval_s: Input should be a valid integer (it is '60')"),
    "a yes": ("interval_s: true", "interval_s: Input should be a valid integer (it is True)"),
    "no number": ("interval_s: .nan", "interval_s: should be a finite number"),
    "endless": ("interval_s: .inf", "interval_s: should be a finite number"),
    "a number beyond all": (f"interval_s: 1{'0' * 30}", "interval_s: Input should be less than or equal to 31622400"),
    "a number as cron": ("cron: 5", "cron: Input should be a valid string (it is 5)"),
    "a list": ("cron: ['*']", "cron: Input should be a valid string"),
    "four fields": ("cron: '* * * *'", f"{CRON}'* * * *')"),
    "seven fields": ("cron: '* * * * * * *'", CRON),
    "six fields, with seconds": ("cron: '*/5 * * * * *'", f"{CRON}'*/5 * * * * *')"),
    "a nickname": ("cron: '@daily'", CRON),
    "the last day of a month": ("cron: '0 0 L * *'", CRON),
    "the last working day": ("cron: '0 0 LW * *'", CRON),
    "the working day next to one": ("cron: '0 0 15W * *'", CRON),
    "the last Friday": ("cron: '0 0 * * 5L'", CRON),
    "the second Monday": ("cron: '0 0 * * 1#2'", CRON),
    "minute 60": ("cron: '60 * * * *'", CRON),
    "every zero minutes": ("cron: '*/0 * * * *'", CRON),
    "a day that never comes": ("cron: '0 0 30 2 *'", CRON),
    "digits of another script": ("cron: '٣ * * * *'", CRON),
    "a billion minutes": ("cron: '0-1000000000 * * * *'", CRON),
    "a number longer than Python reads": (f"cron: '{'1' * 5000} * * * *'", "Exceeds the limit"),
    "a hundred thousand fields": (f"cron: '{'* ' * 100_000}'", CRON),
    "a command": ("cron: '$(reboot) * * * *'", CRON),
    "nowhere": ("{cron: '* * * * *', timezone: Mars/Olympus}", f"{ZONE}'Mars/Olympus')"),
    "nowhere, with an interval": ("{interval_s: 60, timezone: Mars/Olympus}", ZONE),
    "no place": ("{cron: '* * * * *', timezone: ''}", ZONE),
    "a continent": ("{cron: '* * * * *', timezone: Europe}", ZONE),
    "another file": ("{cron: '* * * * *', timezone: ../../../etc/passwd}", ZONE),
    "an absolute path": ("{cron: '* * * * *', timezone: /etc/localtime}", ZONE),
    "a path with detours": ("{cron: '* * * * *', timezone: Europe/../Europe/Madrid}", ZONE),
    "a zone with a zero byte": ('{cron: "* * * * *", timezone: "UTC\\0"}', ZONE),
    "a zone as long as a book": (f"{{cron: '* * * * *', timezone: {'a' * 50_000}}}", ZONE),
    "the zone of a machine that has none": ("{cron: '* * * * *', timezone: Factory}", f"{ZONE}'Factory')"),
    "the machine's own zone": ("{cron: '* * * * *', timezone: localtime}", f"{ZONE}'localtime')"),
    "a zone without leap seconds": ("{cron: '* * * * *', timezone: posix/Europe/Madrid}", ZONE),
    "a zone with leap seconds": ("{cron: '* * * * *', timezone: right/UTC}", ZONE),
    "rules without a place": ("{interval_s: 60, timezone: posixrules}", ZONE),
    "a field that is none": ("{cron: '* * * * *', every: 5}", "every: unknown field"),
    "a number alone": ("60", "should hold fields (name: value)"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_a_schedule_may_not_be(tmp_path: Path, case: str) -> None:
    text, told = BAD[case]
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)


def read(folder: Path, text: str) -> Schedule:
    path = folder / "schedule.yaml"
    path.write_text(text, encoding="utf-8")
    return load_model(Schedule, path)


# --- where it is written -----------------------------------------------------------------------------------------


def test_a_spot_has_a_schedule_of_its_own_or_none(spot_folder: Path) -> None:
    assert own_schedule(spot_folder) is None
    edit(spot_folder / "spot.yaml", "medium:", "schedule: {cron: '0 6 * * *', timezone: Europe/Madrid}\nmedium:")
    assert own_schedule(spot_folder) == Schedule(cron="0 6 * * *", timezone="Europe/Madrid")
    assert load_spot(spot_folder).order.schedule == own_schedule(spot_folder)


@pytest.mark.parametrize("broken", ["medium: [", "schedule: {interval_s: 1}\nmedium:", "\0"])
def test_a_spot_that_cannot_be_read_goes_with_the_others(spot_folder: Path, broken: str) -> None:
    """The sweep of all spots looks at it, and says what is wrong."""
    edit(spot_folder / "spot.yaml", "medium:", broken)
    assert own_schedule(spot_folder) is None


def test_a_spot_says_where_its_schedule_is_wrong(spot_folder: Path) -> None:
    edit(spot_folder / "spot.yaml", "medium:", "schedule: {cron: '* * * *'}\nmedium:")
    with pytest.raises(BadInput) as caught:
        load_spot(spot_folder)
    assert str(caught.value).startswith(f"{spot_folder / 'spot.yaml'}: schedule: cron: should be five fields such as")


def test_a_project_looks_every_ten_minutes_unless_it_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARSPOT_PROJECT", str(tmp_path))
    assert find_project().settings.schedule == Schedule(interval_s=600)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "clearspot.yaml").write_text("schedule: {cron: '0 * * * *', timezone: Europe/Madrid}\n")
    assert find_project().settings.schedule == Schedule(cron="0 * * * *", timezone="Europe/Madrid")
