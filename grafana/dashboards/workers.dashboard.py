"""Dashboard of one worker or all workers: their status, their errors, and how they differ from the fleet."""

from collections.abc import Callable

from grafanalib import core

from grafana import frame, panels
from grafana.layout import Row, shelf
from grafana.links import cell, label, page, worker_dashboard
from grafana.panels import (
    CPU,
    DASHED,
    DISK,
    MEMORY,
    STATUS,
    STATUS_WORDS,
    Column,
    background,
    moment,
    now,
    override,
    query,
)
from grafana.queries import (
    A_MINUTE,
    MACHINE,
    POINTS,
    SELECTED,
    SERVICE,
    at_end,
    counted,
    delta,
    otherwise,
    recorded,
    select,
    worst,
)

STATE = "distributed_testing_worker_status"
LAST_ERROR = "distributed_testing_worker_last_error_timestamp_seconds"
CHOSEN = 'worker=~"$worker"'
MACHINES = f"{CHOSEN}, {MACHINE}"
ONE = 'worker=~"$machine"'
MANY = 12  # lines in a graph that are distinguishable; also the number of rows, each with eight panels
OF_WORKER = [page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))]
LIMITS = {"cpu": CPU, "memory": MEMORY, "disk": DISK}
MEDIAN = "median of the fleet"
AVERAGE = "average of the fleet"
KIND = "category_worker"
COUNT = f"sum({select('job_instance:distributed_testing_workers:count')})"
MINUTE = "1m"  # the interval of the recorded counts
FLEET = DASHED | {"links": []}  # without links, because it is no worker


def of_interval(by: str, matchers: str, level: str = "") -> str:
    """Returns the errors in each interval of a graph."""
    return counted(by, matchers, level=level, over="$__interval")


def usage(part: str) -> str:
    return f"distributed_testing_worker_{part}_utilization_ratio"


def of_workers(title: str, part: str, of: str = MACHINES) -> core.Panel:
    """Returns a graph of the usage of CPU, memory or disk by worker, with the fleet's median."""
    mine, few = f"max by (worker) ({recorded(usage(part), of)})", of == ONE
    highest = "" if few else f" The {MANY} highest workers, without `other`."
    drawn = mine if few else worst(MANY, mine, "worker", at_end(usage(part), of, over="max_over_time"))
    return panels.timeseries(
        title,
        f"From the latest report of each worker, for one hour after the report.{highest} Dashed: the median of the "
        "fleet, and the thresholds from which the service classifies the worker's errors as warning or critical.",
        query(drawn, "{{worker}}"),
        query(f"avg({select(f'job_instance:{usage(part)}:median')})", MEDIAN),
        unit="percentunit",
        limits=LIMITS[part],
        high=1,
        points=POINTS,
        overrides=[override(MEDIAN, **FLEET)],
        links=OF_WORKER,
    )


def each(expression: Callable[[str], str]) -> list[core.Target]:
    """Returns a query for each of CPU, memory and disk."""
    return [now(expression(usage(part))) for part in ("cpu", "memory", "disk")]


def share(part: str) -> dict[str, object]:
    return {"unit": "percentunit", "decimals": 0, "custom_width": 75, **background(LIMITS[part])}


