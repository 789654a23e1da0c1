"""``clearspot``: the commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from typing import Annotated, Any

import typer

from clearspot import __version__
from clearspot.cli import (
    approve,
    audit,
    doctor,
    engines,
    enroll,
    keys,
    models,
    plan,
    policy,
    report,
    revoke,
    run,
    serve,
    store,
    verify,
    voices,
)
from clearspot.errors import BadInput, ClearspotError, MachineFault

ClickException: Any = typer.BadParameter.__mro__[2]
"""The base of what is wrong with a command line; newer versions of typer carry a click of their own."""

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

STOPPED = MachineFault("stopped before it was finished.", remedy="Nothing half-made was kept; run it again.")

app = typer.Typer(
    help="One approved recording in; disclosed, consented and cleared ad spots in many languages out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("serve")(serve.serve)
app.command("verify")(verify.verify)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)
app.add_typer(approve.app, name="approve")
app.add_typer(voices.app, name="voices")
app.add_typer(models.app, name="models")
app.add_typer(engines.app, name="engines")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(store.app, name="store")
voices.app.command("enroll")(enroll.enroll)
voices.app.command("check")(enroll.check)
voices.app.command("revoke")(revoke.revoke)
voices.app.command("affected")(revoke.affected)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"clearspot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command; ``main`` looks for --debug itself."""


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(invoke(sys.argv[1:]))


def _interrupt(*_: object) -> None:
    """Being asked to stop ends like Ctrl-C: told in one sentence, nothing half-made left."""
    raise KeyboardInterrupt


def invoke(arguments: list[str]) -> int:
    """Run one command line and give its exit code: 0, 1, 2 or 3 (see docs/reference.md)."""
    debug, as_json = "--debug" in arguments, "--json" in arguments
    if debug:  # allowed before and after the command
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        result = app(arguments, standalone_mode=False)
    except ClearspotError as error:
        problem = error
    except ClickException as error:
        message = error.format_message()
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message)
            return BadInput.exit_code
        problem = BadInput(message, remedy="clearspot --help shows what there is.")
    except (KeyboardInterrupt, typer.Abort):
        problem = STOPPED
    except Exception as error:  # noqa: BLE001  (the last net: a bug is told, not thrown at the user)
        problem = MachineFault(
            f"this is a bug in Clearspot: {type(error).__name__}: {error}.",
            remedy="Run it again with --debug and report what it shows.",
        )
        problem.__cause__ = error
    else:
        if result != INTERRUPTED:
            return result if isinstance(result, int) else 0
        problem = STOPPED
    if debug:
        traceback.print_exception(problem)
    if as_json:
        typer.echo(json.dumps({"error": problem.as_json(), "exit_code": problem.exit_code}))
    else:
        typer.echo(f"clearspot: {problem}", err=True)
    return problem.exit_code
