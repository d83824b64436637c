"""The real Prometheus and Alertmanager with the shipped configuration, and two fake receivers: Slack's webhook, which
refuses the same messages as the real webhook, and a mail server with STARTTLS and AUTH (aiosmtpd)."""

import asyncio
import contextlib
import datetime as dt
import email
import email.policy
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from conftest import ROOT, free_port

from prometheus.mixin import render

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
needs_stack = pytest.mark.skipif(
    not (PROMETHEUS and ALERTMANAGER), reason="Debian's prometheus and prometheus-alertmanager are not installed"
)
PASSWORD = "a password"


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)


def wait(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Calls `check` until its result is true, and returns the result. Ignores OSError. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if result := check():
                return result
        assert time.monotonic() < deadline, "the check did not become true in time"
        time.sleep(0.05)


class Program:
    """A running program whose output goes to the file `log`."""

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=os.environ | environment)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self._log.close()


class Slack:
    """A fake of Slack's incoming webhook. `messages` are the valid messages, `refused` the reasons of refusals."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([web.post("/services/T/B/secret", self._take)])
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            message = json.loads(await request.text())
        except ValueError:
            return self._refuse("invalid_payload")
        for reason, wrong in slack_faults(message):
            if wrong:
                return self._refuse(reason)
        self.messages.append(message)
        return web.Response(text="ok")

    def _refuse(self, reason: str) -> web.Response:
        self.refused.append(reason)
        return web.Response(status=400, text=reason)


def slack_faults(message: Any) -> list[tuple[str, bool]]:
    """Returns each documented reason for which Slack refuses a message, and whether it applies."""
    if not isinstance(message, dict):
        return [("invalid_payload", True)]
    attachments = message.get("attachments") or []
    blocks = message.get("blocks") or []
    texts = [
        message.get("text"),
        *(one.get(key) for one in attachments for key in ("text", "fallback", "title", "pretext")),
    ]
    limits = {"header": 150, "section": 3000}
    return [
        ("no_text", not blocks and not any((text or "").strip() for text in texts)),
        ("too_many_attachments", len(attachments) > 100),
        ("msg_too_long", any(len(text or "") > 40_000 for text in texts)),
        ("invalid_blocks", len(blocks) > 50 or any(
            len((block.get("text") or {}).get("text", "x")) not in range(1, limits.get(block.get("type"), 3000) + 1)
            or len(block.get("fields", [])) > 10
            or any(len(field.get("text", "")) not in range(1, 2001) for field in block.get("fields", []))
            for block in blocks
        )),
    ]  # fmt: skip


class Mail:
    """A mail server that accepts mail only over TLS and with the password."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(tls)
        self.messages: list[EmailMessage] = []
        self.authority = folder / "ca.pem"
        self.port = free_port()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, tls_context=tls, require_starttls=True, auth_required=True,
            authenticator=self._allow, auth_exclude_mechanism=["LOGIN"], ready_timeout=20,
        )  # fmt: skip
        self._controller.start()

    def _allow(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=good)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 taken"

    def stop(self) -> None:
        self._controller.stop()


