"""Exported errors as CSV (RFC 4180): UTF-8, a header, CRLF; no value is an empty field.

Spreadsheets run a text that begins with one of `FORMULA` as a formula, and workers choose the texts. So such a text
gets an apostrophe before it. The columns `report` and `sent`, which are all that an import reads, begin with a brace
and are exact.
"""

from collections.abc import Iterable
from typing import Any, Final

from exporter.exported.error import Exported, iso
from exporter.exported.table import COLUMNS, rows

QUOTE: Final = '"'
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_TEXTS: Final = [place for place, column in enumerate(COLUMNS) if column.kind is str]
_TIMES: Final = [place for place, column in enumerate(COLUMNS) if column.is_time]
_FLAGS: Final = [place for place, column in enumerate(COLUMNS) if column.kind is bool]


def header() -> bytes:
    """Returns the first line."""
    return _written([[column.name for column in COLUMNS]])


def lines(errors: Iterable[Exported]) -> bytes:
    """Returns a record for each error."""
    return _written([_shown(row) for row in rows(errors)])


def _shown(row: tuple[Any, ...]) -> list[Any]:
    shown = list(row)
    for place in _TIMES:
        shown[place] = iso(shown[place])
    for place in _FLAGS:
        shown[place] = "true" if shown[place] else "false"
    for place in _TEXTS:
        if shown[place] and shown[place].startswith(FORMULA):
            shown[place] = f"'{shown[place]}"
    return shown


def _written(records: Iterable[list[Any]]) -> bytes:
    """Writes records. Python's `csv` looks at each character, and takes five times as long for the long reports."""
    return "".join([f"{','.join([_field(value) for value in record])}\r\n" for record in records]).encode()


def _field(value: Any) -> str:
    text = "" if value is None else str(value)
    if '"' in text:
        return f'"{text.replace(QUOTE, QUOTE * 2)}"'
    return f'"{text}"' if "," in text or "\n" in text or "\r" in text else text
