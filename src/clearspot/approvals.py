"""Who signed off which words, when, over which digest: ``approvals.yaml`` beside ``spot.yaml``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from clearspot.errors import BadInput, Refused
from clearspot.files import write_atomically
from clearspot.hashing import sha256_json
from clearspot.spot import Id, LocaleTag, Script, Spot
from clearspot.yamlfile import Strict, dump_yaml, load_model

FILE = "approvals.yaml"
ApprovalState = Literal["approved", "stale", "missing"]


class Approval(Strict):
    """One sign-off: by whom, when (UTC, ISO 8601), over which digest (sha256)."""

    by: str
    at: str
    digest: str


class ScriptApproval(Approval):
    """The sign-off of a script; ``lines`` holds each line's digest, to say later which of them changed."""

    lines: dict[Id, str]


class Approvals(Strict):
    """Everything that was signed off for a spot."""

    script: ScriptApproval | None = None
    translations: dict[LocaleTag, dict[Id, Approval]] = Field(default_factory=dict)

    def translation_state(self, script: Script, locale: str, line_id: str, text: str) -> ApprovalState:
        """Whether the words of one line in one locale are signed off, against the source line of today."""
        approval = self.translations.get(locale, {}).get(line_id)
        if approval is None:
            return "missing"
        current = translation_digest(script, locale, line_id, text)
        return "approved" if approval.digest == current else "stale"


def translation_digest(script: Script, locale: str, line_id: str, text: str) -> str:
    """What the approval of a translated line is for: both texts, so a changed source line makes it stale."""
    return sha256_json(
        {
            "source_locale": script.locale,
            "locale": locale,
            "line": line_id,
            "source": script.lines[line_id],
            "text": text,
        }
    )


def load_approvals(spot_folder: Path) -> Approvals:
    """The sign-offs of a spot; none where there is no file yet.

    Raises:
        BadInput: The file is not what it should be.
    """
    path = spot_folder / FILE
    return load_model(Approvals, path) if path.exists() else Approvals()


def require_script_approval(spot: Spot, approvals: Approvals) -> ScriptApproval:
    """The sign-off of exactly today's script.

    Raises:
        Refused: There is none, or the script changed since; the message names the lines.
    """
    remedy = f"Read it, then: clearspot approve script {spot.folder} --by NAME"
    where = str(spot.folder / FILE)
    approval = approvals.script
    if approval is None:
        raise Refused("the script was never approved.", where=where, remedy=remedy)
    if approval.digest != spot.script.digest:
        today = spot.script.line_digests()
        ids = [*today, *(line_id for line_id in approval.lines if line_id not in today)]
        changed = [line_id for line_id in ids if today.get(line_id) != approval.lines.get(line_id)]
        what = f"line {', '.join(changed)}" if changed else "its order, names or protected words"
        raise Refused(
            f"the script changed since {approval.by} approved it on {approval.at[:10]} ({what}).",
            where=where,
            remedy=remedy,
        )
    return approval


def approve_script(spot: Spot, by: str, now: dt.datetime) -> Approvals:
    """Sign off the script as it is now and write that down."""
    script = spot.script
    approval = ScriptApproval(by=_name(by), at=_stamp(now), digest=script.digest, lines=script.line_digests())
    return _save(spot.folder, load_approvals(spot.folder).model_copy(update={"script": approval}))


def approve_translation(spot: Spot, locale: str, by: str, now: dt.datetime, line_ids: Iterable[str] = ()) -> Approvals:
    """Sign off the lines of one locale as they are now (all of them, unless ids are given).

    Raises:
        BadInput: There is no such translation or line; a line that is not translated cannot be approved.
    """
    translation = spot.translations.get(locale)
    path = spot.folder / "translations" / f"{locale}.yaml"
    if translation is None:
        raise BadInput("there is no translation to approve.", where=str(path), remedy="Write it first.")
    wanted = tuple(line_ids) or tuple(spot.script.lines)
    if missing := [line_id for line_id in wanted if line_id not in translation.lines]:
        raise BadInput(
            f"not translated: {', '.join(missing)}; the file has: {', '.join(translation.lines)}.",
            where=f"{path}: lines",
        )
    before = load_approvals(spot.folder)
    signed = {
        line_id: Approval(
            by=_name(by),
            at=_stamp(now),
            digest=translation_digest(spot.script, locale, line_id, translation.lines[line_id]),
        )
        for line_id in wanted
    }
    lines = {**before.translations.get(locale, {}), **signed}
    return _save(
        spot.folder,
        before.model_copy(update={"translations": {**before.translations, locale: lines}}),
    )


def _name(by: str) -> str:
    if not by.strip():
        raise BadInput("should be a person's name.", where="--by")
    return by.strip()


def _stamp(now: dt.datetime) -> str:
    return now.astimezone(dt.UTC).isoformat(timespec="seconds")


def _save(folder: Path, approvals: Approvals) -> Approvals:
    text = dump_yaml(approvals.model_dump(mode="json", exclude_none=True))
    header = "# Written by `clearspot approve`. A digest that no longer fits means: changed since, approve again.\n"
    write_atomically(folder / FILE, (header + text).encode())
    return approvals
