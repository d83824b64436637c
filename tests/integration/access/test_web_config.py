"""The real service with a web config file: TLS, changes while it runs, and what ends it at start."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import bcrypt
import pytest
import trustme
from aiohttp import web
from certificates import CA, OTHER_CA, trusting, write
from commands import run
from conftest import REPORT, Served

from exporter import app
from exporter.access.web_config import WebConfig, WebConfigError
from exporter.http.headers import WEB_CONFIG

pytestmark = pytest.mark.dashboard
Start = Callable[..., Served]
HASH = bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4)).decode()
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
CLIENTS = (
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem, "
    "client_auth_type: RequireAndVerifyClientCert}\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A web config file with TLS; its folder has a certificate and a CA."""
    folder = tmp_path / "web"
    folder.mkdir()
    write(folder, CA.issue_cert("127.0.0.1"))
    (folder / "ca.pem").write_bytes(CA.cert_pem.bytes())
    (folder / "web.yml").write_text(TLS)
    return folder / "web.yml"


def put(file: Path, content: str | bytes | None) -> None:
    """Writes a file in one step, or removes it."""
    if content is None:
        file.unlink()
        return
    new = file.with_name(file.name + ".new")
    new.write_bytes(content.encode() if isinstance(content, str) else content)
    new.rename(file)


