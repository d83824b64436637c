"""How many rounds a test with random moments plays: all in `make chaos`, a part in `make test`. Each run has other moments,
so what few rounds of one run miss, those of later runs find."""

import os

ALL = bool(os.environ.get("ALL_ROUNDS"))


def bounded(rounds: int, part: int = 3) -> int:
    return rounds if ALL else max(2, rounds // part)
