"""End to end: a report, the service, the real Prometheus and Alertmanager, stand-ins for Slack and the mail server."""

import asyncio
import datetime as dt
import itertools
import json
import re
import time
import urllib.parse
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORT, Served, eventually
from stack import Hung, Mail, Slack, Stack, free_port, get, in_thread, needs_stack, post_alerts, slack_faults, wait

from exporter.demo.fleet import story

pytestmark = [pytest.mark.dashboard, needs_stack]
HOSTILE = '<!channel> <http://evil|click> ```code``` *bold* {{ .Alerts }} {{ template "x" }}\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script> & '


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    one = Slack()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    one = Mail(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    one = Stack(tmp_path)
    yield one
    one.stop()


async def started(stack: Stack, slack: Slack, mail: Mail) -> str:
    """Starts an Alertmanager that notifies both; returns its address."""
    stack.configure_alertmanager(slack.port, mail.port)
    port = free_port()
    await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))
    return f"http://127.0.0.1:{port}"


def slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fields(message: dict[str, Any]) -> dict[str, str]:
    return {field["title"]: field["value"] for field in message["attachments"][0]["fields"]}


async def test_a_critical_error_is_in_slack_and_in_the_mailbox_within_five_seconds(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    alertmanager = await started(stack, slack, mail)
    service = await in_thread(served, "--alertmanager-url", alertmanager, "--external-url", "http://errors.here")
    at = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat(timespec="seconds").replace("+00:00", ".000Z")
    run = {"id": "nightly/4711", "job": "nightly --password=opensesame", "commit": "1a2b3c4", "branch": "main"}
    sent = {"traceback": "Traceback\n  in allocate\nMemoryError", "timestamp": at, "run": run}
    began = time.monotonic()
    id_ = (await in_thread(service.post, sent))["id"]
    await eventually(lambda: slack.messages and mail.messages)
    assert time.monotonic() - began < 5
    (message,) = slack.messages
    attachment = message["attachments"][0]
    link = f"http://errors.here/error-visualization?error={id_}"
    assert fields(message) == {
        "Type": "ResourceError", "Category": "RESOURCE_EXHAUSTED", "Worker": "worker-1", "Time": at,
    }  # fmt: skip
    assert attachment["title"] == "🚨 Critical Error Detected 🚨"
    assert attachment["pretext"] == "🚨 *CRITICAL ERROR DETECTED* 🚨"
    end = "Traceback\n  in allocate\nMemoryError"
    run_link = "http://errors.here/error-visualization?view=run%3Anightly%2F4711"
    name = (await in_thread(get, f"{alertmanager}/api/v2/alerts"))[0]["annotations"]["run"]
    assert re.fullmatch(r"nightly/4711 \(nightly --password=.+, commit 1a2b3c4 on main\)", name)
    assert "opensesame" not in name
    assert attachment["text"].strip() == (
        f"*Message:*\n```Failed to allocate GPU memory```\nRun: <{run_link}|{slack_text(name)}>\n```{end}```"
    )
    shown = await in_thread(service.get, "/api/runs/nightly%2F4711")  # what the view of the link asks for
    assert shown["id"] == "nightly/4711"
    buttons = {one["text"]: one["url"] for one in attachment["actions"]}
    assert list(buttons) == ["View in Dashboard", "Pattern", "Silence", "Runbook"]
    assert buttons["View in Dashboard"] == link
    pattern = (await in_thread(service.get, f"/api/errors/{id_}"))["pattern_id"]
    assert buttons["Pattern"] == f"http://errors.here/error-visualization?pattern={pattern}"
    assert buttons["Runbook"] == "http://errors.here/runbooks/CriticalError"
    assert urllib.parse.unquote(buttons["Silence"].partition("/#/silences/new?filter=")[2]).startswith(
        f'{{fingerprint="{pattern}",service="'
    )
    (letter,) = mail.messages
    assert letter["Subject"] == "CRITICAL ERROR: RESOURCE_EXHAUSTED in worker-1"
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for said in ("CRITICAL ERROR DETECTED", "Type: ResourceError", "Category: RESOURCE_EXHAUSTED", "Worker: worker-1",
                 f"Time: {at}", f"Run: {name}", f"Run in Dashboard: {run_link}",
                 "Message:\nFailed to allocate GPU memory", "in allocate\nMemoryError",
                 f"View in Dashboard: {link}", "http://errors.here/runbooks/CriticalError"):  # fmt: skip
        assert said in text.replace("\r\n", "\n")
    html = letter.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f'href="{link}"' in html
    assert f'href="{run_link}"' in html
    assert "opensesame" not in text + html
    assert "Failed to allocate GPU memory" in html
    metrics = service.metrics()
    name = alertmanager.removeprefix("http://")
    assert metrics[f'distributed_testing_notifications_sent_total{{alertmanager="{name}"}}'] == 1
    assert slack.refused == []


async def test_without_the_push_the_rule_tells_of_a_worker_and_a_type_never_seen(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    alertmanager = await started(stack, slack, mail)
    service = await in_thread(served, "--external-url", "http://errors.here")
    await in_thread(service.post, {"error_category": "TEST_FAILURE"})
    interval = 2
    prometheus = await in_thread(
        lambda: stack.start_prometheus(service.url, int(alertmanager.rpartition(":")[2]), interval=f"{interval}s")
    )
    await in_thread(wait, lambda: ask(prometheus, "count_over_time(up{job='error-visualization'}[1m]) > 1"))
    began = time.monotonic()
    await in_thread(service.post, {"worker_id": "never-seen", "type": "NeverSeen"})
    fired = 'ALERTS{alertname="CriticalErrors", alertstate="firing"}'
    await in_thread(wait, lambda: ask(prometheus, fired), 15.0)
    assert time.monotonic() - began < 2 * (interval + interval)  # two scrapes and two evaluations
    await eventually(lambda: slack.messages and mail.messages, 30)
    (message,) = slack.messages
    assert message["attachments"][0]["title"] == "Critical errors were reported."
    assert message["attachments"][0]["actions"][0]["text"] == "View in Dashboard"
    told = "NeverSeen (RESOURCE_EXHAUSTED) on never-seen"
    assert told in message["attachments"][0]["text"]
    (letter,) = mail.messages
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert told in " ".join(text.split())
    assert "http://errors.here/runbooks/CriticalErrors" in text
    assert message["attachments"][0]["title_link"].startswith("http://errors.here/error-visualization?")
    assert slack.refused == []


def ask(prometheus: str, query: str) -> dict[str, float]:
    """The answer of an instant query: from the labels' values, joined by commas, to the value."""
    found = get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")["data"]["result"]
    return {
        ",".join(v for k, v in sorted(one["metric"].items()) if k not in ("__name__", "job", "instance")): float(
            one["value"][1]
        )
        for one in found
    }


def test_the_guides_queries_tell_the_truth_after_a_restart_and_a_kill(
    stack: Stack, served: Callable[..., Served]
) -> None:
    reports = [moment.report for moment in itertools.islice(story(6), 5_000)]
    port = free_port()
    service = served(port=port)
    prometheus = stack.start_prometheus(service.url, free_port())
    post_all(service, reports[:2_000])
    assert service.stop() == 0
    service = served(port=port)
    post_all(service, reports[2_000:4_000])
    service.kill()
    service = served(port=port)
    post_all(service, reports[4_000:])
    by_category = Counter(report["error_category"] for report in reports)
    by_worker = Counter(report["worker_id"] for report in reports)
    wait(lambda: sum(ask(prometheus, "sum by (category) (distributed_testing_errors_total)").values()) == 5_000)
    assert ask(prometheus, "sum(distributed_testing_errors_total) by (category)") == by_category
    assert ask(prometheus, "sum(distributed_testing_errors_total) by (worker)") == by_worker
    summary = service.get("/api/errors?time_range=1")["summary"]
    assert ask(prometheus, "distributed_testing_critical_errors") == {"": summary["critical_errors"]}
    assert ask(prometheus, "distributed_testing_error_rate") == {"": 5_000}  # all within the last minute
    # No counter went down over the restarts.
    assert sum(ask(prometheus, "resets(distributed_testing_errors_total[10m])").values()) == 0


def post_all(service: Served, reports: list[dict[str, Any]]) -> None:
    import urllib.request

    for start in range(0, len(reports), 500):
        body = json.dumps([{**report, "timestamp": None} for report in reports[start : start + 500]]).encode()
        request = urllib.request.Request(f"{service.url}/api/report-errors", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            assert json.load(response)["data"]["stored"] == len(reports[start : start + 500])


async def test_an_alertmanager_that_was_away_gets_each_alert_once(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    stack.configure_alertmanager(slack.port, mail.port)
    port = free_port()
    service = await in_thread(served, "--alertmanager-url", f"http://127.0.0.1:{port}", "--alert-resend-seconds", "1")
    slowest = 0.0
    for number in range(30):
        began = time.monotonic()
        await in_thread(service.post, {"type": f"Type{number % 3}", "message": f"message {number % 3}"})
        slowest = max(slowest, time.monotonic() - began)
    await asyncio.sleep(3)  # resends of an alert are coalesced in the queue
    name = f'{{alertmanager="127.0.0.1:{port}"}}'
    before = service.metrics()
    assert before[f"distributed_testing_notifications_queue_length{name}"] == 3
    assert before[f"distributed_testing_notifications_errors_total{name}"] > 0
    assert before[f"distributed_testing_notifications_dropped_total{name}"] == 0
    assert slowest < 1
    await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))
    await eventually(lambda: slack.messages and mail.messages, 45)
    await asyncio.sleep(3)
    (message,) = slack.messages  # they are one incident
    assert fields(message)["Type"] == "several"
    for number in range(3):
        assert f"Type{number}, 10 errors on worker-1" in message["attachments"][0]["text"]
    alerts = await in_thread(get, f"http://127.0.0.1:{port}/api/v2/alerts")
    assert {one["annotations"]["count"] for one in alerts} == {"10"}
    assert service.metrics()[f"distributed_testing_notifications_queue_length{name}"] in (0, 1, 2, 3)


async def test_a_message_about_the_service_names_no_workers(stack: Stack, slack: Slack, mail: Mail) -> None:
    alertmanager = await started(stack, slack, mail)
    labels = {
        "alertname": "ExporterDown",
        "severity": "critical",
        "source": "rule",
        "job": "tests",
        "instance": "a:8080",
    }
    one = {"labels": labels, "annotations": {"summary": "It is down.", "description": "a:8080 was not scraped."}}
    await in_thread(post_alerts, alertmanager, one, one | {"labels": labels | {"instance": "b:8080"}})
    await eventually(lambda: slack.messages and mail.messages)
    (message,), (letter,) = slack.messages, mail.messages
    assert message["attachments"][0]["fallback"] == "It is down. (2): tests"
    assert fields(message) | {"Time": ""} == {"Type": "ExporterDown", "Category": "none", "Worker": "none", "Time": ""}
    assert letter["Subject"] == "CRITICAL ERROR: ExporterDown in tests"
    for kind in ("plain", "html"):
        text = letter.get_body((kind,)).get_content()  # type: ignore[union-attr]
        assert "a:8080 was not scraped." in text
        assert not re.search("several|Worker|Category|Traceback", text), text


async def test_the_first_message_after_an_outage_tells_of_all_alerts_of_an_incident(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    """They come to Alertmanager in more than one push, and all of them began longer ago than its `group_wait`."""
    stack.configure_alertmanager(slack.port, mail.port)
    port = free_port()
    service = await in_thread(served, "--alertmanager-url", f"http://127.0.0.1:{port}")
    reports = [
        REPORT | {"type": f"Type{n}", "message": f"message {chr(97 + n % 26)}{chr(97 + n // 26)}"} for n in range(200)
    ]
    await in_thread(post_all, service, reports)
    await asyncio.sleep(3)
    await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))
    await eventually(lambda: slack.messages and mail.messages, 45)
    (message,) = slack.messages
    assert message["attachments"][0]["text"].endswith("and 195 more")


async def test_what_alertmanager_was_not_told_before_a_restart_it_is_told_after(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    stack.configure_alertmanager(slack.port, mail.port)
    port = free_port()
    flags = ("--alertmanager-url", f"http://127.0.0.1:{port}")
    service = await in_thread(served, *flags)
    await in_thread(lambda: [service.post({"traceback": "in f", "run": f"{n}"}) for n in range(3)])
    await in_thread(service.post, {"error_category": "TEST_X"})
    assert await in_thread(service.stop) == 0
    await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))
    await in_thread(served, *flags)
    await eventually(lambda: slack.messages and mail.messages)
    (alert,) = await in_thread(get, f"http://127.0.0.1:{port}/api/v2/alerts")
    assert alert["labels"]["worker"] == "worker-1"
    assert (alert["annotations"]["count"], alert["annotations"]["traceback"]) == ("3", "in f")
    assert alert["annotations"]["run"] == "0"
    assert "First run: <" in slack.messages[0]["attachments"][0]["text"]
    assert len(slack.messages) == 1


