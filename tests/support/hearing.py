"""Which sounds the page makes: each one that starts is heard, and named by its length."""

from playwright.async_api import Page

LISTEN = """
(() => {
  window.heard = [];
  const lengths = {"system-critical": 1.04, critical: 0.74, warning: 0.54, info: 0.34, notification: 0.44, recovered: 0.94, tone: 0.5};
  AudioBufferSourceNode.prototype.start = function () {
    const far = (name) => Math.abs(lengths[name] + (name === "tone" ? 0 : 0.05) - this.buffer.duration);
    window.heard.push(this.buffer.duration === 0.5 ? "tone" : Object.keys(lengths).filter((name) => name !== "tone").sort((a, b) => far(a) - far(b))[0]);
  };
})()
"""


async def listen(page: Page) -> None:
    """Hears what sounds from now on, until the page is loaded again."""
    await page.evaluate(LISTEN)


async def heard(page: Page, *names: str) -> None:
    """Waits until exactly these sounds were heard."""
    await page.wait_for_function("n => window.heard.length >= n", arg=len(names))
    assert await page.evaluate("window.heard") == list(names)
