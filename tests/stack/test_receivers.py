"""The shipped configurations and examples: what they are, whom they tell, which alerts hide which, and newer releases."""

import asyncio
import datetime as dt
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from conftest import ROOT, eventually, free_port
from newer_parts import newer
from stack import Mail, Program, Slack, Stack, get, in_thread, needs_stack, post_alerts, wait
from stub import listening

FOLDER = ROOT / "alertmanager"
EXAMPLES = sorted((FOLDER / "examples").glob("*.yml"))
NEWER = {"msteams.yml"}  # than Debian's 0.25
pytestmark = [pytest.mark.dashboard, needs_stack]
BEGAN = {"alertname": "CriticalError", "severity": "critical", "source": "push", "category": "C", "type": "T",
         "worker": "w", "fingerprint": "f", "incident": "f", "urgency": "ticket", "job": "error-visualization",
         "service": "s"}  # fmt: skip
WORDS = {"summary": "C in w: m", "message": "m", "count": "2", "where": "w", "permalink": "http://here/?error=1"}


needs_newer = pytest.mark.skipif(
    not newer("amtool"), reason="a newer Alertmanager could not be downloaded (tests/newer_parts.py)"
)


def alert(labels: dict[str, str], ended: bool = False, **annotations: str) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    ends = now if ended else now + dt.timedelta(minutes=4)
    return {"labels": labels, "annotations": WORDS | annotations, "startsAt": (now - dt.timedelta(minutes=1)).isoformat(),
            "endsAt": ends.isoformat(), "generatorURL": "http://here"}  # fmt: skip


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_are_configurations(file: Path) -> None:
    amtool = newer("amtool") if file.name in NEWER else shutil.which("amtool")
    if not amtool:
        pytest.skip("a newer Alertmanager could not be downloaded (tests/newer_parts.py)")
    done = subprocess.run([amtool, "check-config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_newer
def test_the_newer_configuration_differs_only_in_how_slack_is_told() -> None:
    file = FOLDER / "alertmanager-updates.yml"
    subprocess.run([str(newer("amtool")), "check-config", file], check=True, capture_output=True)
    old, new = (yaml.safe_load(one.read_text("utf-8")) for one in (FOLDER / "alertmanager.yml", file))
    for config in (old, new):
        config["global"].pop("slack_api_url_file", None)
        for (slack,) in (one["slack_configs"] for one in config["receivers"] if "slack_configs" in one):
            for name in ("api_url", "http_config", "update_message", "username"):
                slack.pop(name, None)
    assert old == new


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("source=push worker=cpu-1 urgency=page", "everybody"),
        ("source=push worker=gpu-a100-1 urgency=page", "gpu-machines,everybody"),
        ("source=push worker=gpu-a100-1 urgency=ticket", "gpu-machines,everybody"),
        ("source=push min_workers=8 urgency=page", "everybody"),
        ("source=push worker=gpu-1 team=vision", "vision"),
    ],
)
def test_routes_by_team_and_machine(labels: str, receivers: str) -> None:
    command = ["amtool", "config", "routes", "test", f"--config.file={FOLDER}/examples/routes.yml",
               f"--verify.receivers={receivers}", *labels.split()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("source=rule severity=critical", "slack,email"),
        ("source=push severity=critical urgency=page", "pager,everybody"),
        ("source=push severity=critical urgency=ticket", "everybody"),
    ],
)
def test_routes_by_team_in_the_shipped_configuration(labels: str, receivers: str, tmp_path: Path) -> None:
    config, example = (
        yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in ("alertmanager.yml", "examples/routes.yml")
    )
    routes = config["route"]["routes"]
    pushed = [place for place, route in enumerate(routes) if 'source = "push"' in route["matchers"][0]]
    routes[pushed[0] : pushed[-1] + 1] = example["route"]["routes"]
    for name in ("receivers", "time_intervals"):
        config[name] += example[name]
    (tmp_path / "merged.yml").write_text(yaml.safe_dump(config))
    command = ["amtool", "config", "routes", "test", f"--config.file={tmp_path}/merged.yml",
               f"--verify.receivers={receivers}", *labels.split()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_of_the_readme_write_the_secrets(tmp_path: Path) -> None:
    commands = (FOLDER / "README.md").read_text("utf-8").split("```")[1].removeprefix("sh\n")
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, timeout=10, check=True)
    assert {file.name for file in tmp_path.glob("secrets/alertmanager/*")} == {"slack_url", "smtp_password"}


