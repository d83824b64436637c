"""Line plots and bar charts as SVG. They follow the reader's light or dark theme, and need no script and no font."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 360
LEFT: Final = 64
RIGHT: Final = 160  # with the names of the lines
TOP: Final = 58
BOTTOM: Final = 52
BAR: Final = 30
NAMES: Final = 210  # left of bars
TICKS: Final = 5
APART: Final = 14  # between the names of two lines
_LIGHT: Final = ("#1d4ed8", "#c2410c", "#15803d", "#7e22ce", "#0e7490", "#a16207")
_DARK: Final = ("#8ab4ff", "#ffab70", "#7ee2a0", "#d3a6ff", "#67d6e8", "#f0cf6b")
_DASHES: Final = ("none", "7 3", "2 3", "10 3 2 3", "4 2", "1 2")
_STYLE: Final = (
    "text{{font:12px sans-serif;fill:{text}}}.head{{font-size:15px;font-weight:bold}}.back{{fill:{back}}}"
    ".grid{{stroke:{grid};stroke-width:1}}"
)
Points = Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """`name` has the unit. On a logarithmic axis all values are greater than 0."""

    name: str
    is_log: bool = False


class _Scale(NamedTuple):
    ticks: list[float]
    least: float
    most: float
    is_log: bool

    def share(self, value: float) -> float:
        """Returns where a value is, from 0 to 1."""
        if self.is_log:
            return math.log(value / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)


def plot(title: str, x: Axis, y: Axis, lines: dict[str, Points]) -> str:
    """Returns a plot with a line for each name."""
    across = _scale([point[0] for points in lines.values() for point in points], x.is_log, from_zero=False)
    up = _scale([point[1] for points in lines.values() for point in points], y.is_log, from_zero=True)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return (
            LEFT + across.share(point[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up.share(point[1]) * (HEIGHT - TOP - BOTTOM),
        )

    parts = list(_frame(across, up, at))
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 12}">{escape(x.name)}</text>')
    parts.append(f'<text x="8" y="{TOP - 10}">{escape(y.name)}</text>')
    ends = sorted((at(points[-1])[1], number, name) for number, (name, points) in enumerate(lines.items()) if points)
    used = -math.inf
    for height, number, name in ends:
        used = max(height, used + APART)
        parts.append(f'<text class="c{number}" x="{WIDTH - RIGHT + 8}" y="{used + 4:.0f}">{escape(name)}</text>')
    for number, points in enumerate(lines.values()):
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in map(at, points))
        parts.append(f'<polyline class="l{number}" points="{path}"/>')
        if len(points) <= 12:
            parts += [f'<circle class="c{number}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in map(at, points)]
    return _svg(title, HEIGHT, parts)


def bar_chart(title: str, unit: str, values: dict[str, float]) -> str:
    """Returns a chart with a bar for each name, from the top, with its value."""
    most = max(values.values())
    parts = []
    for number, (name, value) in enumerate(values.items()):
        top = TOP + number * BAR
        width = value / most * (WIDTH - NAMES - RIGHT)
        parts.append(f'<text x="12" y="{top + 16}">{escape(name)}</text>')
        parts.append(f'<rect class="c0" x="{NAMES}" y="{top + 3}" width="{width:.1f}" height="{BAR - 12}"/>')
        parts.append(f'<text x="{NAMES + width + 6:.1f}" y="{top + 16}">{shown(value)} {escape(unit)}</text>')
    return _svg(title, TOP + len(values) * BAR + 8, parts)


def shown(value: float) -> str:
    """Returns a number in few characters: 12,345, 12.3 or 0.12."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _frame(across: _Scale, up: _Scale, at: Callable[[tuple[float, float]], tuple[float, float]]) -> Iterator[str]:
    """Yields grid lines and numbers."""
    for tick in across.ticks:
        left, bottom = at((tick, up.least))
        yield f'<path class="grid" d="M{left:.1f} {TOP}V{bottom:.1f}"/>'
        yield f'<text x="{left:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{shown(tick)}</text>'
    for tick in up.ticks:
        left, height = at((across.least, tick))
        yield f'<path class="grid" d="M{left:.1f} {height:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{left - 6:.1f}" y="{height + 4:.1f}" text-anchor="end">{shown(tick)}</text>'


def _scale(values: Sequence[float], is_log: bool, *, from_zero: bool) -> _Scale:
    least, most = min(values, default=0.0), max(values, default=1.0)
    if is_log:
        low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
        high = max(high, low + 1)
        return _Scale([10.0**power for power in range(low, high + 1)], 10.0**low, 10.0**high, True)
    least = min(least, 0.0) if from_zero else least
    most = most if most > least else least + 1
    rough = (most - least) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(least / step), math.ceil(most / step)
    return _Scale([number * step for number in range(first, last + 1)], first * step, last * step, False)


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    light = _STYLE.format(text="#1f2933", back="#ffffff", grid="#dde2e8") + "".join(
        f".l{number}{{fill:none;stroke:{color};stroke-width:2;stroke-dasharray:{dash}}}.c{number}{{fill:{color}}}"
        for number, (color, dash) in enumerate(zip(_LIGHT, _DASHES, strict=True))
    )
    dark = _STYLE.format(text="#e3e8ee", back="#14181d", grid="#333b45") + "".join(
        f".l{number}{{stroke:{color}}}.c{number}{{fill:{color}}}" for number, color in enumerate(_DARK)
    )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><style>{light}@media(prefers-color-scheme:dark){{{dark}}}</style>\n'
        f'<rect class="back" width="{WIDTH}" height="{height}"/>\n'
        f'<text class="head" x="12" y="22">{escape(title)}</text>\n'
        f"{body}\n</svg>\n"
    )
