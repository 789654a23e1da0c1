"""Runs a command for as long as its input stays open: whoever started it may die in any way, and it ends too.

python -m clearspot_flows.attached COMMAND...
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

STOP_S = 15.0


def run(command: list[str]) -> int:
    """The command's exit code; it is told to stop when our input ends."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_input() -> None:
        with contextlib.suppress(OSError):
            while sys.stdin.buffer.read(4096):
                pass
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=end_with_input, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
