"""Fixtures that several tests share."""

from __future__ import annotations

from tests.unit.hub import hub  # noqa: F401