async def test_an_alert_ends_when_its_errors_do(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    alertmanager = await started(stack, slack, mail)
    service = await in_thread(
        served,
        "--alertmanager-url",
        alertmanager,
        "--alert-resend-seconds",
        "1",
        "--alert-hold-seconds",
        "3",
    )
    await in_thread(service.post, {})
    url = f"{alertmanager}/api/v2/alerts?active=true"
    assert len(await in_thread(wait, lambda: get(url))) == 1
    await in_thread(wait, lambda: get(url) == [], 15.0)


async def test_two_alertmanagers_send_one_message(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    stack.configure_alertmanager(slack.port, mail.port)
    ports, gossip = (free_port(), free_port()), (free_port(), free_port())
    for one, other in ((0, 1), (1, 0)):
        await in_thread(
            lambda one=one, other=other: stack.start_alertmanager(
                ports[one], cluster=gossip[one], peer=gossip[other], authority=mail.authority
            )
        )
    for port in ports:
        await in_thread(
            wait, lambda port=port: len(get(f"http://127.0.0.1:{port}/api/v2/status")["cluster"]["peers"]) == 2
        )
    urls = [flag for port in ports for flag in ("--alertmanager-url", f"http://127.0.0.1:{port}")]
    service = await in_thread(served, *urls)
    await in_thread(service.post, {})
    await eventually(lambda: slack.messages and mail.messages, 30)
    for port in ports:
        assert len(await in_thread(get, f"http://127.0.0.1:{port}/api/v2/alerts")) == 1
    await asyncio.sleep(20)  # the second waits for the first for --cluster.peer-timeout, 15 s
    assert (len(slack.messages), len(mail.messages)) == (1, 1)


async def test_a_mail_server_that_hangs_does_not_hold_slack(
    stack: Stack, slack: Slack, served: Callable[..., Served]
) -> None:
    hung = Hung()
    try:
        stack.configure_alertmanager(slack.port, hung.port)
        port = free_port()
        await in_thread(lambda: stack.start_alertmanager(port))
        service = await in_thread(served, "--alertmanager-url", f"http://127.0.0.1:{port}")
        await in_thread(service.post, {})
        await eventually(lambda: slack.messages)
    finally:
        hung.stop()


async def test_hostile_texts_arrive_inert(
    stack: Stack, slack: Slack, mail: Mail, served: Callable[..., Served]
) -> None:
    alertmanager = await started(stack, slack, mail)
    service = await in_thread(served, "--alertmanager-url", alertmanager)
    long = HOSTILE + "x" * 100_000
    report = dict.fromkeys(("type", "message", "worker_id", "traceback"), long) | {"is_system_critical": True}
    run = dict.fromkeys(("job", "suite", "commit", "branch"), long[:300]) | {"id": HOSTILE[:40]}
    await in_thread(service.post, report | {"error_category": HOSTILE, "run": run})
    await eventually(lambda: slack.messages and mail.messages)
    (message,) = slack.messages
    attachment = message["attachments"][0]
    texts = [message.get("text") or "", *(attachment.get(k) or "" for k in ("text", "title", "pretext", "fallback", "footer")),
             *fields(message).values()]  # fmt: skip
    own = re.compile(r"(?<=^Run: )<http://[^<>|]+\?view=run%3A[\w.%-]+\|([^<>]+)>$", re.M)  # the one link that is ours
    assert len(own.findall(attachment["text"])) == 1
    for text in (own.sub(r"\1", text) for text in texts):
        assert "<" not in text
        assert ">" not in text
        assert len(text) <= 3_000
    assert attachment["text"].count("```") == 4  # two code blocks, which the texts cannot close
    assert "{{ .Alerts }}" in attachment["text"]
    (letter,) = mail.messages
    assert letter["Bcc"] is None
    assert letter["To"] == "oncall@example.com"
    assert letter["Subject"].startswith("CRITICAL ERROR: <!CHANNEL>")
    assert len(letter["Subject"]) < 300
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "\nBcc: all@example.com\n" in text.replace("\r\n", "\n")  # in the body, where it is only text
    assert "{{ .Alerts }}" in text
    assert len(text) < 20_000
    html = letter.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert slack.refused == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [([], "invalid_payload"), ({"text": ""}, "no_text"), ({"text": "x" * 40_001}, "msg_too_long"),
     ({"attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
     ({"blocks": [{"type": "header", "text": {"text": "x" * 151}}]}, "invalid_blocks"),
     ({"blocks": [{"type": "section", "text": {"text": "x" * 3001}}]}, "invalid_blocks"),
     ({"blocks": [{"type": "section", "text": {"text": "x"}, "fields": [{"text": "x" * 2001}]}]}, "invalid_blocks")],
)  # fmt: skip
def test_the_stand_in_refuses_what_slack_refuses(message: Any, reason: str) -> None:
    assert next(name for name, wrong in slack_faults(message) if wrong) == reason
    assert not any(wrong for _, wrong in slack_faults({"text": "x", "attachments": [{"text": "x"}]}))


def test_twenty_thousand_workers_keep_the_metrics_small_and_the_store_whole(served: Callable[..., Served]) -> None:
    service = served()
    for start in range(0, 20_000, 2_500):
        post_all(service, [REPORT | {"worker_id": f"worker-{n}"} for n in range(start, start + 2_500)])
    for _ in range(3):
        metrics = service.metrics()  # new series are at 0 for two scrapes
    series = {name: value for name, value in metrics.items() if name.startswith("distributed_testing_errors_total{")}
    assert len(series) == 1_001
    assert sum(series.values()) == 20_000
    assert metrics['distributed_testing_label_values_folded_total{label="worker"}'] == 19_000
    assert len(metrics) < 20_000
    found: set[str] = set()
    cursor = ""
    while cursor is not None:
        page = service.get(f"/api/errors/list?limit=1000&cursor={cursor}")
        found |= {error["worker_id"] for error in page["errors"]}
        cursor = page["next_cursor"]
    assert found == {f"worker-{n}" for n in range(20_000)}
