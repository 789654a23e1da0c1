"""The demo run killed at random points, again and again: the same essence in the end, and nothing half-made left.

    python -m scripts.kills [--kills 30] [--locale L]...

Real engines, without Prefect, in a project of its own. Each run goes on where the one before was killed; when one comes
through, its essences are held against an undisturbed run, and all begins anew with an empty store. Ends with 1 where
anything differs or is left over.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from clearspot.gate.receipt import ENDING, check_receipt
from clearspot.hashing import sha256_file
from clearspot.project import Project
from clearspot.provenance.keys import load_trust
from clearspot.publish import CAPTIONS, MEDIA
from scripts.bench_project import SPOT, bench_project

CHECKOUT = Path(__file__).resolve().parents[1]
SEED = 20261125


@dataclass(frozen=True)
class Place:
    """Where runs happen that are killed; ``command`` is followed by the output folder."""

    project: Project
    command: tuple[str, ...]
    out: Path
    killed_after_s: list[float] = field(default_factory=list)

    def start(self) -> subprocess.Popen[str]:
        """A run in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", *self.command, str(self.out)],
            cwd=CHECKOUT,
            env=os.environ | {"CLEARSPOT_PROJECT": str(self.project.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> str:
        """A run that nobody disturbs, and what it told."""
        run = self.start()
        _, told = run.communicate(timeout=600)
        if run.returncode:
            raise AssertionError(f"ended with {run.returncode}: {told}")
        return told

    def kill_after(self, seconds: float) -> bool:
        """Whether a run was still going after some time, and is dead now, ffmpeg and all."""
        run = self.start()
        time.sleep(seconds)
        try:
            os.killpg(run.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            run.communicate()
        return run.returncode == -signal.SIGKILL

    def essences(self) -> dict[str, str]:
        """The essence of everything that is published, as its receipt says it."""
        return {
            path.name: json.loads(path.read_text(encoding="utf-8"))["receipt"]["essence_sha256"]
            for path in sorted(self.out.rglob(f"*{ENDING}"))
        }

    def half_made(self) -> list[str]:
        """Files under a final name that are not what a receipt of ours says of them.

        Media come last of all: a receipt may stand there before its files do, never the other way round.
        """
        keys, found = load_trust(self.project.trust_dirs).receipt_keys, []
        for path in self.out.rglob("*"):
            if path.name.startswith(".") or path.suffix not in (*MEDIA, *CAPTIONS) or path.parent.name.startswith("."):
                continue
            beside = path.with_name(path.stem + ENDING)
            signed = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
            body = {} if check_receipt(signed, keys) else signed["receipt"]
            named = {body.get("deliverable"): body.get("file_sha256"), **body.get("beside", {})}
            if named.get(path.name) != sha256_file(path):
                found.append(str(path))
        return found

    def left_over(self) -> list[str]:
        """What is temporary, and still there."""
        partial = [path for root in (self.out, self.project.root) for path in root.rglob("*.partial")]
        return [str(path) for path in (*partial, *self.out.glob(".clearspot-*"))]

    def forget(self, out: Path) -> Place:
        """Another output folder, and an empty store."""
        shutil.rmtree(self.project.store_dir, ignore_errors=True)
        return replace(self, out=out)


def trouble_of_kills(place: Place, undisturbed: dict[str, str], took_s: float, kills: int) -> list[str]:
    """Kill runs at random moments of the time that one takes, and let the last one finish.

    Returns:
        Everything that is not as it should be.
    """
    moments, killed, found = random.Random(SEED), 0, list[str]()  # noqa: S311
    home = place.out
    for turn in range(20 * kills):
        if killed == kills:
            break
        after_s = moments.uniform(0.2, 1.1 * took_s)
        if place.kill_after(after_s):
            killed += 1
            place.killed_after_s.append(after_s)
            found += [f"half-made after kill {killed}: {each}" for each in place.half_made()]
            sys.stderr.write(f"kill {killed} of {kills} after {after_s:.1f} s: {len(found)} differences so far\n")
        else:
            found += differing(place, undisturbed)
            place = place.forget(home.with_name(f"{home.name}-{turn}"))
    place.finish()
    found += differing(place, undisturbed)
    found += [f"left over: {each}" for each in place.left_over()]
    return [*found, *([] if killed == kills else [f"killed only {killed} times"])]


def differing(place: Place, undisturbed: dict[str, str]) -> list[str]:
    """What is published and is not the same as without any kill."""
    got = place.essences()
    return [f"another essence: {name}" for name in undisturbed if got.get(name) != undisturbed[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--locale", action="append", default=[], help="only this locale of the demo (repeatable)")
    asked = parser.parse_args()
    kills, only = asked.kills, [word for locale in asked.locale for word in ("--locale", locale)]
    with bench_project() as project, tempfile.TemporaryDirectory(prefix="clearspot-kills-") as name:
        spot = project.root / "spots" / SPOT.name
        command = ("clearspot", "run", str(spot), "--runner", "inline", "--json", *only, "--out")
        place = Place(project, command, Path(name) / "undisturbed")
        began = time.monotonic()
        place.finish()
        took_s = time.monotonic() - began
        undisturbed = place.essences()
        found = trouble_of_kills(place.forget(Path(name) / "killed"), undisturbed, took_s, kills)
    print(f"{kills} kills within {took_s:.0f} s, {len(undisturbed)} deliverables: {len(found)} differences")
    print("\n".join(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
