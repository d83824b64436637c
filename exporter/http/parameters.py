"""Parses query strings by the declarations of `exporter/store/parameters.py`."""

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints, overload

from aiohttp import web
from msgspec import Meta, Struct, field, inspect

from exporter.http.responses import ApiError
from exporter.store.parameters import MAX_TIME_RANGE

MAX_DIGITS: Final = 9
MAX_BATCH_KEY: Final = 200  # characters; a report without `event_id` gets as its id the key, "#" and its index
_BLANK_FOR_PLUS: Final = re.compile(r" (?=\d\d:?\d\d$)")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200  # of a time range; beyond, arithmetic with an offset may fail
A = TypeVar("A", bound=Struct)
B = TypeVar("B", bound=Struct)


class Sending(Struct, frozen=True, kw_only=True):
    """How to treat the reports of a request."""

    importing: Annotated[
        Literal["false", "true"],
        Meta(
            description="the reports are old ones: timestamps are believed however old, and errors more than 5 minutes "
            "old cause no alert and no sound, and count only at their own time"
        ),
    ] = field(default="false", name="import")


class Parameter(NamedTuple):
    """A declared query parameter: its `name`, the `field` of the struct, the type of one value, and whether it may have
    several. `choices` are the values it may have, in the order of the declaration; empty for any."""

    name: str
    field: str
    kind: inspect.Type
    many: bool
    choices: tuple[str, ...]


@overload
def parse(request: web.Request, declared: type[A], /) -> A: ...
@overload
def parse(request: web.Request, declared: type[A], more: type[B], /) -> tuple[A, B]: ...
def parse(request: web.Request, *declared: type[Struct]) -> Any:
    """Returns the query parameters of a request as each of the declared types. Raises `ApiError` for a value that its
    declaration does not allow, and for a parameter that is not declared: a misspelt filter must not return everything.

    A parameter with a tuple type may be given more than once, others may not. An empty value counts as not given where
    the declaration requires at least one character, or one of some choices."""
    known = [parameter for kind in declared for parameter in _parameters(kind)]
    refuse_unknown(request, *(parameter.name for parameter in known))
    for parameter in known:
        if not parameter.many and len(request.query.getall(parameter.name, [])) > 1:
            raise ApiError(400, f"{parameter.name}: given more than once", field=parameter.name)
    parsed = [kind(**_values(request, _parameters(kind))) for kind in declared]
    if any(parameter.field == "since" for parameter in known):
        _check_range(request, parsed[0])
    return parsed[0] if len(parsed) == 1 else tuple(parsed)


def parse_known(request: web.Request, declared: type[A]) -> A:
    """As `parse`, but ignores parameters that are not declared, and of one that is repeated all but the first value:
    they must not cost a report."""
    return declared(**_values(request, _parameters(declared)))


def refuse_unknown(request: web.Request, *names: str) -> None:
    """Raises `ApiError` if the query has another parameter than these."""
    for name in request.query:
        if name not in names:
            known = f" (there are {', '.join(names)})" if names else ""
            raise ApiError(400, f"{name}: there is no such parameter{known}", field=name)


@lru_cache
def _parameters(kind: type[Struct]) -> tuple[Parameter, ...]:
    """Returns the parameters that a struct declares."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    hints = get_type_hints(kind)
    return tuple(_parameter(field, _choices(hints[field.name])) for field in info.fields)


def _parameter(field: inspect.Field, choices: tuple[str, ...]) -> Parameter:
    kind = _plain(field.type)
    many = isinstance(kind, inspect.VarTupleType)
    return Parameter(field.encode_name, field.name, _plain(kind.item_type) if many else kind, many, choices)


def _choices(hint: Any) -> tuple[str, ...]:
    """Returns the values of the Literal in a type. msgspec's own information about a type has them sorted."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for part in get_args(hint) if (found := _choices(part))), ())


def _plain(kind: inspect.Type) -> Any:
    """Returns a declared type without its description, and without None."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _plain(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def _values(request: web.Request, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Returns the values that the request gives, by the name of the field."""
    values: dict[str, Any] = {}
    for parameter in parameters:
        texts = request.query.getall(parameter.name, [])[: None if parameter.many else 1]
        given = [_value(parameter, text) for text in texts if text or _may_be_empty(parameter)]
        if given:
            values[parameter.field] = tuple(given) if parameter.many else given[0]
    return values


def _may_be_empty(parameter: Parameter) -> bool:
    """Returns whether an empty value is a value, or is to be refused; else it counts as not given."""
    kind = parameter.kind
    return isinstance(kind, inspect.IntType | inspect.DateTimeType) or (
        isinstance(kind, inspect.StrType) and not kind.min_length
    )


def _value(parameter: Parameter, text: str) -> Any:
    """Returns the value that a text stands for. Raises `ApiError`, which says what is expected."""
    name, kind = parameter.name, parameter.kind
    if isinstance(kind, inspect.IntType):
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
        if number is None or not (kind.ge or 0) <= number <= (kind.le or number):
            raise ApiError(400, f"{name}: expected a whole number from {kind.ge} to {kind.le}", field=name)
        return number
    if isinstance(kind, inspect.DateTimeType):
        return _moment(name, text)
    if parameter.choices and text not in parameter.choices:
        raise ApiError(400, f"{name}: expected {', '.join(parameter.choices)}", field=name)
    if isinstance(kind, inspect.StrType) and kind.max_length is not None and len(text) > kind.max_length:
        raise ApiError(400, f"{name}: expected at most {kind.max_length} characters", field=name)
    return text


def _moment(name: str, text: str) -> dt.datetime:
    """Returns the time that a text stands for. A plus sign that was not percent-encoded arrives as a blank."""
    try:
        moment = dt.datetime.fromisoformat(_BLANK_FOR_PLUS.sub("+", text)) if text.isascii() else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ApiError(400, f"{name}: expected a time with its offset, such as 2026-11-25T22:00:00Z", field=name)
    return moment.astimezone(dt.UTC)


def _check_range(request: web.Request, given: Any) -> None:
    """Raises `ApiError` for a time range that is given twice or has no length."""
    if given.since is None:
        return
    if "time_range" in request.query:
        raise ApiError(400, "time_range: give it or from, not both", field="time_range")
    longest = dt.timedelta(hours=MAX_TIME_RANGE)
    now = dt.datetime.now(dt.UTC)
    end = min(given.until or now, now)
    if not dt.timedelta(0) < end - given.since <= longest:
        raise ApiError(400, f"from: expected a time before to and now, by {longest.days} days at most", field="from")
