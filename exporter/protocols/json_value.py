"""Reads JSON of other protocols, whose fields may have any type."""

from typing import Any, Final

import msgspec

from exporter.events.lenient import loads, replaced
from exporter.ingest.nesting import brackets

MAX_CONTAINERS: Final = 200_000  # objects and arrays of one message
MAX_LENIENT: Final = 200_000  # commas of a message that only Python's `json` can read


class MessageError(ValueError):
    """A message that its protocol does not allow. The text says what is wrong, for the sender."""


def read_json(body: bytes) -> Any:
    """Returns the value of a JSON text. Raises `MessageError`."""
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS and len(brackets(body)) > 2 * MAX_CONTAINERS:
        raise MessageError(f"more than {MAX_CONTAINERS} objects and arrays")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise MessageError("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _read_leniently(body, error)


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the object of a JSON text. Raises `MessageError`."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise MessageError("expected a JSON object")
    return value


def _read_leniently(body: bytes, error: Exception) -> Any:
    """Reads NaN and lone surrogates, which some JSON writers leave in. Raises `MessageError`."""
    if body.count(b",") > MAX_LENIENT:
        raise MessageError(f"not JSON: {error}") from None
    try:
        return replaced(loads(body.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        raise MessageError(f"not JSON: {error}") from None


def text_of(value: Any) -> str:
    """Returns a text, or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def object_of(value: Any) -> dict[str, Any]:
    """Returns an object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Returns the objects of a list, also of one in an object under `values`, as Sentry writes some."""
    if isinstance(value, dict):
        value = value.get("values")
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
