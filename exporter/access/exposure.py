"""Whether the service may listen on an address that other machines reach."""

import ipaddress
import os
from pathlib import Path
from typing import Protocol

from exporter.access.token_file import beside


class Exposed(Protocol):
    """The part of `Settings` that is needed here."""

    @property
    def host(self) -> str: ...
    @property
    def insecure_no_auth(self) -> bool: ...
    @property
    def auth_proxy_header(self) -> str: ...
    @property
    def trusted_proxies(self) -> tuple[str, ...]: ...
    @property
    def tokens_file(self) -> str: ...
    @property
    def db_path(self) -> str: ...


def why_not_exposed(settings: Exposed, *, has_users: bool, requires_client_certificates: bool, has_tokens: bool) -> str:
    """Returns why the service must not listen on its address; "" if it may."""
    controlled = has_users or requires_client_certificates or has_tokens
    controlled = controlled or bool(settings.auth_proxy_header and settings.trusted_proxies)
    if controlled or settings.insecure_no_auth or is_loopback(settings.host):
        return ""
    return (
        f"refusing to listen on {settings.host or 'every address'}: there is no access control, so everybody who "
        "reaches the port could read, change and delete all errors. Create a token (error-visualization token create), "
        "or give a file with users or client certificates (--web.config.file), or listen on 127.0.0.1, or allow "
        "everybody with --insecure-no-auth"
    )


def has_tokens(settings: Exposed) -> bool:
    """Returns whether requests need a token: the settings name a file of tokens, or there is one."""
    return bool(settings.tokens_file) or beside(Path(os.path.realpath(settings.db_path))).exists()


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches the address. Of names, only `localhost` is believed."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
