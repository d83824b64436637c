"""Who reports: worker, process, thread and rank, and the run and test that it belongs to."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from error_visualization.run_environment import run

__all__ = ["completed", "process", "rank", "run", "test", "timestamp", "worker_id"]

_RANKS = (  # of torchrun, SLURM, Open MPI, MPICH and Intel MPI, MVAPICH2: rank, world size, rank on its machine
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("PMIX_RANK", "PMIX_SIZE", "PMIX_LOCAL_RANK"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
)


def worker_id(environ: Mapping[str, str]) -> str:
    """Returns the name of this worker: ERROR_VISUALIZATION_WORKER_ID, else the pod's or the host's name, with the
    worker of pytest-xdist and the rank behind it if there are some."""
    own = environ.get("ERROR_VISUALIZATION_WORKER_ID")
    if own:
        return own
    name = environ.get("POD_NAME") or environ.get("SLURMD_NODENAME") or socket.gethostname() or "unknown"
    xdist, found = environ.get("PYTEST_XDIST_WORKER"), rank(environ)
    parts = [name, *([xdist] if xdist else []), *([f"rank{found['rank']}"] if found.get("world_size", 1) > 1 else [])]
    return "-".join(parts)


def rank(environ: Mapping[str, str]) -> dict[str, int]:
    """Returns `rank`, `world_size` and `local_rank` as far as the launcher of this process says them; else {}."""
    for names in _RANKS:
        found = {
            key: int(environ[name])
            for key, name in zip(("rank", "world_size", "local_rank"), names)
            if environ.get(name, "").isdecimal()
        }
        if "rank" in found:
            return found
    return {}


def test(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Returns the `test` of a report from the variable that pytest sets while a test runs; None outside a test."""
    current = environ.get("PYTEST_CURRENT_TEST", "")
    name = current.rpartition(" (")[0] or current
    return {"id": name, "file": name.partition("::")[0]} if name else None


def process(environ: Mapping[str, str]) -> dict[str, Any]:
    """Returns the `process` of a report: host, process and thread, and rank and world size if there are some."""
    return {
        "host": socket.gethostname(),
        "id": os.getpid(),
        "name": _process_name(),
        "thread": _thread_name(),
        "thread_id": threading.get_ident(),
        **rank(environ),
    }


def completed(fields: Mapping[str, Any], worker: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Returns a report of `fields` with worker, time, process, run and test where they are absent or None. An absent
    run or test stays absent if the environment does not say it."""
    report: dict[str, Any] = dict(fields)
    defaults = {"worker_id": worker, "timestamp": None, "run": None, "test": None, "process": None}
    missing = [name for name in defaults if report.get(name) is None]
    for name in missing:
        if name == "worker_id":
            value: Any = worker
        elif name == "timestamp":
            value = timestamp()
        else:
            value = {"run": run, "test": test, "process": process}[name](environ)
        if value is not None:
            report[name] = value
    return report


def timestamp() -> str:
    """Returns the time now, in UTC, as the service reads it."""
    now = time.time()
    whole = int(now)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((now - whole) * 1_000_000):06d}+00:00"


def _process_name() -> str:
    multiprocessing = sys.modules.get("multiprocessing.process")
    name = multiprocessing.current_process().name if multiprocessing else "MainProcess"
    if name != "MainProcess":
        return name
    return os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) and sys.argv[0] else name


def _thread_name() -> str:
    """Returns the name of this thread. `threading.current_thread()` would register a thread that is not Python's own,
    and take a lock for it."""
    thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
    return str(thread.name) if thread is not None else "unknown"
