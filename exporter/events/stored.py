"""Reads the JSON of a stored report, as tolerantly as when the report was accepted."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from exporter.events.lenient import lenient_json
from exporter.events.report import ErrorReport
from exporter.events.tolerant import readable

T = TypeVar("T")


def payload(body: str) -> dict[str, Any]:
    """Returns the report as it was sent. If msgspec cannot decode one of its numbers, such as 1e400, then this number
    and all integers of more than 64 bits are null."""
    sent: dict[str, Any]
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        sent = lenient_json(body)
    return sent


def known(sent: dict[str, Any]) -> dict[str, Any]:
    """Returns the report `sent` with each known field in its type; values that cannot be converted are null. Unknown
    fields are as they were sent."""
    try:
        msgspec.convert(sent, ErrorReport)
    except msgspec.ValidationError:
        return readable(sent)[0]
    return sent


def decoder(struct: type[T]) -> Callable[[str], T]:
    """Returns a function that decodes the JSON of a stored report to `struct`, whose fields must be some of those of
    `ErrorReport`. Values that cannot be converted are None."""
    decode = msgspec.json.Decoder(struct).decode

    def read(body: str) -> T:
        try:
            return decode(body)
        except msgspec.DecodeError:
            return msgspec.convert(readable(payload(body))[0], struct)

    return read
