"""Redaction of whole reports: the JSON stays JSON of the same shape, and only secrets are replaced."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ingest.parse import parse_report
from exporter.ingest.past import Past
from exporter.ingest.pipeline import Batch, Pipeline, Submission
from exporter.ingest.severity import Thresholds
from exporter.redaction.mark import MAX_PLACES
from exporter.redaction.redact import Redaction
from exporter.redaction.reduced import MARK
from exporter.redaction.rules_file import UserRules

pytestmark = pytest.mark.dashboard

AWS = "AKIA" + "Q3EGPLACEHOLDER7"
GITHUB = "ghp_" + "a1B2" * 9


def redacted(report: Any, redaction: Redaction | None = None) -> Any:
    return json.loads((redaction or Redaction()).redact(json.dumps(report).encode()))


def test_a_report_without_a_secret_is_returned_as_it_is() -> None:
    body = b'{"worker_id": "w",  "message": "CUDA out of memory", "n": 1e400, "n": 12345678901234567890123}'
    assert Redaction().redact(body) is body


def test_everything_but_the_secret_stays_byte_for_byte() -> None:
    body = b'{ "a" : 1e400, "a":NaN, "password" : "hunter2" , "b": "\\u00e9\\/", "c": -0.0 }'
    assert Redaction().redact(body) == body.replace(b'"hunter2"', b'"[redacted:password]"')


PLACES: list[tuple[str, Any, Any]] = [
    ("a text", {"message": "password=hunter2"}, {"message": "password=[redacted:password]"}),
    ("an unknown field", {"a": {"b": [{"c": GITHUB}]}}, {"a": {"b": [{"c": "[redacted:github-token]"}]}}),
    ("a key", {"a": {GITHUB: 1}}, {"a": {"[redacted:github-token]": 1}}),
    ("a value by its key", {"env": {"DB_PASSWORD": "hunter2"}}, {"env": {"DB_PASSWORD": "[redacted:password]"}}),
    ("a number by its key", {"password": 12345678}, {"password": "[redacted:password]"}),
    ("true and null stay", {"password": True, "secret": None}, {"password": True, "secret": None}),
    ("a count stays", {"token": 512, "tokens": 4096}, {"token": 512, "tokens": 4096}),
    ("a known form by its key", {"password": AWS}, {"password": "[redacted:aws-key]"}),
    ("a list by its key", {"secrets": ["a1b2", "c3d4"]}, {"secrets": ["[redacted:secret]"] * 2}),
    (
        "an object by its key",
        {"credentials": {"user": "ci", "value": "a1b2", "n": 1}},
        {"credentials": {"user": "ci", "value": "[redacted:credential]", "n": 1}},
    ),
    (
        "name and value",
        {"env": [{"name": "DB_PASSWORD", "value": "x9"}, {"name": "A", "value": "b"}]},
        {"env": [{"name": "DB_PASSWORD", "value": "[redacted:password]"}, {"name": "A", "value": "b"}]},
    ),
    ("an argument", {"argv": ["a", "--password", "x9", "b"]}, {"argv": ["a", "--password", "[redacted:password]", "b"]}),
    ("a flag follows", {"argv": ["a", "--password", "--user", "b"]}, {"argv": ["a", "--password", "--user", "b"]}),
    (
        "a key in lines",
        {"lines": ["-----BEGIN PRIVATE KEY-----", "QUJD" * 16, "-----END PRIVATE KEY-----", "after"]},
        {"lines": ["-----BEGIN PRIVATE KEY-----", "[redacted:private-key]", "-----END PRIVATE KEY-----", "after"]},
    ),
    ("a key without its beginning", {"m": "QUJD" * 16 + "\n-----END PRIVATE KEY-----"},
     {"m": "[redacted:private-key]\n-----END PRIVATE KEY-----"}),
    ("a card number", {"pan": 4111111111111111}, {"pan": "[redacted:card-number]"}),
    ("parts of numbers", {"a": [-38605940876909, 0.4111111111111111]}, {"a": [-38605940876909, 0.4111111111111111]}),
    ("JSON in a text", {"m": '{"password":"x\\"9"}'}, {"m": '{"password":"[redacted:password]"}'}),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), [pytest.param(*case[1:], id=case[0]) for case in PLACES])
def test_secrets_are_replaced_at_every_place(sent: Any, expected: Any) -> None:
    assert redacted({"worker_id": "w"} | sent) == {"worker_id": "w"} | expected


def test_identities_stay() -> None:
    sent = {"worker_id": f"w password=hunter2 {AWS}", "event_id": GITHUB, "timestamp": 4111111111111111, "a": AWS}
    assert redacted(sent) == sent | {"a": "[redacted:aws-key]"}


@pytest.mark.parametrize("blanks", ["", " " * 100, "\t\r\n" * 1_000])
@pytest.mark.parametrize("escape", ["_", r"\u005f", r"\u005F"])
def test_identities_stay_however_their_keys_are_written(escape: str, blanks: str) -> None:
    values = {"worker_id": f'"{AWS}"', "event_id": "4111111111111111"}
    pairs = [f'"{key.replace("_", escape)}"{blanks}:{blanks}{value}' for key, value in values.items()]
    body = ("{" + ",".join(pairs) + blanks + "}").encode()
    assert Redaction().redact(body) == body
    assert Redaction().redact(body.replace(b"id", b"ix")).count(b"[redacted:") == len(values)


def test_reports_are_told_apart_by_their_ids_as_sent_also_if_a_rule_of_users_marks_them() -> None:
    redaction = Redaction(UserRules(keys={"event_id": "id"}))
    pipeline = Pipeline(Past(), thresholds=Thresholds(), zone=dt.UTC, redaction=redaction)
    batch = Batch()
    for secret in ("a1b2c3d4e5", "f6a7b8c9d0"):
        body = json.dumps({"worker_id": "w", "message": "m", "event_id": secret}).encode()
        assert b"[redacted:id]" in redaction.redact(body)
        pipeline.prepare(Submission(body, dt.datetime.now(dt.UTC), None), batch)
    assert [event.event_id for event in batch.events] == ["a1b2c3d4e5", "f6a7b8c9d0"]


@pytest.mark.parametrize("value", ["****", "<password>", "${DB_PASSWORD}", "None", "null", "", "[redacted:password]"])
def test_placeholders_stay(value: str) -> None:
    for report in ({"password": value}, {"message": f"password={value}"}, {"message": f"{{'password': '{value}'}}"}):
        assert redacted(report) == report


def test_escaped_texts_are_found() -> None:
    assert json.loads(Redaction().redact(rb'{"m":"https:\/\/ci:x9@a\/?b=1\u0026token\u003da1b2c3d4e5f6"}')) == {
        "m": "https://ci:[redacted:url-password]@a/?b=1&token=[redacted:query]"
    }
    body = rb'{"m":"\ud83d password=hunter2 \ud800"}'
    assert Redaction().redact(body) == body.replace(b"hunter2", b"[redacted:password]")


def test_emails_and_addresses_are_replaced_only_by_setting() -> None:
    report = {"message": "mail ops@lab.example from 10.0.0.17 and 2001:db8::1"}
    assert redacted(report) == report
    assert redacted(report, Redaction(emails=True))["message"].startswith("mail [redacted:email] from 10.0.0.17")
    with_both = redacted(report, Redaction(emails=True, ip_addresses=True))
    assert with_both["message"] == "mail [redacted:email] from [redacted:ip-address] and [redacted:ip-address]"
    times = {"message": "at 12:34:56, version 1.2.3, 00:1a:2b:3c:4d:5e, std::vector, a::b"}
    assert redacted(times, Redaction(ip_addresses=True)) == times


def test_marks_are_counted_by_rule() -> None:
    redaction = Redaction()
    redacted({"message": f"password=hunter2 {AWS} {AWS}"}, redaction)
    assert {rule: count for rule, count in redaction.counts.items() if count} == {"password": 1, "aws-key": 2}
    assert redaction.counts["jwt"] == 0
    assert "email" not in redaction.counts


@pytest.mark.parametrize(
    "many",
    [
        {"message": "password=hunter2 " * MAX_PLACES * 2},
        {"message": "m", "list": [f"password=hunter{number}" for number in range(MAX_PLACES * 2)]},
        {"message": "m", "traceback": "-----BEGIN PRIVATE KEY-----\nhunter2hunter2xx" * MAX_PLACES * 2},
        {"message": "password=hunter2 " * 20_000, "system_context": {"a": ["password=hunter2"] * 2_000}},
    ],
    ids=["text", "strings", "keys", "fields"],
)
def test_a_report_with_too_many_places_is_reduced_and_leaks_nothing(many: dict[str, Any]) -> None:
    redaction = Redaction()
    sent = {"worker_id": "w", "type": "E"} | many | {"event_id": "one"}
    body = redaction.redact(json.dumps(sent).encode())
    assert b"hunter" not in body
    read = json.loads(body)
    assert (read["worker_id"], read["type"], read["event_id"], read[MARK]) == ("w", "E", "one", "unknown fields")
    assert redaction.counts["unchecked"] == 1
    assert parse_report(body)[0].worker_id == "w"


def test_a_reduced_report_may_be_one_that_only_python_reads() -> None:
    body = b'{"worker_id":"w","message":"' + b"password=hunter2 " * 2_000 + b'","a":NaN}'
    assert b"hunter" not in Redaction().redact(body)


def test_what_is_no_json_is_not_an_error() -> None:
    for body in (
        b'{"password": "hunter2',
        b"password",
        b'"',
        b'{"password":',
        b"\xff\xfe",
        b'{"token":"\xff a1b2c3d4"}',
        rb'{"message":"password=hunter2 \x41"}',
        b'{"message":"password=hunter2 \x01"}',
        b'{"message":"password=hunter2 \xff"}',
        b'{"message":"password=hunter2","a":"token=a1b2c3d4 \xff"}',
    ):
        with pytest.raises(ValueError):
            json.loads(body)
        assert Redaction().redact(body) is body


EXAMPLES = settings(deadline=None, derandomize=True, database=None)  # the same examples in every run
WORDS = st.sampled_from([
    "password", "token", "secret", "=", ": ", '"', "'", "\\", "\n", " ", "hunter2", AWS, GITHUB, "://u:p9@h/", "Bearer ",
    "Authorization: ", "Cookie: a=b", "-----BEGIN PRIVATE KEY-----", "QUJD" * 8, "4111 1111 1111 1111", "--password ",
    "{", "}", "[", "]", "é", "\ud83d", "\x00", "[redacted:password]", "null", "?sig=a1b2c3d4", ",", "<password>", "</",
])  # fmt: skip
TEXTS = st.lists(WORDS, max_size=8).map("".join) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(EXAMPLES, max_examples=300)
@given(report=st.dictionaries(TEXTS, JSON, max_size=4), ascii_only=st.booleans())
def test_any_report_stays_json_of_the_same_shape_and_redaction_is_idempotent(
    report: dict[str, Any], ascii_only: bool
) -> None:
    try:
        body = json.dumps(report, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can only write as an escape
        body = json.dumps(report).encode()
    redaction = Redaction(emails=True, ip_addresses=True)
    once = redaction.redact(body)
    assert list(_shape(_pairs(once))) == list(_shape(_pairs(body)))
    assert redaction.redact(once) == once
    for form in (AWS, GITHUB):
        assert re.search(rf"(?<![\w-]){form}(?![\w-])", once.decode()) is None


@settings(EXAMPLES, max_examples=200)
@given(before=TEXTS, after=TEXTS)
def test_texts_before_and_after_a_secret_stay_if_they_have_none(before: str, after: str) -> None:
    redaction = Redaction()
    alone = [redaction.redact_text(text) == text for text in (f"{before}\n", f"\n{after}")]
    if all(alone) and "PRIVATE KEY" not in before + after and not re.search(r"[=:,'\"\[(]\s*$", before):
        assert redaction.redact_text(f"{before}\n{AWS}\n{after}") == f"{before}\n[redacted:aws-key]\n{after}"


def _pairs(body: bytes) -> Any:
    """Decodes JSON. Objects become tuples of pairs, because two keys may become one mark."""
    return json.loads(body, object_pairs_hook=tuple)


def _shape(value: Any) -> Iterator[str]:
    """Yields the kinds of containers and the number of their items; keys and values may be replaced."""
    if isinstance(value, tuple):
        yield f"object {len(value)}"
        for _, item in value:
            yield from _shape(item)
    elif isinstance(value, list):
        yield f"array {len(value)}"
        for item in value:
            yield from _shape(item)
    else:
        yield "value"
