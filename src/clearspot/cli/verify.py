"""``clearspot verify``: is this file disclosed, intact, signed, and by whom?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clearspot.gate.verify import Verification


def verify(
    files: Annotated[list[Path], typer.Argument(help="Deliverables, or copies of them.")],
    trust: Annotated[
        list[Path] | None, typer.Option(help="A folder of trust anchors, besides the project's (repeatable).")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="The signed receipt must lie beside each file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Check what any copy of a deliverable proves: manifest, bytes, tags, consent; and listen to it."""
    from clearspot import job
    from clearspot.config import load_limits, load_wordings
    from clearspot.consent.affected import known_here
    from clearspot.consent.authority import reading_authority
    from clearspot.errors import BadInput, ClearspotError, Refused
    from clearspot.gate.hearing import Ears
    from clearspot.gate.verify import verify as verify_file
    from clearspot.project import find_project
    from clearspot.provenance.keys import load_trust

    for folder in trust or ():
        if not folder.is_dir():
            raise BadInput("is not a folder.", where=str(folder), remedy="Name a folder of trust anchors.")
    project = find_project()
    anchors = load_trust((*project.trust_dirs, *(trust or ())))
    if not anchors.anchors_pem:
        raise BadInput(
            "no trust anchors are known here.",
            where="trust",
            remedy="Run this in the project that made the file, or name its anchors with --trust FOLDER.",
        )
    known = known_here(reading_authority(project), project.voice_folders().values())
    studio = job.open_studio(project)
    ears = Ears(studio.recogniser(), studio.watermarker(), load_limits(project).deliverable, load_wordings(project))
    checked: list[Verification] = []
    problems: list[ClearspotError] = []
    for path in files:
        try:
            checked.append(verify_file(path, anchors, known, ears, strict=strict))
        except ClearspotError as error:  # the other files are still worth a look
            problems.append(error)
    if as_json:
        errors = [problem.as_json() for problem in problems]
        typer.echo(json.dumps({"files": [_as_json(one) for one in checked], "errors": errors}, ensure_ascii=False))
    else:
        for one in checked:
            _show(one)
        for problem in problems:
            typer.echo(f"clearspot: {problem}", err=True)
    codes = [problem.exit_code for problem in problems] + [0 if one.passed else Refused.exit_code for one in checked]
    return max(codes)


def _show(one: Verification) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False)
    if not console.is_terminal:
        console.width = 1000  # a line in a log stays in one piece
    verdict = "verified" if one.passed else "NOT VERIFIED"
    console.print(f"{one.path}: {verdict}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("check", "verdict", "measured", "required", "detail"):
        table.add_column(heading, overflow="fold")
    for finding in one.findings:
        table.add_row(finding.rule, finding.verdict, finding.measured, finding.required, finding.detail)
    console.print(table)
    if not one.passed:
        named = {what: f"{what} (present, unattested)" for what in one.unattested}
        left = [named.get(what, what) for what, there in one.proof.items() if there]
        gone = [what for what, there in one.proof.items() if not there]
        console.print(
            f"left of its proof: {', '.join(left) or 'nothing'}" + (f"; gone: {', '.join(gone)}" if gone else ""),
            highlight=False,
        )
    said = one.facts.clearance
    if said:
        by = f"{one.facts.signer or 'unknown'} ({said.get('provider', '?')})"
        console.print(
            f"signed by {by} with {one.facts.claim_generator}; {said.get('locale')} for "
            f"{', '.join(said.get('markets', ()))}; consent record {said.get('consent_record')}; "
            f"disclosed as {said.get('disclosure', {}).get('text')!r}",
            highlight=False, markup=False,
        )  # fmt: skip


def _as_json(one: Verification) -> dict[str, Any]:
    return {
        "path": str(one.path),
        "verified": one.passed,
        "proof": one.proof,
        "unattested": list(one.unattested),
        "findings": {
            finding.rule: {
                "verdict": finding.verdict,
                "measured": finding.measured,
                "required": finding.required,
                "detail": finding.detail,
            }
            for finding in one.findings
        },
        "signer": one.facts.signer,
        "claim_generator": one.facts.claim_generator,
        "actions": list(one.facts.actions),
        "clearance": dict(one.facts.clearance),
    }
