"""The built wheel contains all that the service needs; a failing build says why."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The sources as in a fresh clone, without build results."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "vendor", "bundle", "node_modules", "*.duckdb*", "__pycache__", ".*_cache"
    )
    return shutil.copytree(ROOT, tmp_path / "source", ignore=ignored)


def build(source: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    flags = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(out))
    command = [sys.executable, "-m", "pip", "wheel", *flags, str(source)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def bundle_has_all_modules(files: zipfile.ZipFile) -> None:
    """Asserts that the bundle of the page was made from the files that are in the wheel, and has every module."""
    page = "exporter/page/"
    sources = json.loads(files.read(f"{page}bundle/sources.json"))["sources"]
    for name, digest in sources.items():
        assert hashlib.sha256(files.read(page + name)).hexdigest() == digest, name
    there = {name.removeprefix(page) for name in files.namelist() if name.startswith(page)}
    alone = {"theme.js", "ticks.js", "login.css", "runbook.css"}  # before the first paint, a worker, other pages
    assert {name for name in there if "/" not in name and name.endswith((".js", ".css"))} - alone == set(sources) - {
        "index.html"
    }
    for name in ("page.js", "page.css"):
        assert gzip.decompress(files.read(f"{page}bundle/{name}.gz")) == files.read(f"{page}bundle/{name}")
        mapped = json.loads(files.read(f"{page}bundle/{name}.map"))["sources"]
        assert {source.removeprefix("../") for source in mapped} <= set(sources)  # served as /static/NAME
    assert b'import("../vendor/echarts.js")' in files.read(f"{page}bundle/page.js")


def test_the_wheel_has_the_page_the_charts_the_sounds_and_the_sql(source: Path, tmp_path: Path) -> None:
    stale = source / "exporter/page/bundle"
    stale.mkdir()
    (stale / "page.js").write_text("// of another commit")
    (stale / "sources.json").write_text(json.dumps({"sources": {"page.js": "0" * 64}, "built_with": ""}))
    done = build(source, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel)
    names = set(files.namelist())
    assert {"exporter/page/index.html", "exporter/page/page.js", "exporter/store/read.sql", "exporter/py.typed",
            "exporter/store/migrations/001_initial.sql", "exporter/sounds/error-critical.mp3", "exporter/sounds/error-recovered.mp3", "exporter/runbooks/CriticalError.md",
            "exporter/sounds/generate_sound_files.py", "exporter/page/vendor/echarts.js",
            "exporter/page/vendor/echarts.js.gz"} <= names  # fmt: skip
    bundle_has_all_modules(files)
    assert not [
        name
        for name in names
        if name.startswith("tests/") or "/test" in name or "node_modules" in name or name.endswith(".duckdb")
    ]
    assert len(files.read("exporter/page/vendor/echarts.js.gz")) < 250_000
    licences = files.read("exporter/page/vendor/LICENSES.txt").decode()
    for name in ("echarts: LICENSE", "echarts: NOTICE", "zrender: LICENSE", "tslib: LICENSE"):
        assert name in licences


def test_a_build_without_the_npm_registry_says_so_in_one_sentence(source: Path, tmp_path: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_cache": str(tmp_path / "cache"),
               "npm_config_fetch_retries": "0"}  # fmt: skip
    done = build(source, tmp_path, **nowhere)
    assert done.returncode != 0
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if "npm registry" in line]
    assert len(said) == 1
    assert said[0].startswith("the charting library of the page could not be fetched from the npm registry")
    assert "Traceback" not in done.stderr
