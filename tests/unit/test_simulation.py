"""The simulation of many workers: what can be said of it without simulating."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from clearspot.work import MOST_SPOTS, spots_at_once
from scripts.simulate_scale import Costs, curve, limits, simulate

FREE = Costs(hear_s=2.0, make_s=10.0, load_s=0.0, tasks_per_s=0.0)


def test_one_worker_does_one_thing_after_the_other() -> None:
    went = simulate(FREE, spots=3, locales=4, workers=1)
    assert went.wall_s == pytest.approx(3 * (2.0 + 4 * 10.0))
    assert went.busy == pytest.approx(1.0)


def test_models_are_loaded_once_a_worker() -> None:
    cold = Costs(2.0, 10.0, 5.0, 0.0)
    assert simulate(cold, 3, 4, 1).wall_s == pytest.approx(simulate(FREE, 3, 4, 1).wall_s + 5.0)
    assert simulate(cold, 2, 4, 2).wall_s == pytest.approx(simulate(FREE, 2, 4, 2).wall_s + 5.0)


def test_a_spots_locales_wait_for_its_recording() -> None:
    assert simulate(FREE, spots=1, locales=4, workers=8).wall_s == pytest.approx(2.0 + 10.0)


def test_the_server_is_the_limit_where_it_is_slow() -> None:
    slow = Costs(hear_s=0.0, make_s=1.0, load_s=0.0, tasks_per_s=2.0)
    assert simulate(slow, spots=20, locales=9, workers=50).wall_s == pytest.approx(200 / 2 + 1, rel=0.02)


def test_the_coordinator_is_the_limit_where_spots_are_quick_and_several_share_them() -> None:
    slow = Costs(hear_s=0.0, make_s=1.0, load_s=0.0, tasks_per_s=0.0, coordinator_s=5.0)
    assert simulate(slow, spots=40, locales=2, workers=80).wall_s == pytest.approx(40 * 5.0 + 1.0)
    assert simulate(slow, spots=40, locales=2, workers=80, runs=2).wall_s == pytest.approx(20 * 5.0 + 1.0)


@pytest.mark.parametrize("workers", [2, 7, 30])
def test_nothing_is_faster_than_all_workers_all_the_time(workers: int) -> None:
    went = simulate(FREE, spots=40, locales=6, workers=workers)
    least_s = 40 * (2.0 + 6 * 10.0) / workers
    assert least_s <= went.wall_s <= least_s * 1.2
    assert went.busy == pytest.approx(least_s / went.wall_s)


def test_spots_under_way_are_as_many_as_keep_workers_busy_and_no_more_than_a_machine_bears() -> None:
    assert [spots_at_once(workers) for workers in (1, 2, 100)] == [2, 3, MOST_SPOTS]


def test_what_is_shared_is_said_in_its_units() -> None:
    measured = {
        "prefect_tasks_per_s": 8.0, "dask_tasks_per_s": 900.0, "store_requests_per_piece": 30.0,
        "store_bytes_per_piece": 20e6, "coordinator_s": 1.5,
    }  # fmt: skip
    went = simulate(FREE, 10, 4, 2)
    said = dict(limits(measured, 10, 4, went))
    assert said["seconds of the coordinator, in all"] == f"15 of {went.wall_s:.0f}"
    assert said["store, written in all"] == "1 GB"
    assert said["tasks a second, asked for"] == f"{50 / went.wall_s:.1f}"
    assert said["store requests a second"] == f"{40 * 30 / went.wall_s:.0f}"


def test_the_curve_is_a_picture() -> None:
    points = [(workers, simulate(FREE, 20, 4, workers).wall_s) for workers in (1, 2, 5)]
    picture = ET.fromstring(curve(points, "simulated"))
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}circle")) == 3
