"""Redaction holds the event loop for a short time only, whatever is sent."""

import datetime as dt
from time import perf_counter

import pytest

from exporter.events.event import ErrorEvent
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Refusal, Submission
from exporter.ingest.severity import Thresholds
from exporter.redaction.redact import Redaction

pytestmark = pytest.mark.dashboard

MOST = 2.0  # seconds, also on a busy machine; each takes less than 0.2 s on an idle one
START = b'{"worker_id":"w","message":"m","a":'
KEYS = b'{"token":{' + b",".join([b'"key%d":1' % number for number in range(199)]) + b"}}"
PAIRS = b",".join([b'"token":"a1b2c3d4e5"'] * 190_000)
SENT = {
    "a long end that is no JSON": (b'{"token":[' * 100 + b"0" * 1_000_000, Refusal),
    "keys": (START + b"[" + b",".join([KEYS] * 2_000) + b"]}", ErrorEvent),
    "nested and not closed": (b'{"token":[' * 360_000, Refusal),
    "nested": (START + b'{"token":[' * 300_000 + b"]}" * 300_000 + b"}", Refusal),
    "many places and no JSON": (b'{"message":"' + b"token=a1b2c3d4 " * 260_000 + b'" x}', Refusal),
    "many places in the text of a secret": (
        START + b'1,"password":"' + b"token=a1b2c3d4 " * 260_000 + b'"}',
        ErrorEvent,
    ),
    "places without a secret": (START + b'1,"password":"' + b"token=the " * 390_000 + b'"}', ErrorEvent),
    "an object as identity": (b'{"worker_id":{' + PAIRS + b'},"message":"m"}', Refusal),
}


@pytest.mark.parametrize("name", SENT)
def test_a_large_report_takes_a_short_time(name: str) -> None:
    body, expected = SENT[name]
    pipeline = Pipeline(Past(), thresholds=Thresholds(), zone=dt.UTC, redaction=Redaction())
    start = perf_counter()
    prepared = pipeline.prepare(Submission(body, dt.datetime.now(dt.UTC), None), Batch())
    assert perf_counter() - start < MOST
    assert isinstance(prepared, expected)
    assert not isinstance(prepared, ErrorEvent) or "a1b2c3d4" not in prepared.body


@pytest.mark.parametrize("name", SENT)
def test_redaction_alone_takes_a_short_time(name: str) -> None:
    start = perf_counter()
    Redaction().redact(SENT[name][0])
    assert perf_counter() - start < MOST
