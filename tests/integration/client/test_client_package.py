"""The client's distribution: it needs nothing, is quick to import, and runs on the oldest Python that it supports."""

import ast
import os
import re
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard
PACKAGE = ROOT / "client" / "error_visualization"
OLD = [shutil.which(f"python3.{minor}") for minor in (9, 10, 12, 13)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has nothing but the client's wheel, installed without any index."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [*pip, "--python", str(python), "install", "--no-index", "--no-compile", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return python


def test_the_wheel_installs_alone(installed: Path) -> None:
    (site,) = installed.parent.parent.glob("lib/*/site-packages")
    names = sorted(path.name for path in site.iterdir() if path.name != "__pycache__")
    assert names[0] == "error_visualization"
    assert all(name.startswith("error_visualization_client-") for name in names[1:])
    (info,) = site.glob("*.dist-info")
    (licence,) = info.rglob("LICENSE")
    assert licence.read_text() == (ROOT / "LICENSE").read_text()
    required = re.findall(r"^Requires-Dist: (.*)", (info / "METADATA").read_text(), flags=re.MULTILINE)
    assert required
    assert all("extra ==" in line for line in required)
    assert (site / "error_visualization" / "py.typed").exists()


def test_its_command_runs_alone(installed: Path) -> None:
    done = subprocess.run(
        [installed.with_name("error-visualization"), "--help"], capture_output=True, text=True, check=True
    )
    assert "COMMAND" in done.stdout


def test_it_reports_without_any_library(installed: Path, tmp_path: Path) -> None:
    code = """
import sys, error_visualization as ev
ev.init("http://127.0.0.1:9")
try:
    [][1]
except IndexError:
    assert ev.capture_exception() in (True, False)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("psutil", "pynvml", "aiohttp", "exporter", "requests")))
"""
    done = subprocess.run([installed, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert list((tmp_path / "spool").rglob("*.spool"))


def milliseconds(python: Path, module: str) -> float:
    """Returns the median time of an import, with what it imports."""
    taken = []
    for _ in range(5):
        command = [str(python), "-I", "-X", "importtime", "-c", f"import {module}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        line = next(line for line in reversed(done.stderr.splitlines()) if line.rpartition("| ")[2].strip() == module)
        taken.append(int(line.split("|")[1]) / 1000)
    return statistics.median(taken)


def test_the_import_costs_less_than_that_of_logging(installed: Path) -> None:
    client, logging = milliseconds(installed, "error_visualization"), milliseconds(installed, "logging")
    print(f"import error_visualization {client:.2f} ms, import logging {logging:.2f} ms")
    assert client <= 30
    assert client <= logging


def test_the_import_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import error_visualization; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("['error_visualization']", "['__future__', 'error_visualization']")


def test_every_public_name_is_there() -> None:
    import error_visualization

    for name in error_visualization.__all__:
        assert getattr(error_visualization, name) is not None
    assert set(error_visualization.__all__) <= set(dir(error_visualization))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = error_visualization.nothing


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_it_parses_for_python_3_9(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert "exporter" not in {name.partition(".")[0] for name in names}
    assert "__future__" in names or not tree.body[1:]


@pytest.mark.parametrize("python", [path for path in OLD if path], ids=os.path.basename)
def test_it_works_on_other_versions_of_python(python: str, tmp_path: Path) -> None:
    """Every module is imported, and an exception reported."""
    if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("this version is not installed")
    modules = [
        str(path.relative_to(PACKAGE.parent).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if "pytest_plugin" not in path.parts
    ]
    code = f"""
import importlib
for name in {modules!r}:
    importlib.import_module(name)
import error_visualization as ev
reporter = ev.init("http://127.0.0.1:9", block=20)
try:
    1 / 0
except ZeroDivisionError:
    assert ev.capture_exception(), "not on disk"
with ev.monitor():
    pass
"""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "spool").rglob("*.spool"))
