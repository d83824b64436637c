"""Dashboard of the service itself: whether it accepts reports, stores them and sends notifications."""

from grafanalib import core

from grafana import frame, panels, tiles
from grafana.layout import Row, shelf
from grafana.links import page
from grafana.panels import COUNT, DASHED, colour, moment, override, query, words
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
    "Down: the last append to the log failed, or the database does not follow the log. See the rule StorageFailing.",
    moment(f"min({select('distributed_testing_database_up')})"),
    limits=tiles.DOWN,
    mappings=[tiles.UP],
)
queue_used = panels.stat(
    "Queue in use",
    "Used share of the queue of reports that wait to be written. When it is full, reports are answered with 503. Red "
    "from 50 %, the threshold of the rule IngestQueueFilling.",
    moment(f"max({select(QUEUE)} / ({select(CAPACITY)} > 0))"),
    unit="percentunit",
    limits=(("green", None), ("orange", 0.25), ("red", 0.5)),
)
rejected_count = panels.stat(
    "Rejected reports",
    "Reports rejected in the time range. The rule ReportsRejected fires at more than ten in ten minutes.",
    moment(grown("distributed_testing_reports_rejected_total")),
    limits=(("green", None), ("orange", 1)),
)
undelivered = panels.stat(
    "Dropped alerts",
    "Alerts dropped in the time range because the queue for an Alertmanager was full: nobody was notified.",
    moment(otherwise(grown(f"{NOTIFICATIONS}dropped_total"), -1)),
    limits=BAD,
    mappings=[words({-1: ("no Alertmanager", "transparent")})],
)
version = panels.stat(
    "Version",
    "The running version, and the commit that it was built from.",
    moment(f"sum by (version, revision) ({select(SERVICE)})", "{{version}} {{revision}}"),
    text="name",
)
received = panels.timeseries(
    "Reports",
    "Received reports per second, by protocol. `repeated` counts reports whose id was stored before.",
    query(a_second("distributed_testing_reports_received_total", by="protocol"), "{{protocol}}"),
    query(a_second("distributed_testing_reports_duplicate_total"), "repeated"),
    unit="reqps",
    links=[page("Errors")],
    overrides=[override("repeated", color=colour("text"))],
)
latency_map = panels.heatmap(
    "Ingest latency, all requests",
    "Time from a request's body to its commit. The colour shows how many requests a second had a duration.",
    query(a_second(f"{INGEST}_bucket", by="le"), "{{le}}", form="heatmap"),
    unit="s",
)
latency = quantiles("Ingest latency", "From a request's body to its commit: 50 %, 90 % and 99 % were faster.", INGEST)
rejections = panels.timeseries(
    "Rejections by reason",
    "Rejected reports per minute. malformed, invalid_field, too_large, unsupported_…: a worker sends invalid reports. "
    "queue_full, store_failed: the service cannot store reports fast enough; workers retry.",
    query(a_minute("distributed_testing_reports_rejected_total", by="reason"), "{{reason}}"),
    axis="reports a minute",
    stack=True,
)
queue = panels.timeseries(
    "Queue",
    "Reports waiting to be written, and the capacity of the queue.",
    query(f"max({select(QUEUE)})", "waiting"),
    query(f"max({select(CAPACITY)})", "capacity"),
    overrides=[override("capacity", **DASHED | {"color": colour("red")})],
    whole=True,
)
commit = quantiles("Commit time", "Duration of one commit: 50 %, 90 % and 99 % of the commits were faster.", COMMIT)
batch = panels.timeseries(
    "Batch size",
    "Average number of errors per commit. It grows with the load, so that the service keeps up.",
    query(f"{a_second(f'{BATCH}_sum')} / ({a_second(f'{BATCH}_count')} > 0)", "errors"),
)
size = panels.timeseries(
    "Database size",
    "Size of the database and the log on disk.",
    query(total(select("distributed_testing_database_size_bytes"), "instance"), "{{instance}}"),
    unit="bytes",
)
failures = panels.timeseries(
    "Failed transactions",
    "Failed appends to the log per minute. Their reports were answered with 503; workers retry them.",
    query(a_minute("distributed_testing_database_errors_total"), "failed"),
    axis="transactions a minute",
    colours=FAILURES,
)
folded = panels.timeseries(
    "Folded label values",
    "Errors per minute whose worker, type, category or hardware type was counted as `other`, because a limit is "
    "reached (rule SeriesLimitReached). The database keeps the original values.",
    query(a_minute("distributed_testing_label_values_folded_total", by="label"), "{{label}}"),
    axis="errors a minute",
    stack=True,
)
notifications = panels.timeseries(
    "Pushed alerts",
    "Alerts per minute: sent (accepted by an Alertmanager), failed (not accepted; most are retried) and dropped (the "
    "queue was full).",
    query(a_minute(f"{NOTIFICATIONS}sent_total"), "sent"),
    query(a_minute(f"{NOTIFICATIONS}errors_total"), "failed"),
    query(a_minute(f"{NOTIFICATIONS}dropped_total"), "dropped"),
    axis="alerts a minute",
    colours=FAILURES,
)
waiting = panels.timeseries(
    "Queued alerts",
    "Alerts waiting to be sent, by Alertmanager. A queue that only grows means that its Alertmanager does not answer.",
    query(f"max by (alertmanager) ({select(f'{NOTIFICATIONS}queue_length')})", "{{alertmanager}}"),
    query(f"max({select(f'{NOTIFICATIONS}queue_capacity')})", "capacity"),
    overrides=[override("capacity", **DASHED | {"color": colour("red")})],
    whole=True,
)
clients = panels.timeseries(
    "WebSocket clients",
    "Open pages and other clients that receive new errors.",
    query(total(select(f"{WEBSOCKET}clients")), "clients"),
    whole=True,
)
messages = panels.timeseries(
    "WebSocket messages",
    "Updates per second: sent, and dropped because a client read too slowly.",
    query(a_second(f"{WEBSOCKET}messages_sent_total"), "sent"),
    query(a_second(f"{WEBSOCKET}messages_dropped_total"), "dropped"),
    unit="ops",
    colours=FAILURES,
)
scrape_time = panels.timeseries(
    "Scrape duration",
    "Time that Prometheus waits for the metrics. It must stay far below the scrape interval (15 s as shipped).",
    query(f"max by (instance) ({ours(select('scrape_duration_seconds'))})", "{{instance}}"),
    unit="s",
)
scrape_samples = panels.timeseries(
    "Scraped series",
    "Series per scrape. The number grows with workers and error types, up to the limits in the settings.",
    query(f"max by (instance) ({ours(select('scrape_samples_scraped'))})", "{{instance}}"),
    unit=COUNT,
    whole=True,
)
cpu = panels.timeseries(
    "CPU of the service",
    "CPU cores used by the HTTP process, without the store process.",
    query(ours(f"rate({select('process_cpu_seconds_total')}[$__rate_interval])"), "{{instance}}"),
)
memory = panels.timeseries(
    "Memory of the service",
    "Resident memory of the HTTP process, without the store process.",
    query(f"max by (instance) ({ours(select('process_resident_memory_bytes'))})", "{{instance}}"),
    unit="bytes",
)

dashboard = frame.dashboard(
    "exporter",
    "The service itself",
    "Whether the service accepts reports, stores them and sends notifications.",
    shelf(4, (4, up), (4, database_up), (4, queue_used), (4, rejected_count), (4, undelivered), (4, version)),
    Row("Ingest"),
    shelf(9, (8, received), (8, latency_map), (8, latency)),
    shelf(8, (12, rejections), (12, queue)),
    Row("Store"),
    shelf(8, (6, commit), (6, batch), (6, size), (6, failures)),
    Row("Notifications"),
    shelf(8, (6, notifications), (6, waiting), (6, clients), (6, messages)),
    Row("Resource use"),
    shelf(8, (6, scrape_time), (6, scrape_samples), (4, folded), (4, cpu), (4, memory)),
    refresh="1m",
)
