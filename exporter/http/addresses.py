"""The address of the client that sends a request."""

from typing import Final

from aiohttp import web
from multidict import istr

from exporter.access.control import Access

ACCESS: Final = web.AppKey("access", Access)
_FORWARDED: Final = istr("X-Forwarded-For")


def address_of(request: web.Request) -> str:
    """Returns the address of the client, as trusted proxies say it, "" if it is unknown."""
    peer = request.remote or ""
    access = request.app.get(ACCESS)
    return access.address(peer, request.headers.getall(_FORWARDED, ())) if access else peer
