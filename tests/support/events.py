"""Makes error events for tests and appends them to a log."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from exporter.events.event import ErrorEvent, encode_batch
from exporter.log.embedded import EmbeddedLog, new_identity


def event(number: int = 1, **fields: Any) -> ErrorEvent:
    """Returns a critical event of the worker `w`, received now, with the id `number`. Its report has the message and
    `traceback`."""
    now = dt.datetime.now(dt.UTC)
    sent = {"worker_id": "w", "message": fields.get("message", "m"), "traceback": fields.pop("traceback", None)}
    values = {
        "id": number, "event_id": f"e{number}", "timestamp": now, "received_at": now, "worker_id": "w", "type": "T",
        "category": "C", "message": "m", "severity": "critical", "reasons": ("because",), "fingerprint": "f" * 16,
        "pattern": "m", "is_recurring": False, "is_system_critical": False, "hardware_type": None,
        "hardware_error": False, "body": json.dumps(sent),
    }  # fmt: skip
    return ErrorEvent(**(values | fields))


def append(log: EmbeddedLog, *batches: Sequence[ErrorEvent]) -> list[ErrorEvent]:
    """Appends batches as the batcher does, and returns all events with their ids."""
    if not log.identity:
        log.initialise(new_identity(), 0)
    for batch in batches:
        first = log.append(encode_batch(list(batch)), len(batch))
        for id_, one in enumerate(batch, first):
            one.id = id_
    return [one for batch in batches for one in batch]