class Hung:
    """A server that accepts connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def stop(self) -> None:
        self._socket.close()


class Stack:
    """Prometheus and Alertmanagers with the shipped configuration. Only addresses, secrets, and the intervals of
    scrapes and evaluations differ."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Program] = []
        shutil.copytree(ROOT / "alertmanager", folder / "alertmanager")
        shutil.copytree(ROOT / "prometheus", folder / "prometheus")

    def configure_alertmanager(self, slack: int, mail: int, *, pager: str = "") -> None:
        """Sets the ports of Slack and the mail server, and the URL of the pager's webhook, "" for none."""
        secrets = self.folder / "alertmanager/secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / "slack_url").write_text(f"http://127.0.0.1:{slack}/services/T/B/secret")
        (secrets / "smtp_password").write_text(PASSWORD)
        file = self.folder / "alertmanager/alertmanager.yml"
        text = file.read_text("utf-8").replace("/etc/alertmanager/", f"{self.folder}/alertmanager/")
        if pager:
            text = text.replace("- name: pager", f"- name: pager\n    webhook_configs: [{{url: {pager}}}]")
        file.write_text(text.replace("mail.example.com:587", f"localhost:{mail}"))

    def start_alertmanager(
        self, port: int, *, cluster: int = 0, peer: int = 0, authority: Path | None = None, program: str = ""
    ) -> Program:
        assert ALERTMANAGER
        command = [
            program or ALERTMANAGER, f"--config.file={self.folder}/alertmanager/alertmanager.yml",
            f"--storage.path={self.folder}/alertmanager-{port}", f"--web.listen-address=127.0.0.1:{port}",
            f"--cluster.listen-address={f'127.0.0.1:{cluster}' if cluster else ''}",
            *([f"--cluster.peer=127.0.0.1:{peer}"] if peer else []),
        ]  # fmt: skip
        environment = {"SSL_CERT_FILE": str(authority)} if authority else {}
        running = Program(command, self.folder / f"alertmanager-{port}.log", **environment)
        self._running.append(running)
        wait(lambda: get(f"http://127.0.0.1:{port}/api/v2/status"))
        return running

    def start_prometheus(
        self, service: str, alertmanager: int, *, interval: str = "1s", job: str = "error-visualization",
        program: str | None = PROMETHEUS,
    ) -> str:  # fmt: skip
        """Starts a Prometheus whose rules are evaluated at each `interval`. Returns its URL."""
        text = re.sub(r"(scrape_interval|evaluation_interval): \w+", rf"\1: {interval}", self.configuration())
        text = text.replace("job_name: error-visualization", f"job_name: {job}")
        text = text.replace("exporter:8080", service.removeprefix("http://"))
        # A window as long as the interval of the scrapes has no sample at all where each evaluation comes during a scrape.
        values = {"count_interval": interval, "gauge_interval": f"{2 * int(interval[:-1])}s"}
        return self.run_prometheus(text, values | {"selector": f'job="{job}"'}, alertmanager, program)

    def configuration(self) -> str:
        """Returns the shipped configuration of Prometheus."""
        return (self.folder / "prometheus/prometheus.yml").read_text("utf-8")

    def run_prometheus(self, text: str, values: dict[str, str], alertmanager: int, program: str | None) -> str:
        """Starts a Prometheus with the configuration `text`, and with the rules rendered with `values`. Returns its
        URL."""
        assert program
        port = free_port()
        for name, rules in render.rendered(render.configured() | values).items():
            (self.folder / f"prometheus/rules/{name}.yml").write_text(rules)
        for address, here in (("alertmanager:9093", alertmanager), ("prometheus:9090", port), ("localhost:9090", port)):
            text = text.replace(address, f"127.0.0.1:{here}")
        file = self.folder / "prometheus/prometheus.yml"
        file.write_text(text)
        token = file.parent / "secrets/exporter_token"
        token.parent.mkdir(exist_ok=True)
        token.write_text("of a service without access control")
        command = [
            program, f"--config.file={file}", f"--storage.tsdb.path={self.folder}/prometheus-data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ]  # fmt: skip
        self._running.append(Program(command, self.folder / "prometheus.log"))
        url = f"http://127.0.0.1:{port}"
        wait(lambda: get(f"{url}/api/v1/status/runtimeinfo"))
        return url

    def stop(self) -> None:
        for program in self._running:
            program.stop()


def silence(address: str, labels: dict[str, str]) -> None:
    now = dt.datetime.now(dt.UTC)
    body = {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
        "startsAt": now.isoformat(), "endsAt": (now + dt.timedelta(hours=1)).isoformat(),
        "createdBy": "a test", "comment": "known",
    }  # fmt: skip
    assert json.loads(_post(f"{address}/api/v2/silences", body))["silenceID"]


def post_alerts(address: str, *alerts: dict[str, Any]) -> None:
    """Sends alerts to an Alertmanager, as Prometheus does."""
    _post(f"{address}/api/v2/alerts", alerts)


def _post(url: str, content: Any) -> bytes:
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return bytes(response.read())


async def in_thread(check: Callable[..., Any], *values: Any) -> Any:
    return await asyncio.to_thread(check, *values)
