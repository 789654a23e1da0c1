"""Prefect's own server beside us, on this machine, for as long as we need it. Imports no Prefect."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from clearspot.errors import MachineFault

START_S, STOP_S = 120.0, 20.0
HOST = "127.0.0.1"


@contextlib.contextmanager
def prefect_server(home: Path, port: int) -> Iterator[str]:
    """A Prefect server on loopback; it ends with the block.

    Args:
        home: Keeps its database and its log.
        port: Where it listens.

    Yields:
        The address of its API; its page is the same without ``/api``.

    Raises:
        MachineFault: The port is taken, or it did not start.
    """
    _require_free(port)
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    address = f"http://{HOST}:{port}"
    # Attached to us: however we end, SIGKILL included, no server is left that holds port and database.
    attached = [sys.executable, "-m", "clearspot_flows.attached"]
    command = [*attached, sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    environment = os.environ | {"PREFECT_UI_API_URL": f"{address}/api", "PREFECT_SERVER_UI_API_URL": f"{address}/api"}
    with log.open("ab") as said:
        # A session of its own: Ctrl-C on the terminal is for us, and we end it when our runs have ended.
        server = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True
        )
        try:
            _wait_until_up(server, f"{address}/api/health", log)
            yield f"{address}/api"
        finally:
            if server.stdin:
                server.stdin.close()
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def require_server(api: str) -> None:
    """That somebody answers at the address of an API.

    Raises:
        MachineFault: Nobody does.
    """
    import httpx

    try:
        httpx.get(f"{api.rstrip('/')}/health", timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MachineFault(
            f"Prefect's server does not answer ({type(error).__name__}).",
            where=f"PREFECT_API_URL={without_password(api)}",
            remedy="Start it, correct the address, or unset it: then one is started here.",
        ) from error


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"//[^/@]*@", "//", address)


def _require_free(port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise MachineFault(
                f"port {port} is taken: {error.strerror}.",
                where=f"{HOST}:{port}",
                remedy="Name another with --port; or, if a Prefect server runs there, set PREFECT_API_URL to it.",
            ) from error


def _wait_until_up(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(health, timeout=2).close()  # noqa: S310  (our own server on loopback)
            return
        time.sleep(0.2)
    raise MachineFault("Prefect's server did not start.", where=str(log), remedy="Its log says why.")
