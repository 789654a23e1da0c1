"""Other processes and other machines: the pieces of a spot as tasks of Prefect's Dask or Ray runner."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TextIO, cast
from urllib.parse import urlsplit

from clearspot_flows.localize import report, run_flow, stage
from clearspot_flows.server import prefect_server
from prefect.runtime import task_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from clearspot import pieces
from clearspot.delivery import Outcome, refuse_deliverable
from clearspot.errors import BadInput, ClearspotError, MachineFault
from clearspot.job import Job
from clearspot.pieces import GOING, STOP_S, Listening, outcomes_from, piece_from, piece_of
from clearspot.project import Project
from clearspot.workshop import workshop

RETRIES = 1
"""So often a piece is made again whose machine failed. A worker that is lost is the runner's to replace."""

LOOK_S, JOIN_S = 0.3, 60.0


def _hear(piece: dict[str, Any]) -> str:
    return pieces.hear(piece_from(piece))


def _make(piece: dict[str, Any], heard: str) -> dict[str, Any]:
    made = pieces.make(piece_from(piece), heard)
    faults = [error for one in made["outcomes"] if (error := one["error"]) and error["kind"] == MachineFault.kind]
    if faults and int(task_run.run_count or 0) <= RETRIES:  # else it is told as it is
        raise MachineFault(faults[0]["what"], where=faults[0]["where"], remedy=faults[0]["remedy"])
    return made


hear = stage(_hear, "hear", RETRIES)
make = stage(_make, "make", RETRIES)