def test_every_inhibition_says_of_which_service() -> None:
    for name in ("alertmanager.yml", "alertmanager-updates.yml"):
        rules = yaml.safe_load((FOLDER / name).read_text("utf-8"))["inhibit_rules"]
        assert all(rule["equal"] == ["cluster", "job"] for rule in rules)


@pytest.fixture(scope="module")
async def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An Alertmanager with the shipped configuration, whose messages nobody reads."""
    folder = tmp_path_factory.mktemp("receivers")
    stack, slack, mail = Stack(folder), Slack(), Mail(folder)
    await slack.start()
    stack.configure_alertmanager(slack.port, mail.port)
    port = free_port()
    await in_thread(lambda: stack.start_alertmanager(port, authority=mail.authority))
    yield f"http://127.0.0.1:{port}"
    await in_thread(stack.stop)
    await slack.stop()
    mail.stop()


JOB = {"job": "error-visualization"}
MANY = {"alertname": "ManyWorkersCritical", "severity": "critical", "source": "rule"}
INHIBITED = [  # the cause, the consequence
    (BEGAN, {"alertname": "CriticalErrors", "severity": "critical"} | JOB),
    (BEGAN | {"urgency": "page", "min_workers": "8"}, MANY | JOB),
    (MANY | JOB, {"alertname": "WorkerDominatesErrors", "severity": "warning", "worker": "w"} | JOB),
    ({"alertname": "ExporterDown", "severity": "critical"} | JOB, {"alertname": "StorageFailing"} | JOB),
    ({"alertname": "StorageFailing"} | JOB, {"alertname": "IngestErrorBudgetBurn"} | JOB),
    ({"alertname": "StorageFailing"} | JOB, {"alertname": "ReportsRejected", "reason": "store_failed"} | JOB),
    ({"alertname": "IngestErrorBudgetBurn"} | JOB, {"alertname": "ReportsRejected", "reason": "queue_full"} | JOB),
]


@pytest.mark.parametrize("number", range(len(INHIBITED)))
async def test_a_cause_hides_its_consequence_and_nothing_of_another_service(alertmanager: str, number: int) -> None:
    cause, consequence = ({**labels, "cluster": f"c{number}"} for labels in INHIBITED[number])
    others = ({**consequence, "cluster": f"elsewhere{number}"}, {**consequence, "job": "another"})
    await in_thread(post_alerts, alertmanager, *map(alert, (cause, consequence, *others)))

    def hidden() -> list[bool]:
        found = get(f"{alertmanager}/api/v2/alerts")
        return [
            bool(one["status"]["inhibitedBy"])
            for labels in (cause, consequence, *others)
            for one in found
            if one["labels"] == labels
        ]

    await eventually(lambda: in_thread(lambda: hidden() == [False, True, False, False]), 10)


async def test_a_webhook_gets_the_alerts(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response()

    async with listening(take) as url:
        text = (FOLDER / "examples/webhook.yml").read_text("utf-8").replace("http://localhost:9095", url)
        file = tmp_path / "alertmanager.yml"
        file.write_text(text.replace("{receiver: pager}", "{receiver: pager, group_wait: 100ms, group_interval: 1s}"))
        stack = Stack(tmp_path / "stack")
        shutil.copy(file, stack.folder / "alertmanager/alertmanager.yml")
        port = free_port()
        await in_thread(lambda: stack.start_alertmanager(port))
        await in_thread(post_alerts, f"http://127.0.0.1:{port}", alert(BEGAN))
        await eventually(lambda: got)
        await in_thread(post_alerts, f"http://127.0.0.1:{port}", alert(BEGAN, ended=True, quiet="Quiet for 10 min"))
        await eventually(lambda: len(got) == 2, 10)
        await in_thread(stack.stop)
    assert [one["status"] for one in got] == ["firing", "resolved"]
    assert got[0]["commonLabels"] == BEGAN
    assert got[1]["alerts"][0]["annotations"]["quiet"] == "Quiet for 10 min"


class SlackApi:
    """Slack's API under its own name, behind a proxy on loopback, so that nothing leaves this machine."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def take(self, request: web.Request) -> web.Response:
        message = await request.json()
        assert request.headers["Authorization"] == "Bearer xoxb-1"
        self.asked.append((request.path, message))
        return web.json_response({"ok": True, "ts": "17.1", "channel": "C1"})

    async def tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()
        assert asked[:2] == [b"CONNECT", b"slack.com:443"]
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                target.write(data)
            target.close()

        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)


