"""A project for benches: keys, an audit log, an empty store, and the demo spot; gone when the block ends."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearspot.consent.authority import writing_authority
from clearspot.project import Project, find_project
from clearspot.provenance.keys import create_keys

SPOT = Path(__file__).resolve().parents[1] / "spots" / "lumen-coffee"
PROVIDER = "Lumen Coffee demo"


@contextmanager
def bench_project() -> Iterator[Project]:
    """The project is the one that commands of this process and its children find."""
    before = os.environ.get("CLEARSPOT_PROJECT")
    with tempfile.TemporaryDirectory(prefix="clearspot-bench-") as name:
        root = Path(name)
        (root / "configs").mkdir()
        (root / "configs" / "clearspot.yaml").write_text(f"provider: {PROVIDER}\n", encoding="utf-8")
        shutil.copytree(SPOT, root / "spots" / SPOT.name)
        os.environ["CLEARSPOT_PROJECT"] = name
        try:
            project = find_project()
            create_keys(project.keys_dir, project.own_trust_dir, PROVIDER, dt.datetime.now(dt.UTC), renew=False)
            writing_authority(project).log.begin()
            yield project
        finally:
            if before is None:
                del os.environ["CLEARSPOT_PROJECT"]
            else:
                os.environ["CLEARSPOT_PROJECT"] = before
