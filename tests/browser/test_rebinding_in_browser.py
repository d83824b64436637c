"""DNS rebinding in a real Chromium: to the browser, the service is a part of the attacker's own site, and refuses it."""

import pytest
from chromium import CHROMIUM, FLAGS
from conftest import InProcess
from playwright.async_api import async_playwright

pytestmark = pytest.mark.html
REBOUND = "--host-resolver-rules=MAP evil.example 127.0.0.1"
# Newer browsers ask the user before a page reaches loopback; older ones do not.
OLD = ",LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
ARGS = [flag + OLD if flag.startswith("--disable-features=") else flag for flag in FLAGS]
ATTACK = """async () => {
    const get = await fetch('/api/errors')
    const body = JSON.stringify({worker_id: 'evil', message: 'evil'})
    const post = await fetch('/api/report-error', {method: 'POST', headers: {'Content-Type': 'application/json'}, body})
    const reset = await fetch('/api/reset-counts', {method: 'POST'})
    const socket = await new Promise(done => {
        const one = new WebSocket(`ws://${location.host}/ws/error-visualization`)
        one.onopen = () => done('open')
        one.onerror = () => done('refused')
    })
    return [get.status, (await get.json()).status, post.status, reset.status, socket]
}"""


@pytest.mark.parametrize(
    ("host", "expected"),
    [("evil.example", [403, "error", 403, 403, "refused"]), ("localhost", [200, "success", 200, 200, "open"])],
)
async def test_a_page_whose_name_is_rebound_gets_nothing(service: InProcess, host: str, expected: list[object]) -> None:
    """The page itself comes from the attacker; then its name resolves to this service. `localhost` shows that the attack
    would work."""
    home = f"http://{host}:{service.client.port}/home"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, REBOUND])
        page = await browser.new_page()
        await page.route(home, lambda route: route.fulfill(body="<title>cats</title>", content_type="text/html"))
        await page.goto(home)
        found = await page.evaluate(ATTACK)
        await browser.close()
    assert found == expected
    assert (await service.get("/api/errors"))["summary"]["total_errors"] == (expected[2] == 200)
