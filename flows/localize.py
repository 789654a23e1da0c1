"""The localize flow: a spot and all its locales, side by side, every stage a task."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Task, flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from clearspot import pipeline
from clearspot.delivery import Outcome, as_error, refuse_deliverable
from clearspot.errors import ClearspotError, MachineFault
from clearspot.job import Asked, Job, open_desk, open_job, open_studio
from clearspot.pipeline import warm_up
from clearspot.project import Project, find_project
from clearspot.waiting import result_of
from clearspot.work import Hands, produce, spots_at_once
from clearspot.workshop import workshop

MAX_THREADS = 64
"""Threads only wait here; ``Studio.work`` holds back what is heavy."""


@dataclass
class _Handed:
    """A job that is open already, and what became of it. Prefect stores parameters and results; these stay here."""

    job: Job
    make: Callable[[Job], list[Outcome]]
    outcomes: list[Outcome] | None = None


_handed: ContextVar[_Handed | None] = ContextVar("handed", default=None)


def _can_help(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """A retry helps where the machine failed, never where consent, approval or the gate said no."""
    return isinstance(state.result(raise_on_failure=False), MachineFault)


def stage(function: Any, name: str, retries: int = 0) -> Any:
    """A step as a task. Only those that write to the disk are retried: a second try may find it in order."""
    return task(
        function,
        name=name,
        retries=retries,
        retry_delay_seconds=1,
        retry_condition_fn=_can_help,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


transcribe = stage(pipeline.transcribe_recording, "transcribe")
align = stage(pipeline.align_script, "align")
look_at_bed = stage(pipeline.look_at_bed, "look at bed")
translate = stage(pipeline.translate_script, "translate")
authorize = stage(pipeline.authorize_voice, "authorize")
speak = stage(pipeline.speak_lines, "speak")
fit = stage(pipeline.fit_timeline, "fit")
mix = stage(pipeline.mix_programme, "mix")
disclose = stage(pipeline.disclose_programme, "disclose", retries=1)
gate = stage(pipeline.gate_candidate, "gate")
export = stage(pipeline.export_candidate, "export", retries=1)


@dataclass(frozen=True)
class _Deliverable:
    """The futures of one deliverable, in order: the first that failed says why there is no outcome."""

    locale: str
    profile: str
    steps: tuple[PrefectFuture[Any], ...]

    def wait(self) -> None:
        """Until every step came to an end, or never will."""
        for step in self.steps:
            step.wait()


@flow(
    name="localize",
    flow_run_name="{spot}",
    task_runner=ThreadPoolTaskRunner(max_workers=MAX_THREADS),  # type: ignore[arg-type]
    persist_result=False,
)
def localize(
    spot: str, locales: list[str] | None = None, profiles: list[str] | None = None, out: str = "out"
) -> State[str]:
    """Turn a spot's recording into finished, disclosed, cleared files in its locales."""
    return _localized(spot, locales, profiles, out)  # goes to workers with its tasks: it may name nothing that cannot


def _localized(spot: str, locales: list[str] | None, profiles: list[str] | None, out: str) -> State[str]:
    handed = _handed.get()
    if handed:
        outcomes = handed.outcomes = handed.make(handed.job)
    else:
        outcomes = _produced(spot, locales, profiles, out)
    refused = [outcome for outcome in outcomes if outcome.error]
    if refused:
        names = ", ".join(f"{spot} {outcome.locale} {outcome.profile}" for outcome in refused)
        return Failed(message=f"not exported: {names}")
    return Completed(message=f"{len(outcomes)} in order")


def _make(job: Job) -> list[Outcome]:
    """Everything that a job has to do, as tasks of the flow that runs."""
    warm_up(job)
    with workshop(job.out) as folder:
        try:
            ordered = _order(job, folder)
            for one in ordered:
                one.wait()
        except BaseException:
            job.studio.stop()  # first, so that the tasks that wait for it end too
            raise
        if job.studio.stopped:  # what failed for that reason was not refused
            raise KeyboardInterrupt
        outcomes = [_outcome(job, one) for one in ordered]
    report(job, outcomes)
    return outcomes


def run(job: Job) -> list[Outcome]:
    """Run the flow on a job that is open already, on threads of this process."""
    warm_up(job)
    return run_flow(job, _make, lambda: contextlib.nullcontext(None))


