"""Makes a Dask worker note what each of its pieces costs: `dask worker --preload scripts.bench_scale_worker`.

As a command it is `clearspot`, and notes what its own thread does for each spot: plans, and the report.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clearspot import pieces
from clearspot.shelves import Folder

asked: Counter[str] = Counter()


def counted(name: str) -> None:
    """Count what is asked of the store: each would be one request of a bucket."""
    real = getattr(Folder, name)

    def call(self: Folder, *arguments: Any) -> Any:
        asked[name] += 1
        return real(self, *arguments)

    setattr(Folder, name, call)


def noted(task: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        asked.update(read=0, size=0, write=0)
        before, began, used = Counter(asked), time.perf_counter(), cpu_s()
        given = real(*arguments)
        write_down(
            task=task,
            wall_s=time.perf_counter() - began,
            cpu_s=cpu_s() - used,
            requests={kind: asked[kind] - before[kind] for kind in ("read", "size", "write")},
            peak_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        )
        return given

    return call


def cpu_s() -> float:
    """CPU seconds of this process and of the children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write_down(**fact: Any) -> None:
    with Path(os.environ["BENCH_NOTES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"pid": os.getpid(), "at": time.time(), **fact}) + "\n")


def timed(real: Callable[..., Any]) -> Callable[..., Any]:
    """Note the CPU seconds of the thread that calls: one process has no more than one of them a second."""

    def call(*arguments: Any) -> Any:
        began = time.thread_time()
        given = real(*arguments)
        write_down(task="coordinator", thread_s=time.thread_time() - began)
        return given

    return call


if __name__ == "__main__":
    from clearspot import sweep, work
    from clearspot.cli.main import main

    work.conclude, work.plan_spot = timed(work.conclude), timed(work.plan_spot)
    sweep.plan_spot = timed(sweep.plan_spot)
    main()
else:
    for kind in ("read", "size", "write"):
        counted(kind)
    pieces.make, pieces.hear = noted("make", pieces.make), noted("hear", pieces.hear)
