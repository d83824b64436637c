"""Publishes what the service knows on a port of its own, for a Prometheus that cannot reach the service itself.

    pip install prometheus-client
    python prometheus_exporter.py http://localhost:8080 9090

Where Prometheus can reach the service, scrape its own /metrics instead: it counts each error, also between two scrapes.
The guide's version counted every recent error again at each poll. This one reads at each scrape how many errors there
were in the last hour, and publishes gauges under other names than the service's own.
"""

import json
import sys
import threading
import urllib.request

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily


class LastHour:
    """Reads the service when Prometheus scrapes. While the service cannot be read, only `up` is there, and is 0."""

    def __init__(self, url):
        self._url = url

    def collect(self):
        up = GaugeMetricFamily("error_visualization_up", "Whether the service answers")
        try:
            with urllib.request.urlopen(f"{self._url}/api/errors?time_range=1", timeout=10) as response:
                data = json.load(response)["data"]
        except OSError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        summary = data["summary"]
        for name in ("total", "critical", "warning", "info", "hardware"):
            yield GaugeMetricFamily(
                f"error_visualization_last_hour_{name}_errors", f"{name} errors of the last hour",
                value=summary[f"{name}_errors"],
            )  # fmt: skip
        by_category = GaugeMetricFamily(
            "error_visualization_last_hour_errors", "Errors of the last hour by category", labels=["category"]
        )
        for one in data["error_distribution"]["categories"]:
            by_category.add_metric([one["category"]], one["count"])
        yield by_category
        workers = GaugeMetricFamily(
            "error_visualization_last_hour_worker_errors", "Errors of the last hour by worker", labels=["worker"]
        )
        for one in data["worker_errors"]["worker_stats"]:
            workers.add_metric([one["worker_id"]], one["error_count"])
        yield workers


def main(url, port):
    """Serves until the process ends."""
    REGISTRY.register(LastHour(url))
    start_http_server(int(port), addr="127.0.0.1")
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:3])
