"""`error-visualization health` asks a real service: with TLS, with access control, and where it is not ready."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from certificates import CA, write
from conftest import InProcess, free_port
from keys import make_token
from stack import wait

from exporter import cli
from exporter.config import Settings
from exporter.local.health import why_unhealthy

pytestmark = pytest.mark.dashboard
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
CLIENTS = ", client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert, max_version: "


def test_a_service_with_tls_and_tokens_is_healthy(
    served: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, CA.issue_cert("errors.example.com"))  # not the name under which the command asks
    (tmp_path / "ca.pem").write_bytes(CA.cert_pem.bytes())
    (tmp_path / "web.yml").write_text(TLS + "}")
    make_token(tmp_path, "one", "read")
    web_config = f"--web.config.file={tmp_path / 'web.yml'}"
    service = served(web_config)
    port = f"--port={urlsplit(service.url).port}"
    assert service.url.startswith("https:")
    assert cli.main(["health", port, web_config]) == 0
    assert cli.main(["health", port, web_config, "--host=0.0.0.0"]) == 0
    assert capsys.readouterr().out == "ready\nready\n"
    assert cli.main(["health", port]) == 1  # without TLS
    for reloads, version in enumerate(("TLS13", "TLS12"), 1):  # clients have to show a certificate
        (tmp_path / "web.yml").write_text(TLS + CLIENTS + version + "}")
        service.process.send_signal(signal.SIGHUP)
        wait(lambda said=reloads: sum("need a restart" in line for line in service.log) == said)
        assert cli.main(["health", port, web_config]) == 0
    service.stop()
    assert cli.main(["health", port, web_config]) == 1
    assert "does not answer" in capsys.readouterr().err
    assert cli.main(["health", "--port=x"]) == 2


async def test_a_service_that_is_not_ready_says_why(service: InProcess) -> None:
    settings = Settings(port=service.client.port)
    assert await asyncio.to_thread(why_unhealthy, settings) == ""
    service.service.log.refusal = "the disk is full"
    assert "the disk is full" in await asyncio.to_thread(why_unhealthy, settings)


@pytest.mark.parametrize("host", ["127.1", "0", "::ffff:127.0.0.1"])
async def test_an_address_may_be_written_in_any_way(service: InProcess, host: str) -> None:
    assert await asyncio.to_thread(why_unhealthy, Settings(host=host, port=service.client.port)) == ""


@pytest.mark.parametrize("host", ["a b", "a..b", "unix:/tmp/socket", "[::1]"])
def test_a_host_that_is_none_does_not_answer(host: str) -> None:
    assert "does not answer" in why_unhealthy(Settings(host=host, port=1))


def test_settings_come_from_variables_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    monkeypatch.setenv("ERROR_VISUALIZATION_PORT", str(port))
    monkeypatch.setenv("ERROR_VISUALIZATION_HOST", "0.0.0.0")
    assert cli.main(["health"]) == 1
    assert f"the service at 127.0.0.1:{port} does not answer: [Errno 111]" in capsys.readouterr().err
