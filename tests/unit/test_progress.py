"""What a long command says on stderr."""

import io
import re

import pytest

from exporter.local import progress as module
from exporter.local.progress import Progress

pytestmark = pytest.mark.dashboard


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_which_a_line_replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    stream = Terminal()
    with Progress(stream).step("copy", 200) as step:
        step.add(50)
        step.add(150)
    drawn = re.sub(r"\d+(\.\d)? s", "T", stream.getvalue())
    assert drawn == (
        f"\rcopy       [{'.' * 30}]   0% T\rcopy       [{'#' * 7}{'.' * 23}]  25% T\rcopy       [{'#' * 30}] 100% T"
        "\r\033[Kcopy       T\n"
    )


def test_other_streams_get_a_line_for_each_finished_step() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.step("copy", 2) as step:
        step.add(2)
    with progress.step("nothing", 0):
        pass
    assert re.fullmatch(r"copy +\d\.\d s\nnothing +\d\.\d s\n", stream.getvalue())


def test_a_step_that_fails_leaves_no_bar() -> None:
    stream = Terminal()
    with pytest.raises(OSError, match="disk"), Progress(stream).step("copy", 2):
        raise OSError("disk")
    assert stream.getvalue().endswith("\r\033[K")
