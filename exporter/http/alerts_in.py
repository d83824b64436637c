"""Handler of `POST /api/alerts`, to which Alertmanager sends its webhooks."""

from typing import Final

from aiohttp import web

from exporter.http.foreign_reports import encoded, outcome_of, read_message, store
from exporter.http.report_body import JSON, report_body
from exporter.http.responses import SERVICE, success
from exporter.protocols.alertmanager import read_alerts

MAX_RETRY_SECONDS: Final = 30


async def alerts(request: web.Request) -> web.Response:
    """POST /api/alerts: each firing alert is an error. Alertmanager sends the message again after a 5xx."""
    body = await report_body(request, (JSON,))

    def read() -> tuple[list[bytes], int]:
        found = read_alerts(body)
        return encoded(found.reports), found.skipped

    reports, skipped = await read_message(read, len(body))
    request.app[SERVICE].metrics.items_skipped.labels("alertmanager").inc(skipped)
    outcome = outcome_of(await store(request, reports, "alertmanager"), MAX_RETRY_SECONDS)
    return success({"stored": outcome.ids, "skipped": skipped, "refused": outcome.refused})
