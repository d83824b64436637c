"""Which worker and run this process belongs to. (Scaffold.)"""

from __future__ import annotations

import socket
from collections.abc import Mapping

_RUN = "ERROR_VISUALIZATION_RUN_"


def worker_id(environ: Mapping[str, str]) -> str:
    return environ.get("ERROR_VISUALIZATION_WORKER_ID") or socket.gethostname()


def run(environ: Mapping[str, str]) -> dict[str, str] | None:
    names = ("id", "job", "suite", "commit", "branch", "user", "url")
    found = {name: environ[_RUN + name.upper()] for name in names if environ.get(_RUN + name.upper())}
    return found or None
