"""Fakes for what runs in other processes: a run with workers, and the workers themselves.

    python -m tests.elsewhere ARGUMENTS OF CLEARSPOT...        a run
    dask worker ADDRESS --preload tests.elsewhere_worker       who works for it

Both take their fakes from ``ELSEWHERE_PROJECT`` and ``ELSEWHERE_SPOT``. What a worker is told, gives back and loads is
noted in ``ELSEWHERE_NOTES``, a line a fact.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from clearspot import job, pieces
from clearspot.project import project_at
from tests.killable import fake_engines


def note(**facts: Any) -> None:
    """One line; short ones of several processes do not mix."""
    if path := os.environ.get("ELSEWHERE_NOTES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), **facts}) + "\n")


def install() -> None:
    """Fakes at the engine seam, and notes around what workers do."""
    project = project_at(Path(os.environ["ELSEWHERE_PROJECT"]))
    fake_engines(project, Path(os.environ["ELSEWHERE_SPOT"]))
    opened = job.open_studio

    def open_studio(*arguments: Any) -> Any:
        note(fact="studio")
        return opened(*arguments)

    job.open_studio = open_studio  # type: ignore[assignment]
    make, hear = pieces.make, pieces.hear

    def noted_make(piece: pieces.Piece, heard: str) -> dict[str, Any]:
        note(fact="begun", locale=piece.locale, spot=Path(piece.spot).name)
        made = make(piece, heard)
        note(fact="made", locale=piece.locale, spot=Path(piece.spot).name, given=[piece.as_json(), heard], back=made)
        return made

    def noted_hear(piece: pieces.Piece) -> str:
        if os.environ.get("ELSEWHERE_EDITS"):
            script = Path(piece.spot) / "script.yaml"
            script.write_text(script.read_text(encoding="utf-8").replace("30%", "40%"), encoding="utf-8")
        heard = hear(piece)
        note(fact="heard", spot=Path(piece.spot).name, given=[piece.as_json()], back=heard)
        return heard

    pieces.make, pieces.hear = noted_make, noted_hear


if __name__ == "__main__":
    from clearspot.cli import main

    install()
    sys.argv[0] = "clearspot"
    main.main()
