"""A long run at half load with a short retention: files, memory and latencies must not grow. `make bench-flat`.

    python benchmarks/flat.py [--minutes 30] [--retention 5m] [--rate 5000] [--no-document]

The service begins with an empty database, and gets half of the rate of single reports that wrk reaches before. Five
pages are open, and /metrics is read every five seconds. The slopes are those of the least squares from three retentions
on, when the service deletes as much as it gets. Results go into `docs/performance.md` and to
`docs/performance/flat.json`.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from document import FOLDER, flat_part, flat_plots, write
from ingest import half_rate
from load import Options, under_load
from read_results import machine
from serving import Serving, retention

SETTLED: Final = 3  # retentions after which the slopes begin
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--retention", default="5m", help="as serve takes it (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="reports a second (default: half of what wrk reaches)")
    parser.add_argument("--pages", type=int, default=5, help="that are open (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, default=FOLDER / "flat.json", help="for the results (default: %(default)s)"
    )
    parser.add_argument("--no-document", action="store_true", help="print the results, but do not write the document")
    given = parser.parse_args()
    rate = given.rate or half_rate()
    kept = retention(given.retention)
    since = min(SETTLED * seconds(given.retention), 30 * given.minutes)
    with tempfile.TemporaryDirectory() as name, Serving(Path(name, "errors.duckdb"), *kept) as serving:
        load = under_load(serving, Options(rate, 60 * given.minutes, given.pages, scrape_every=5.0))
    part = flat_part(machine(), load, given.retention if kept else "", since)
    print(part)
    given.json.parent.mkdir(exist_ok=True)
    given.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "load": load})) + b"\n")
    if not given.no_document:
        write("flat", part, flat_plots(load))
    return 0


def seconds(duration: str) -> float:
    """Returns the seconds of a duration such as 300, 5m or 30d."""
    unit = duration[-1]
    return float(duration[:-1]) * _SECONDS[unit] if unit in _SECONDS else float(duration)


if __name__ == "__main__":
    sys.exit(main())
