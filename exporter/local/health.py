"""`error-visualization health`: asks the service on this machine whether it is ready, for health checks of containers.

It takes the address from the same settings as `serve`: flags, variables and the settings file. With TLS it accepts any
certificate, because it asks its own machine, and sends no secret. It needs no token, as every probe.
"""

import argparse
import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Final

from exporter import config
from exporter.access.web_format import REQUIRED, WebConfigError, parse

TIMEOUT: Final = 4.0  # seconds; a probe of the service answers within 2 s
PATH: Final = "/-/ready"
HOST: Final = (
    "127.0.0.1"  # probes may have any IP address in `Host`; the address may be written in another way, as 127.1
)
EVERY: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # addresses to listen on: one to connect to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Returns the exit status: 0 if the service is ready, 1 if it is not or does not answer, 2 for wrong settings."""
    try:
        settings = config.load(vars(given), os.environ)
        problem = why_unhealthy(settings)
    except (config.ConfigError, WebConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    print(problem or "ready", file=sys.stderr if problem else sys.stdout)
    return 1 if problem else 0


def why_unhealthy(settings: config.Settings) -> str:
    """Returns why the service of these settings cannot accept a report now, "" if it can. Raises `WebConfigError`.

    If clients have to show certificates, the service cannot be asked: then it is healthy if it begins a TLS session."""
    host = EVERY.get(settings.host, settings.host)
    has_tls, needs_certificate = _tls(settings.web_config_file)
    connection: http.client.HTTPConnection | None = None
    try:
        if has_tls:
            connection = http.client.HTTPSConnection(host, settings.port, timeout=TIMEOUT, context=_any_certificate())
        else:
            connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT)
        connection.connect()
        if needs_certificate:
            return ""
        connection.request("GET", PATH, headers={"Host": HOST})
        response = connection.getresponse()
        answer = response.read(10_000)
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # UnicodeError: of a name such as a..b
        if needs_certificate and isinstance(error, ssl.SSLError):  # of TLS 1.2: it asks for one
            return ""
        return f"the service at {host}:{settings.port} does not answer: {error or type(error).__name__}"
    finally:
        if connection:
            connection.close()
    return "" if response.status == 200 else _message(answer)


def _tls(file: str) -> tuple[bool, bool]:
    """Returns whether the web config file has TLS, and whether clients have to show certificates. Only the file itself
    is read: the command may run as a user that cannot read the key. Raises `WebConfigError`."""
    if not file:
        return False, False
    try:
        tls = parse(Path(file).read_bytes()).tls_server_config
    except OSError as error:
        raise WebConfigError(f"{file}: {error.strerror}") from None
    return bool(tls and (tls.cert_file or tls.cert)), bool(tls and tls.client_auth_type == REQUIRED)


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _message(answer: bytes) -> str:
    """Returns the reason in an answer of the service."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return "the service is not ready"
