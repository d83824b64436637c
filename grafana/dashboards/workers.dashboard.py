"""One worker or all of them: what state they are in, which errors they have, how they differ from the fleet."""

from collections.abc import Callable

from grafanalib import core

from grafana import frame, panels
from grafana.layout import Row, shelf
from grafana.links import cell, label, page, worker_dashboard
from grafana.panels import CPU, DASHED, DISK, MEMORY, STATUS, STATUS_WORDS, Column, background, now, override, query
from grafana.queries import a_minute, at_end, grown, select, worst

ERRORS = "distributed_testing_errors_total"
STATE = "distributed_testing_worker_status"
LAST_ERROR = "distributed_testing_worker_last_error_timestamp_seconds"
CHOSEN = 'worker=~"$worker"'
MANY = 12  # lines in a graph that can still be told apart
OF_WORKER = [page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))]
LIMITS = {"cpu": CPU, "memory": MEMORY, "disk": DISK}
MEDIAN = "median of the fleet"
AVERAGE = "average of the fleet"


def usage(part: str) -> str:
    return f"distributed_testing_worker_{part}_utilization_ratio"


def of_workers(title: str, part: str, *, few: bool = False) -> core.Panel:
    """What workers use of something, beside the fleet's median; without `few` only the highest are drawn."""
    mine = f"max by (worker) ({select(usage(part), CHOSEN)})"
    drawn = mine if few else worst(MANY, mine, "worker", at_end(usage(part), CHOSEN, over="max_over_time"))
    return panels.timeseries(
        title,
        f"By the latest report of each worker, for an hour after it{'' if few else f'; the {MANY} highest'}. Dashed: "
        "the median of the fleet, and from where the service judges an error of the worker a warning, or critical.",
        query(drawn, "{{worker}}"),
        query(f"quantile(0.5, max by (worker) ({select(usage(part))}))", MEDIAN),
        unit="percentunit",
        limits=LIMITS[part],
        high=1,
        overrides=[override(MEDIAN, **DASHED)],
        links=OF_WORKER,
    )


def each(expression: Callable[[str], str]) -> list[core.Target]:
    """A column for CPU, memory and disk."""
    return [now(expression(usage(part))) for part in ("cpu", "memory", "disk")]


def share(part: str) -> dict[str, object]:
    return {"unit": "percentunit", "decimals": 0, **background(LIMITS[part])}


workers = panels.table(
    "Workers",
    "Each chosen worker: its state, its errors in the time range, and its machine by its latest report. A click on its "
    "name leads to its errors.",
    now(f"max by (worker) ({select(STATE, CHOSEN)})"),
    now(grown(ERRORS, CHOSEN, by="worker")),
    now(f"1000 * max by (worker) ({select(LAST_ERROR, CHOSEN)})"),
    *each(lambda name: f"max by (worker) ({select(name, CHOSEN)})"),
    columns=[
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker")),
                                              worker_dashboard(cell("Worker"))]}),
        Column("Value #A", "Status", {"mappings": STATUS_WORDS, "custom_width": 90, **background(STATUS)}),
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
    "By the hour before each moment: critical, warning or stable. Of the chosen workers the 30 that were worst.",
    query(worst(30, f"max by (worker) ({select(STATE, CHOSEN)})", "worker", at_end(STATE, CHOSEN)), "{{worker}}"),
    links=OF_WORKER,
)
by_category = panels.timeseries(
    "Errors of the workers by category",
    "Errors a minute of the chosen workers: what goes wrong on them.",
    query(a_minute(ERRORS, CHOSEN, by="category"), "{{category}}"),
    axis="errors a minute",
    stack=True,
    links=[page("Errors of this category", category=label("category"))],
)
compared = panels.timeseries(
    "Errors compared with the fleet",
    f"Errors a minute: the {MANY} chosen workers with most in the time range. Dashed: the average of all workers.",
    query(
        worst(MANY, a_minute(ERRORS, CHOSEN, by="worker"), "worker",
              f"sum by (worker) (increase({select(ERRORS, CHOSEN)}[$__range] @ end()))"), "{{worker}}"),
    query(f"60 * avg(sum by (worker) (rate({select(ERRORS)}[$__rate_interval])))", AVERAGE),
    axis="errors a minute",
    overrides=[override(AVERAGE, **DASHED)],
    links=OF_WORKER,
)  # fmt: skip
one_state = panels.stat(
    "State of $worker",
    "By the last hour.",
    query(f"max({select(STATE, CHOSEN)})", "state"),
    limits=STATUS,
    mappings=STATUS_WORDS,
    links=[page("Errors of $worker", worker="${worker:percentencode}")],
)
one_last = panels.stat(
    "Last error of $worker",
    "How long ago it had an error.",
    query(f"1000 * max({select(LAST_ERROR, CHOSEN)})", instant=True),
    unit="dateTimeFromNow",
    decimals=None,
    links=[page("Errors of $worker", worker="${worker:percentencode}")],
)
one_share = panels.stat(
    "$worker vs. average",
    "Its errors in the time range, divided by those of a worker on average. Orange: twice as many; red: five times.",
    query(f"{grown(ERRORS, CHOSEN)} / avg({grown(ERRORS, by='worker')})", instant=True),
    decimals=1,
    limits=(("green", None), ("orange", 2), ("red", 5)),
    links=[page("Errors of $worker", worker="${worker:percentencode}")],
)
one_history = panels.status_history(
    "Status history of $worker",
    "By the hour before each moment.",
    query(f"max by (worker) ({select(STATE, CHOSEN)})", "{{worker}}"),
    links=OF_WORKER,
)
one_categories = panels.timeseries(
    "Errors of $worker by category",
    "Errors a minute: what goes wrong on it.",
    query(a_minute(ERRORS, CHOSEN, by="category"), "{{category}}"),
    axis="errors a minute",
    stack=True,
    links=[page("Errors of this category", worker="${worker:percentencode}", category=label("category"))],
)

dashboard = frame.dashboard(
    "workers",
    "Workers",
    "One worker or all: what state they are in, which errors they have, and how they differ from the fleet.",
    shelf(12, (12, workers), (12, status)),
    shelf(9, (12, by_category), (12, compared)),
    shelf(9, (8, of_workers("CPU", "cpu")), (8, of_workers("Memory", "memory")), (8, of_workers("Disk", "disk"))),
    Row(
        "$worker",
        (
            shelf(5, (4, one_state), (4, one_last), (4, one_share), (12, one_history)),
            shelf(
                8,
                (9, one_categories),
                (5, of_workers("CPU of $worker", "cpu", few=True)),
                (5, of_workers("Memory of $worker", "memory", few=True)),
                (5, of_workers("Disk of $worker", "disk", few=True)),
            ),
        ),
        repeat="worker",
    ),
    variables=[frame.chosen("worker", ", ".join(('job=~"$job"', 'instance=~"$instance"')), STATE)],
)
