"""How many rounds a test with random moments plays: a third in `make test`, all in `make chaos`."""

import os

ALL = bool(os.environ.get("ALL_ROUNDS"))


def bounded(rounds: int) -> int:
    return rounds if ALL else max(2, rounds // 3)
