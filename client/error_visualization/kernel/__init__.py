"""Which lines of the kernel's log are errors of the hardware or of the machine."""

from __future__ import annotations

from error_visualization.kernel.recognise import KernelEvent, recognise

__all__ = ["KernelEvent", "recognise"]