@pytest.fixture
def slack_tls(tmp_path: Path) -> Iterator[ssl.SSLContext]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "slack-ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("slack.com").configure_cert(tls)
    yield tls


@needs_newer
async def test_a_newer_alertmanager_edits_its_message(tmp_path: Path, slack_tls: ssl.SSLContext) -> None:
    api, app = SlackApi(), web.Application()
    app.router.add_post("/api/{method}", api.take)
    server = TestServer(app)
    await server.start_server(ssl=slack_tls)
    proxy = await asyncio.start_server(lambda r, w: api.tunnel(r, w, server.port or 0), "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    stack = Stack(tmp_path / "stack")
    stack.configure_alertmanager(9, 9)
    (stack.folder / "alertmanager/secrets/slack_token").write_text("xoxb-1")
    text = (FOLDER / "alertmanager-updates.yml").read_text("utf-8")
    text = text.replace("/etc/alertmanager/", f"{stack.folder}/alertmanager/")
    text = text.replace("group_wait: 2s", "group_wait: 100ms").replace("group_interval: 5m", "group_interval: 1s")
    connection = (
        f"{{proxy_url: http://127.0.0.1:{port}, tls_config: {{ca_file: {tmp_path}/slack-ca.pem}}, authorization"
    )
    text = text.replace("{authorization", connection).replace("mail.example.com:587", "127.0.0.1:9")
    (stack.folder / "alertmanager/alertmanager.yml").write_text(text)
    own = free_port()
    address = f"http://127.0.0.1:{own}"
    program = Program(
        [str(newer("prometheus-alertmanager")), f"--config.file={stack.folder}/alertmanager/alertmanager.yml",
         f"--storage.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{own}", "--cluster.listen-address="],
        tmp_path / "alertmanager.log",
    )  # fmt: skip
    try:
        await in_thread(wait, lambda: get(f"{address}/api/v2/status"))
        spread = BEGAN | {"min_workers": "2"}
        spread.pop("worker")
        await in_thread(post_alerts, address, alert(BEGAN))
        await eventually(lambda: api.asked, 10)
        await in_thread(
            post_alerts, address, alert(BEGAN, news="Now on 2 workers"), alert(spread, news="Now on 2 workers")
        )
        await eventually(lambda: len(api.asked) == 2, 10)
        quiet = {"quiet": "Quiet for 10 min after 2 errors"}
        await in_thread(post_alerts, address, alert(BEGAN, True, **quiet), alert(spread, True, **quiet))
        await eventually(lambda: len(api.asked) == 3, 10)
    finally:
        await in_thread(program.stop)
        print((tmp_path / "alertmanager.log").read_text())
        proxy.close()
        await server.close()
    methods = [path for path, _ in api.asked]
    assert methods == ["/api/chat.postMessage", "/api/chat.update", "/api/chat.update"]
    assert [message.get("ts") for _, message in api.asked] == [None, "17.1", "17.1"]
    texts = [message["attachments"][0]["text"] for _, message in api.asked]
    assert "Now on 2 workers" in texts[1]
    assert "Quiet for 10 min after 2 errors" in texts[2]
