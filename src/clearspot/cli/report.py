"""``clearspot report``: make the page of a spot again, from what its runs left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="The output folder of one spot: OUT/SPOT.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Write report.html: what was made, what was not and why, for people."""
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_trust
    from clearspot.report.write import write_report

    trust = load_trust(find_project(folder).trust_dirs)
    path = write_report(folder, trust.receipt_keys)
    typer.echo(json.dumps({"report": str(path)}, ensure_ascii=False) if as_json else str(path))
    return 0
