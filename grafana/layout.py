"""Where panels stand: shelves of panels, 24 columns wide, one under the other."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import attr
from grafanalib import core

COLUMNS: Final = 24


class Shelf(NamedTuple):
    height: int
    panels: tuple[tuple[int, core.Panel], ...]


class Row(NamedTuple):
    """A heading. What stands on the shelves of a closed one is asked for when it is opened."""

    title: str
    shelves: tuple[Shelf, ...] = ()
    repeat: str | None = None


def shelf(height: int, *panels: tuple[int, core.Panel]) -> Shelf:
    """Panels side by side, each with its width."""
    if (width := sum(wide for wide, _ in panels)) != COLUMNS:
        raise ValueError(f"{[panel.title for _, panel in panels]} are {width} columns wide, not {COLUMNS}")
    return Shelf(height, panels)


def stacked(parts: Sequence[Shelf | Row], top: int = 0) -> list[core.Panel]:
    """The panels of shelves and rows in their places."""
    placed: list[core.Panel] = []
    for part in parts:
        if isinstance(part, Row):
            inside = stacked(part.shelves, top + 1)
            placed.append(
                core.RowPanel(
                    title=part.title, panels=inside, collapsed=bool(inside), repeat=core.Repeat(variable=part.repeat),
                    gridPos=core.GridPos(h=1, w=COLUMNS, x=0, y=top),
                )
            )  # fmt: skip
            top += 1
            continue
        left = 0
        for width, panel in part.panels:
            placed.append(attr.evolve(panel, gridPos=core.GridPos(h=part.height, w=width, x=left, y=top)))
            left += width
        top += part.height
    return placed
