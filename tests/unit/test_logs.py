"""The log: one line an event, in both formats, in both processes; nobody can forge a line."""

import datetime as dt
import json
import logging
import re
import subprocess
import sys
from typing import Any

import pytest
from conftest import ROOT

from exporter.logs import FORMATTERS, quoted

pytestmark = pytest.mark.dashboard
AT = dt.datetime(2026, 11, 25, 13, 21, 51, 123_000, dt.UTC).timestamp()
PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "=]+)(?: |$)')


def line(form: str, message: str = "hello", *values: Any, failure: Exception | None = None) -> str:
    info = (type(failure), failure, failure.__traceback__) if failure else None
    record = logging.LogRecord("exporter.x", logging.ERROR, "x.py", 1, message, values, info)
    record.created = AT
    return FORMATTERS[form]().format(record)


def read(form: str, text: str) -> dict[str, str]:
    """The fields of a line, read back as a collector of logs does."""
    if form == "json":
        fields: dict[str, str] = json.loads(text)
        return fields
    assert "".join(match[0] for match in PAIR.finditer(text)) == text
    return {key: json.loads(value) if value[0] == '"' else value for key, value in PAIR.findall(text)}


def raised() -> Exception:
    try:
        raise ValueError('two\nlines and "quotes"')
    except ValueError as error:
        return error


def test_the_two_formats_as_they_are() -> None:
    assert line("logfmt", "%d errors", 3) == (
        'time=2026-11-25T13:21:51.123Z level=error logger=exporter.x message="3 errors"'
    )
    assert line("logfmt") == "time=2026-11-25T13:21:51.123Z level=error logger=exporter.x message=hello"
    assert line("json", "%d errors", 3) == (
        '{"time":"2026-11-25T13:21:51.123Z","level":"error","logger":"exporter.x","message":"3 errors"}'
    )


@pytest.mark.parametrize("form", FORMATTERS)
@pytest.mark.parametrize(
    "message",
    ["", "a=b", 'say "hi"', "back\\slash", "two\nlines", "x\r\ntime=2026-11-25T13:21:51.123Z level=info message=forged",
     "\x1b[2J\x9b31m\x7f\x00", "\u2028\u2029\x85", "\u202egnp.exe", "müde 😀", "\U000e0001", '"} {"level":"info"'],
)  # fmt: skip
def test_a_message_stays_one_printable_line_and_is_read_back(form: str, message: str) -> None:
    text = line(form, "%s", message)
    assert text.isprintable()
    assert len(text.splitlines()) == 1
    assert read(form, text)["message"] == message
    assert read(form, text)["level"] == "error"


@pytest.mark.parametrize("form", FORMATTERS)
def test_a_traceback_is_in_the_same_line(form: str) -> None:
    text = line(form, "it failed", failure=raised())
    assert len(text.splitlines()) == 1
    fields = read(form, text)
    assert fields["message"] == "it failed"
    assert fields["traceback"].splitlines()[0] == "Traceback (most recent call last):"
    assert fields["traceback"].endswith('ValueError: two\nlines and "quotes"')


def test_a_lone_surrogate_can_be_written() -> None:
    assert quoted("\ud800").encode() == b'"\\ud800"'


CHILD = """
import logging, socket, sys, warnings
from exporter.store import server
from exporter.store.wire import StoreSettings, frame

class Server:
    def __init__(self, settings, channel):
        pass

    def run(self):
        logging.getLogger("exporter.store.x").debug("of the\\nchild")
        warnings.warn("a warning")

server.Server = Server
near, far = socket.socketpair()
near.sendall(frame(StoreSettings("x.duckdb", "x.log", 2**30, sys.argv[1], sys.argv[2], 5)))
server.main(far.detach())
"""


def of_the_child(level: str, form: str) -> list[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, level, form], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return [read(form, text) for text in done.stderr.splitlines()]


@pytest.mark.parametrize("form", FORMATTERS)
def test_the_process_of_the_store_logs_alike(form: str) -> None:
    lines = of_the_child("debug", form)
    wanted = {"level": "debug", "logger": "exporter.store.x", "message": "of the\nchild"}
    assert [one for one in lines if wanted.items() <= one.items()]
    assert [one["level"] for one in lines if one["logger"] == "py.warnings"] == ["warning"]


def test_the_process_of_the_store_starts_without_what_reads_the_settings() -> None:
    code = "import sys, exporter.store.server; print([name for name in sys.modules if name.startswith('pydantic')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_the_level_reaches_the_process_of_the_store() -> None:
    assert [one["logger"] for one in of_the_child("info", "logfmt")] == ["py.warnings"]
