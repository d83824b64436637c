"""The series of the service itself that depend on its process, its disk and its clients: plain numbers of the story."""

import random
from collections.abc import Iterator
from typing import Final

from story import BEGIN, END, HOUR, MINUTE, busy

TARGET: Final = 'job="error-visualization",instance="exporter:8080"'
ALERTMANAGER: Final = 'alertmanager="alertmanager:9093",'
DEPLOYED: Final = -5.2 * HOUR
REFUSED: Final = (-1.55 * HOUR, -1.35 * HOUR)  # a client sends reports that are no JSON


def rejected(at: float) -> Iterator[tuple[str, int]]:
    """Reports that are refused at a scrape, by reason."""
    if REFUSED[0] < at < REFUSED[1]:
        yield "malformed", 2
    if int(at) % 1800 < 15:
        yield "too_large", 1


class Service:
    def __init__(self) -> None:
        self._chance = random.Random(8080)
        self._cpu = 0.0
        self._messages = self._alerts = 0.0

    def seconds(self, number: int) -> float:
        """The duration of a commit: mostly of one write to the disk, sometimes the disk is slow."""
        return self._chance.lognormvariate(-6.1, 0.45) * (12 if number % 61 == 0 else 1)

    def text(self, at: float, new: int) -> str:
        """The lines of a scrape. `new` is the number of errors since the scrape before."""
        chance, hours = self._chance, (at + END - BEGIN) / HOUR
        restarted = at > DEPLOYED
        self._cpu = (0.0 if restarted and at - 70 < DEPLOYED else self._cpu) + 0.15 + 0.02 * new + 0.3 * busy(at)
        self._messages += (2 + 3 * busy(at)) * (1 + new)
        self._alerts += chance.random() < 0.012 * busy(at)
        revision = 'version="1.4.0",revision="4f1c2ab"' if restarted else 'version="1.3.2",revision="9d07e51"'
        started = END + (DEPLOYED if restarted else -40 * HOUR)
        memory = 1e6 * (182 + 2.1 * (at - DEPLOYED) / HOUR if restarted else 176 + 1.2 * hours)
        queue = max(0, int(chance.gauss(-1, 2) + new * 1.5))
        values = {
            "up": 1, f"distributed_testing_build_info{{{revision},": 1, "process_start_time_seconds": round(started),
            'distributed_testing_page_info{url="http://errors.example.org:8080",': 1,
            "process_cpu_seconds_total": round(self._cpu, 3), "process_resident_memory_bytes": round(memory),
            "process_open_fds": 61, "process_max_fds": 1_048_576,
            "scrape_duration_seconds": round(0.011 + 0.003 * busy(at) + chance.random() / 400, 5),
            "scrape_samples_scraped": 1490 + round(hours * 2) + 30 * (at > -HOUR),
            "distributed_testing_ready": 1, "distributed_testing_database_up": 1,
            "distributed_testing_config_last_reload_successful": 1,
            "distributed_testing_ingest_queue_length": queue, "distributed_testing_ingest_queue_capacity": 1000,
            "distributed_testing_oldest_waiting_report_age_seconds": 0,
            "distributed_testing_database_size_bytes": round(1e6 * (412 + 3.1 * hours)),
            "distributed_testing_database_size_limit_bytes": 10_000_000_000,
            "distributed_testing_disk_size_bytes": 200_000_000_000,
            "distributed_testing_disk_free_bytes": round(1e9 * (131 - 0.1 * hours)),
            "distributed_testing_websocket_clients": 2 + round(4 * busy(at)) + int(at / 2900) % 3,
            "distributed_testing_websocket_messages_sent_total": round(self._messages),
            "distributed_testing_websocket_messages_dropped_total": 0,
            "distributed_testing_reports_duplicate_total": int(hours * 3),
            f"distributed_testing_notifications_sent_total{{{ALERTMANAGER}": round(self._alerts),
            f"distributed_testing_notifications_confirmed_total{{{ALERTMANAGER}": round(self._alerts),
            f"distributed_testing_notifications_errors_total{{{ALERTMANAGER}": 2 * (at > -100 * MINUTE),
            f"distributed_testing_notifications_dropped_total{{{ALERTMANAGER}": 0,
            f"distributed_testing_notifications_queue_length{{{ALERTMANAGER}": int(-104 < at / MINUTE < -100) * 2,
            f"distributed_testing_notifications_queue_capacity{{{ALERTMANAGER}": 1000,
            f"distributed_testing_notifications_unconfirmed{{{ALERTMANAGER}": 0,
            'distributed_testing_machines{status="silent",': 0, 'distributed_testing_machines{status="heard",': 24,
            'distributed_testing_threshold{threshold="warning_gpu_celsius",': 85,
            'distributed_testing_reader_lag_events{reader="database",': 0,
        }  # fmt: skip
        return "".join(
            f"{name}{TARGET}}} {value}\n" if "{" in name else f"{name}{{{TARGET}}} {value}\n"
            for name, value in values.items()
        )
