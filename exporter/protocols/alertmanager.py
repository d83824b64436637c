"""Firing alerts of a webhook of Alertmanager (version 4) become error reports; what fits no field is under `alert`.

    worker_id   labels worker | worker_id | Hostname | instance without its port | node | host | pod | "alertmanager"
    type        label alertname
    message     annotations summary | message | description | alertname
    timestamp   startsAt
    event_id    fingerprint and startsAt: an alert that is sent again every hour is stored once
    devices     labels UUID, pci_bus_id, gpu, as NVIDIA's exporter has them

Our own alerts are left out, so that none comes back as an error and makes the next alert.
"""

import hashlib
from typing import Any, Final, NamedTuple

import msgspec

from exporter.protocols.bounds import Bounds
from exporter.protocols.identity import named, without_empty
from exporter.protocols.json_value import MessageError, object_of, objects_of, read_object, text_of

MAX_ALERTS: Final = 10_000  # of one message
OWN: Final = ("push", "rule")  # values of the label `source` of alerts of this service and of its rules
WORKER: Final = ("worker", "worker_id", "Hostname", "instance", "node", "host", "hostname", "pod")
RUN: Final = {"id": ("run_id",), "job": ("run_job",), "commit": ("commit",), "branch": ("branch",)}
DEVICE: Final = {
    "uuid": ("UUID", "uuid", "gpu_uuid"), "serial": ("serial",), "pci": ("pci_bus_id", "pci"), "index": ("gpu",),
}  # fmt: skip
_encode = msgspec.json.Encoder(order="deterministic").encode


class Alerts(NamedTuple):
    """`reports` of the alerts that fire; `skipped` counts those that are resolved, and our own."""

    reports: list[dict[str, Any]]
    skipped: int


def read_alerts(body: bytes) -> Alerts:
    """Returns the reports of a message. Raises `MessageError`."""
    sent = read_object(body)
    if not isinstance(sent.get("alerts"), list):
        raise MessageError("expected a webhook message of Alertmanager, an object with the list `alerts`")
    alerts = objects_of(sent["alerts"])
    if len(alerts) > MAX_ALERTS:
        raise MessageError(f"more than {MAX_ALERTS} alerts in one message")
    firing = [one for one in alerts if _fires(one)]
    return Alerts([_report(one, sent) for one in firing], len(sent["alerts"]) - len(firing))


def _fires(alert: dict[str, Any]) -> bool:
    return alert.get("status") != "resolved" and text_of(object_of(alert.get("labels")).get("source")) not in OWN


def _report(alert: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    labels, annotations = object_of(alert.get("labels")), object_of(alert.get("annotations"))
    name = text_of(labels.get("alertname")) or "Alert"
    texts = [text_of(annotations.get(one)) for one in ("summary", "message", "description")]
    starts = text_of(alert.get("startsAt"))
    device = named(DEVICE, labels.get)
    bounds = Bounds()
    hardware = text_of(labels.get("hardware_type"))
    return without_empty({
        "worker_id": _worker(labels),
        "type": name,
        "message": next(filter(None, texts), name),
        "timestamp": starts or None,
        "event_id": _event_id(alert, labels, starts),
        "error_category": text_of(labels.get("error_category")) or text_of(labels.get("category")),
        "hardware_context": {"hardware_type": hardware} if hardware else None,
        "run": named(RUN, labels.get),
        "devices": [{"kind": "gpu", **device}] if "uuid" in device or "pci" in device else None,
        "alert": without_empty({
            "severity": bounds.keep(labels.get("severity")),
            "labels": bounds.keep(labels),
            "annotations": bounds.keep(annotations),
            "url": bounds.keep(text_of(alert.get("generatorURL"))),
            "receiver": bounds.keep(text_of(sent.get("receiver"))),
            "alertmanager": bounds.keep(text_of(sent.get("externalURL"))),
        }),
    })  # fmt: skip


def _worker(labels: dict[str, Any]) -> str:
    for name in WORKER:
        if worker := text_of(labels.get(name)).strip():
            host, _, port = worker.rpartition(":")
            return host if name == "instance" and host and port.isdecimal() else worker
    return "alertmanager"


def _event_id(alert: dict[str, Any], labels: dict[str, Any], starts: str) -> str:
    """Returns an id that is the same whenever this firing of the alert is sent; "" if nothing tells firings apart."""
    if not starts:
        return ""
    fingerprint = text_of(alert.get("fingerprint"))[:64]
    return f"{fingerprint or hashlib.blake2b(_encode(labels), digest_size=8).hexdigest()}-{starts[:64]}"
