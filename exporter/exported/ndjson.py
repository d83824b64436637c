"""Exported errors as NDJSON: each line is a report for `POST /api/report-errors`."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from exporter.exported.error import NAME, Exported, iso

_BEGINNING: Final = f',"{NAME}":'
_encode = msgspec.json.Encoder().encode


class Derived(Struct, gc=False):
    """What the service derived from a report: the field `error_visualization` of a line. `timestamp` is the time at
    which the error counts."""

    id: int
    timestamp: str
    received_at: str
    type: str
    error_category: str
    severity: str
    reasons: Raw
    fingerprint: str
    pattern_id: str
    warnings: Raw
    is_recurring: bool
    is_system_critical: bool
    is_hardware_error: bool
    imported: bool
    reported_at: str | None
    sent: Raw


def lines(errors: Iterable[Exported]) -> bytes:
    """Returns a line for each error."""
    return "".join([_line(one) for one in errors]).encode()


def _line(error: Exported) -> str:
    of = error.columns
    reasons, warnings, sent = [Raw(json.encode()) for json in (of.reasons, of.warnings, error.sent)]
    derived = Derived(
        of.id, iso(of.timestamp), iso(of.received_at), of.type, of.error_category, of.severity, reasons, of.fingerprint,
        of.pattern_id, warnings, of.is_recurring, of.is_system_critical, of.is_hardware_error, of.imported,
        of.reported_at, sent,
    )  # fmt: skip
    return f"{error.report[:-1]}{_BEGINNING}{_encode(derived).decode()}}}\n"
