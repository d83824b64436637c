"""A few rounds of `make chaos`, which has all of them. A run prints its seeds; `CRASH_SEED=n` repeats it."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from chaos.damage import damage_round
from chaos.full_disk import full_disk_round
from chaos.kills import kill_round
from chaos.rounds import Round, table
from crash import seed_of_run
from small_disk import needs_small_disk
from stack import needs_stack

pytestmark = pytest.mark.dashboard
KILLS = 4  # of the ten of a round of `make chaos`
FULL_DISKS, DAMAGES = 2, 1


async def play(part: Callable[[int, Path], Awaitable[Round]], rounds: int, folder: Path) -> None:
    first, done = seed_of_run(), []
    for number in range(rounds):
        inside = folder / str(number)
        inside.mkdir()
        done.append(await part(first + number, inside))
    said = table(done)
    print(said)
    assert not any(one.problems for one in done), said


@needs_stack
async def test_kills(tmp_path: Path) -> None:
    await play(partial(kill_round, kills=KILLS), 1, tmp_path)


@needs_small_disk
async def test_full_disks(tmp_path: Path) -> None:
    await play(full_disk_round, FULL_DISKS, tmp_path)


async def test_damaged_files(tmp_path: Path) -> None:
    await play(damage_round, DAMAGES, tmp_path)
