"""The page in a real Chromium."""

import datetime as dt
import json
from typing import Any

import aiohttp
import pytest
from chromium import LONGEST, Browser, leave_details, listed, needs_chromium, open_page
from conftest import REPORT, ROOT, InProcess, free_port
from playwright.async_api import expect
from running import RunningServer

from exporter.app import make_app
from exporter.ingest.parse import parse_report
from exporter.service import Service

pytestmark = [pytest.mark.html, needs_chromium]
ATTACK = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\u202e{{x}}javascript:alert(1)"


async def test_a_new_error_appears_at_once_at_the_top(browser: Browser, service: InProcess) -> None:
    page, complaints = await open_page(browser, service)
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator("#verdict")).to_contain_text("o current report has arrived yet")
    for number in range(3):
        id_ = (await service.post({"worker_id": f"w{number}"}))["id"]
        await expect(page.locator("#errors li").first).to_have_attribute("data-id", str(id_), timeout=1000)
    await expect(page.locator("#empty")).to_be_hidden()
    await expect(page.locator("[data-card=critical_errors] .count")).to_have_text("3")
    await expect(page.locator("#verdict")).to_contain_text(": 3 critical errors on 3 workers")
    await expect(page.locator("#errors li")).to_have_count(3)
    assert complaints == []


async def test_the_range_is_in_the_address(browser: Browser, service: InProcess) -> None:
    await service.post({"timestamp": (dt.datetime.now(dt.UTC) - dt.timedelta(days=6)).isoformat()})
    await service.post()
    page, _ = await open_page(browser, service, "?range=1")
    await expect(page.locator("#range [aria-current]")).to_have_text("1 h")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1")
    await page.get_by_role("link", name="7 d").click()
    await expect(page.locator("#range [aria-current]")).to_have_text("7 d")
    await page.wait_for_url("**?range=168")
    await page.go_back()
    await expect(page.locator("#range [aria-current]")).to_have_text("1 h")
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("1")


async def test_what_a_report_says_is_never_markup(browser: Browser, service: InProcess) -> None:
    attack = dict.fromkeys(("worker_id", "type", "error_category", "message", "traceback"), ATTACK)
    await service.post(attack)
    page, complaints = await open_page(browser, service)
    await service.post(attack)
    await listed(page, 2)
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("#errors script, #errors img").count() == 0
    assert ATTACK in (await page.locator("#errors .message").first.text_content() or "")
    assert complaints == []


async def test_attacks_in_every_field_and_ten_thousand_categories(browser: Browser, service: InProcess) -> None:
    texts = dict.fromkeys(("type", "error_category", "traceback"), ATTACK) | {"message": ATTACK + "x" * 1_000_000}
    context = {ATTACK: ATTACK, "hostname": ATTACK, "metrics": {"cpu": {ATTACK: 99}, ATTACK: {"a": 1}},
               "gpu_metrics": {"devices": [{"index": 0, "name": ATTACK, "temperature": 99}]}}  # fmt: skip
    hardware = {"hardware_type": ATTACK, "hardware_status": {"overheating": True}}
    many = [{"worker_id": f"{ATTACK}{n}", "error_category": f"{ATTACK}{n}", "message": "m"} for n in range(10_000)]
    for start in range(0, len(many), 2_000):
        async with service.client.post("/api/report-errors", json=many[start : start + 2_000]) as response:
            assert response.status == 200, await response.text()
    attack = {"worker_id": ATTACK, "system_context": context, "hardware_context": hardware, ATTACK: ATTACK}
    id_ = (await service.post(texts | attack))["id"]
    for width in (360, 1280):
        page, complaints = await open_page(browser, service, f"?error={id_}", viewport={"width": width, "height": 700})
        await expect(page.locator("#frequency")).to_contain_text("7 d")
        await expect(page.locator("#by-hardware svg path").first).to_be_attached()
        await page.locator("#details summary").click()
        for place in ("document.documentElement", "document.querySelector('#details')"):
            assert await page.evaluate(f"{place}.scrollWidth - {place}.clientWidth") <= 0
        await leave_details(page)
        await page.locator("#by-category .swap").click()
        await expect(page.locator("#by-category tbody tr")).to_have_count(10)
        await expect(page.locator("#category-rest")).to_contain_text("and 9,991 more categories")
        assert await page.evaluate("window.hacked") is None
        assert await page.locator("script:not([src]), img, a[href^='javascript:']").count() == 0
        assert complaints == []


