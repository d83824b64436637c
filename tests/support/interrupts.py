"""Ctrl+C for the processes of tests, also when the tests themselves run in the background of a shell."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A process that is started inside `with` does not ignore SIGINT. It would inherit that from tests which a shell
    without job control runs in the background; of a handler, a new program inherits nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
