"""The dialects, the surest first."""

from __future__ import annotations

from typing import Final

from error_visualization.stacks import go, java, native, node, python, rust
from error_visualization.stacks.dialect import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = (
    python.TRACEBACK,
    python.FATAL,
    python.SYNTAX,
    go.PANIC,
    rust.PANIC,
    native.SANITIZER,
    native.TERMINATE,
    native.ABORT,
    java.FATAL,
    java.EXCEPTION,
    node.HEAP,
    node.ERROR,
)
