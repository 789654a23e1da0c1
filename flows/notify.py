"""Tells whoever should know that a sweep is not in order, through a notification block that Prefect keeps.

By a hook, in the process of the run, and not by an automation: those come late. Prefect's server (3.8.8) lets the event
of each state wait for the one of the state before it. Where a schedule made the run, its first state never had one; so
for a run that was made less than five minutes before it began, automations see nothing for a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import typer
from clearspot_flows.server import without_password
from prefect import Flow
from prefect.blocks import notifications as _known  # noqa: F401  (registers Prefect's own kinds, to be loaded by name)
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State
from prefect.utilities.urls import url_for

from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.project import project_at

SUBJECT = "Clearspot"
AGAIN_S = (1.0, 5.0)
"""Pauses before the second try and the third: what was refused is told at one sweep only."""


async def tell(_flow: Flow[Any, Any], run: FlowRun, state: State[Any]) -> None:
    """A hook: who should know is told why a sweep failed, and where it is shown.

    Raises:
        MachineFault: Nobody could be told.
    """
    if not (name := whom(run.parameters)):
        return
    shown = without_password(url_for(run) or "")
    try:
        await _deliver(require_block(await Block.aload(name), name), f"{state.message}\n{shown}".strip())
    except Exception as error:
        fault = MachineFault(
            f"nobody was told ({type(error).__name__}): {str(state.message).rstrip('.')}.",
            where=f"notify: {name}",
            remedy="The run's page says why.",
        )
        typer.echo(f"clearspot: warning: {fault}", err=True)
        raise fault from error


def whom(parameters: Mapping[str, Any]) -> str:
    """The block that the project names now, or, where that cannot be read, that it named when the run was made."""
    if project := parameters.get("project"):
        with contextlib.suppress(ClearspotError):
            return project_at(Path(project)).settings.notify
    return str(parameters.get("notify") or "")


async def _deliver(block: NotificationBlock, body: str) -> None:
    for pause_s in AGAIN_S:
        try:
            await _send(block, body)
        except Exception:  # noqa: BLE001  (a service of others; what is wrong is told by the last try)
            await anyio.sleep(pause_s)
        else:
            return
    await _send(block, body)


async def _send(block: NotificationBlock, body: str) -> None:
    with block.raise_on_failure():
        sending = block.notify(body, SUBJECT)
        if inspect.isawaitable(sending):  # in a flow that is not, some blocks have sent already
            await sending


def require_block(block: object, name: str) -> NotificationBlock:
    """That a block can tell people something.

    Raises:
        BadInput: It is for something else.
    """
    if not isinstance(block, NotificationBlock):
        raise BadInput(
            "is no notification block.", where=f"notify: {name}", remedy="Name one, such as slack-webhook/ops."
        )
    return block


async def what_is_wrong(name: str) -> str:
    """Why the block of that name cannot be used just now; empty where it can, or where none is named."""
    if not name:
        return ""
    try:
        require_block(await Block.aload(name), name)
    except (BadInput, ValueError) as error:
        return str(error)
    return ""
