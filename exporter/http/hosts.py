"""Which hosts a request may name, so that no page of the internet reads this service through DNS rebinding.

    page of evil.example in a browser ── GET http://evil.example:8080/api/errors
                                         evil.example now resolves to 127.0.0.1
    this service                      ◄─ GET /api/errors, Host: evil.example:8080      → 403

To the browser both are one origin, so the page may read the answer. Only the name in `Host` tells this request from
those meant for this service. An address (10.0.0.5) in `Host` cannot be rebound.
"""

import re
import socket
from typing import Final
from urllib.parse import urlsplit

from exporter.access.proxies import address_of
from exporter.config import Settings

ANY: Final = "*"
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/@\s]+)(:\d*)?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class KnownHosts:
    """The hosts under which the service of these settings is reached."""

    def __init__(self, settings: Settings) -> None:
        host = settings.host.lower()
        bound = address_of(host)
        on_loopback = host == "localhost" or (bound is not None and bound.is_loopback)
        self.origin = _origin(settings.external_url)  # of the page, where a proxy serves it under another name
        self._any = ANY in settings.allowed_hosts
        self._bound = bound
        external = (urlsplit(settings.external_url).hostname or "").rstrip(".")
        self._names = {"localhost", host, external, *settings.allowed_hosts} - {""}
        self._every_address = not on_loopback and (bound is None or bound.is_unspecified)
        self._own_names = not on_loopback
        self._accepted: set[str] = set()  # values of `Host` seen before: a usual request costs one lookup

    def learn_own_names(self) -> None:
        """Accepts the names of this machine, unless the service listens on loopback only. May wait for DNS."""
        if self._own_names:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def accepts(self, header: str) -> bool:
        """Whether a request with this value of `Host` is answered."""
        if header in self._accepted:
            return True
        name = host_name(header)
        address = address_of(name)
        if address is None:
            accepted = self._any or name in self._names
        else:
            accepted = self._any or address.is_loopback or address == self._bound or self._every_address
            accepted = accepted or str(address) in self._names
        if accepted and len(self._accepted) < 1_000:
            self._accepted.add(header)
        return accepted

    def accepts_probe(self, header: str) -> bool:
        """Whether a health check with this value of `Host` is answered: any IP address is accepted, too."""
        return self.accepts(header) or address_of(host_name(header)) is not None


def host_name(header: str) -> str:
    """The host in a value of `Host`: lower case, without port, brackets and final dot; "" when it is not one."""
    found = _HOST.fullmatch(header)
    return found["name"].strip("[]").rstrip(".").lower() if found else ""


def _origin(url: str) -> str:
    """The `Origin` that a browser sends from a page at this address; "" for no address."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}" if host else ""
