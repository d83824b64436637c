"""What a round of chaos found, and the table of all rounds."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conftest import Served, eventually, stored

COLUMNS = ("part", "seed", "what happened", "acknowledged", "found", "lost", "doubled", "seconds", "verdict")


@dataclasses.dataclass
class Round:
    """One round. `said_lost` is how many errors the service or a command said to have lost; -1 for an unknown number."""

    part: str
    seed: int
    where: list[str] = dataclasses.field(default_factory=list)
    acknowledged: int = 0
    found: int = 0
    lost: int = 0
    doubled: int = 0
    said_lost: int = 0
    seconds: float = 0.0
    problems: list[str] = dataclasses.field(default_factory=list)

    def compare(self, acknowledged: set[str], found: Sequence[str]) -> None:
        """Notes how many acknowledged errors are missing and how many are there twice."""
        self.acknowledged, self.found = len(acknowledged), len(found)
        self.lost = len(acknowledged - set(found))
        self.doubled = len(found) - len(set(found))
        if self.lost and 0 <= self.said_lost < self.lost:
            self.problems.append(f"{self.lost} acknowledged errors are lost, of which {self.said_lost} were said to be")
        if self.doubled:
            self.problems.append(f"{self.doubled} errors are stored twice")

    def row(self) -> tuple[str, ...]:
        verdict = "FAILED" if self.problems else ("said" if self.lost else "ok")
        numbers = map(str, (self.acknowledged, self.found, self.lost, self.doubled, f"{self.seconds:.1f}"))
        return (self.part, str(self.seed), ", ".join(self.where), *numbers, verdict)

    def line(self) -> str:
        return _line(self.row())


@contextlib.contextmanager
def measured(one: Round) -> Iterator[None]:
    """Measures a round. What it raises is one more problem."""
    began = time.monotonic()
    try:
        yield
    except (AssertionError, OSError, ValueError) as error:
        one.problems.append(f"{type(error).__name__}: {str(error)[:2_000]}")
    finally:
        one.seconds = time.monotonic() - began


def header() -> str:
    """Returns the first lines of the table, in Markdown."""
    return f"{_line(COLUMNS)}\n{_line(['---'] * len(COLUMNS))}"


def table(rounds: Sequence[Round]) -> str:
    """Returns the sum of each part, and the problems of the rounds that failed."""
    lines = [header()]
    for part in dict.fromkeys(one.part for one in rounds):
        some = [one for one in rounds if one.part == part]
        sums = [
            sum(getattr(one, name) for one in some) for name in ("acknowledged", "found", "lost", "doubled", "seconds")
        ]
        failed = sum(bool(one.problems) for one in some)
        lines.append(
            _line([part, "", f"{len(some)} rounds", *(f"{number:.0f}" for number in sums), f"{failed} failed"])
        )
    for one in rounds:
        lines += [f"{one.part}, seed {one.seed}, {', '.join(one.where)}: {problem}" for problem in one.problems]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


class Services:
    """Starts services on one database, and stops what is left at the end."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.all: list[Served] = []

    def start(self, *flags: str, **more: Any) -> Served:
        self.all.append(Served(self.db, *flags, **more))
        return self.all[-1]

    def stop(self) -> None:
        for one in self.all:
            if one.process.poll() is None:
                one.kill()

    def tracebacks(self) -> list[str]:
        """The lines of all logs with a traceback."""
        return [line.strip() for one in self.all for line in one.log if "traceback=" in line or "Traceback" in line]


@contextlib.contextmanager
def services(db: Path) -> Iterator[Services]:
    all_ = Services(db)
    try:
        yield all_
    finally:
        all_.stop()


async def found_in(service: Served) -> list[str]:
    """Returns every stored event_id, once reads are answered."""

    def read() -> list[str] | None:
        with contextlib.suppress(OSError):
            return [*stored(service), ""]
        return None

    return (await eventually(read, 30))[:-1]
