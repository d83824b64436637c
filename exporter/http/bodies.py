"""Parses the body of a request that changes something by hand."""

import re
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from exporter.http.arriving import received
from exporter.http.responses import ApiError

_FIELD: Final = (
    re.compile(r"at `\$\.(\w+)"),
    re.compile(r"required field `(\w+)`"),
    re.compile(r"unknown field `([^`]+)`"),
)
EXACT: Final = 2**53  # up to here, each whole number has a float of its own
T = TypeVar("T")


def _number(text: str) -> float:
    """1.0 is a whole number in JSON Schema, by which the OpenAPI document describes the bodies."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= EXACT else number


_decode: Final = msgspec.json.Decoder(float_hook=_number).decode


async def json_body(request: web.Request, kind: type[T]) -> T:
    """Returns the body, a JSON object; an absent one counts as {}. Raises `ApiError`, which names the wrong field."""
    return parsed(request, await received(request), kind)


def parsed(request: web.Request, body: bytes, kind: type[T]) -> T:
    """As `json_body`, of a body that was read already."""
    if body and request.content_type != "application/json":
        raise ApiError(415, "expected application/json", field="Content-Type")
    try:
        return msgspec.convert(_decode(body or b"{}"), kind)
    except msgspec.ValidationError as error:
        found = next((match for one in _FIELD if (match := one.search(str(error)))), None)
        field = found[1] if found else ""
        raise ApiError(400, f"{field}: {error}" if field else str(error), field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None
