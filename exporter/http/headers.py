"""Headers that every response has, so that browsers and caches do not use it otherwise than it is meant.

nosniff                     a report that is shown as JSON never becomes a script
Content-Security-Policy     what is not the page loads nothing, and is in no frame
Referrer-Policy             other sites do not see the filters in the page's address
Cache-Control: private      no cache that several people share keeps an answer
Server                      no versions
"""

from typing import Final

from aiohttp import hdrs, web
from multidict import istr

from exporter.access.web_config import WebConfig

WEB_CONFIG: Final = web.AppKey("web_config", WebConfig)
CONTENT_SECURITY_POLICY: Final = istr("Content-Security-Policy")
SERVER: Final = "error-visualization"
SECURITY: Final = {
    istr("X-Content-Type-Options"): "nosniff",
    CONTENT_SECURITY_POLICY: "default-src 'none'; frame-ancestors 'none'",
    istr("Referrer-Policy"): "no-referrer",
    hdrs.CACHE_CONTROL: "private, no-cache",
    hdrs.SERVER: SERVER,
}


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Adds the headers that a response lacks, and sets those of the web config file."""
    headers = response.headers
    if headers[hdrs.SERVER] != SERVER:  # that of aiohttp; answers of `json_answer` and `success` have all of them
        headers[hdrs.SERVER] = SERVER
        for name, value in SECURITY.items():
            headers.setdefault(name, value)
    if configured := request.app[WEB_CONFIG].headers:
        headers.update(configured)
