"""Prefect's settings for a run of ours: its own folder, nothing calls home, no tracebacks on the user's terminal.

Import before Prefect: it reads its settings once. What the user set in the environment stays.
"""

from __future__ import annotations

import os
from pathlib import Path


def settle(home: Path) -> None:
    """Set what is not set yet. ``home`` is where Prefect keeps its database when no server is named."""
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SHOW_NEW_VERSION_NOTICE": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_LEVEL": "WARNING",  # a state change is an event already; telling it twice costs a second
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
