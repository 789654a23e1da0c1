"""Policies for tests: written as a lawyer would, drawn as hypothesis does, and held against each other."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

from clearspot.gate.policy import Basis, Policy, ScopeField, Tag
from clearspot.gate.requirements import Requirements
from clearspot.project import Project, Settings
from clearspot.yamlfile import dump_yaml, parse_model

TODAY = dt.date(2026, 11, 22)
SHIPPED = Project(Path("/no/project/here"), Settings())
"""A project that has nothing of its own."""

WHY = {"why": "Because.", "known_from": "memory"}

SMALL: dict[str, Any] = {
    "id": "house",
    "title": "A house rule",
    "notice": "Not legal advice.",
    "markets": ["ES"],
    "applies_from": "2026-01-01",
    "requires": {"manifest": WHY},
    "sources": [{"what": "the house", "known_from": "memory"}],
    "checked": "2026-11-22",
}
"""A policy with what every policy must have, and no more."""


def policy(**fields: Any) -> Policy:
    """A policy as its file would give it."""
    return parse_model(Policy, SMALL | fields, Path("house.yaml"))


def own_policy(project: Project, **fields: Any) -> Path:
    """A policy in a project's own folder."""
    path = project.root / "configs" / "policies" / f"{fields.get('id', SMALL['id'])}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = json.loads(json.dumps(SMALL | fields))  # the same value twice would be an alias
    path.write_text(dump_yaml(plain), encoding="utf-8")
    return path


def asked(value: Any) -> dict[str, Any]:
    return WHY | {"value": value}


def _some(choices: Any) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(get_args(choices)), min_size=1, unique=True)


_plain = st.just(WHY)
_disclosure = st.fixed_dictionaries(
    {},
    optional={
        "at_start": _plain,
        "at_end": _plain,
        "wording": st.sampled_from(["short", "long"]).map(asked),
        "repeat_every_s": st.integers(15, 600).map(asked),
        "must_hold": st.lists(
            st.lists(st.sampled_from(["AI", "KI", "生成"]), min_size=1, max_size=3), min_size=1, max_size=3
        ).map(asked),
        "characters_per_minute": st.tuples(st.integers(1, 900), st.integers(901, 3000)).map(lambda p: asked(list(p))),
    },
)
_consent = st.fixed_dictionaries(
    {}, optional={"bases": _some(Basis).map(asked), "stated": _some(ScopeField).map(asked), "per_spot": _plain}
)
_requires = st.fixed_dictionaries(
    {"manifest": _plain},
    optional={
        "disclosure": _disclosure,
        "consent": _consent,
        "watermark": _plain,
        "tags": st.lists(_some(Tag).map(asked), max_size=2),
        "severity": st.sampled_from(["warn", "fail"]).map(lambda severity: {"watermark-detected": asked(severity)}),
        "people": st.lists(st.just(WHY | {"place": "a desk", "do": "tick"}), max_size=1),
    },
)
policies = st.builds(
    lambda name, requires, since: policy(id=name, requires=requires, applies_from=since, markets="all"),
    st.text("abcdefgh", min_size=1, max_size=6),
    _requires,
    st.sampled_from(["always", "2026-01-01", "2027-01-01"]),
)
"""Any policy at all, of any market."""

some_policies = st.lists(policies, max_size=5, unique_by=lambda one: one.id)


def not_weaker(stricter: Requirements, than: Requirements) -> dict[str, bool]:
    """The specification of strictness, field by field: each is at least as much as before."""
    one, other = stricter.disclosure, than.disclosure
    longest = float("inf")
    low, high = one.characters_per_minute or (0, longest)
    low_before, high_before = other.characters_per_minute or (0, longest)
    return {
        "wording": (one.wording, other.wording) != ("short", "long"),
        "at_end": one.at_end or not other.at_end,
        "repeat_every_s": (one.repeat_every_s or longest) <= (other.repeat_every_s or longest),
        "must_hold": set(one.must_hold) >= set(other.must_hold),
        "characters_per_minute": low >= low_before and high <= high_before,
        "tags": stricter.tags >= than.tags,
        "manifest": stricter.manifest or not than.manifest,
        "watermark": stricter.watermark or not than.watermark,
        "bases": stricter.bases <= than.bases,
        "stated": stricter.consent.stated >= than.consent.stated,
        "per_spot": stricter.consent.per_spot or not than.consent.per_spot,
        "severity": all(stricter.severity_of(rule) == "fail" or than.severity_of(rule) == "warn" for rule in RULES),
        "instructions": set(stricter.instructions) >= set(than.instructions),
        "reasons": set(stricter.reasons) >= set(than.reasons),
        "policies": stricter.policies.items() >= than.policies.items(),
    }


RULES = ("watermark-detected", "consent-valid", "lines-heard", "loudness")
