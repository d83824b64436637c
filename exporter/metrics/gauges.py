"""Gauge families with many series, such as one for each worker."""

from collections.abc import Iterator, Sequence
from itertools import islice

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.metrics.text import BLOCK, PREFIX, escape, header, label_template, number


class GaugeFamily:
    """All series of one gauge metric, made for one scrape. `name` is without the prefix. The label names must be in
    alphabetical order, which is the order of the exposition."""

    def __init__(self, name: str, help_: str, label_names: Sequence[str]) -> None:
        assert list(label_names) == sorted(label_names), label_names
        self._name = PREFIX + name
        self._help = help_
        self._label_names = label_names
        self._samples: list[tuple[tuple[str, ...], float]] = []

    def add(self, labels: tuple[str, ...], value: float) -> None:
        self._samples.append((labels, value))

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""
        family = GaugeMetricFamily(self._name, self._help, labels=self._label_names)
        for labels, value in self._samples:
            family.add_metric(labels, value)
        return family

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, which is the same in both formats."""
        yield header(self._name, self._help, "gauge")
        template = self._name + label_template(self._label_names)
        samples = iter(self._samples)
        while block := list(islice(samples, BLOCK)):
            yield "".join([f"{template % (*map(escape, labels),)} {number(value)}\n" for labels, value in block])