async def test_a_long_message_breaks_no_layout(browser: Browser, service: InProcess) -> None:
    await service.post({"message": "x" * 1_000_000, "worker_id": "w" * 256, "error_category": "C" * 256})
    for width in (360, 1280):
        page, _ = await open_page(browser, service, viewport={"width": width, "height": 700})
        await expect(page.locator("#by-category svg path").first).to_be_attached()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_it_comes_back_with_the_service(browser: Browser, serve: Any) -> None:
    service = await serve()
    await service.post()
    page, _ = await open_page(browser, service)
    port = service.client.port
    await service.client.close()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    await expect(page.locator("#connection")).to_contain_text("connection lost, as of")
    again = RunningServer(make_app(Service(service.service.settings, process=False)), port=port)
    await again.start_server()
    try:
        late = REPORT | {"worker_id": "late"}
        url = again.make_url("/api/report-error")
        async with aiohttp.ClientSession() as session, session.post(url, json=late) as response:
            assert response.status == 200
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
        await listed(page, 2)
        await expect(page.locator("#errors li .worker").first).to_have_text("late")
    finally:
        await again.close()


async def test_a_kill_under_the_open_page_loses_and_doubles_nothing(browser: Browser, served: Any) -> None:
    port = free_port()
    first = served(port=port)
    for number in range(3):
        first.post({"worker_id": f"before-{number}"})
    page = await browser.new_page()
    await page.goto(f"{first.url}/error-visualization")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    first.post({"worker_id": "before-3"})
    await listed(page, 4)
    first.kill()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    second = served(port=port)
    for number in range(5):
        second.post({"worker_id": f"after-{number}"})
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LONGEST)
    second.post({"worker_id": "after-5"})
    await listed(page, 10, rows=10)
    shown = await page.locator("#errors .worker").all_text_contents()
    assert shown == [f"after-{n}" for n in range(5, -1, -1)] + [f"before-{n}" for n in range(3, -1, -1)]
    await expect(page.locator("[data-card=total_errors] .count")).to_have_text("10")


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
async def test_the_theme_of_the_settings_is_there_at_first_paint(serve: Any, theme: str) -> None:
    service = await serve(theme=theme)
    async with service.client.get("/error-visualization") as response:
        assert f'<html lang="en" data-theme="{theme}" ' in await response.text()


async def test_no_script_from_elsewhere(service: InProcess) -> None:
    async with service.client.get("/error-visualization") as response:
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http://" not in text
    assert "https://" not in text
    assert "style=" not in text


async def test_sounds_are_served_and_a_missing_one_is_the_default(serve: Any, tmp_path: Any) -> None:
    (tmp_path / "error-info.mp3").write_bytes(b"my own")
    service = await serve(sounds_dir=str(tmp_path))

    async def sound(name: str) -> bytes:
        async with service.client.get(f"/sounds/{name}") as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "audio/mpeg")
            return await response.read()

    assert await sound("error-info.mp3") == b"my own"
    assert await sound("error-critical.mp3") != await sound("error-notification.mp3")
    assert await sound("unknown.mp3") == await sound("error-notification.mp3")


async def test_the_root_leads_to_the_page(service: InProcess) -> None:
    async with service.client.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/error-visualization")


def test_json_is_what_the_example_sends() -> None:
    """The curl command that an empty page shows sends a valid report."""
    text = (ROOT / "exporter/page/page.js").read_text()
    body = text.partition("-d '")[2].partition("'")[0]
    assert not parse_report(json.dumps(json.loads(body)).encode())[2]
