"""Access control of the real command: at the start, and by the commands that send requests."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from here import ok_here, run_here
from keys import make_token

pytestmark = pytest.mark.dashboard


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("ERROR_VISUALIZATION_")}
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env=known | environment,
    )  # fmt: skip


def test_a_damaged_file_of_tokens_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "errors.duckdb.tokens").write_text("{")
    done = command("serve", "--port", "0", "--db-path", str(tmp_path / "errors.duckdb"))
    assert done.returncode == 1
    assert "errors.duckdb.tokens cannot be read as a file of tokens" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "errors.duckdb.log").exists()


def test_a_proxy_header_needs_trusted_proxies(tmp_path: Path) -> None:
    done = command("serve", "--auth-proxy-header", "X-Forwarded-User", "--db-path", str(tmp_path / "errors.duckdb"))
    assert done.returncode == 2
    assert done.stderr == "auth_proxy_header: needs trusted_proxies, the addresses of the proxies that set it\n"


def test_the_commands_send_a_token(served: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {}
    for name, scopes in (("worker", ("report",)), ("reader", ("read",)), ("all", ("report", "read", "admin"))):
        files[name] = tmp_path / name
        files[name].write_text(make_token(tmp_path, name, *scopes) + "\n")
    service = served()
    url = ("--url", service.url)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(service.url + "/metrics", timeout=10)
    refused.value.close()
    assert refused.value.code == 401

    demo = ("demo", *url, "--backlog", "5", "--duration", "0")
    done = command(*demo)
    assert (done.returncode, "needs a token" in done.stderr) == (1, True), done.stderr
    token = files["worker"].read_text()
    monkeypatch.setenv("ERROR_VISUALIZATION_TOKEN", token)
    assert "needs the scope read" in run_here(*demo)[1]  # it looks for other errors
    assert "5 errors sent" in ok_here(*demo, "--force")
    monkeypatch.delenv("ERROR_VISUALIZATION_TOKEN")

    out = tmp_path / "errors.ndjson"
    export = ("export", *url, "--output", str(out), "--force")
    assert "needs a token" in run_here(*export)[1]
    assert "needs the scope read" in run_here(*export, "--token-file", files["worker"])[1]
    done = command(*export, ERROR_VISUALIZATION_TOKEN_FILE=str(files["reader"]))
    assert done.returncode == 0, done.stderr
    assert out.read_text().count("\n") == 5

    import_ = ("import", *url, str(out))
    for more in ((), ("--token-file", str(files["reader"])), ("--token-file", str(files["worker"]))):
        status, said = run_here(*import_, *more)
        assert (status, "scope" in said) == (1, True), said
    assert "5 known already" in ok_here(*import_, "--token-file", files["all"])
    assert service.stop() == 0
    secrets = [file.read_text().strip() for file in files.values()]
    assert not any(secret in line for line in service.log for secret in secrets)


def test_a_variable_for_the_clients_is_no_unknown_setting(tmp_path: Path) -> None:
    done = command("serve", "--check-config", ERROR_VISUALIZATION_TOKEN="x", ERROR_VISUALIZATION_TOKEN_FILE="y")
    assert (done.returncode, done.stdout) == (0, "the settings are good\n"), done.stderr
