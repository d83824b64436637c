"""The GPUs of this machine, asked in another process, at most once in half a minute."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import Any

from error_visualization.sampled import Sampled

SECONDS = 2.0  # for which the other process may take
COMMAND = (sys.executable, "-m", "error_visualization.nvml")
_hung: subprocess.Popen[bytes] | None = None  # in the driver it hangs even when it is killed; then no other is started
_DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg")


def read() -> list[dict[str, Any]]:
    """Returns what `error_visualization.nvml` says of each GPU; [] without NVML, or if it takes too long."""
    global _hung
    if not COMMAND[0] or (_hung is not None and _hung.poll() is None):
        return []
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        if process.stdout:
            process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        _hung = process
        return []
    try:
        found = json.loads(said)
    except ValueError:
        return []
    return [gpu for gpu in found if isinstance(gpu, dict)] if isinstance(found, list) else []


def is_possible() -> bool:
    """Returns whether there may be a GPU that can be asked."""
    if not any(os.path.exists(path) for path in _DRIVERS):
        return False
    from importlib.util import find_spec

    return find_spec("pynvml") is not None


sampled: Sampled[list[dict[str, Any]]] = Sampled(read, fresh=30.0, usable=600.0)
