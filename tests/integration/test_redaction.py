"""Secrets in reports, over HTTP: in no file, answer, live update, metric, alert or line of the service's log."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import REPORT, eventually
from stub import listening

from exporter import logs
from exporter.cli import main

pytestmark = pytest.mark.dashboard

PASSWORD, TOKEN = "hunter2-and-more", "ghp_" + "a1B2" * 9
SENT = {
    "worker_id": "node-3",
    "type": f"LoginError: {TOKEN}",
    "error_category": f"cat {TOKEN}",
    "message": f"cannot reach postgres://ci:{PASSWORD}@db.lab/suite",
    "traceback": f'  File "/app/a.py", line 3, in f\n    connect(password="{PASSWORD}")\nOSError: {TOKEN}',
    "system_context": {"hostname": f"h {TOKEN}", "env": {"DB_PASSWORD": PASSWORD, "PATH": "/bin"}},
    "hardware_context": {"hardware_type": f"cuda {TOKEN}"},
    "extra": [{TOKEN: 1}, {"argv": ["psql", "--password", PASSWORD]}],
    "timestamp": f"password={PASSWORD}",
    "is_system_critical": True,
}
RULES = "rules:\n  - name: lab-badge\n    pattern: 'LB-\\d{6}'\n"
JSON = {"Content-Type": "application/json"}
METRIC = "distributed_testing_redactions_total"


async def test_a_secret_leaves_the_service_nowhere(serve: Callable[..., Any], tmp_path: Path) -> None:
    alerts: list[str] = []

    async def accept(request: web.Request) -> web.Response:
        alerts.append(await request.text())
        return web.json_response({})

    async with listening(accept, "/api/v2/alerts", "POST") as url:
        service = await serve(alertmanager_url=(url,))
        socket = await service.client.ws_connect("/ws/error-visualization")
        await socket.send_json({"type": "subscribe", "topic": "error_visualization"})
        await socket.receive_json(timeout=15)
        answer = await service.post(SENT)
        seen = [str(answer), (await socket.receive(timeout=15)).data]
        for path in (
            "/api/errors", "/api/errors/list?limit=5", f"/api/errors/{answer['id']}", "/api/patterns",
            f"/api/patterns/{answer['pattern_id']}", "/api/errors/facets", "/api/export?format=ndjson", "/metrics",
        ):  # fmt: skip
            async with service.client.get(path) as response:
                assert response.status == 200, path
                seen.append(await response.text())
        await eventually(lambda: alerts)
    everything = "\n".join([*seen, *alerts])
    files = _bytes_of(tmp_path)
    for secret in (PASSWORD, TOKEN):
        assert secret not in everything
        assert secret.encode() not in files
    assert "postgres://ci:[redacted:url-password]@db.lab/suite" in everything
    assert b"[redacted:url-password]" in files  # the log is not compressed
    assert "PATH" in everything


def _bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


async def test_errors_that_differ_only_by_a_secret_are_one_pattern(service: Any) -> None:
    reports = [{"message": f"login failed: password={secret} for ci"} for secret in (PASSWORD, "x9-y8-z7")]
    answers = [await service.post(report) for report in reports]
    assert answers[0]["fingerprint"] == answers[1]["fingerprint"]
    (pattern,) = (await service.get("/api/patterns"))["patterns"]
    assert pattern["pattern"] == "login failed: password=[redacted:password] for ci"


async def test_the_fields_and_the_stored_report_agree(service: Any) -> None:
    answer = await service.post({"message": ["a", f"password={PASSWORD}"], "type": f"E {TOKEN}"})
    error = await service.get(f"/api/errors/{answer['id']}")
    assert error["message"] == "a\npassword=[redacted:password]"
    assert error["type"] == error["report"]["type"] == "E [redacted:github-token]"
    assert error["report"]["message"] == ["a", "password=[redacted:password]"]


async def test_marks_are_counted_by_rule(service: Any) -> None:
    before = await service.metrics()
    assert before[METRIC + '{rule="jwt"}'] == 0
    await service.post({"message": f"password={PASSWORD} {TOKEN} {TOKEN}"})
    after = await service.metrics()
    assert (after[METRIC + '{rule="password"}'], after[METRIC + '{rule="github-token"}']) == (1, 2)
    assert METRIC + '{rule="email"}' not in after


async def test_settings_turn_redaction_off_and_add_rules(serve: Callable[..., Any], tmp_path: Path) -> None:
    off = await serve(redaction=False)
    answer = await off.post({"message": f"password={PASSWORD}"})
    assert (await off.get(f"/api/errors/{answer['id']}"))["message"] == f"password={PASSWORD}"
    assert not [name for name in await off.metrics() if name.startswith(METRIC)]
    await off.client.close()
    (tmp_path / "rules.yml").write_text(RULES)
    more = await serve(redaction_rules_file=str(tmp_path / "rules.yml"), redact_emails=True, redact_ip_addresses=True)
    answer = await more.post({"message": "LB-123456 of ops@lab.example at 10.0.0.17"})
    error = await more.get(f"/api/errors/{answer['id']}")
    assert error["message"] == "[redacted:lab-badge] of [redacted:email] at [redacted:ip-address]"


async def test_a_refusal_quotes_no_secret(service: Any) -> None:
    for report in (
        REPORT | {"worker_id": {"password": PASSWORD}}, REPORT | {"event_id": [PASSWORD]}, {"password": PASSWORD},
        REPORT | {"worker_id": None, "message": f"password={PASSWORD}"},
    ):  # fmt: skip
        assert PASSWORD not in str(await service.ask("/api/report-error", report, status=400))
    async with service.client.post(
        "/api/report-error", data=f'{{"password": "{PASSWORD}", }}', headers=JSON
    ) as response:
        assert response.status == 400
        assert PASSWORD not in await response.text()
    assert PASSWORD not in str(await service.post({"timestamp": f"password={PASSWORD}", "system_context": PASSWORD}))


@pytest.mark.parametrize("name", list(logs.FORMATTERS))
def test_lines_of_the_log_have_no_secrets(name: str) -> None:
    formatter = logs.FORMATTERS[name]()
    try:
        raise OSError(f"postgres://ci:{PASSWORD}@db.lab")
    except OSError as error:
        line = logging.LogRecord(
            "a",
            40,
            "a.py",
            1,
            "push to %s failed",
            (f"http://ci:{PASSWORD}@host",),
            (OSError, error, error.__traceback__),
        )
    said = formatter.format(line)
    assert PASSWORD not in said
    assert said.count("[redacted:url-password]") == 2


def test_the_real_command_checks_the_rules_file(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("rules: 3")
    assert main(["serve", "--check-config", "--redaction-rules-file", str(tmp_path / "rules.yml")]) == 2
    (tmp_path / "rules.yml").write_text(RULES)
    assert main(["serve", "--check-config", "--redaction-rules-file", str(tmp_path / "rules.yml")]) == 0


@pytest.mark.parametrize("wrong", [rb"\x41", b"\x01", b"\xff"])
async def test_a_large_body_that_is_no_json_is_refused(service: Any, wrong: bytes) -> None:
    body = b'{"worker_id":"w","message":"password=hunter2 ' + wrong + b'","a":"' + b"0" * 200_000 + b'"}'
    async with service.client.post("/api/report-error", data=body, headers=JSON) as response:
        assert response.status == 400, await response.text()


@pytest.mark.parametrize("size", [0, 200_000], ids=["small", "large"])
@pytest.mark.parametrize(
    "key",
    [rb'"event\u005fid":', rb'"\u0065vent_id"  :' + b" " * 60, b'"event_id"\n\t:' + b"\n" * 5_000],
    ids=["escaped", "both", "blanks"],
)
async def test_reports_with_ids_that_look_like_secrets_are_not_repeats(service: Any, key: bytes, size: int) -> None:
    stored = []
    for token in (TOKEN, TOKEN.replace("a", "c"), TOKEN):
        body = rb'{"worker\u005fid":' + b" " * 50 + b'"w ' + TOKEN.encode() + b'","message":"password=hunter2",' + key
        body += b'"' + token.encode() + b'","a":"' + b"0" * size + b'"}'
        async with service.client.post("/api/report-error", data=body, headers=JSON) as response:
            assert response.status < 300, await response.text()
            stored.append((await response.json())["data"]["id"])
    assert stored[0] != stored[1]
    assert stored[2] == stored[0]
    error = await service.get(f"/api/errors/{stored[1]}")
    assert (error["worker_id"], error["message"]) == (f"w {TOKEN}", "password=[redacted:password]")
    assert error["event_id"] == error["report"]["event_id"] == TOKEN.replace("a", "c")
