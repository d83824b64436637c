"""Reads a report in which values of known fields have another type than their field. It converts such values where
their meaning is clear, and drops and names the others, so that no side field causes a report to be refused.

The structs of `exporter.events.report` define the known fields and their types.
"""

import types
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from exporter.events import values
from exporter.events.report import MAIN_FIELDS, ErrorReport
from exporter.events.values import UnreadableError, is_absent, kind

MAX_WARNINGS: Final = 20  # of one report; one more warning has the number of the others
MAX_ITEMS: Final = 1_024  # devices or hardware types of one report that are read


class Dropped(NamedTuple):
    """A value that was dropped. `field` is its path in the schema, one of `FIELDS`; `path` also has the indices of
    items. `expected` and `got` say in words what the field accepts and what was sent."""

    field: str
    path: str
    expected: str
    got: str

    @property
    def warning(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}: dropped"


# Converts a value, which is not null, to the type of its field. The arguments are the value, its path, and the list to
# which it adds what it drops. Returns the converted value; None if the value was dropped or says that there is none.
_Reader = Callable[[Any, str, list[Dropped]], Any]


def readable(sent: dict[str, Any]) -> tuple[dict[str, Any], list[Dropped]]:
    """Returns a copy of the report `sent` in which each known field has its type, and the dropped values, which are
    None in the copy. Unknown fields are as they were sent, and so is `timestamp`, which `times.read_time` reads."""
    dropped: list[Dropped] = []
    return _report(sent, "", dropped), dropped


def warnings_of(dropped: Sequence[Dropped]) -> tuple[str, ...]:
    """Returns a warning for each dropped value, at most `MAX_WARNINGS`, and one more with the number of the others."""
    named = [one.warning for one in dropped[:MAX_WARNINGS]]
    more = len(dropped) - len(named)
    return (*named, f"{more} more values were dropped") if more else tuple(named)


def _value(read: Callable[[Any], Any], expected: str, field: str) -> _Reader:
    def reader(value: Any, path: str, dropped: list[Dropped]) -> Any:
        try:
            return read(value)
        except UnreadableError as error:
            dropped.append(Dropped(field, path, expected, str(error)))
            return None

    return reader


def _object(readers: dict[str, _Reader], field: str, main: str = "") -> _Reader:
    """Returns a reader of objects. With `main`, a text or a number becomes an object with this one field."""

    def reader(value: Any, path: str, dropped: list[Dropped]) -> Any:
        if main and isinstance(value, str | int | float) and not isinstance(value, bool) and not is_absent(value):
            value = {main if isinstance(value, str) or "index" not in readers else "index": value}
        if not isinstance(value, dict):
            if not is_absent(value):
                dropped.append(Dropped(field, path, "an object", kind(value)))
            return None
        read = value.copy()
        prefix = f"{path}." if path else ""
        for name, read_item in readers.items():
            if (item := value.get(name)) is not None:
                read[name] = read_item(item, prefix + name, dropped)
        return read

    return reader


def _objects(item: type[msgspec.Struct], read_item: _Reader, field: str) -> _Reader:
    """Returns a reader of lists of objects. An item that is no object becomes an empty object, so that the other items
    keep their positions. A single object becomes a list of one. An object of objects becomes a list of these, and a key
    that is a number becomes the `index` of its object. If a text stands for an object, it is split at its commas."""
    names, main = set(item.__struct_fields__), MAIN_FIELDS.get(item)

    def reader(value: Any, path: str, dropped: list[Dropped]) -> Any:
        if isinstance(value, dict) and value:
            value = [value] if names & value.keys() else [_indexed(key, one) for key, one in value.items()]
        if main and isinstance(value, str) and not is_absent(value):
            value = [part.strip() for part in value.split(",", MAX_ITEMS)]
        if not isinstance(value, list):
            if not is_absent(value) and value != {}:
                dropped.append(Dropped(field, path, "an array", kind(value)))
            return None
        _drop_excess(value, field, path, dropped)
        return [
            {} if one is None else read_item(one, f"{path}[{place}]", dropped) or {}
            for place, one in enumerate(value[:MAX_ITEMS])
        ]

    return reader


