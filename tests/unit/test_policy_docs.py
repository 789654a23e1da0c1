"""The page on policies: its examples run as they stand, and its lists are those of the code."""

from __future__ import annotations

from pathlib import Path

from clearspot.gate.policy import ConsentRules, DisclosureRules, Policy, Requires, Source, load_policies
from tests.conftest import CHECKOUT
from tests.engines.test_docs import examples, not_shown, run_in_one_session
from tests.unit.policy_scenes import SHIPPED

PAGE = "policies.md"
TEXT = (CHECKOUT / "docs" / PAGE).read_text(encoding="utf-8")


def test_the_page_is_true(tmp_path: Path) -> None:
    wanted = examples(PAGE, marked_only=True)
    assert len(wanted) > 10
    for example, (code, output) in zip(wanted, run_in_one_session(wanted, tmp_path), strict=True):
        told = f"{PAGE}: $ {example.command}\n{output}"
        assert code == example.exit_code, told
        assert not_shown(example, output) == [], told


def test_the_page_names_every_policy_and_every_field() -> None:
    named = [*load_policies(SHIPPED), *Policy.model_fields, *Source.model_fields]
    named += [name for name in Requires.model_fields if name not in {"disclosure", "consent"}]
    named += [f"disclosure.{name}" for name in DisclosureRules.model_fields]
    named += [f"consent.{name}" for name in ConsentRules.model_fields]
    short = {"platform-tiktok": "-tiktok", "platform-meta": "-meta"}
    assert [name for name in named if f"`{short.get(name, name)}`" not in TEXT] == []


def test_the_reference_has_the_command() -> None:
    reference = (CHECKOUT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert "`clearspot policy explain SPOT`" in reference
    assert "`clearspot policy list`" in reference
