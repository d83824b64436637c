"""The columns of exported errors, the same in CSV and Parquet."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, get_type_hints

from exporter.exported.error import Columns, Exported

TIMES: Final = ("timestamp", "received_at")


class Column(NamedTuple):
    """A column: the type of its values (`int` also for times, which are microseconds since 1970), and whether a value
    may be None."""

    name: str
    kind: type
    optional: bool

    @property
    def is_time(self) -> bool:
        return self.name in TIMES


def _column(name: str, hint: Any) -> Column:
    kinds = [one for one in getattr(hint, "__args__", (hint,)) if one is not type(None)]
    return Column(name, kinds[0], optional=hasattr(hint, "__args__"))


# `report` is the last one: a spreadsheet shows the others without scrolling past it.
COLUMNS: Final = (
    *(_column(name, hint) for name, hint in get_type_hints(Columns).items()),
    Column("sent", str, optional=False),
    Column("report", str, optional=False),
)


def rows(errors: Iterable[Exported]) -> list[tuple[Any, ...]]:
    """Returns the values of each error in the order of `COLUMNS`."""
    return [(*one.columns, one.sent, one.report) for one in errors]
