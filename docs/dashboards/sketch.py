"""Sketches each dashboard's layout into an SVG beside this file, from its JSON: `make dashboards`."""

import json
from html import escape
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
HERE: Final = Path(__file__).parent
FOLDER: Final = HERE.parent.parent / "grafana/dashboards"
COLUMN: Final = 44  # pixels of one of the 24 columns
LINE: Final = 18
GAP: Final = 6
MARGIN: Final = 12
HEAD: Final = 44
# A few strokes that tell the kind of a panel, in a box of 100 by 100.
STROKES: Final = {
    "timeseries": '<path d="M0 80L20 60L40 70L60 25L80 45L100 10"/>',
    "bars": '<path d="M10 100V70M30 100V40M50 100V55M70 100V20M90 100V45" stroke-width="12"/>',
    "stat": '<path d="M0 90L30 80L60 85L100 60"/><text x="50" y="50">42</text>',
    "gauge": '<path d="M10 80A40 40 0 0 1 90 80M50 80L70 45"/>',
    "barchart": '<path d="M0 15H100M0 40H70M0 65H45M0 90H20" stroke-width="12"/>',
    "table": '<path d="M0 10H100M0 35H100M0 60H100M0 85H100M30 0V100M65 0V100" stroke-width="1"/>',
    "status-history": '<path d="M0 15H100M0 40H100M0 65H100M0 90H100" stroke-width="14" stroke-dasharray="9 3"/>',
    "heatmap": '<path d="M0 90H100M0 70H100M20 50H80M40 30H60" stroke-width="14" stroke-dasharray="14 4"/>',
    "text": '<path d="M0 20H90M0 45H100M0 70H60"/>',
}
STYLE: Final = (
    "text{font:12px sans-serif;fill:#1f2933}.head{font-size:17px;font-weight:bold}.row{font-weight:bold}"
    ".kind{font-size:10px;fill:#5f6c7b}rect{fill:#fff;stroke:#c3cad3}.inside rect{stroke-dasharray:4 3}"
    ".mark{fill:none;stroke:#3871dc;stroke-width:3}.mark path{vector-effect:non-scaling-stroke}"
    ".mark text{font:bold 40px sans-serif;fill:#3871dc;stroke:none;text-anchor:middle}"
)


def sketch(dashboard: Json) -> str:
    """The dashboard as an SVG. What is in a closed row has dashed borders and moves what is below it down."""
    parts, moved, bottom = [], 0, 0
    for panel in dashboard["panels"]:
        parts.append(drawn(panel, moved))
        inside = panel.get("panels", [])
        parts += [f'<g class="inside">{drawn(one, moved)}</g>' for one in inside]
        moved += max((lowest(one) for one in inside), default=lowest(panel)) - lowest(panel)
        bottom = max(bottom, lowest(panel) + moved)
    width, height = 24 * COLUMN + 2 * MARGIN, HEAD + bottom * LINE + MARGIN
    title = escape(dashboard["title"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Layout of the dashboard {title}"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="fill:#f3f5f8;stroke:none"/>'
        f'<text class="head" x="{MARGIN}" y="28">{title}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def lowest(panel: Json) -> int:
    at: Json = panel["gridPos"]
    return int(at["y"] + at["h"])


def drawn(panel: Json, moved: int) -> str:
    at = panel["gridPos"]
    x, y = MARGIN + at["x"] * COLUMN, HEAD + (at["y"] + moved) * LINE
    width, height = at["w"] * COLUMN - GAP, at["h"] * LINE - GAP
    if panel["type"] == "row":
        repeated = f" (repeated by {panel['repeat']})" if "repeat" in panel else ""
        arrow = "▸" if panel["collapsed"] else "▾"
        return f'<text class="row" x="{x}" y="{y + 11}">{arrow} {escape(panel["title"])}{repeated}</text>'
    return (
        f'<g><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'
        f'<text x="{x + 8}" y="{y + 17}">{escape(panel["title"])}</text>'
        f'<text class="kind" x="{x + 8}" y="{y + 30}">{panel["type"]}</text>'
        f"{mark(kind(panel), x + 14, y + 38, width - 28, height - 46)}</g>"
    )


def kind(panel: Json) -> str:
    """The panel's type; graphs that are drawn in bars are a kind of their own."""
    custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
    return "bars" if custom.get("drawStyle") == "bars" else str(panel["type"])


def mark(kind: str, x: float, y: float, width: float, height: float) -> str:
    """The strokes of a kind, stretched over a chart or kept in shape."""
    if kind in ("stat", "gauge"):
        side = min(width, height)
        x, width, height = x + (width - side) / 2, side, side
    scale = f"{width / 100:.2f} {height / 100:.2f}"
    return f'<g class="mark" transform="translate({x:.0f} {y:.0f}) scale({scale})">{STROKES[kind]}</g>'


def main() -> None:
    for file in sorted(FOLDER.glob("*.json")):
        (HERE / f"{file.stem}.svg").write_text(sketch(json.loads(file.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
