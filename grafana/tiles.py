"""Tiles used on more than one dashboard."""

from collections.abc import Sequence
from typing import Any, Final

from grafanalib import core

from grafana.panels import Steps, moment, stat, words
from grafana.queries import ours, select

UP: Final = words({0: ("down", "red"), 1: ("up", "green")})
DOWN: Final[Steps] = (("red", None), ("green", 1))


def service(links: Sequence[dict[str, Any]] = ()) -> core.Panel:
    return stat(
        "Service",
        'Whether the last scrape by Prometheus succeeded. While the service is down, tiles show "no data".',
        moment(f"min({ours(select('up'))})"),
        limits=DOWN,
        mappings=[UP],
        links=links,
    )
