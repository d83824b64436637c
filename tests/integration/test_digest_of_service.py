"""`error-visualization digest` against a real service."""

import asyncio

import pytest
from conftest import InProcess

from exporter.cli import main

pytestmark = pytest.mark.dashboard


async def test_the_digest_of_a_service(service: InProcess, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(service.client.make_url("")).rstrip("/")
    assert await asyncio.to_thread(main, ["digest", "--url", url]) == 0
    assert capsys.readouterr().out == "there is nothing to tell\n"
    for worker in ("worker-1", "worker-2"):
        await service.post({"worker_id": worker})
    assert await asyncio.to_thread(main, ["digest", "weekly", "--url", url]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "2 errors of 1 patterns in 168 hours: 1 new, 0 gone, 0 known before\nNew:\n- 2x ResourceError: "
    )
    assert "(2 workers)" in said
