"""Dashboard with an overview: how many errors there are now, since when, and where."""

from grafana import frame, infinity, panels, tiles
from grafana.layout import shelf
from grafana.links import cell, label, page, runbook, service_dashboard, worker_dashboard
from grafana.panels import (
    DASHED,
    SEVERITIES,
    Column,
    colour,
    moment,
    now,
    override,
    query,
    thresholds,
    with_exemplars,
    words,
)
from grafana.queries import (
    MACHINE,
    WATCHDOG,
    a_minute,
    alerts,
    at_end,
    counted,
    grown,
    otherwise,
    recorded,
    select,
    top,
    total,
    worst,
)

BY_SEVERITY = "distributed_testing_errors_by_severity_total"
STATUS = "distributed_testing_worker_status"
FIRST_FEW = 10
OF_WORKER = [page("Errors of this worker", worker=cell("worker")), worker_dashboard(cell("worker"))]


def firing_count(matcher: str) -> str:
    """Returns a count of firing alerts: 0 if the rules are loaded and none fires, no series if they are not loaded."""
    return f"count({alerts(matcher)}) or 0 * count({WATCHDOG})"


up = tiles.service([service_dashboard()])
critical_now = panels.stat(
    "Critical errors",
    "Critical errors of the last hour, or since the counts were reset. Red from one.",
    moment(total(select("distributed_testing_critical_errors"))),
    limits=(("green", None), ("red", 1)),
    links=[page("Critical errors", severity="critical")],
)
error_rate = panels.gauge(
    "Error rate",
    "Errors received in the last minute. Orange from 6, the threshold of the rule ErrorSurge; red from 60.",
    moment(total(select("distributed_testing_error_rate")), "errors a minute"),
    limits=(("green", None), ("orange", 6), ("red", 60)),
    high=120,
    links=[page("Errors")],
)
errors = panels.stat(
    "Errors",
    "Errors in the time range of the dashboard.",
    moment(grown(BY_SEVERITY)),
    links=[page("Errors")],
)
critical_workers = panels.stat(
    "Critical workers",
    "Workers with a critical error in the last hour. `other`, all workers beyond the limits, counts as one worker. Red "
    "from ten, the threshold of the rule ManyWorkersCritical.",
    moment(otherwise(f"sum(max by (worker) ({select(STATUS)}) == bool 2)")),
    limits=(("green", None), ("orange", 1), ("red", 10)),
    links=[page("Critical errors", severity="critical")],
)
last_critical = panels.stat(
    "Last critical error",
    "Time since the last critical error.",
    moment(f"1000 * max({select('distributed_testing_last_critical_error_timestamp_seconds')})"),
    unit="dateTimeFromNow",
    decimals=None,
    mappings=[words({0: ("never", "text")})],
    links=[page("Critical errors", severity="critical")],
)
firing = panels.stat(
    "Firing alerts",
    "Alerts of the Prometheus rules that fire now: critical alerts, and others except the watchdog. No data: "
    "Prometheus has not loaded the rules.",
    moment(firing_count('severity="critical"'), "critical"),
    moment(firing_count('severity!="critical"'), "others"),
    limits=(("green", None), ("orange", 1)),
    overrides=[override("critical", thresholds=thresholds((("green", None), ("red", 1))))],
)
by_severity = panels.timeseries(
    "Errors by severity",
    "Errors per minute, by severity.",
    with_exemplars(a_minute(BY_SEVERITY, by="severity"), "{{severity}}"),
    axis="errors a minute",
    colours=SEVERITIES,
    stack=True,
    links=[page("Errors of this severity", severity=label("severity"))],
)
critical_over_time = panels.timeseries(
    "Critical errors over time",
    "Critical errors in the hour before each point, or since the counts were reset.",
    query(total(select("distributed_testing_critical_errors")), "critical"),
    colours=SEVERITIES,
    limits=(("green", None), ("red", 1)),
    links=[page("Critical errors", severity="critical")],
    whole=True,
)
usual = panels.timeseries(
    "Errors and what is usual",
    "Errors per minute in the last five minutes (now), and their average over the 24 hours that ended one hour ago "
    "(usual). The rule ErrorSurge fires above the limit: five times the usual rate, and twice the peak at this hour of "
    "yesterday and of last week.",
    query('60 * job:distributed_testing_errors:rate5m{job=~"$job"}', "now"),
    query('60 * job:distributed_testing_errors:rate5m_avg1d{job=~"$job"}', "usual"),
    query('60 * job:distributed_testing_errors:rate5m_limit{job=~"$job"}', "limit"),
    axis="errors a minute",
    overrides=[override("usual", **DASHED), override("limit", **DASHED | {"color": colour("red")})],
    links=[page("Errors")],
)
by_category = panels.bars(
    "Errors by category",
    "Errors in the time range: the ten most frequent categories.",
    top(FIRST_FEW, counted("category")),
    "category",
    links=[page("Errors of this category", category=cell("category"))],
)
by_worker = panels.bars(
    "Errors by worker",
    "The ten workers with the most errors in the time range. One bar far above the others suggests a fault of that "
    "machine, not of the code. Without `other`, all workers beyond the limits.",
    top(FIRST_FEW, counted("worker", MACHINE)),
    "worker",
    links=OF_WORKER,
)
by_type = panels.bars(
    "Errors by type",
    "The ten most frequent error types in the time range.",
    top(FIRST_FEW, counted("type")),
    "type",
    links=[page("Errors of this type", type=cell("type"))],
)
status = panels.status_history(
    "Worker status",
    "Status by the errors in the hour before each point: critical, warning or stable. Shows the 30 workers with the "
    "worst status over the time range, without `other`.",
    query(worst(30, f"max by (worker) ({recorded(STATUS, MACHINE)})", "worker", at_end(STATUS, MACHINE)), "{{worker}}"),
    links=[page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))],
)
# Ranks, because Grafana would sort the words alphabetically: critical, info, warning.
RANKS = {3: "critical", 2: "warning", 1: "info"}
RANKED = f"""3 * {alerts('severity="critical"')} or 2 * {alerts('severity="warning"')} or {alerts()}"""
firing_alerts = panels.table(
    "Alerts",
    "Alerts of the Prometheus rules that fire now, critical alerts first. The name of an alert links to its runbook. "
    "Alerts pushed by the service itself are in Alertmanager only.",
    now(f"max by (alertname, worker, type) ({RANKED})"),
    columns=[
        Column("alertname", "Alert", {"links": [runbook(cell("Alert"))]}),
        Column("Value", "Severity", {
            "custom_cellOptions": {"type": "color-text"}, "custom_width": 90,
            "mappings": [words({rank: (name, SEVERITIES[name]) for rank, name in RANKS.items()})],
        }),
        Column("worker", "Worker", {"links": [page("Errors of this worker", worker=cell("Worker"))]}),
        Column("type", "Type"),
    ],
    sort="Severity",
    empty="no alert fires, or the rules are not loaded: see Firing alerts",
)  # fmt: skip
single = infinity.single_errors(
    "Newest critical errors",
    "The newest 100 critical errors of the last 24 hours, from the service's API. Needs the Infinity data source.",
    severity="critical",
)

dashboard = frame.dashboard(
    "overview",
    "Overview",
    "How many errors the test workers report now, since when, and where.",
    shelf(4, (3, up), (4, critical_now), (3, error_rate), (3, errors), (3, critical_workers), (4, last_critical),
          (4, firing)),
    shelf(9, (8, by_severity), (8, critical_over_time), (8, usual)),
    shelf(9, (8, by_category), (8, by_worker), (8, by_type)),
    shelf(12, (16, status), (8, firing_alerts)),
    infinity.row("Single errors", single),
    variables=[frame.infinity()],
    refresh="1m",
)  # fmt: skip
