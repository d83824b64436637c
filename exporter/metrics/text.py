"""The text of samples, as `prometheus_client` writes it, for metric families with many series.

`prometheus_client` makes an object and a dictionary for each sample and needs 14 µs (Prometheus text) or 25 µs
(OpenMetrics) for one series of a counter; with the functions of this module it is less than 1 µs. Metric names, label
names and help texts are those of this service: none has a character that would be escaped.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from prometheus_client.utils import floatToGoString

PREFIX: Final = "distributed_testing_"
BLOCK: Final = 500  # series that are formatted at once, about 100 KB
UNITS: Final = ("seconds", "bytes", "ratio", "celsius", "hertz", "watts")
_LEAST: Final = 0.0001  # Python writes smaller numbers with an exponent
_PLAIN: Final = 1_000_000  # smaller numbers are written as Python does it
_MOST: Final = 1e16  # Python writes this and larger numbers with an exponent
_EXPONENTS: Final = [f"e+{digits - 1:02}" for digits in range(17)]
_encode: Final = msgspec.json.Encoder().encode


def escape(value: str) -> str:
    """Returns a label value as it stands between quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def label_template(names: Sequence[str]) -> str:
    """Returns `{a="%s",b="%s"}` for the label names a and b, sorted by name. Apply it to a tuple of escaped values."""
    return "{" + ",".join(f'{name}="%s"' for name in sorted(names)) + "}"


def number(value: float) -> str:
    """Returns a value as Go writes it."""
    if 0 <= value < _PLAIN:
        if type(value) is float:
            return repr(value)
        return f"{value}.0" if type(value) is int else repr(float(value))
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def numbers(values: Sequence[float]) -> list[str]:
    """Returns each value as `number` does; all must be floats. msgspec finds the same digits in less time."""
    if not values:
        return []
    texts = _encode(values)[1:-1].decode().split(",")
    return [
        text if _LEAST <= value < _PLAIN or not value else _large(value, text)
        for value, text in zip(values, texts, strict=True)
    ]


def _large(value: float, text: str) -> str:
    """Returns a value that is not written as Python does it, or may not be. `text` has its digits."""
    if not _PLAIN <= value < _MOST:
        return number(value)
    point = text.index(".")
    return f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.") + _EXPONENTS[point]


def unit_of(family: str) -> str:
    """Returns the unit that the name of a family ends with, "" for none. The name of a counter is without `_total`."""
    last = family.rpartition("_")[2]
    return last if last in UNITS else ""


def header(name: str, help_: str, type_: str, unit: str = "") -> str:
    """Returns the lines HELP and TYPE, and UNIT if there is a unit."""
    return f"# HELP {name} {help_}\n# TYPE {name} {type_}\n" + (f"# UNIT {name} {unit}\n" if unit else "")