class Cluster:
    """The workers that a project's settings ask for: found or started when there is first something to make.

    One is shared by all spots of a process, so that models are loaded once a worker; it ends with the block.
    """

    def __init__(self, project: Project) -> None:
        self._project, self._asked = project, project.settings.machines
        self._lock, self._stack = threading.Lock(), contextlib.ExitStack()
        self._runner: Callable[[], Any] | None = None
        self._api = ""

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stack.close()
            self._runner = None

    def __call__(self, job: Job) -> list[Outcome]:
        """See ``work.Runner``: each locale is made by one worker.

        Raises:
            BadInput: The settings ask for what cannot be.
            MachineFault: There are no workers, or Prefect does not answer.
        """
        made: list[Outcome] = run_flow(job, make_elsewhere, lambda: self._begun(job))
        return made

    @contextlib.contextmanager
    def _begun(self, job: Job) -> Iterator[Any]:
        """Prefect's settings, and the task runner, for one flow."""
        with self._lock:
            if job.studio.stopped:
                raise KeyboardInterrupt
            if self._runner is None:
                self._api = self._api_for_all()
                self._runner = {"dask": self._dask, "ray": self._ray}[self._asked.runner]()
        with temporary_settings({PREFECT_API_URL: self._api}):
            yield self._runner()

    def _api_for_all(self) -> str:
        """Where the workers find Prefect's server: the one that is named, or one of ours beside us."""
        if named := PREFECT_API_URL.value():
            return str(named)
        if self._asked.address and not _is_here(self._asked.address):
            raise BadInput(
                "workers elsewhere need a Prefect server that they can reach.",
                where="PREFECT_API_URL",
                remedy="Start one (`prefect server start`) and set PREFECT_API_URL to its address.",
            )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address: str = self._stack.enter_context(prefect_server(self._project.prefect_dir, port))
        return address

    def _dask(self) -> Callable[[], Any]:
        with _needed("dask"):
            import distributed
            from prefect_dask import DaskTaskRunner
        quiet = logging.CRITICAL
        logging.getLogger("distributed").setLevel(quiet)
        security = None  # Dask's own configuration has the certificates of a cluster elsewhere
        if address := self._asked.address:
            _require_dask_workers(address)
        else:
            # Whoever reaches a scheduler runs code: only those who have this run's certificate do.
            cluster = distributed.LocalCluster(
                n_workers=self._asked.processes,
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=True,
                dashboard_address=None,
                memory_limit=0,
                silence_logs=quiet,
            )
            self._stack.callback(cluster.close)
            address, security = cluster.scheduler_address, cluster.security
        options = {"security": security} if security else {}
        return lambda: DaskTaskRunner(address=address, client_kwargs=options)

    def _ray(self) -> Callable[[], Any]:
        if not self._asked.address:
            # Ray's ports are no loopback's: only those who have this run's token run code on its workers.
            self._stack.enter_context(_environment(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32)))
        with _needed("ray"):
            import ray
            from prefect_ray import RayTaskRunner
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": "prefect"}
        if not self._asked.address:
            options |= {"num_cpus": self._asked.processes, "include_dashboard": False}
        self._stack.enter_context(contextlib.redirect_stdout(cast(IO[str], _Apart(sys.stdout))))
        try:
            ray.init(self._asked.address or None, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _no_cluster(self._asked.address, error) from error
        self._stack.callback(ray.shutdown)
        runner: Callable[[], Any] = RayTaskRunner
        return runner


class _Apart:
    """Standard output, but for what Ray's own threads print about its workers: that goes to standard error."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, text: str) -> int:
        return (sys.stderr if threading.current_thread().name.startswith("ray_") else self._real).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def make_elsewhere(job: Job) -> list[Outcome]:
    """Everything that a job has to do, as tasks of the flow that runs: the recording first, then a task a locale."""
    with workshop(job.out) as folder:
        (folder / GOING).touch()
        heard = hear.submit(piece_of(job, folder).as_json())
        ordered = {
            locale: make.with_options(task_run_name=f"make {locale}").submit(
                piece_of(job, folder, locale).as_json(), heard
            )
            for locale in job.locales
        }
        try:
            _follow(job, folder, [heard, *ordered.values()])
        finally:
            (folder / GOING).unlink(missing_ok=True)
        if job.studio.stopped:  # what failed for that reason was not refused
            raise KeyboardInterrupt
        before = _result(heard)
        outcomes = [one for locale, future in ordered.items() for one in _outcomes(job, locale, before, future)]
    report(job, outcomes)
    return outcomes


def _follow(job: Job, folder: Path, futures: list[Any]) -> None:
    """Tell what the workers tell until all is done. Told to stop, they are given a while to end what they do."""
    listening = Listening(folder)
    until = float("inf")
    while not all(map(_is_done, futures)) and time.monotonic() < until:
        if job.studio.stopped and until == float("inf"):
            (folder / GOING).unlink(missing_ok=True)
            until = time.monotonic() + STOP_S
        for event in listening.news():
            job.tell(event)
        time.sleep(LOOK_S)
    for event in listening.news():
        job.tell(event)


def _is_done(future: Any) -> bool:
    wrapped = future.wrapped_future
    if hasattr(wrapped, "done"):
        return bool(wrapped.done())
    import ray

    return bool(ray.wait([wrapped], timeout=0)[0])


def _outcomes(job: Job, locale: str, heard: Any, future: Any) -> list[Outcome]:
    """What became of one locale; where its worker has no word for it, each of its profiles failed."""
    made = heard if isinstance(heard, ClearspotError) else _result(future)
    if isinstance(made, Mapping):
        return outcomes_from(made, job)
    return [refuse_deliverable(job, locale, profile, made) for profile in job.todo[locale]]


def _result(future: Any) -> Any:
    """What a task gave, or the error of ours that it ended with."""
    try:
        result = future.result(raise_on_failure=False)
    except Exception as error:  # noqa: BLE001  (each runner has its own word for a worker that is gone)
        result = error
    if isinstance(result, BaseException) and not isinstance(result, ClearspotError):
        lost = MachineFault(
            f"no worker finished it ({type(result).__name__}).",
            where="machines",
            remedy="What was made of it is in the store: run it again. The workers' own logs say what ended them.",
        )
        lost.__cause__ = result
        return lost
    return result


def _require_dask_workers(address: str) -> None:
    """That a scheduler answers, and that somebody works for it.

    Raises:
        MachineFault: It does not, or nobody does.
    """
    import distributed

    try:
        with distributed.Client(address, timeout=JOIN_S / 4, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=JOIN_S)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> MachineFault:
    return MachineFault(
        f"there is no cluster with workers ({type(error).__name__}).",
        where=f"configs/clearspot.yaml: machines.address {address}".rstrip(),
        remedy="Start its scheduler and its workers (docs/scale.md), or leave the address empty.",
    )


@contextlib.contextmanager
def _environment(**given: str) -> Iterator[None]:
    """Variables that processes started meanwhile inherit."""
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _needed(runner: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MachineFault(
            f"{runner} is not installed ({error}).",
            where=f"configs/clearspot.yaml: machines.runner {runner}",
            remedy=f"pip install 'clearspot[{runner}]', or take `threads`.",
        ) from error


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine's own: then its workers reach a server on loopback."""
    host = urlsplit(address).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
