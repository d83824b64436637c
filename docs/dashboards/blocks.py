"""A Prometheus with the story in it: what was scraped, what the rules record from that, and the alerts that fired.

promtool records the rules of a file from a running Prometheus. A rule that reads what another one records is recorded
in a later round, with a Prometheus that was started again, because only then it reads the blocks of the round before.
promtool leaves alerts out, so `ALERTS` is computed here from the expressions of the alerts. Nor does it mark a series
that ends as stale, as a rule of a Prometheus does: with the usual look back, sums would count each error five times.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import scrapes
import yaml
from results import in_seconds
from story import BEGIN, END, HOUR

from benchmarks.dashboards import get, wait

Json = dict[str, Any]
PORT: Final = 19_191
URL: Final = f"http://127.0.0.1:{PORT}"
EVALUATION: Final = 60  # seconds
BLOCKS: Final = ("promtool", "tsdb", "create-blocks-from")
SECONDS: Final = 180  # for each command


@contextmanager
def prometheus(folder: Path, look_back: str = "5m") -> Iterator[str]:
    """Runs a Prometheus and gives its address. A value older than `look_back` is none."""
    (folder / "prometheus.yml").write_text("global: {}\n", "utf-8")
    running = subprocess.Popen([
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=error",
        f"--query.lookback-delta={look_back}",
    ])  # fmt: skip
    try:
        wait(URL)
        yield URL
    finally:
        running.terminate()
        running.wait(30)


def write(folder: Path) -> None:
    """Writes the blocks into `data` in the folder."""
    with (folder / "scraped.txt").open("w", encoding="utf-8") as out:
        scrapes.write(out)
    _from_text(folder, "scraped.txt")
    groups = [group for file in sorted(scrapes.ROOT.glob("prometheus/rules/*.yml"))
              for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]  # fmt: skip
    for some in rounds(groups):
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": some}), "utf-8")
        with prometheus(folder, f"{EVALUATION - 1}s") as url:
            _run(folder, "rules", f"--url={url}", f"--start={BEGIN}",
                 f"--end={END}", f"--eval-interval={EVALUATION}s", "--output-dir=data", "rules.yml")  # fmt: skip
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    text = folder / "alerts.txt"
    with prometheus(folder, f"{EVALUATION + scrapes.STEP}s") as url, text.open("w", encoding="utf-8") as out:
        out.writelines(f"ALERTS{{{labels}}} 1 {at}\n" for rule in alerts for labels, at in _firing(url, rule))
        out.write("# EOF\n")
    _from_text(folder, text.name)


def rounds(groups: list[Json]) -> list[list[Json]]:
    """The recording rules, in the order in which they read one another."""
    rules = {rule["record"]: rule for group in groups for rule in group["rules"] if "record" in rule}

    def level(name: str) -> int:
        read = set(re.findall(r"[\w]+:[\w:]+", rules[name]["expr"])) & rules.keys()
        return 1 + max(map(level, read), default=-1)

    by_level: list[list[Json]] = [[] for _ in range(1 + max(map(level, rules)))]
    for group in groups:
        for number, some in enumerate(by_level):
            of_level = [rule for rule in group["rules"] if "record" in rule and level(rule["record"]) == number]
            if of_level:
                some.append({**group, "rules": of_level})
    return by_level


def _firing(url: str, rule: Json) -> Iterator[tuple[str, int]]:
    """The labels of an alert and the moments at which it fires."""
    asked = {"query": rule["expr"], "start": END - 8 * HOUR, "end": END, "step": EVALUATION}
    pending, kept = (in_seconds(rule.get(key, "0s")) for key in ("for", "keep_firing_for"))
    for series in get(f"{url}/api/v1/query_range", asked)["result"]:
        labels = {key: value for key, value in series["metric"].items() if key != "__name__"} | rule["labels"]
        labels |= {"alertname": rule["alert"], "alertstate": "firing"}
        text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        times = [int(at) for at, _ in series["values"]]
        since = times[0]
        for at, after in pairwise([*times, END + 2 * EVALUATION]):
            if at - since >= pending:
                yield from ((text, moment) for moment in range(at, min(after, at + kept + 1), EVALUATION))
            if after - at > max(EVALUATION, kept):
                since = after


def _from_text(folder: Path, name: str) -> None:
    _run(folder, "--max-block-duration=768h", "openmetrics", name, "data")
    (folder / name).unlink()


def _run(folder: Path, *options: str) -> None:
    """Runs promtool in the folder. The moments at which it evaluates a group depend on the path of the file as it is
    named, and must be the same at each run, so the path must not name the temporary folder."""
    done = subprocess.run([*BLOCKS, *options], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"promtool {options} failed: {done.stderr[-2000:]}")