workers = panels.table(
    "Workers",
    "Each selected worker: status, errors in the time range, and usage from its latest report. Its name links to its "
    "errors. Without `other`, all workers beyond the limits.",
    now(f"max by (worker) ({select(STATE, MACHINES)})"),
    now(counted("worker", MACHINES)),
    now(f"1000 * max by (worker) ({select(LAST_ERROR, MACHINES)})"),
    *each(lambda name: f"max by (worker) ({select(name, MACHINES)})"),
    columns=[
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker")),
                                              worker_dashboard(cell("Worker"))]}),
        Column("Value #A", "Status", {"custom_width": 90, **background(STATUS, STATUS_WORDS)}),
        Column("Value #B", "Errors", {"decimals": 0, "custom_width": 90}),
        Column("Value #C", "Last error", {"unit": "dateTimeFromNow"}),
        Column("Value #D", "CPU", share("cpu")),
        Column("Value #E", "Memory", share("memory")),
        Column("Value #F", "Disk", share("disk")),
    ],
    sort="Errors",
)  # fmt: skip
status = panels.status_history(
    "Status of the workers",
    "Status by the errors in the hour before each point: critical, warning or stable. Shows the 30 selected workers "
    "with the worst status, without `other`.",
    query(worst(30, f"max by (worker) ({recorded(STATE, MACHINES)})", "worker", at_end(STATE, MACHINES)), "{{worker}}"),
    links=OF_WORKER,
)
by_category = panels.timeseries(
    "Errors of the workers by category",
    "Errors per minute of the selected workers, by category. If all workers are selected, `other` is included.",
    query(f"{A_MINUTE} * {of_interval('category', CHOSEN, level=KIND)}", "{{category}}"),
    axis="errors a minute",
    stack=True,
    least=MINUTE,
    links=[page("Errors of this category", category=label("category"))],
)
# The workers with the most errors in the time range. Where one has no error, the recorded count has no sample: 0 while
# the service runs.
OF_EACH = delta("worker", MACHINES)
MOST = f"topk({MANY}, sum by (worker) (sum_over_time({OF_EACH}[$__range] @ end())))"
THEIRS = f"sum by (worker) (sum_over_time({OF_EACH}[$__interval]) and on (worker) {MOST})"
NONE = f"0 * max({select(SERVICE)}) * on () group_right () {MOST}"
compared = panels.timeseries(
    "Errors compared with the fleet",
    f"Errors per minute of the {MANY} selected workers with the most errors in the time range. Dashed: the average of "
    "all workers. Both without `other`, which is many workers.",
    query(f"{A_MINUTE} * {THEIRS} or on (worker) {NONE}", "{{worker}}"),
    query(f"{A_MINUTE} * {counted('', MACHINE, level='worker', over='$__interval')} / {COUNT}", AVERAGE),
    axis="errors a minute",
    least=MINUTE,
    points=POINTS,
    overrides=[override(AVERAGE, **FLEET)],
    links=OF_WORKER,
)  # fmt: skip
# A row for each of a thousand workers would be eight thousand panels.
WORST = f"topk({MANY}, max by (worker) (max_over_time({recorded(STATE, MACHINES)}[$__range])))"
one_state = panels.stat(
    "Status of $machine",
    "Status by the errors of the last hour.",
    moment(f"max({select(STATE, ONE)})"),
    limits=STATUS,
    mappings=[STATUS_WORDS],
    links=[page("Errors of $machine", worker="${machine:percentencode}")],
)
one_last = panels.stat(
    "Last error of $machine",
    "Time since its last error.",
    moment(f"1000 * max({select(LAST_ERROR, ONE)})"),
    unit="dateTimeFromNow",
    decimals=None,
    links=[page("Errors of $machine", worker="${machine:percentencode}")],
)
one_share = panels.stat(
    "$machine vs. average",
    "Its errors in the time range, divided by the average of all workers without `other`. Orange from 2, red from 5.",
    moment(otherwise(f"{counted('', ONE, level='worker')} / ({counted('', MACHINE, level='worker')} / {COUNT} > 0)")),
    decimals=1,
    limits=(("green", None), ("orange", 2), ("red", 5)),
    links=[page("Errors of $machine", worker="${machine:percentencode}")],
)
one_history = panels.status_history(
    "Status history of $machine",
    "Status by the errors in the hour before each point.",
    query(f"max by (worker) ({recorded(STATE, ONE)})", "{{worker}}"),
    links=OF_WORKER,
)
one_categories = panels.timeseries(
    "Errors of $machine by category",
    "Errors per minute, by category.",
    query(f"{A_MINUTE} * {of_interval('category', ONE, level=KIND)}", "{{category}}"),
    axis="errors a minute",
    stack=True,
    least=MINUTE,
    links=[page("Errors of this category", worker="${machine:percentencode}", category=label("category"))],
)

dashboard = frame.dashboard(
    "workers",
    "Workers",
    "One worker or all workers: their status, their errors, and how they differ from the fleet.",
    shelf(12, (12, workers), (12, status)),
    shelf(9, (12, by_category), (12, compared)),
    shelf(9, (8, of_workers("CPU", "cpu")), (8, of_workers("Memory", "memory")), (8, of_workers("Disk", "disk"))),
    Row(
        "$machine",
        (
            shelf(5, (4, one_state), (4, one_last), (4, one_share), (12, one_history)),
            shelf(
                8,
                (9, one_categories),
                (5, of_workers("CPU of $machine", "cpu", of=ONE)),
                (5, of_workers("Memory of $machine", "memory", of=ONE)),
                (5, of_workers("Disk of $machine", "disk", of=ONE)),
            ),
        ),
        repeat="machine",
    ),
    variables=[
        frame.chosen("worker", ", ".join((*SELECTED, MACHINE)), STATE),
        frame.each("machine", "worker", WORST),
    ],
)
