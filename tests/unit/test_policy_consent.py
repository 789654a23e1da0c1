"""What policies ask of a voice's consent record: which bases, how specific, spot by spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearspot.consent.record import ConsentRecord
from clearspot.consent.registry import load_voice
from clearspot.errors import Refused
from clearspot.gate.policy import load_policies
from clearspot.gate.requirements import ConsentAsked, Requirements, require_consent, requirements
from clearspot.project import Project
from clearspot.yamlfile import parse_model
from tests.unit.consent_scenes import changed, talent_record, talent_voice
from tests.unit.policy_scenes import SHIPPED, TODAY

DEDICATION = {
    "basis": "public-dedication",
    "url": "https://example.org/voice",
    "licence": "CC0-1.0",
    "dated": "2020-01-01",
}
SYNTHETIC = {"basis": "synthetic", "how_made": "a mean of styles", "dated": "2020-01-01"}


def of(*markets: str, named: tuple[str, ...] = ()) -> Requirements:
    return requirements(load_policies(SHIPPED), markets, named, TODAY)


def record(**changes: Any) -> ConsentRecord:
    """The talent's record with other values; two underscores in a name stand for a level."""
    fields = {name.replace("__", "/"): value for name, value in changes.items()}
    return parse_model(ConsentRecord, changed(talent_record(), fields), Path("consent.yaml"))


ORDINARY: dict[str, Any] = {}
FOR_THE_UNION = {"scope__max_spots": 12, "scope__approval": "per-spot"}

# What is asked, the record; the requirements that it lacks, each with what the record says instead.
RECORDS: dict[str, tuple[Requirements, dict[str, Any], list[tuple[str, str]]]] = {
    "a talent, anywhere": (of("ES", "CN", "IN"), ORDINARY, []),
    "a talent who said what for, in the US": (of("US"), ORDINARY, []),
    "a talent who let every product be advertised, in the US": (
        of("US"),
        {"scope__products": "any"},
        [("consent.stated", "any")],
    ),
    "the same in Ohio": (of("US-OH"), {"scope__products": "any"}, []),
    "the same in California": (of("US-CA"), {"scope__products": "any"}, [("consent.stated", "any")]),
    "a talent who let everything": (
        of("US-CA"),
        {"scope__products": "any", "scope__media": "any", "scope__purposes": "any"},
        [("consent.stated", "any")] * 3,
    ),
    "a dedicated voice in Spain": (of("ES"), {"evidence": DEDICATION}, []),
    "a dedicated voice in Tennessee": (
        of("US-TN"),
        {"evidence": DEDICATION},
        [("consent.bases", "public-dedication")],
    ),
    "a synthetic voice, which is nobody's, in the US": (
        of("US"),
        {"evidence": SYNTHETIC, "scope__products": "any"},
        [],
    ),
    "the union's contract": (of("AR", named=("us-sag-aftra",)), FOR_THE_UNION, []),
    "without approval of each spot": (
        of("AR", named=("us-sag-aftra",)),
        FOR_THE_UNION | {"scope__approval": "not-needed"},
        [("consent.per_spot", "not-needed")],
    ),
    "for any number of spots": (
        of("AR", named=("us-sag-aftra",)),
        FOR_THE_UNION | {"scope__max_spots": "any"},
        [("consent.stated", "any")],
    ),
    "a synthetic voice under the union's contract": (
        of("AR", named=("us-sag-aftra",)),
        {"evidence": SYNTHETIC},
        [("consent.bases", "synthetic")],
    ),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_against_what_is_asked(case: str) -> None:
    asked, changes, lacking = RECORDS[case]
    assert [(name, said) for name, _, said in asked.consent.lacking(record(**changes))] == lacking


def test_no_basis_is_enough_where_none_is_left() -> None:
    (one,) = ConsentAsked(bases=frozenset()).lacking(record())
    assert one == ("consent.bases", "basis that no policy accepts", "talent")


def test_a_refusal_names_record_field_policy_asked_and_said(project: Project) -> None:
    stage = talent_voice(project)
    voice = load_voice(stage.folder.name, project.voice_folders())
    require_consent(of("ES"), voice)
    with pytest.raises(Refused) as refused:
        require_consent(of("ES", named=("us-sag-aftra",)), voice)
    told = str(refused.value)
    assert told.startswith(f"{voice.consent_path}: scope.approval: consent record 'ana-2026-11' is not what")
    assert "(us-sag-aftra): asked approval: per-spot, the record says not-needed." in told


def test_a_synthetic_voice_is_accepted_by_the_states_and_not_by_the_union(project: Project) -> None:
    house = load_voice("house", project.voice_folders())
    for market in ("US", "ES", "CN", "IN", "AR"):
        require_consent(of(market), house)
    with pytest.raises(Refused) as refused:
        require_consent(of("AR", named=("us-sag-aftra",)), house)
    told = str(refused.value)
    assert "consent record 'house-2026-11' is not what policies ask for (us-sag-aftra): asked" in told
    assert "consent.yaml: evidence.basis" in told
    assert "asked basis talent, the record says synthetic" in told
