"""Whether the service itself takes the errors, keeps them, and tells of them."""

from grafanalib import core

from grafana import frame, panels, tiles
from grafana.layout import Row, shelf
from grafana.links import page
from grafana.panels import DASHED, colour, moment, override, query, words
from grafana.queries import SERVICE, a_minute, a_second, grown, otherwise, ours, quantile, select, total

INGEST = "distributed_testing_ingest_duration_seconds"
COMMIT = "distributed_testing_commit_duration_seconds"
BATCH = "distributed_testing_commit_batch_size"
QUEUE = "distributed_testing_ingest_queue_length"
CAPACITY = "distributed_testing_ingest_queue_capacity"
NOTIFICATIONS = "distributed_testing_notifications_"
WEBSOCKET = "distributed_testing_websocket_"
BAD = (("green", None), ("red", 1))
FAILURES = {"failed": "red", "dropped": "orange", "sent": "green"}


def quantiles(title: str, description: str, histogram: str) -> core.Panel:
    return panels.timeseries(
        title,
        description,
        *(query(quantile(share, histogram), f"{share:.0%}") for share in (0.5, 0.9, 0.99)),
        unit="s",
    )


up = tiles.service()
database_up = panels.stat(
    "Database",
    "Down: the latest append to the log failed, or the database does not follow the log. The rule StorageFailing.",
    moment(f"min({select('distributed_testing_database_up')})"),
    limits=tiles.DOWN,
    mappings=[tiles.UP],
)
queue_used = panels.stat(
    "Queue in use",
    "How much of the queue of reports that wait to be written; when it is full, reports get 503. Red from 50 %, "
    "as the rule IngestQueueFilling judges.",
    moment(f"max({select(QUEUE)} / ({select(CAPACITY)} > 0))"),
    unit="percentunit",
    limits=(("green", None), ("orange", 0.25), ("red", 0.5)),
)
rejected_count = panels.stat(
    "Rejected reports",
    "Reports that were refused in the time range. The rule ReportsRejected fires on more than ten in ten minutes.",
    moment(grown("distributed_testing_reports_rejected_total")),
    limits=(("green", None), ("orange", 1)),
)
undelivered = panels.stat(
    "Dropped alerts",
    "Pushed alerts that were dropped in the time range because too many waited: nobody was told.",
    moment(otherwise(grown(f"{NOTIFICATIONS}dropped_total"), -1)),
    limits=BAD,
    mappings=[words({-1: ("no Alertmanager", "transparent")})],
)
version = panels.stat(
    "Version",
    "Which version runs, and the commit it was built from.",
    moment(f"sum by (version, revision) ({select(SERVICE)})", "{{version}} {{revision}}"),
    text="name",
)
received = panels.timeseries(
    "Reports",
    "Reports that came, a second, by protocol; and those whose id was stored already.",
    query(a_second("distributed_testing_reports_received_total", by="protocol"), "{{protocol}}"),
    query(a_second("distributed_testing_reports_duplicate_total"), "repeated"),
    unit="reqps",
    links=[page("Errors")],
    overrides=[override("repeated", color=colour("text"))],
)
latency_map = panels.heatmap(
    "Ingest latency, all requests",
    "From a request's body to its commit: how many requests a second took how long.",
    query(a_second(f"{INGEST}_bucket", by="le"), "{{le}}", form="heatmap"),
    unit="s",
)
latency = quantiles("Ingest latency", "From a request's body to its commit: half, 90 % and 99 % were faster.", INGEST)
rejections = panels.timeseries(
    "Rejections by reason",
    "Refused reports a minute. malformed, invalid_field, too_large, unsupported_…: a worker sends what cannot be "
    "taken. queue_full, store_failed: the service cannot keep up; workers try again.",
    query(a_minute("distributed_testing_reports_rejected_total", by="reason"), "{{reason}}"),
    axis="reports a minute",
    stack=True,
)
queue = panels.timeseries(
    "Queue",
    "Reports that wait to be written, and how many may.",
    query(f"max({select(QUEUE)})", "waiting"),
    query(f"max({select(CAPACITY)})", "capacity"),
    overrides=[override("capacity", **DASHED | {"color": colour("red")})],
)
commit = quantiles("Commit time", "One transaction: half, 90 % and 99 % were faster.", COMMIT)
batch = panels.timeseries(
    "Batch size",
    "Errors in one transaction, on average: it grows with the load, so that the database keeps up.",
    query(f"{a_second(f'{BATCH}_sum')} / ({a_second(f'{BATCH}_count')} > 0)", "errors"),
)
size = panels.timeseries(
    "Database size",
    "The database and its log on disk.",
    query(total(select("distributed_testing_database_size_bytes"), "instance"), "{{instance}}"),
    unit="bytes",
)
failures = panels.timeseries(
    "Failed transactions",
    "Appends to the log that failed, a minute. Their reports were answered with 503; workers send them again.",
    query(a_minute("distributed_testing_database_errors_total"), "failed"),
    axis="transactions a minute",
    colours=FAILURES,
)
folded = panels.timeseries(
    "Folded label values",
    "Errors a minute whose worker, type, category or hardware type was counted as `other`: a limit is reached, the "
    "rule SeriesLimitReached. The database still knows each.",
    query(a_minute("distributed_testing_label_values_folded_total", by="label"), "{{label}}"),
    axis="errors a minute",
    stack=True,
)
notifications = panels.timeseries(
    "Pushed alerts",
    "Alerts a minute that Alertmanagers took, did not take when they were sent (they are tried again), and that were "
    "dropped.",
    query(a_minute(f"{NOTIFICATIONS}sent_total"), "sent"),
    query(a_minute(f"{NOTIFICATIONS}errors_total"), "failed"),
    query(a_minute(f"{NOTIFICATIONS}dropped_total"), "dropped"),
    axis="alerts a minute",
    colours=FAILURES,
)
waiting = panels.timeseries(
    "Alerts that wait",
    "By the Alertmanager that they wait for. One that only grows is an Alertmanager that does not answer.",
    query(f"max by (alertmanager) ({select(f'{NOTIFICATIONS}queue_length')})", "{{alertmanager}}"),
    query(f"max({select(f'{NOTIFICATIONS}queue_capacity')})", "capacity"),
    overrides=[override("capacity", **DASHED | {"color": colour("red")})],
)
clients = panels.timeseries(
    "WebSocket clients",
    "Pages and others that listen for new errors.",
    query(total(select(f"{WEBSOCKET}clients")), "clients"),
)
messages = panels.timeseries(
    "WebSocket messages",
    "Updates a second that were sent, and those that a client was too slow for.",
    query(a_second(f"{WEBSOCKET}messages_sent_total"), "sent"),
    query(a_second(f"{WEBSOCKET}messages_dropped_total"), "dropped"),
    unit="ops",
    colours=FAILURES,
)
scrape_time = panels.timeseries(
    "Scrape duration",
    "How long Prometheus waits for the metrics. It must stay far below the interval of 15 s.",
    query(f"max by (instance) ({ours(select('scrape_duration_seconds'))})", "{{instance}}"),
    unit="s",
)
scrape_samples = panels.timeseries(
    "Scraped series",
    "What a scrape brings: it grows with workers and error types, up to the limits of the settings.",
    query(f"max by (instance) ({ours(select('scrape_samples_scraped'))})", "{{instance}}"),
)
cpu = panels.timeseries(
    "CPU of the service",
    "Cores in use by the process that answers. The store's process is not in it.",
    query(ours(f"rate({select('process_cpu_seconds_total')}[$__rate_interval])"), "{{instance}}"),
)
memory = panels.timeseries(
    "Memory of the service",
    "Resident memory of the process that answers. The store's process is not in it.",
    query(f"max by (instance) ({ours(select('process_resident_memory_bytes'))})", "{{instance}}"),
    unit="bytes",
)

dashboard = frame.dashboard(
    "exporter",
    "The service itself",
    "Whether the service takes the errors, keeps them, and tells of them.",
    shelf(4, (4, up), (4, database_up), (4, queue_used), (4, rejected_count), (4, undelivered), (4, version)),
    Row("Ingest"),
    shelf(9, (8, received), (8, latency_map), (8, latency)),
    shelf(8, (12, rejections), (12, queue)),
    Row("Store"),
    shelf(8, (6, commit), (6, batch), (6, size), (6, failures)),
    Row("Who is told"),
    shelf(8, (6, notifications), (6, waiting), (6, clients), (6, messages)),
    Row("What it costs"),
    shelf(8, (6, scrape_time), (6, scrape_samples), (4, folded), (4, cpu), (4, memory)),
    refresh="1m",
)
