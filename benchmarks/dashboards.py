"""Times every query of the dashboards on a real Prometheus that holds a week of a fleet: 1,000 workers, 10,000 series
of errors. Writes the recorded series of prometheus/rules/dashboards.yml and what else the panels read, a block per day.

    python benchmarks/dashboards.py [--workers 1000] [--folder FOLDER]
"""

import argparse
import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

ROOT: Final = Path(__file__).parents[1]
DAYS: Final = 7
DAY: Final = 86_400
SCRAPE, COUNT, GAUGE = 15, 60, 240  # seconds between samples: of a scrape, of a recorded count, of a recorded gauge
TYPES: Final = 10
ERRORS_A_DAY: Final = 30  # of each worker and type
CATEGORIES: Final = ("NETWORK_TIMEOUT", "HARDWARE_GPU", "RESOURCE_EXHAUSTED", "TEST_FAILURE", "WORKER_ERROR")
TARGET: Final = 'job="error-visualization",instance="exporter:8080"'
LEVELS: Final = ("category", "worker", "type", "category_type", "category_worker")
GAUGES: Final = (
    "distributed_testing_worker_status", "distributed_testing_worker_cpu_utilization_ratio",
    "distributed_testing_worker_memory_utilization_ratio", "distributed_testing_worker_disk_utilization_ratio",
    "distributed_testing_worker_gpu_temperature_celsius", "distributed_testing_worker_gpu_memory_utilization_ratio",
    "distributed_testing_worker_gpu_utilization_ratio", "distributed_testing_worker_gpu_power_watts",
)  # fmt: skip
VALUES: Final = {"status": ("0", "0", "0", "1", "2"), "celsius": tuple(map(str, range(50, 95)))}
RATIOS: Final = tuple(f"{number / 997:.4f}" for number in range(200, 997, 7))
CLOCK: Final = "job_instance_worker:distributed_testing_worker_gpu_clock_hertz:min"
LIMIT: Final = 1.0  # seconds a query may take

# --- A week of a fleet. ---


def samples(out: TextIO, series: str, values: Iterable[str], times: Iterable[int]) -> None:
    out.writelines(f"{series} {value} {at}\n" for value, at in zip(values, times, strict=False))


def write_day(out: TextIO, start: int, workers: int, seed: int) -> None:
    """Writes one day in OpenMetrics text."""
    chance = random.Random(seed)
    write_counts(out, start, workers, chance)
    moments = range(start, start + DAY, GAUGE)
    for worker in range(workers):
        labels = f'{TARGET},worker="worker-{worker}"'
        for name in GAUGES:
            values = VALUES.get(name.rpartition("_")[2], RATIOS)
            samples(out, f"job_instance_worker:{name}:max{{{labels}}}", chance.choices(values, k=len(moments)), moments)
        samples(out, f"{CLOCK}{{{labels}}}", chance.choices(("1.2e9", "1.755e9"), k=len(moments)), moments)
        for condition in ("throttling", "memory_pressure"):
            name = "job_instance_worker_condition:distributed_testing_worker_hardware_condition:max"
            series = f'{name}{{{labels},condition="{condition}"}}'
            samples(out, series, chance.choices(("0", "0", "1"), k=len(moments)), moments)
    write_scraped(out, start, chance)
    if start + DAY * 3 // 2 > time.time():
        write_newest(out, start + DAY - SCRAPE, workers, chance)
    out.write("# EOF\n")