def run_flow(
    job: Job, make: Callable[[Job], list[Outcome]], begun: Callable[[], AbstractContextManager[Any]]
) -> list[Outcome]:
    """Run the flow on a job that is open already.

    Args:
        job: What is to be made.
        make: Makes it, as tasks of the flow.
        begun: What the flow needs around it; gives its task runner (None: threads).
    """
    handed = _Handed(job, make)

    def flow_of_job() -> State[Any]:
        _handed.set(handed)
        with begun() as task_runner:
            state: State[Any] = localize.with_options(flow_run_name=job.spot.id, task_runner=task_runner)(
                spot=str(job.spot.folder),
                locales=list(job.locales),
                profiles=list(job.profiles),
                out=str(job.out),
                return_state=True,
            )
            return state

    state = _aside(flow_of_job, job.studio.stop)
    if handed.outcomes is not None:
        return handed.outcomes
    failure = state.result(raise_on_failure=False)
    if isinstance(failure, ClearspotError):
        raise failure
    raise MachineFault(f"the flow did not finish: {state.message}", where="Prefect") from (
        failure if isinstance(failure, BaseException) else None
    )


def _aside(call: Callable[[], State[Any]], stop: Callable[[], None]) -> State[Any]:
    """Do something in a thread of its own, and wait for it.

    A signal's exception comes at any moment of the main thread: it shall find us waiting here, where it is known what
    to do about it, and not Prefect between two of its steps, where it may get lost and the run goes on.
    """
    with ThreadPoolExecutor(1, "clearspot-flow") as thread:
        context = copy_context()
        future = thread.submit(lambda: context.run(call))
        try:
            return result_of(future)
        except BaseException:
            stop()
            raise


def _order(job: Job, folder: Path) -> list[_Deliverable]:
    """Submit every stage of every locale; each waits for those before it."""
    given = quote(job)  # Prefect need not look into it for futures
    heard = transcribe.submit(given)
    timed = align.submit(given, heard)
    bed = look_at_bed.submit(given)
    ordered = []
    for locale in job.locales:
        translation = _named(translate, locale).submit(given, locale)
        grant = _named(authorize, locale).submit(given, locale)
        clips = _named(speak, locale).submit(given, translation, grant, wait_for=[timed])
        timeline = _named(fit, locale).submit(given, timed, grant, clips)
        programme = _named(mix, locale).submit(given, timeline, bed, locale)
        for profile in job.todo[locale]:
            made = _named(disclose, locale, profile).submit(
                given, programme, timeline, translation, grant, profile, folder
            )
            found = _named(gate, locale, profile).submit(given, made, timed)
            done = _named(export, locale, profile).submit(given, made, found)
            steps = (heard, timed, bed, translation, grant, clips, timeline, programme, made, found, done)
            ordered.append(_Deliverable(locale, profile, steps))
    return ordered


def _outcome(job: Job, ordered: _Deliverable) -> Outcome:
    """The last step's outcome, or the first error on the way to it."""
    results = [_result(step) for step in ordered.steps]
    if isinstance(results[-1], Outcome):
        return results[-1]
    name = job.name(ordered.locale, ordered.profile)
    errors = [result for result in results if isinstance(result, BaseException)]
    failure = errors[0] if errors else MachineFault("a task was never run.", where=name)
    return refuse_deliverable(job, ordered.locale, ordered.profile, as_error(failure, name))


def _result(step: PrefectFuture[Any]) -> Any:
    """What a step gave or raised; None where it never ran because one before it failed."""
    return step.state.result(raise_on_failure=False) if step.state.is_final() else None


def report(job: Job, outcomes: list[Outcome]) -> None:
    """The run's gate table, as an artifact on the flow run's page."""
    create_table_artifact(
        key=f"gate-{job.spot.id}".replace("_", "-"),
        table=[
            {
                "deliverable": job.name(outcome.locale, outcome.profile),
                "verdict": outcome.verdict,
                **{finding.rule: f"{finding.verdict}: {finding.measured}" for finding in outcome.findings},
                "why": str(outcome.error or ""),
            }
            for outcome in outcomes
        ],
        description=f"What the gate found in {job.spot.id}",
    )


@contextlib.contextmanager
def hands_of(project: Project) -> Iterator[Hands]:
    """What makes a project's deliverables, as its settings say: threads of this process, or a cluster."""
    if project.settings.machines.runner == "threads":
        yield Hands(run)
        return
    from clearspot_flows.machines import Cluster

    with Cluster(project) as cluster:
        yield Hands(cluster, spots_at_once(project.settings.machines.processes))


def _produced(spot: str, locales: list[str] | None, profiles: list[str] | None, out: str) -> list[Outcome]:
    """A run that nobody prepared: a deployment's, or a work pool's."""
    job = _open(spot, locales, profiles, out)
    if job.project.settings.machines.runner == "threads":
        return produce(job, _make)
    with hands_of(job.project) as hands:
        return produce(job, hands.run)


def _open(spot: str, locales: list[str] | None, profiles: list[str] | None, out: str) -> Job:
    folder = Path(spot)
    project = find_project(folder)
    asked = Asked(folder, tuple(locales or ()), tuple(profiles or ()), Path(out))
    return open_job(asked, open_desk(project, open_studio(project)), lambda _: None)


def _named(step: Any, *names: str) -> Any:
    return step.with_options(task_run_name=" ".join((step.name, *names)))
