"""The response to a scrape, byte for byte as `prometheus_client` writes it.

Families with many series write their own text (`Family.blocks`); `prometheus_client` writes all others. It also chooses
the format by the `Accept` header.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import ALLOWUTF8
from prometheus_client.registry import Collector

from exporter.metrics.text import unit_of

OPENMETRICS: Final = "application/openmetrics-text"
END: Final = b"# EOF\n"  # of OpenMetrics
UNCHANGED: Final = ("", "underscores", ALLOWUTF8)  # escaping schemes that leave our names as they are
Encode = Callable[..., bytes]


class Family(Protocol):
    """A metric family that writes its own text."""

    def family(self) -> Metric:
        """Returns the family for `prometheus_client`."""

    def blocks(self, *, openmetrics: bool) -> Iterator[str]:
        """Yields the text of the family, in OpenMetrics or in Prometheus text."""


class One(Collector):
    """A registry with one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def exposition(
    families: Iterable[Metric | Family], accept: str, pause: Callable[[], None], *, created: bool = False
) -> tuple[Iterator[bytes], str]:
    """Returns the response in blocks, and its content type. `accept` is the value of the `Accept` header. `pause` is
    called after each block. With `created`, OpenMetrics has times of creation, if the families have."""
    encode, content_type = choose_encoder(accept)
    return _paced(_blocks(families, encode, content_type, created=created), pause), content_type


def _paced(blocks: Iterable[bytes], pause: Callable[[], None]) -> Iterator[bytes]:
    for block in blocks:
        yield block
        pause()


def _blocks(
    families: Iterable[Metric | Family], encode: Encode, content_type: str, *, created: bool
) -> Iterator[bytes]:
    openmetrics = content_type.startswith(OPENMETRICS)
    as_it_is = content_type.partition("escaping=")[2] in UNCHANGED
    if as_it_is:
        encode = partial(encode, escaping=ALLOWUTF8)  # the same text: other schemes look at each character of a name
    for family in families:
        if isinstance(family, Metric) or not as_it_is:
            metric = family if isinstance(family, Metric) else family.family()
            yield encode(One(published(metric, created=created and openmetrics))).removesuffix(END)
        else:
            for block in family.blocks(openmetrics=openmetrics):
                yield block.encode()
    if openmetrics:
        yield END


def published(metric: Metric, *, created: bool) -> Metric:
    """Returns a family with its unit, and without times of creation unless `created`."""
    metric.unit = unit_of(metric.name)
    if not created:
        metric.samples = [sample for sample in metric.samples if sample.name != f"{metric.name}_created"]
    return metric
