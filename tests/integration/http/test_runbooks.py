"""The runbooks that alerts link to are pages of the service."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ROOT, InProcess

from exporter.http.runbooks import as_html

pytestmark = pytest.mark.html
PAGES = sorted(file.stem for file in (ROOT / "docs/runbooks").glob("*.md"))


async def get(service: InProcess, path: str) -> tuple[int, str]:
    async with service.client.get(path, headers={"Accept": "text/html"}) as response:
        return response.status, await response.text()


async def test_every_runbook_is_a_page_whose_links_lead_somewhere(service: InProcess) -> None:
    status, index = await get(service, "/runbooks/")
    assert status == 200
    assert "<td>" in index
    for name in set(PAGES) - {"README"}:
        assert f'href="{name}"' in index
        status, page = await get(service, f"/runbooks/{name}")
        assert (status, f"<title>{name}</title>" in page) == (200, True)
        for link in re.findall(r'href="([^"]+)"', page):
            assert link in PAGES or link == "." or link.startswith(("http", "../static/")), (name, link)
    assert (await get(service, "/runbooks/CriticalError.md"))[0] == 200  # as the links of a folder end
    assert (await get(service, "/static/runbook.css"))[0] == 200


@pytest.mark.parametrize("name", ["Missing", "..%2Fsettings", "README.md.md", "%00", "A" * 5_000])
async def test_a_page_that_there_is_not_is_refused(service: InProcess, name: str) -> None:
    status, _ = await get(service, f"/runbooks/{name}")
    assert status in (404, 400)


async def test_they_are_there_without_the_page_and_without_a_login(serve: Callable[..., Any]) -> None:
    service = await serve(error_visualization=False)
    assert (await get(service, "/runbooks/CriticalError"))[0] == 200


def test_markup_in_a_runbook_is_text() -> None:
    assert "<script>" not in as_html("# A\n\n<script>alert(1)</script> [x](javascript:alert(1))")
    assert "javascript:" not in re.findall(r'href="([^"]*)"', as_html("[x](javascript:alert(1))"))


async def test_the_address_of_the_page_is_a_metric(serve: Callable[..., Any]) -> None:
    service = await serve(external_url="https://errors.example.com/")
    assert (await service.metrics())['distributed_testing_page_info{url="https://errors.example.com"}'] == 1


async def test_external_labels_are_a_metric(serve: Callable[..., Any]) -> None:
    service = await serve(external_labels=("cluster=eu", "team=training"))
    assert (await service.metrics())['distributed_testing_external_labels_info{cluster="eu",team="training"}'] == 1
