"""The measuring scripts on one programme: what `make measure` runs on many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearspot.gate.rules import RULES
from scripts import bench_gate, gate_errors, survival
from scripts.programmes import MARKETS, Programme, Workshop, a_job, a_project, ads, open_workshop, programmes

pytestmark = pytest.mark.real


def quiet(_: str) -> None: ...


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    with open_workshop() as opened:
        yield opened


@pytest.fixture(scope="module")
def programme(shop: Workshop) -> Programme:
    (made,) = programmes(shop, ["luna"], ["es-ES"], quiet)
    return made


@pytest.fixture(scope="module")
def stranger(shop: Workshop, programme: Programme) -> gate_errors.Job:
    return a_job(shop, "luna", programme.ad, a_project(shop.root / "elsewhere"))


def test_every_advertisement_has_every_line_in_every_language() -> None:
    for name, ad in ads().items():
        assert set(ad["lines"]) == {"en-US", *MARKETS}, name
        line, right, wrong = ad["wrong"]
        assert len({tuple(lines) for lines in ad["lines"].values()}) == 1, name
        assert all(right in lines[line] and wrong not in lines[line] for lines in ad["lines"].values()), name


SURVIVES = {
    "as delivered": {"spoken disclosure", "tags", "manifest", "watermark", survival.READABLE},
    "mp3 128k": {"spoken disclosure", "watermark", survival.UNATTESTED},
    "10 s, in the middle": {"watermark", survival.UNATTESTED},
    "ffmpeg -c copy": {"spoken disclosure", "watermark", survival.UNATTESTED},
}


def test_what_survives_is_counted(shop: Workshop, programme: Programme) -> None:
    ears = survival.ears_of(shop)
    found = list(survival.of_programme(programme, "podcast", shop.folder("survival"), ears, SURVIVES))
    left = {one.change: {what for what, there in one.proof.items() if there} for one in found}
    for change, wanted in SURVIVES.items():
        assert left[change] - {survival.READABLE} == wanted - {survival.READABLE}, change
    assert "| as delivered | 1/1 | 1/1 | 1/1 | 1/1 | 0/1 | 1/1 |" in list(survival.table(found))


def test_every_breakage_has_a_rule_of_the_gate() -> None:
    rules = {rule.__name__.replace("_", "-") for rule in RULES}
    assert {rule for one in gate_errors.BREAKAGES for rule in one.rules} <= rules
    assert len({one.name for one in gate_errors.BREAKAGES}) == len(gate_errors.BREAKAGES)
    assert len(gate_errors.BREAKAGES) * gate_errors.TIMES >= gate_errors.LEAST_BROKEN


def test_every_breakage_gets_its_turns() -> None:
    total, times = 18, gate_errors.TIMES
    for number in range(len(gate_errors.BREAKAGES)):
        turns = [index for index in range(total) if gate_errors._turn(number, index, total, times)]
        assert len(turns) >= times


BROKEN = (
    "disclosure missing",
    "sparse drums under the disclosure",
    "one line in another voice",
    "wrong price or number",
    "foreign signature",
    "one bit flipped, at 50%",
)


def test_good_passes_and_broken_is_caught_by_its_rule(
    shop: Workshop, programme: Programme, stranger: gate_errors.Job
) -> None:
    found = []
    for number, name in enumerate(("", *BROKEN)):
        bench = gate_errors.Bench(shop.folder(f"gate-{number}"), "podcast", stranger)
        make = next((one.make for one in gate_errors.BREAKAGES if one.name == name), gate_errors.good)
        found.append(gate_errors.judged(name, programme, bench, make, quiet))
    assert found[0].failed == ()
    assert gate_errors.held(found)
    assert not gate_errors.held([*found, gate_errors.Judged(BROKEN[0], "let through", ())])
    assert "Broken deliverables: 6, let through: 0." in list(gate_errors.tables(found))


def test_the_gate_is_measured_against_its_recognition(shop: Workshop, programme: Programme) -> None:
    made = programme.deliver("podcast", shop.folder("bench"))
    found = bench_gate.measured(programme, made, 1)
    assert all(seconds > 0 for seconds in found.values())
    assert found[bench_gate.RATIO] == found["the whole gate"] / found["recognition"] > 0.5
