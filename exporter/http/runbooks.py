"""The runbooks that alerts link to, as pages: what an alert means and what to do. They come with the service, so that a
link of an alert leads somewhere also where no public repository can be reached."""

import re
from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web
from markdown_it import MarkdownIt

from exporter.http.pages import HEADERS
from exporter.http.parameters import refuse_unknown
from exporter.http.responses import ApiError

_NAME: Final = re.compile(r"[A-Za-z]{1,100}")
_TITLE: Final = re.compile(r"^# (.+)$", re.M)
_PAGE_LINK: Final = re.compile(r'href="(?:README|([A-Za-z]+))\.md"')
_OTHER_LINK: Final = re.compile(r'<a href="\.\./[^"]*">(.*?)</a>', re.S)  # to pages that are not served


async def runbook(request: web.Request) -> web.Response:
    """GET /runbooks/{name}: the runbook of an alert, with or without `.md` after its name."""
    refuse_unknown(request)
    name = request.match_info["name"].removesuffix(".md")
    if not _NAME.fullmatch(name) or not (runbooks_folder() / f"{name}.md").is_file():
        raise ApiError(404, "there is no runbook of this name; /runbooks/ lists those that there are")
    return _page(name)


async def index(request: web.Request) -> web.Response:
    """GET /runbooks/: all alerts with their runbooks."""
    refuse_unknown(request)
    return _page("README")


def runbooks_folder() -> Path:
    """Returns where the runbooks are: in the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("exporter")))
    installed = package / "runbooks"
    return installed if installed.is_dir() else package.parent / "docs" / "runbooks"


def _page(name: str) -> web.Response:
    text = (runbooks_folder() / f"{name}.md").read_text("utf-8")
    response = web.Response(text=as_html(text), content_type="text/html", headers=HEADERS)
    response.enable_compression()
    return response


def as_html(text: str) -> str:
    """Returns a runbook as an HTML page whose links to other runbooks work."""
    title = _TITLE.search(text)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = _PAGE_LINK.sub(lambda link: f'href="{link[1] or "."}"', body)
    body = _OTHER_LINK.sub(r"\1", body)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title[1] if title else 'Runbook'}</title>"
        '<link rel="stylesheet" href="../static/runbook.css"></head>\n'
        f"<body><main>\n{body}</main></body></html>\n"
    )
