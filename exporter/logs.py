"""The log on stderr: one line an event, as logfmt or as JSON.

    time=2026-11-25T13:21:51.123Z level=error logger=exporter.service message="the store does not start: …"
    {"time":"2026-11-25T13:21:51.123Z","level":"error","logger":"exporter.service","message":"the store …"}

An event with an exception has `traceback`, too, with its line breaks escaped. Texts in a log come from anywhere, so
whatever is not printable is escaped: nobody can forge a line, or send control sequences to a terminal. Secrets in them
are replaced as in reports, whatever the settings say about reports.
"""

import datetime as dt
import json
import logging
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Final, Protocol

from exporter.redaction.redact import Redaction

_BARE: Final = re.compile(r"[A-Za-z0-9_.:/+-]+")  # needs no quotes in logfmt


class LogSettings(Protocol):
    """The part of `Settings` that is needed here."""

    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...


class Logfmt(logging.Formatter):
    """A record as `key=value` pairs; a value with anything but letters, digits and `_.:/+-` is quoted as in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = _fields(self, record).items()
        return " ".join(f"{key}={value if _BARE.fullmatch(value) else quoted(value)}" for key, value in pairs)


class Json(logging.Formatter):
    """A record as a JSON object of texts."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = _fields(self, record).items()
        return "{" + ",".join(f'"{key}":{quoted(value)}' for key, value in pairs) + "}"


FORMATTERS: Final[Mapping[str, type[logging.Formatter]]] = {"logfmt": Logfmt, "json": Json}


def configure(settings: LogSettings) -> None:
    """Sends the log of this process to stderr. Each process calls it once: level and format are not inherited."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[settings.log_format]())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it warns of what any client offers


def set_level(level: str) -> None:
    """Changes the least severe level that this process logs."""
    logging.getLogger().setLevel(level.upper())


def quoted(text: str) -> str:
    """`text` as a JSON string in which every character is printable."""
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """Returns a text for a terminal or a line: whatever is not printable, also a line break, is escaped as in JSON."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _fields(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, str]:
    time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
    fields = {
        "time": time.removesuffix("+00:00") + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _redaction().redact_text(record.getMessage()),
    }
    if record.exc_info:
        fields["traceback"] = _redaction().redact_text(formatter.formatException(record.exc_info))
    if record.stack_info:
        fields["stack"] = record.stack_info
    return fields


@cache
def _redaction() -> Redaction:
    return Redaction()