def _texts(field: str) -> _Reader:
    """Returns a reader of lists of texts. A single text is split at its commas."""
    read_item = _value(values.text, "a string", f"{field}[]")

    def reader(value: Any, path: str, dropped: list[Dropped]) -> Any:
        if is_absent(value):
            return None
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",", MAX_ITEMS)]
        if not isinstance(value, list):
            dropped.append(Dropped(field, path, "an array", kind(value)))
            return None
        _drop_excess(value, field, path, dropped)
        read = [
            read_item(one, f"{path}[{place}]", dropped)
            for place, one in enumerate(value[:MAX_ITEMS]) if one is not None
        ]  # fmt: skip
        return [one for one in read if one is not None]

    return reader


def _indexed(key: str, item: Any) -> Any:
    return {"index": key, **item} if isinstance(item, dict) and key.isdigit() else item


def _drop_excess(value: list[Any], field: str, path: str, dropped: list[Dropped]) -> None:
    if len(value) > MAX_ITEMS:
        dropped.append(Dropped(field, f"{path}[{MAX_ITEMS}:]", f"at most {MAX_ITEMS} items", str(len(value))))


def _time(value: Any) -> Any:
    """Returns a timestamp unchanged, because `times.read_time` reads it. Refuses numbers that JSON cannot represent."""
    if isinstance(value, float) and kind(value) != "a number":
        raise UnreadableError(kind(value))
    return value


_SPECIAL: Final = {"message": values.long_text, "traceback": values.long_text, "event_id": values.identifier}


def _reader_of(hint: Any, name: str, field: str) -> _Reader:
    """Returns the reader of a field with the type `hint`."""
    if name == "timestamp":
        return _value(_time, "a time", field)
    if name in _SPECIAL:
        return _value(_SPECIAL[name], "a string", field)
    kinds = [one for one in get_args(hint) if one is not type(None)] if _is_union(hint) else [hint]
    (wanted,) = kinds
    if wanted is str:
        return _value(values.text, "a string", field)
    if wanted is bool:
        return _value(values.flag, "true or false", field)
    if wanted is float:
        return _value(lambda value: values.number(value, name), "a number", field)
    if wanted is int:
        return _value(lambda value: values.whole_number(value, name), "a whole number", field)
    if get_origin(wanted) is list:
        (item,) = get_args(wanted)
        if item is str:
            return _texts(field)
        return _objects(item, _struct(item, f"{field}[]"), field)
    return _struct(wanted, field)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _struct(struct: Any, field: str) -> _Reader:
    prefix = f"{field}." if field else ""
    hints = get_type_hints(struct)
    return _object({name: _reader_of(hints[name], name, prefix + name) for name in struct.__struct_fields__}, field,
                   MAIN_FIELDS.get(struct, ""))  # fmt: skip


def reader_of(struct: type[msgspec.Struct], field: str) -> _Reader:
    """Returns a function that reads a value of another message as the fields of a report are read. Its arguments are
    the value, its path, and the list to which it adds what it drops."""
    return _struct(struct, field)


def _paths(struct: Any, prefix: str) -> list[str]:
    """Returns the paths of the values in `struct`, containers included."""
    found = []
    for name, hint in get_type_hints(struct).items():
        found.append(prefix + name)
        for wanted in get_args(hint):
            if get_origin(wanted) is list:
                found.append(f"{prefix}{name}[]")
                (item,) = get_args(wanted)
                found += _paths(item, f"{prefix}{name}[].") if hasattr(item, "__struct_fields__") else []
            elif hasattr(wanted, "__struct_fields__"):
                found += _paths(wanted, f"{prefix}{name}.")
    return found


_report: Final = _struct(ErrorReport, "")
# Paths of the fields whose values can be dropped. A report without a `worker_id`, or with an unusable `event_id`, is
# refused.
FIELDS: Final = tuple([path for path in _paths(ErrorReport, "") if path not in ("worker_id", "event_id")])
