"""Settings that are read again while the service runs: what changes, what goes on, and that a fault changes nothing."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import termios
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, InProcess, eventually, free_port
from keys import make_token

from exporter import app, config, logs
from exporter import service as service_module
from exporter.access.web_config import WebConfig
from exporter.config import RELOADABLE, Settings, merge
from exporter.http.access import ACCESS
from exporter.http.reloading import Reloader, ReloadError

pytestmark = pytest.mark.dashboard
BUSY = {"error_category": "TEST_FAILURE", "system_context": {"metrics": {"cpu": {"percent": 85}}}}
SUCCESSFUL = "distributed_testing_config_last_reload_successful"


def put(file: Path, text: str) -> None:
    file.write_text(text)


def damage(file: Path) -> str:
    """Cuts the end of a file, and returns what it was."""
    text = file.read_text()
    file.write_text(text[:-9])
    return text


def reloader(service: InProcess, file: Path, web_config: Path | None = None) -> Reloader:
    """Reloads the settings of `file` on top of those that the service was started with."""
    given = {name: getattr(service.service.settings, name) for name in ("db_path", "min_free_bytes")}
    return Reloader(
        service.service,
        WebConfig(str(web_config or "")),
        service.client.app[ACCESS],  # type: ignore[union-attr]
        lambda: config.load({"config_file": str(file)} | given, {}),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yml"


@pytest.fixture(autouse=True)
def level() -> Any:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def test_what_needs_a_restart_is_told_apart() -> None:
    running = Settings(port=1, critical_cpu_percent=50)
    assert running.thresholds.critical_cpu_percent == 50  # cached from now on
    merged = merge(running, Settings(port=2, critical_cpu_percent=60, log_level="debug", theme="dark"))
    assert (merged.changed, merged.restart) == (("log_level", "critical_cpu_percent"), ("port", "theme"))
    assert (merged.settings.port, merged.settings.theme, merged.settings.log_level) == (1, "system", "debug")
    assert merged.settings.thresholds.critical_cpu_percent == 60


def test_the_documentation_names_what_can_be_reloaded() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8").partition("## Reload")[2].partition("\n## ")[0]
    assert set(RELOADABLE) <= {word.strip("`,.") for word in text.split()}


async def test_thresholds_change_and_counters_go_on(service: InProcess, file: Path) -> None:
    assert (await service.post(BUSY))["severity"] == "warning"
    put(file, "critical_cpu_percent: 80\nrecurring_per_hour: 0\nport: 1\nlog_level: error\n")
    reloaded = await reloader(service, file).reload()
    assert reloaded.changed == ["log_level", "critical_cpu_percent", "recurring_per_hour"]
    assert reloaded.restart == ["port"]
    answer = await service.post(BUSY)
    assert answer["severity"] == "critical"
    assert any("CPU 85 % > 80 %" in reason for reason in answer["reasons"])
    settings = (await service.get("/api/config"))["settings"]
    assert (settings["critical_cpu_percent"], settings["port"]) == (80, 8080)
    metrics = await service.metrics()
    assert metrics[SUCCESSFUL] == 1
    assert sum(value for name, value in metrics.items() if "errors_by_severity_total{" in name) == 2
    assert logging.getLogger().level == logging.ERROR


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("critical_cpu_percent: x", "critical_cpu_percent", "expected a number, got 'x'"),
        ("critical_cpu_percentt: 1", "critical_cpu_percentt", "did you mean critical_cpu_percent?"),
        ("a: [", "", "line 3"),
        ("redaction_rules_file: /nowhere/rules", "redaction_rules_file", "cannot be read"),
        ("auth_proxy_header: X-User", "auth_proxy_header", "needs trusted_proxies"),
        ("port: 2026-13-45", "", "a value cannot be read as YAML"),
        pytest.param(f"a: {'[' * 3_000}", "", "a value cannot be read as YAML", id="nested"),
        pytest.param("#" * 2**20, "", "larger than 1048576 bytes", id="large"),
    ],
)
async def test_a_fault_changes_nothing_and_says_so(
    service: InProcess, file: Path, text: str, field: str, words: str
) -> None:
    before = service.service.settings
    put(file, f"warning_cpu_percent: 10\n{text}\n")
    with pytest.raises(ReloadError, match=words.replace("?", r"\?")) as error:
        await reloader(service, file).reload()
    assert error.value.field == field
    assert service.service.settings is before
    assert (await service.post(BUSY | {"worker_id": "w"}))["reasons"] == ["CPU 85 % > 75 %"]
    metrics = await service.metrics()
    assert metrics[SUCCESSFUL] == 0
    put(file, "")
    await reloader(service, file).reload()
    later = await service.metrics()
    assert later[SUCCESSFUL] == 1
    when = "distributed_testing_config_last_reload_success_timestamp_seconds"
    assert later[when] > metrics[when]


async def test_a_wrong_file_of_tokens_or_users_changes_no_settings(serve: Any, tmp_path: Path, file: Path) -> None:
    make_token(tmp_path, "one", "read")
    service = await serve()
    web_config = tmp_path / "web.yml"
    put(web_config, "")
    put(file, "critical_cpu_percent: 80")
    one = reloader(service, file, web_config)
    put(web_config, "users: {}")
    with pytest.raises(ReloadError, match="users") as error:
        await one.reload()
    assert error.value.field == "web_config_file"
    put(web_config, "")
    tokens = tmp_path / "errors.duckdb.tokens"
    whole = damage(tokens)
    with pytest.raises(ReloadError, match="cannot be read as a file of tokens") as error:
        await one.reload()
    assert error.value.field == "tokens_file"
    assert service.service.settings.critical_cpu_percent == 90
    put(tokens, whole)
    assert (await one.reload()).changed == ["critical_cpu_percent"]


async def test_a_pipeline_that_is_being_made_gets_the_new_thresholds(
    service: InProcess, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "RESUME_SECONDS", 0.0)
    one, made = service.service, []
    pipeline = one._pipeline
    monkeypatch.setattr(one, "_pipeline", lambda state: made.append(pipeline(state)) or made[0])
    async with one.ingest.between_batches():
        resuming = asyncio.create_task(one._resume())
        await eventually(lambda: bool(made))
        put(file, "warning_cpu_percent: 10\n")
        await reloader(service, file).reload()
    await resuming
    assert one.ingest.pipeline is made[0]
    assert (await service.post(BUSY | {"worker_id": "w"}))["reasons"] == ["CPU 85 % > 10 %"]


async def test_users_of_the_web_config_file_are_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    put(file, "basic_auth_users: {ada: $2b$04$" + "a" * 53 + "}")
    web_config = WebConfig(str(file))
    put(file, "basic_auth_users: {eve: $2b$04$" + "b" * 53 + "}")
    use = web_config.read_again()
    assert web_config.users.stamp("ada")  # not yet
    use()
    assert web_config.users.stamp("eve")
    assert not web_config.users.stamp("ada")
    web_config.close()


async def test_redaction_rules_are_read_again_and_their_counts_go_on(serve: Any, tmp_path: Path, file: Path) -> None:
    rules = tmp_path / "rules.yml"
    put(rules, "rules: [{name: badge, pattern: 'LB-[0-9]+'}]")
    service = await serve(redaction_rules_file=str(rules))
    put(file, f"redaction_rules_file: {rules}")
    await service.post({"message": "badge LB-1, pin P-2"})
    put(rules, "rules: [{name: pin, pattern: 'P-[0-9]+'}]")
    await reloader(service, file).reload()
    id_ = (await service.post({"message": "badge LB-1, pin P-2"}))["id"]
    assert (await service.get(f"/api/errors/{id_}"))["message"] == "badge LB-1, pin [redacted:pin]"
    metrics = await service.metrics()
    assert metrics['distributed_testing_redactions_total{rule="badge"}'] == 1
    assert metrics['distributed_testing_redactions_total{rule="pin"}'] == 1


async def test_alertmanagers_come_stay_and_go(serve: Any, file: Path) -> None:
    service = await serve(alertmanager_url=("http://127.0.0.1:1", "http://127.0.0.1:2"))
    _, stays = service.service.notifier.queues
    stays.sent = 7
    put(file, "alertmanager_url: ['http://u:new@127.0.0.1:2', 'http://127.0.0.1:3/am']")
    await reloader(service, file).reload()
    queues = service.service.notifier.queues
    assert [queue.name for queue in queues] == ["127.0.0.1:2", "127.0.0.1:3/am"]
    assert queues[0] is stays
    assert stays.url == "http://u:new@127.0.0.1:2/api/v2/alerts"
    metrics = await service.metrics()
    sent = {name: value for name, value in metrics.items() if "notifications_sent_total{" in name}
    assert sorted(sent.values()) == [0, 7]
    put(file, "")
    await reloader(service, file).reload()
    await service.post()  # critical, and pushed to nobody
    put(file, "alertmanager_url: http://127.0.0.1:4")
    await reloader(service, file).reload()
    await service.post({"type": "Other"})
    await eventually(lambda: len(service.service.notifier.queues[0]) == 1)


async def test_both_processes_change_the_level_of_their_log(
    service: InProcess, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[str] = []
    monkeypatch.setattr(logs, "set_level", levels.append)
    put(file, "log_level: error")
    await reloader(service, file).reload()
    await eventually(lambda: levels == ["error", "error"])


async def test_the_request(service: InProcess) -> None:
    answer = await service.ask("/-/reload")
    assert answer == {"changed": [], "restart": []}
    await service.ask("/-/reload?x=1", status=400)


async def test_the_answer_to_a_fault_has_the_field_and_no_path(
    service: InProcess, file: Path, monkeypatch: Any
) -> None:
    put(file, "port: 70000")
    one = reloader(service, file)
    monkeypatch.setattr(Reloader, "reload", lambda _: original(one))
    answer = await service.ask("/-/reload", status=400)
    assert answer == {"status": "error", "message": "(a file): port: expected 0 to 65535, got 70000", "field": "port"}


original = Reloader.reload


async def test_a_secret_of_kubernetes_is_followed(serve: Any, tmp_path: Path) -> None:
    """Kubernetes changes a mounted Secret by renaming a link to a new folder, and deletes the old one."""
    mount_secret(tmp_path)
    service = await serve(tokens_file=str(tmp_path / "mounted/tokens"))
    change_secret(tmp_path / "mounted")
    tokens = service.client.app[ACCESS].tokens
    tokens.read_again()
    assert [token.name for token in tokens._tokens.values()] == ["token2"]


def mount_secret(folder: Path) -> None:
    for number in (1, 2):
        make_token(folder, f"token{number}", "read")
        (folder / f"mounted/{number}").mkdir(parents=True)
        (folder / "errors.duckdb.tokens").rename(folder / f"mounted/{number}/tokens")
    (folder / "mounted/..data").symlink_to("1")
    (folder / "mounted/tokens").symlink_to("..data/tokens")


def change_secret(folder: Path) -> None:
    (folder / "new").symlink_to("2")
    (folder / "new").rename(folder / "..data")
    shutil.rmtree(folder / "1")


async def test_with_nohup_sighup_only_reloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_has_terminal", lambda: False)
    hangup, reloads = asyncio.Event(), asyncio.Queue[None]()

    class Counting:
        async def reload(self) -> None:
            reloads.put_nowait(None)
            raise ReloadError("a fault", "") if reloads.qsize() == 1 else LookupError("a bug")

    task = asyncio.create_task(app._reload_on(hangup, Counting(), None))  # type: ignore[arg-type]
    for _ in range(3):
        hangup.set()
        await asyncio.wait_for(reloads.get(), 5)
    assert not task.done()
    task.cancel()


def test_sighup_reloads_and_a_closed_terminal_stops(tmp_path: Path, file: Path) -> None:
    file.write_text("critical_cpu_percent: 90")
    terminal, of_process = os.openpty()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "serve", "--port", "0", "--db-path", str(tmp_path / "errors.duckdb"),
         "--min-free-bytes", "0", "--config.file", str(file), "--metrics-address", f"127.0.0.1:{port}"],
        stdin=of_process, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(of_process)
    assert process.stdout
    assert process.stderr
    try:
        while not process.stdout.readline().startswith("reports"):
            assert process.poll() is None
        file.write_text("critical_cpu_percent: x")
        process.send_signal(signal.SIGHUP)
        assert "expected a number, got 'x'" in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            assert f"{SUCCESSFUL} 0".encode() in response.read()
        file.write_text("critical_cpu_percent: 80")
        process.send_signal(signal.SIGHUP)
        assert "changed: critical_cpu_percent; need a restart: none" in process.stderr.readline()
        os.close(terminal)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
