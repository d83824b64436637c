"""Gauge families with many series, such as one for each worker."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.metrics.text import BLOCK, PREFIX, escape, header, label_template, numbers, unit_of

MAX_TEXTS: Final = 65_536  # label texts that are kept for the next families and scrapes: making one takes 1 µs


@lru_cache(MAX_TEXTS)
def _label_text(template: str, values: tuple[str, ...]) -> str:
    return template % tuple(map(escape, values))


class GaugeFamily:
    """All series of one gauge metric, made for one scrape. `name` is without the prefix. `labels` must be in
    alphabetical order, which is the order of the exposition."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        assert list(labels) == sorted(labels), labels
        self._name = PREFIX + name
        self._help = help_
        self._labels = labels
        self._labels_of_samples: list[tuple[str, ...]] = []
        self._values: list[float] = []

    def add(self, values: tuple[str, ...], value: float) -> None:
        """Adds a series with these label values."""
        self._labels_of_samples.append(values)
        self._values.append(float(value))

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""
        family = GaugeMetricFamily(self._name, self._help, labels=self._labels, unit=unit_of(self._name))
        for values, value in zip(self._labels_of_samples, self._values, strict=True):
            family.add_metric(values, value)
        return family

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, which is the same in both formats but for the line UNIT."""
        yield header(self._name, self._help, "gauge", unit_of(self._name) if openmetrics else "")
        name, template = self._name, label_template(self._labels)
        for first in range(0, len(self._values), BLOCK):
            part = slice(first, first + BLOCK)
            block = zip(self._labels_of_samples[part], numbers(self._values[part]), strict=True)
            yield "".join([f"{name}{_label_text(template, values)} {value}\n" for values, value in block])
