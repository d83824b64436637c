"""Is it bad now, since when, where?"""

from grafana import frame, infinity, panels, tiles
from grafana.layout import shelf
from grafana.links import cell, label, page, runbook, service_dashboard, worker_dashboard
from grafana.panels import DASHED, SEVERITIES, Column, moment, now, override, query, thresholds, words
from grafana.queries import MACHINE, WATCHDOG, a_minute, alerts, at_end, grown, otherwise, select, top, total, worst

ERRORS = "distributed_testing_errors_total"
BY_SEVERITY = "distributed_testing_errors_by_severity_total"
STATUS = "distributed_testing_worker_status"
FIRST_FEW = 10
OF_WORKER = [page("Errors of this worker", worker=cell("worker")), worker_dashboard(cell("worker"))]


def firing_count(matcher: str) -> str:
    """0 where the rules are loaded and none fires; nothing where they are not."""
    return f"count({alerts(matcher)}) or 0 * count({WATCHDOG})"


up = tiles.service([service_dashboard()])
critical_now = panels.stat(
    "Critical errors",
    "Critical errors of the last hour, or since the counts were reset. One is enough to look at the page.",
    moment(total(select("distributed_testing_critical_errors"))),
    limits=(("green", None), ("red", 1)),
    links=[page("Critical errors", severity="critical")],
)
error_rate = panels.gauge(
    "Error rate",
    "Errors that were received in the last minute. Orange: 6, where a surge is worth an alert; red: 60, one a second.",
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
    "Workers that had a critical error within the last hour; `other`, the workers beyond the limits, counts as one. "
    "Red from ten, as the rule ManyWorkersCritical.",
    moment(otherwise(f"sum(max by (worker) ({select(STATUS)}) == bool 2)")),
    limits=(("green", None), ("orange", 1), ("red", 10)),
    links=[page("Critical errors", severity="critical")],
)
last_critical = panels.stat(
    "Last critical error",
    "How long ago the last critical error happened.",
    moment(f"1000 * max({select('distributed_testing_last_critical_error_timestamp_seconds')})"),
    unit="dateTimeFromNow",
    decimals=None,
    mappings=[words({0: ("never", "text")})],
    links=[page("Critical errors", severity="critical")],
)
firing = panels.stat(
    "Firing alerts",
    "Alerts of the rules that fire now: critical ones, and all others but the watchdog. No data: Prometheus has not "
    "loaded the rules.",
    moment(firing_count('severity="critical"'), "critical"),
    moment(firing_count('severity!="critical"'), "others"),
    limits=(("green", None), ("orange", 1)),
    overrides=[override("critical", thresholds=thresholds((("green", None), ("red", 1))))],
)
by_severity = panels.timeseries(
    "Errors by severity",
    "Errors a minute, by severity.",
    query(a_minute(BY_SEVERITY, by="severity"), "{{severity}}"),
    axis="errors a minute",
    colours=SEVERITIES,
    stack=True,
    links=[page("Errors of this severity", severity=label("severity"))],
)
critical_over_time = panels.timeseries(
    "Critical errors over time",
    "Critical errors of the hour before each moment, or since the counts were reset: since when is it bad.",
    query(total(select("distributed_testing_critical_errors")), "critical"),
    colours=SEVERITIES,
    limits=(("green", None), ("red", 1)),
    links=[page("Critical errors", severity="critical")],
)
usual = panels.timeseries(
    "Errors and what is usual",
    "Errors a minute of the last five minutes beside the average of the day before: is it more than usual. The rule "
    "ErrorSurge compares the same two.",
    query('60 * job:distributed_testing_errors:rate5m{job=~"$job"}', "now"),
    query('60 * job:distributed_testing_errors:rate5m_avg1d{job=~"$job"}', "usual"),
    axis="errors a minute",
    overrides=[override("usual", **DASHED)],
    links=[page("Errors")],
)
by_category = panels.bars(
    "Errors by category",
    "Errors in the time range, by category: what goes wrong.",
    top(FIRST_FEW, grown(ERRORS, by="category")),
    "category",
    links=[page("Errors of this category", category=cell("category"))],
)
by_worker = panels.bars(
    "Errors by worker",
    "The ten workers with most errors in the time range: one bar far above the others is a machine, not the code. "
    "`other`, all workers beyond the limits, is left out.",
    top(FIRST_FEW, grown(ERRORS, MACHINE, by="worker")),
    "worker",
    links=OF_WORKER,
)
by_type = panels.bars(
    "Errors by type",
    "The ten most frequent error types in the time range.",
    top(FIRST_FEW, grown(ERRORS, by="type")),
    "type",
    links=[page("Errors of this type", type=cell("type"))],
)
status = panels.status_history(
    "Worker status",
    "By the hour before each moment: critical, warning or stable. The 30 workers that were worst over the time range, "
    "without `other`.",
    query(worst(30, f"max by (worker) ({select(STATUS, MACHINE)})", "worker", at_end(STATUS, MACHINE)), "{{worker}}"),
    links=[page("Errors of this worker", worker=label("worker")), worker_dashboard(label("worker"))],
)
# Words would be sorted critical, info, warning.
RANKS = {3: "critical", 2: "warning", 1: "info"}
RANKED = f"""3 * {alerts('severity="critical"')} or 2 * {alerts('severity="warning"')} or {alerts()}"""
firing_alerts = panels.table(
    "Alerts",
    "What fires now, by the rules of Prometheus, critical ones first. A click on its name leads to what to do. Alerts "
    "that the service pushed itself are in Alertmanager.",
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
    "The last hundred critical errors of 24 hours, from the service itself. Needs the Infinity data source.",
    severity="critical",
)

dashboard = frame.dashboard(
    "overview",
    "Overview",
    "Is it bad now, since when, where: the errors that the fleet of test workers reports.",
    shelf(4, (3, up), (4, critical_now), (3, error_rate), (3, errors), (3, critical_workers), (4, last_critical),
          (4, firing)),
    shelf(9, (8, by_severity), (8, critical_over_time), (8, usual)),
    shelf(9, (8, by_category), (8, by_worker), (8, by_type)),
    shelf(12, (16, status), (8, firing_alerts)),
    infinity.row("Single errors", single),
    variables=[frame.infinity()],
    refresh="1m",
)  # fmt: skip
