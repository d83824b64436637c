"""The commands of docs/run.md and docs/agent.md, run as they are written, but with the address of a service of the test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from reported import Reported

pytestmark = pytest.mark.dashboard


def run_page(page: str, reported: Reported, folder: Path) -> str:
    """Runs all `sh` blocks of a page in one shell; returns what they print."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL)
    assert blocks
    script = "\n".join(blocks).replace("http://localhost:8080", reported.served.url)
    script = script.replace("/tmp/agent-state", str(folder / "state"))
    environ = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ERROR_VISUALIZATION_WORKER_ID": reported.worker, "ERROR_VISUALIZATION_SPOOL": str(folder / "spool"),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-u", "-c", script], env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    return done.stdout + done.stderr


def test_run(reported: Reported, tmp_path: Path) -> None:
    printed = run_page("run.md", reported, tmp_path)
    assert "JSONDecodeError" in printed
    assert reported.report()["type"] == "json.decoder.JSONDecodeError"


def test_agent_and_pipe(reported: Reported, tmp_path: Path) -> None:
    printed = run_page("agent.md", reported, tmp_path)
    assert '"worker_id":"node-7"' in printed
    assert "Heartbeat received" in printed
    assert reported.report()["message"] == "[main] shard 3 failed"


def test_the_tables_name_every_option() -> None:
    import argparse

    from error_visualization.agent import command as agent
    from error_visualization.pipe import command as pipe
    from error_visualization.run import command as run

    for page, modules in (("run.md", [run]), ("agent.md", [agent, pipe])):
        text = (ROOT / "docs" / page).read_text()
        for module in modules:
            parser = argparse.ArgumentParser(add_help=False)
            module.add_arguments(parser)
            options = [option for action in parser._actions for option in action.option_strings]
            assert [option for option in options if option not in text] == []
