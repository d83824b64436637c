"""The web config file of Prometheus' exporter-toolkit, while the service runs: read again when it changes."""

import ssl
from collections.abc import Mapping

from exporter.access.users import Users


class WebConfigError(Exception):
    """The web config file, or a file that it names, is wrong; the message is for operators."""


class WebConfig:
    """What the web config file says now. `WebConfig("")`: there is none."""

    def __init__(self, path: str) -> None:
        """Reads the file. Raises `WebConfigError`."""
        self.path = path
        self.users = Users({})  # the same object after each change
        self.headers: Mapping[str, str] = {}  # for every response
        self.requires_client_certificates = False

    def ssl_context(self) -> ssl.SSLContext | None:
        """Returns the context for the server, which follows changes of the certificates; None: plain HTTP."""
        return None

    def refresh(self) -> None:
        """Reads the file again if it changed. A wrong file changes nothing and is logged once."""

    def close(self) -> None:
        self.users.close()
