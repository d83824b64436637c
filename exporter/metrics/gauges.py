"""Gauge families with many series, such as one for each worker."""

from collections.abc import Iterator
from itertools import islice

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from exporter.metrics.text import BLOCK, PREFIX, escape, header, label_template, number


class LabelTexts(dict[tuple[str, ...], str]):
    """The text of each set of label values. Families with the same labels share it during a scrape. `names` must be in
    alphabetical order, which is the order of the exposition."""

    def __init__(self, *names: str) -> None:
        assert list(names) == sorted(names), names
        self.names = names
        self._template = label_template(names)

    def __missing__(self, values: tuple[str, ...]) -> str:
        text = self[values] = self._template % (*map(escape, values),)
        return text


class GaugeFamily:
    """All series of one gauge metric, made for one scrape. `name` is without the prefix."""

    def __init__(self, name: str, help_: str, labels: LabelTexts) -> None:
        self._name = PREFIX + name
        self._help = help_
        self._labels = labels
        self._samples: list[tuple[tuple[str, ...], float]] = []

    def add(self, values: tuple[str, ...], value: float) -> None:
        """Adds a series with these label values."""
        self._samples.append((values, value))

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""
        family = GaugeMetricFamily(self._name, self._help, labels=self._labels.names)
        for values, value in self._samples:
            family.add_metric(values, value)
        return family

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, which is the same in both formats."""
        yield header(self._name, self._help, "gauge")
        name, labels = self._name, self._labels
        samples = iter(self._samples)
        while block := list(islice(samples, BLOCK)):
            yield "".join([f"{name}{labels[values]} {number(value)}\n" for values, value in block])
