"""Positions panels. A shelf is a line of panels, 24 columns wide; shelves are stacked."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import attr
from grafanalib import core

COLUMNS: Final = 24


class Shelf(NamedTuple):
    height: int
    panels: tuple[tuple[int, core.Panel], ...]


class Row(NamedTuple):
    """A heading. A row with shelves is collapsed: Grafana queries its panels when it is opened."""

    title: str
    shelves: tuple[Shelf, ...] = ()
    repeat: str | None = None


def shelf(height: int, *panels: tuple[int, core.Panel]) -> Shelf:
    """Returns a shelf of panels, each with its width. Raises `ValueError` unless the widths add up to 24."""
    if (width := sum(wide for wide, _ in panels)) != COLUMNS:
        raise ValueError(f"{[panel.title for _, panel in panels]} are {width} columns wide, not {COLUMNS}")
    return Shelf(height, panels)


def stacked(parts: Sequence[Shelf | Row], top: int = 0) -> list[core.Panel]:
    """Returns the panels of shelves and rows with their positions, beginning at the line `top`."""
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
