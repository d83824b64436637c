"""The page is sent as a bundle only while that was made from the files as they are."""

import hashlib
import json
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from conftest import InProcess

from exporter.http import pages

pytestmark = pytest.mark.dashboard
SCRIPT, SHEET = '/static/bundle/page.js"', '/static/bundle/page.css"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the page that the service sends, with a bundle of the entry module and one style sheet."""
    copy = copytree(pages.PAGE, tmp_path / "page", ignore=ignore_patterns("bundle", "vendor"))
    (copy / "bundle").mkdir()
    sources = {name: hashlib.sha256((copy / name).read_bytes()).hexdigest() for name in ("page.js", "page.css")}
    made = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("page.js", "page.css")}
    (copy / "bundle" / "sources.json").write_text(json.dumps({"sources": sources, "made": made, "built_with": ""}))
    for name in ("page.js", "page.js.gz", "page.js.map", "page.css"):
        (copy / "bundle" / name).write_text(name)
    monkeypatch.setattr(pages, "PAGE", copy)
    return copy


async def page(service: InProcess) -> str:
    async with service.client.get("/error-visualization") as response:
        assert response.status == 200
        return await response.text()


async def test_a_current_bundle_replaces_the_modules_and_the_style_sheets(service: InProcess, folder: Path) -> None:
    text = await page(service)
    assert (text.count('rel="stylesheet"'), text.count("<script")) == (1, 2)
    assert SCRIPT in text
    assert SHEET in text
    assert text.index(SHEET) < text.index("/static/theme.js") < text.index(SCRIPT)


@pytest.mark.parametrize("fault", ["edited", "removed", "no bundle", "no script", "half a record", "of another build"])
async def test_else_the_modules_are_sent_one_by_one(service: InProcess, folder: Path, fault: str) -> None:
    assert SCRIPT in await page(service)
    module, record = folder / "page.js", folder / "bundle" / "sources.json"
    broken = record if fault in ("no bundle", "half a record") else module
    broken = folder / "bundle" / "page.js" if fault in ("no script", "of another build") else broken
    before = broken.read_bytes()
    if fault in ("edited", "half a record", "of another build"):
        broken.write_bytes(before[:-2])
    else:
        broken.unlink()
    text = await page(service)
    assert "/static/bundle/" not in text
    assert '/static/page.js"' in text
    assert text.count('rel="stylesheet"') > 5
    broken.write_bytes(before)
    assert SCRIPT in await page(service)


async def test_the_bundle_is_compressed_once_and_not_sent_again(service: InProcess, folder: Path) -> None:
    async with service.client.get("/static/bundle/page.js", auto_decompress=False) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Content-Type"] == "text/javascript"
        assert await response.read() == b"page.js.gz"
        known = {"If-None-Match": response.headers["ETag"]}
    async with service.client.get("/static/bundle/page.js", headers=known) as response:
        assert response.status == 304
    for name, status in {"page.js.map": 200, "sources.json": 404, "page.js.gz": 404}.items():
        async with service.client.get(f"/static/bundle/{name}") as response:
            assert response.status == status, name
