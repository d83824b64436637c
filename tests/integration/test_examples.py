"""The integrations of the guide, corrected in `docs/examples`, run against the service and fake receivers."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Served, free_port
from stack import PASSWORD, Mail, slack_faults, wait

pytestmark = pytest.mark.dashboard
EXAMPLES = ROOT / "docs/examples"
CRITICAL = {"worker_id": "w1", "message": "no memory <b>&\nSubject: forged", "error_category": "RESOURCE_EXHAUSTED"}


class Example:
    """A running example. `said` are the lines that it has printed, on either stream."""

    def __init__(self, name: str, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(EXAMPLES / name), *arguments], env=os.environ | environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.said.extend(self.process.stdout)

    def waits_for(self, words: str, times: int = 1) -> None:
        wait(lambda: sum(words in line for line in self.said) >= times or self.process.poll() is not None)
        if self.process.poll() is not None:
            self._reader.join(10)  # what it said last may not be read yet
        assert sum(words in line for line in self.said) >= times, self.said

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def example() -> Iterator[Callable[..., Example]]:
    running: list[Example] = []

    def start(*arguments: str, **environment: str) -> Example:
        running.append(Example(*arguments, **environment))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("examples") / "errors.duckdb")
    yield served
    assert served.stop() == 0


class Webhook:
    """A fake of Slack's incoming webhook."""

    def __init__(self) -> None:
        messages: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                pass

        self.messages = messages
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_slack_is_told_of_a_critical_error(running: Served, example: Callable[..., Example]) -> None:
    webhook = Webhook()
    sys.path.insert(0, str(EXAMPLES))
    try:
        example("slack.py", running.url, SLACK_WEBHOOK=webhook.url).waits_for("'severity': 'critical'")
        (message,) = webhook.messages
        assert not [reason for reason, wrong in slack_faults(message) if wrong]
        assert "Failed to allocate GPU memory" in json.dumps(message)
        assert "🚨" not in json.dumps(message, ensure_ascii=False)
        import slack

        outcome = running.post({"message": "m"})
        odd = slack.message(running.url, CRITICAL | {"message": "<!channel> ``` & " + "x" * 9_000}, outcome)
        assert not [reason for reason, wrong in slack_faults(odd) if wrong]
        assert "<!channel>" not in json.dumps(odd)
        assert slack.report(running.url, webhook.url, {"worker_id": "w", "message": "harmless"})["severity"] == "info"
        assert slack.report(running.url, "http://127.0.0.1:1/", CRITICAL)["severity"] == "critical"  # Slack is away
        assert len(webhook.messages) == 1
    finally:
        sys.path.remove(str(EXAMPLES))
        webhook.stop()


def test_a_scrape_of_the_exporter_has_what_the_service_has(running: Served, example: Callable[..., Example]) -> None:
    port = free_port()
    example("prometheus_exporter.py", running.url, str(port))
    running.post({"worker_id": "scraped", "error_category": "NETWORK_TIMEOUT"})

    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            return str(response.read().decode())

    wait(scrape)
    total = running.get("/api/errors?time_range=1")["summary"]["total_errors"]
    for _ in range(2):  # the guide's version counted again
        text = scrape()
        assert "error_visualization_up 1.0" in text
        assert f"error_visualization_last_hour_total_errors {total}.0" in text
        assert 'error_visualization_last_hour_worker_errors{worker="scraped"} 1.0' in text
        assert 'error_visualization_last_hour_errors{category="NETWORK_TIMEOUT"} 1.0' in text


def test_the_client_of_live_updates_misses_nothing(tmp_path: Path, example: Callable[..., Example]) -> None:
    port = free_port()
    service = Served(tmp_path / "errors.duckdb", port=port)
    try:
        client = example("websocket_client.py", service.url)
        client.waits_for("connected")
        service.post({"message": "first"})
        client.waits_for("first")
        assert service.stop() == 0
        service = Served(tmp_path / "errors.duckdb", port=port)
        service.post({"message": "while it was away"})
        client.waits_for("connected", 2)
        service.post({"message": "last"})
        client.waits_for("last")
        shown = [line.split(maxsplit=4)[4].strip() for line in client.said if "ResourceError" in line]
        assert shown == ["first", "while it was away", "last"]
    finally:
        service.stop()


def test_a_mail_is_sent_for_a_critical_error(running: Served, tmp_path: Path, example: Callable[..., Example]) -> None:
    mail = Mail(tmp_path)
    try:
        sender = example(
            "email_alerts.py", running.url, "admin@example.com", "team@example.com", SMTP_HOST="localhost",
            SMTP_PORT=str(mail.port), SMTP_USER="alerts@example.com", SMTP_PASSWORD=PASSWORD, SMTP_CA_FILE=str(mail.authority),
        )  # fmt: skip
        sender.waits_for("connected")
        running.post({"message": "harmless", "error_category": "TEST_FAILURE"})
        running.post(CRITICAL | {"worker_id": "w1\r\nBcc: x@example.com"})
        sender.waits_for("mail sent")
        (message,) = mail.messages
        assert message["To"] == "admin@example.com, team@example.com"
        assert message["Subject"] == "Critical: RESOURCE_EXHAUSTED on w1 Bcc: x@example.com"
        assert message["Bcc"] is None
        assert "no memory <b>&" in message.get_content()
        for _ in range(11):
            running.post(CRITICAL)
        sender.waits_for("were sent in the last hour", 2)
        time.sleep(0.1)
        assert len(mail.messages) == 10
    finally:
        mail.stop()
