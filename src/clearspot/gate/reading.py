"""What captions say to whoever reads them: that the voice is synthetic, before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearspot.config import DisclosureWording
from clearspot.errors import BadInput
from clearspot.gate.rules import Finding
from clearspot.stages.captions import first_cue
from clearspot.yamlfile import read_text

RULE = "disclosure-shown"


def shown(path: Path, clearance: Mapping[str, Any], wordings: Mapping[str, DisclosureWording]) -> Finding:
    """Whether the first cue of a file of captions is the disclosure.

    Args:
        path: The captions.
        clearance: What their trusted manifest says; empty where there is none to be believed: then any wording known
            here is the disclosure.
        wordings: Those known here, by locale.
    """
    try:
        first = first_cue(read_text(path))
    except BadInput as error:
        return Finding(RULE, "fail", "unreadable", "the disclosure as the first cue", str(error))
    said = clearance.get("disclosure")
    named = said.get("text") if isinstance(said, Mapping) else None
    wanted = {named} if named else {text for one in wordings.values() for text in one.all}
    same = _bare(first) in {_bare(str(text)) for text in wanted} - {""}
    required = f"{named!r}" if named else "a wording known here"
    return Finding(
        RULE, "pass" if same else "fail", f"{first[:80]!r}", required, "" if same else "it does not come first"
    )


def _bare(text: str) -> str:
    """Without spaces: rows are broken wherever a language allows it."""
    return "".join(text.split())
