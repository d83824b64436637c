"""The page and its files. Nothing here knows of errors: the page asks the API like anybody else."""

import hashlib
import html
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web

from exporter import __version__
from exporter.http.bundle import bundled
from exporter.http.responses import SERVICE, ApiError

PAGE: Final = Path(str(resources.files("exporter") / "page"))
FALLBACK_SOUND: Final = "error-notification.mp3"
TYPES: Final = {
    ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png", ".html": "text/html",
    ".mp3": "audio/mpeg", ".map": "application/json",
}  # fmt: skip
HEADERS: Final = {  # the rest is added by headers.py
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'self'",
    "X-Frame-Options": "sameorigin",  # for browsers that do not know frame-ancestors
    "Cache-Control": "no-cache",  # the same for everybody
}


async def home(_: web.Request) -> web.StreamResponse:
    """GET /: leads to the page."""
    raise web.HTTPFound("/error-visualization")


async def page(request: web.Request) -> web.StreamResponse:
    """GET /error-visualization: the page, in the theme and with the address of issues that the service was told."""
    settings = request.app[SERVICE].settings
    told = f'data-theme="{settings.theme}" data-issue-url="{html.escape(settings.issue_url)}"'
    text = bundled((PAGE / "index.html").read_text("utf-8"), PAGE).replace('data-theme="system"', told, 1)
    text = text.replace('name="version" content=""', f'name="version" content="{version()}"', 1)
    response = web.Response(text=text, content_type="text/html", headers=HEADERS)
    response.enable_compression()
    return response


@cache
def version() -> str:
    """The version of the service, and a digest of the page's files: the page is another one when either changes."""
    digest = hashlib.sha256()
    for file in sorted(path for path in PAGE.rglob("*") if path.is_file()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


async def static(request: web.Request) -> web.StreamResponse:
    """GET /static/…: a file of the page."""
    return _file(PAGE, request.match_info["name"])


async def sound(request: web.Request) -> web.StreamResponse:
    """GET /sounds/…: a sound; the user's own where there is one, the default one where it is missing."""
    name = request.match_info["name"]
    own = request.app[SERVICE].settings.sounds_dir
    folders = [Path(own)] if own else []
    for candidate in (name, FALLBACK_SOUND):
        for folder in (*folders, sounds_folder()):
            if Path(candidate).suffix == ".mp3" and "/" not in candidate and _is_file(folder / candidate):
                return _file(folder, candidate)
    raise ApiError(404, f"there is no sound {name}")


def sounds_folder() -> Path:
    """Where the own sounds are: in the installed package, or beside it in a checkout."""
    package = Path(str(resources.files("exporter")))
    installed = package / "sounds"
    return installed if installed.is_dir() else package.parent / "sounds"


def _file(folder: Path, name: str) -> web.StreamResponse:
    path = folder / name
    if not _is_file(path) or path.suffix not in TYPES or not path.resolve().is_relative_to(folder.resolve()):
        raise ApiError(404, f"there is no file {name}")
    headers = HEADERS | {"Content-Type": TYPES[path.suffix]}
    if path.suffix == ".mp3" or path.with_name(path.name + ".gz").exists():
        return web.FileResponse(path, headers=headers)  # sends the compressed one to whoever takes it
    response = web.Response(body=path.read_bytes(), headers=headers)
    response.enable_compression()
    return response


def _is_file(path: Path) -> bool:
    """False for what is no name at all, too: one that is too long, or has a null byte in it."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