@contextlib.asynccontextmanager
async def session(context: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without kept connections: each request shakes hands."""
    connector = aiohttp.TCPConnector(ssl=context or trusting(), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as one:
        yield one


async def serial(url: str, *trusted: trustme.CA) -> str:
    """Returns the serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    for ca in trusted or (CA,):
        ca.configure_trust(context)
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    number: str = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.close()
    await writer.wait_closed()
    return number


async def eventually(true: Callable[[], Any]) -> None:
    """Waits until `true()`, or what it awaits, is true."""
    deadline = time.monotonic() + 20
    while True:
        found = true()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_everything_is_served_over_tls(served: Start, file: Path) -> None:
    put(file, TLS + "http_server_config: {headers: {Strict-Transport-Security: max-age=60}}\n")
    service = served("--web.config.file", str(file))
    assert service.url.startswith("https://127.0.0.1:")
    async with session() as client:
        async with client.post(service.url + "/api/report-error", json=REPORT) as response:
            assert response.status == 200
            assert response.headers["Strict-Transport-Security"] == "max-age=60"
        async with client.get(service.url + "/error-visualization") as response:
            assert response.status == 200
            assert response.headers["Strict-Transport-Security"] == "max-age=60"
        async with client.get(service.url + "/api/errors/list") as response:
            assert len((await response.json())["data"]["errors"]) == 1
        async with client.ws_connect(service.url.replace("https", "wss") + "/ws/error-visualization") as socket:
            await socket.send_json({"type": "error_visualization_init", "time_range": 24})
            assert (await socket.receive_json(timeout=10))["type"]
        with pytest.raises(aiohttp.ClientError):
            await client.get(service.url.replace("https", "http") + "/-/healthy")
    async with session(trusting(OTHER_CA)) as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(service.url + "/-/healthy")
    assert service.stop() == 0


async def test_a_handshake_has_a_deadline(served: Start, file: Path) -> None:
    service = served("--web.config.file", str(file), "--header-timeout", "1")
    parts = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    async with session() as client, client.get(service.url + "/-/healthy") as response:
        assert response.status == 200


async def test_a_new_certificate_is_used_and_a_broken_one_is_not(served: Start, file: Path) -> None:
    service = served("--web.config.file", str(file))
    first = await serial(service.url)
    connector = aiohttp.TCPConnector(ssl=trusting())
    async with aiohttp.ClientSession(connector=connector) as kept:
        await (await kept.get(service.url + "/-/healthy")).read()

        key = file.with_name("server.key")
        good = key.read_bytes()
        for broken in (b"", b"-----BEGIN PRIVATE KEY-----\n", None):
            put(key, broken)
            said = len(service.log)
            await eventually(
                lambda said=said: any("previous users and certificates" in line for line in service.log[said:])
            )
            assert await serial(service.url) == first
        assert sum("level=error" in line for line in service.log) == 3  # each once
        put(key, good)
        await eventually(lambda: any("was read again" in line for line in service.log))

        write(file.parent, OTHER_CA.issue_cert("127.0.0.1"))
        second = None

        async def changed() -> bool:
            nonlocal second
            second = await serial(service.url, CA, OTHER_CA)
            return second != first

        await eventually(changed)
        async with kept.get(service.url + "/-/healthy") as response:  # a connection that is there goes on
            assert response.status == 200
    assert not any("PRIVATE KEY" in line for line in service.log)


async def test_clients_need_a_certificate(served: Start, file: Path) -> None:
    put(file, CLIENTS)
    service = served("--web.config.file", str(file), "--host", "0.0.0.0")
    url = service.url.replace("0.0.0.0", "127.0.0.1")
    async with session(trusting(client=CA.issue_cert("worker"))) as client, client.get(url + "/-/healthy") as response:
        assert response.status == 200
    for stranger in (None, OTHER_CA.issue_cert("worker")):
        async with session(trusting(client=stranger)) as client:
            with pytest.raises(aiohttp.ClientError):
                await client.get(url + "/-/healthy")
    put(file, TLS)  # would open the service to everybody
    await eventually(lambda: any("clients need no certificate any more" in line for line in service.log))
    async with session() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get(url + "/-/healthy")


async def test_users_and_headers_follow_the_file(file: Path) -> None:
    put(file, "")
    web = WebConfig(str(file))
    users = web.users
    assert (bool(users), web.ssl_context(), dict(web.headers)) == (False, None, {})
    put(file, f"basic_auth_users: {{alice: {HASH}}}\nhttp_server_config: {{headers: {{X-XSS-Protection: '0'}}}}\n")
    assert not users
    web.refresh()
    assert web.users is users
    assert await users.accept("alice", "wonderland")
    assert dict(web.headers) == {"X-XSS-Protection": "0"}
    put(file, f"basic_auth_users: {{bob: {HASH}}}\n")
    web.refresh()
    assert not await users.accept("alice", "wonderland")
    assert await users.accept("bob", "wonderland")
    web.close()


@pytest.mark.parametrize("change", ["basic_auth_users: {", "basic_auth_users: {}", "", TLS, None])
async def test_a_change_that_would_open_the_service_or_is_wrong_keeps_the_users(
    file: Path, change: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # other tests may have changed it
    put(file, f"basic_auth_users: {{alice: {HASH}}}\n")
    web = WebConfig(str(file))
    put(file, change)
    for _ in range(3):
        web.refresh()
    assert web.users
    assert await web.users.accept("alice", "wonderland")
    assert web.ssl_context() is None
    (record,) = caplog.records
    assert (record.levelname, HASH in record.getMessage()) == ("ERROR", False)
    assert str(file) in record.getMessage()
    put(file, f"basic_auth_users: {{alice: {HASH}}}\n# whole again")
    web.refresh()
    assert [one.levelname for one in caplog.records[1:]] == []  # the level of the log is warning
    web.close()


async def test_after_a_bug_the_file_is_still_followed(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(file, f"basic_auth_users: {{alice: {HASH}}}\n")
    application = web.Application()
    application[WEB_CONFIG] = config = WebConfig(str(file))
    real, calls = config.refresh, []

    def broken_once() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise LookupError("a bug")
        real()

    monkeypatch.setattr(config, "refresh", broken_once)
    monkeypatch.setattr(app, "CHECK_SECONDS", 0.01)
    following = app._follow_web_config(application)
    await anext(following)
    put(file, f"basic_auth_users: {{bob: {HASH}}}\n")
    await eventually(lambda: config.users.stamp("bob"))
    assert f"{file} could not be read again" in caplog.text
    with pytest.raises(StopAsyncIteration):
        await anext(following)


def test_what_is_not_supported_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(file, "http_server_config: {http2: true}\n")
    WebConfig(str(file)).close()
    assert [record.getMessage() for record in caplog.records] == [f"{file}: http2 is not supported; HTTP/1.1 is used"]


def test_an_inline_certificate_and_its_limits(file: Path) -> None:
    def indented(name: str) -> str:
        return "\n    ".join(file.with_name(name).read_text().splitlines())

    inline = f"tls_server_config:\n  cert: |\n    {indented('server.crt')}\n  key: |\n    {indented('server.key')}\n"
    put(file, inline)
    assert WebConfig(str(file)).ssl_context()
    for more, words in (
        ("  cert_file: server.crt\n", "there must not be both cert and cert_file"),
        ("  client_auth_type: VerifyClientCertIfGiven\n", "needs client_ca_file"),
    ):
        put(file, inline + more)
        with pytest.raises(WebConfigError, match=words):
            WebConfig(str(file))
    file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(WebConfigError, match="larger than 1048576 bytes"):
        WebConfig(str(file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        ("tls_server_config: {cert_file: gone.crt, key_file: server.key}", "gone.crt: No such file or directory"),
        ("tls_server_config: {cert_file: server.crt}", "tls_server_config: key_file is missing"),
        ("tls_server_config: {cert_file: server.crt, key_file: ca.pem}", "the key is not a private key in PEM"),
        ("tls_server_config: {cert_file: ca.pem, key_file: server.key}", "the key does not belong to the certificate"),
        ("basic_auth_users: {alice: wonderland}", "what the user alice has is not a bcrypt hash"),
        ("basic_auth: {}", "there is no key basic_auth"),
        ('tls_server_config: {cert_file: "a\\0b", key_file: server.key}', "this is not a path"),
    ],
)
def test_a_wrong_file_ends_the_service_with_one_sentence(file: Path, content: str | None, words: str) -> None:
    put(file, content)
    for check in ((), ("--check-config",)):
        status, said = run("serve", *check, "--web.config.file", file, "--db-path", file.parent / "errors.duckdb")
        assert (status, said.count("\n")) == (2, 1), said
        assert said.startswith(f"{file}: ")
        assert words in said
        assert "wonderland" not in said
    assert not file.with_name("errors.duckdb").exists()


def test_an_address_that_others_reach_is_refused(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "new" / "errors.duckdb"
    for check in ((), ("--check-config",)):
        status, said = run("serve", *check, "--host", "0.0.0.0", "--db-path", database)
        assert (status, said.count("\n")) == (2, 1), said
        assert said.startswith("refusing to listen on 0.0.0.0: there is no access control")
        status, said = run("serve", *check, "--host", "0.0.0.0", "--db-path", database, "--web.config.file", file)
        assert (status, said.startswith("refusing to listen")) == (2, True)  # TLS alone lets everybody in
    assert not database.parent.exists()
    put(file, f"basic_auth_users: {{alice: {HASH}}}")
    for flags in (("--insecure-no-auth",), ("--web.config.file", file)):
        status, said = run("serve", "--check-config", "--host", "0.0.0.0", "--db-path", database, *flags)
        assert (status, said) == (0, "the settings are good\n")


def test_an_exposed_service_starts_when_told_so(served: Start) -> None:
    service = served("--host", "0.0.0.0", "--insecure-no-auth")
    service.url = service.url.replace("0.0.0.0", "127.0.0.1")
    assert service.get("/-/healthy") == {"healthy": True}
