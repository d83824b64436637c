"""axe-core finds no violations in any view, with hostile data, in light and dark, wide and on a phone."""

from typing import Any

import pytest
from chromium import Browser, follow, needs_chromium, open_page
from conftest import InProcess
from playwright.async_api import expect
from test_page_accessibility import AXE, violations
from test_page_views import HOSTILE, PHONE, answer_workers, filled, rank, view, worker

pytestmark = [
    pytest.mark.html,
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (make test installs it)"),
]
LONG = "x" * 400 + HOSTILE


async def seeded(service: InProcess) -> dict[str, str]:
    """Reports errors with hostile texts, and returns the address of each view."""
    more: dict[str, Any] = {
        "run": {"id": HOSTILE, "job": LONG}, "test": {"id": LONG, "outcome": "failed"}, "devices": [HOSTILE], "traceback": LONG,
        "hardware_context": {"hardware_type": LONG, HOSTILE: [{"a": HOSTILE}]}, "error_frequency": {"recurring": True},
        "system_context": {"metrics": {"cpu": {"percent": 99}}, "gpu_metrics": {"devices": [{"index": 0, "name": LONG, "temperature": 99}]}},
    }  # fmt: skip
    for number in range(10):
        await service.post(
            rank(number, **more) | {"worker_id": f"{number} {LONG}"[:200], "message": f"rank {number} of {LONG}"}
        )
    tests = {"w0": {"failed": [LONG], "passed": [f"t::{n}" for n in range(20)]}}
    await service.ask("/api/runs", {"run": {"id": HOSTILE}, "worker_id": "ctl", "workers": tests})
    errors = (await service.get("/api/errors/list"))["errors"]
    run, test = [(await service.get(f"/api/rankings?by={by}"))["values"][0]["name"] for by in ("run", "test")]
    return {
        "pattern": view("pattern", errors[0]["pattern_id"]), "worker": view("worker", errors[0]["worker_id"]),
        "run": view("run", run), "test": view("test", test), "error": f"?error={errors[0]['id']}",
        "dead": view("test", LONG + "?"),
    }  # fmt: skip


@pytest.mark.parametrize(("theme", "wide"), [("light", True), ("dark", True), ("light", False), ("dark", False)])
async def test_no_violation_in_any_view(browser: Browser, service: InProcess, theme: str, wide: bool) -> None:
    addresses = await seeded(service)
    viewport = {"width": 1440, "height": 900} if wide else PHONE
    page, complaints = await open_page(browser, service, color_scheme=theme, viewport=viewport)
    patterns = [
        {
            "pattern_id": HOSTILE,
            "text": LONG,
            "errors": 5,
            "critical": 2,
            "first": "2026-01-01T00:00:00.000Z",
            "last": "2026-01-01T00:00:00.000Z",
        }
    ]
    await answer_workers(page, worker(worker_id=LONG, reason=LONG, patterns=patterns * 12))
    for name, address in addresses.items():
        await follow(page, address)
        await filled(page)
        for summary in await page.locator("#details summary").all():
            await summary.click()
        assert (name, await violations(page, "'#details'")) == (name, [])
        assert await page.locator("#details").evaluate("d => d.scrollWidth <= d.clientWidth"), f"{name} is too wide"
        assert await page.locator("#details :is(img, b.x, script)").count() == 0
    await page.keyboard.press("Escape")
    await expect(page.locator("#details")).to_be_hidden()
    assert complaints == []
