"""The state of this machine as the contexts of a report."""

from __future__ import annotations

import os
import platform
import socket
import sys
from typing import Any

GIGABYTE = 2**30
PRESSURE = 95.0  # percent of used memory above which memory pressure is reported


def contexts() -> dict[str, Any]:
    """Returns `system_context`, `hardware_context` and, if there are GPUs, `devices`. Raises nothing."""
    return {"system_context": system_context(), "hardware_context": hardware_context()}


def system_context() -> dict[str, Any]:
    return {
        "hostname": socket.gethostname(),
        "platform": sys.platform,
        "architecture": os.uname().machine if hasattr(os, "uname") else platform.machine(),
        "python_version": platform.python_version(),
    }


def hardware_context() -> dict[str, Any]:
    return {"hardware_type": "cpu", "hardware_types": ["cpu"]}