def write_counts(out: TextIO, start: int, workers: int, chance: random.Random) -> None:
    """Writes the recorded counts of errors: of each series, and their sums."""
    sums: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for worker in range(workers):
        for number in range(TYPES):
            of = {
                "category": CATEGORIES[number % len(CATEGORIES)],
                "worker": f"worker-{worker}",
                "type": f"Type{number}" if number else "XID 79",
            }
            minutes = sorted(start + COUNT * minute for minute in chance.sample(range(DAY // COUNT), ERRORS_A_DAY))
            labels = ",".join(f'{key}="{value}"' for key, value in of.items())
            series = f"job_instance_category_worker_type:distributed_testing_errors:delta{{{TARGET},{labels}}}"
            samples(out, series, ["1"] * len(minutes), minutes)
            for level in LEVELS:
                summed = ",".join(f'{key}="{of[key]}"' for key in level.split("_"))
                for minute in minutes:
                    sums[level, summed][minute] += 1
    for (level, labels), by_minute in sums.items():
        series = f"job_instance_{level}:distributed_testing_errors:delta{{{TARGET},{labels}}}"
        minutes = sorted(by_minute)
        samples(out, series, [str(by_minute[minute]) for minute in minutes], minutes)


def write_scraped(out: TextIO, start: int, chance: random.Random) -> None:
    """Writes series of which there are few, at each scrape."""
    moments = range(start, start + DAY, SCRAPE)
    counters = [
        f'distributed_testing_errors_by_severity_total{{{TARGET},severity="{name}"}}'
        for name in ("critical", "warning", "info")
    ]
    for name in ("ingest_duration_seconds", "commit_duration_seconds"):
        counters += [
            f'distributed_testing_{name}_bucket{{{TARGET},le="{bound}"}}'
            for bound in ("0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "+Inf")
        ]
    counters += [
        f'distributed_testing_reports_received_total{{{TARGET},protocol="{name}"}}'
        for name in ("json", "batch", "sentry")
    ]
    counters += [
        f'distributed_testing_reports_rejected_total{{{TARGET},reason="{name}"}}'
        for name in ("malformed", "queue_full", "too_large")
    ]
    counters += [
        f'distributed_testing_hardware_errors_total{{{TARGET},hardware_type="{name}"}}'
        for name in ("gpu", "cpu", "memory", "disk")
    ]
    for series in counters:
        at = (start % (100 * DAY)) // SCRAPE  # goes on from day to day
        samples(out, series, map(str, range(at, at + len(moments))), moments)
    gauges = [f"{name}{{{TARGET}}}" for name in (
        "up", "distributed_testing_critical_errors", "distributed_testing_error_rate",
        "distributed_testing_database_up", "distributed_testing_ingest_queue_length",
        "distributed_testing_ingest_queue_capacity", "scrape_duration_seconds", "scrape_samples_scraped",
        "process_resident_memory_bytes", "distributed_testing_database_size_bytes",
    )]  # fmt: skip
    gauges += [f'distributed_testing_recurring_patterns{{{TARGET},category="{name}"}}' for name in CATEGORIES]
    gauges += [
        f'job:distributed_testing_errors:{name}{{job="error-visualization"}}'
        for name in ("rate5m", "rate5m_avg1d", "rate5m_limit")
    ]
    for series in gauges:
        samples(out, series, chance.choices(RATIOS, k=len(moments)), moments)
    gauges = [f"job_instance:distributed_testing_{name}{{{TARGET}}}" for name in (
        "workers:count", "worker_cpu_utilization_ratio:median", "worker_memory_utilization_ratio:median",
        "worker_disk_utilization_ratio:median", "worker_gpu_temperature_celsius:max",
        "worker_gpu_temperature_celsius:avg",
    )]  # fmt: skip
    moments = range(start, start + DAY, GAUGE)
    for series in gauges:
        samples(out, series, chance.choices(RATIOS, k=len(moments)), moments)
    moments = range(start, start + DAY, SCRAPE)
    info = f'distributed_testing_build_info{{{TARGET},version="1.0",revision="{start // DAY % 3}"}}'
    samples(out, info, ["1"] * len(moments), moments)
    first_seen = 'distributed_testing_type_first_seen_timestamp_seconds{{{},type="Type{}"}}'
    for number in range(200):
        samples(
            out, first_seen.format(TARGET, number), [str(start)] * len(moments), range(start, start + DAY, 60 * SCRAPE)
        )


def write_newest(out: TextIO, at: int, workers: int, chance: random.Random) -> None:
    """Writes the newest sample of the series that panels read at one moment only."""
    names = (*GAUGES[:4], "distributed_testing_worker_last_error_timestamp_seconds")
    for worker in range(workers):
        labels = f'{TARGET},worker="worker-{worker}"'
        for name in names:
            samples(out, f"{name}{{{labels}}}", [chance.choice(RATIOS)], [at])
        for gpu in range(8):
            for name in GAUGES[4:]:
                samples(out, f'{name}{{{labels},gpu="{gpu}"}}', ["0.9" if "ratio" in name else "80"], [at])
        for condition in ("throttling", "memory_pressure", "overheating"):
            samples(
                out, f'distributed_testing_worker_hardware_condition{{{labels},condition="{condition}"}}', ["1"], [at]
            )


def write_week(folder: Path, end: int, workers: int) -> None:
    """Writes a block per day."""
    for day in range(DAYS):
        text = folder / "day.txt"
        with text.open("w") as out:
            write_day(out, end - (DAYS - day) * DAY, workers, day)
        command = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            f"--max-block-duration={2 * DAYS * 24}h",
            "openmetrics",
            text,
            folder / "data",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        text.unlink()


# --- The queries, as Grafana asks them for a week. ---


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield from panel.get("panels", []) if panel["type"] == "row" else [panel]


def filled(expr: str, step: int) -> str:
    values = {
        "$__rate_interval": f"{step + 4 * SCRAPE}s", "$__range_s": str(DAYS * DAY), "$__range": f"{DAYS}d",
        "$__interval_ms": str(1000 * step), "$__interval": f"{step}s", "$machine": "worker-7",
    }  # fmt: skip
    for name, value in values.items():
        expr = expr.replace(name, value)
    return re.sub(r"\$(job|instance|worker)\b", ".+", expr)


def get(url: str, parameters: dict[str, Any]) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=150) as response:
        return json.load(response)["data"]


def timed(prometheus: str, target: dict[str, Any], points: int, end: int) -> tuple[float, int, int]:
    """Returns the seconds of a query, and the number of its series and of the samples that it read."""
    step = max(DAYS * DAY // points, 60)
    asked = {"query": filled(target["expr"], step), "stats": "all"}
    asked |= {"time": end} if target["instant"] else {"start": end - DAYS * DAY, "end": end, "step": step}
    begun = time.perf_counter()
    try:
        data = get(f"{prometheus}/api/v1/query{'' if target['instant'] else '_range'}", asked)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"{asked['query']}: {refused.read().decode()}") from refused
    return time.perf_counter() - begun, len(data["result"]), data["stats"]["samples"]["totalQueryableSamples"]


def measure(prometheus: str, end: int, tries: int) -> int:
    """Prints a line per query, the fastest of `tries`. Returns how many took longer than LIMIT."""
    slow = 0
    for file in sorted((ROOT / "grafana/dashboards").glob("*.json")):
        for panel in panels(json.loads(file.read_text("utf-8"))):
            for target in panel.get("targets", []):
                if "expr" not in target:
                    continue
                points = panel.get("maxDataPoints") or 1000
                seconds, series, read = min(timed(prometheus, target, points, end) for _ in range(tries))
                slow += seconds > LIMIT
                name = f"{file.stem}: {panel['title']} {target['refId']}{'  SLOW' if seconds > LIMIT else ''}"
                print(f"{seconds:7.3f} s {series:6} series {read:12,} samples  {name}", flush=True)
    return slow


def wait(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/-/ready", timeout=5)
            return
        time.sleep(0.2)
    raise SystemExit("Prometheus did not start")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="keep the data there, and use it if it is there already")
    parser.add_argument("--prometheus", default="prometheus", help="the program")
    parser.add_argument("--tries", type=int, default=3, help="of each query; the fastest counts")
    parser.add_argument("--port", type=int, default=19_090)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="dashboards-"))
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "end"
    if not marker.exists():
        end = int(time.time()) // DAY * DAY
        write_week(folder, end, given.workers)
        marker.write_text(str(end))
    end = int(marker.read_text())
    (folder / "prometheus.yml").write_text("global: {}\n")
    command = [
        given.prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=60d", f"--web.listen-address=127.0.0.1:{given.port}", "--log.level=error",
    ]  # fmt: skip
    running = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{given.port}"
        wait(url)
        return min(measure(url, end - SCRAPE, given.tries), 1)
    finally:
        running.terminate()
        running.wait(30)
        if not given.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
