"""Runs rounds of chaos, and prints a table of them.

    python tests/chaos/run.py [--kills 200] [--full-disk 20] [--damage 20] [--seed N]

Ten kills are one round, which compares all outputs at its end. Each round has a seed of its own; a round that failed is
repeated, as far as processes can be repeated, by `--seed` with its seed and a number of rounds of 1 (`--kills 10`). It ends
with status 1 if a round failed, and names what it left out and why.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "support"), str(TESTS / "integration")]  # as pytest does

from chaos.damage import damage_round  # noqa: E402
from chaos.full_disk import full_disk_round  # noqa: E402
from chaos.kills import KILLS, kill_round  # noqa: E402
from chaos.rounds import Round, header, table  # noqa: E402
from small_disk import REASON, can_mount  # noqa: E402
from stack import PROMETHEUS  # noqa: E402

Part = Callable[[int, Path], Awaitable[Round]]


async def run(parts: list[tuple[Part, int]], seed: int) -> list[Round]:
    """Runs all rounds, and prints each when it has ended."""
    done: list[Round] = []
    print(header(), flush=True)
    for part, count in parts:
        for number in range(count):
            with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
                done.append(await part(seed + number, Path(folder)))
            print(done[-1].line(), flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills, a full disk and damaged files, under load.")
    parser.add_argument("--kills", type=int, default=200, help="processes to kill (default: %(default)s)")
    parser.add_argument("--full-disk", type=int, default=20, help="rounds with a full disk (default: %(default)s)")
    parser.add_argument("--damage", type=int, default=20, help="rounds with damaged files (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="that of the first round of each part"
    )
    given = parser.parse_args()
    parts: list[tuple[Part, int]] = [
        (kill_round, -(-given.kills // KILLS)), (full_disk_round, given.full_disk), (damage_round, given.damage)
    ]  # fmt: skip
    for part, is_possible, reason in (
        (kill_round, bool(PROMETHEUS), "prometheus is not installed (Debian: prometheus)"),
        (full_disk_round, can_mount(), REASON),
    ):
        if not is_possible and dict(parts)[part]:
            print(f"left out: {part.__name__}: {reason}")
            parts = [one for one in parts if one[0] is not part]
    rounds = asyncio.run(run(parts, given.seed))
    print("\n" + table(rounds))
    return 1 if any(one.problems for one in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
