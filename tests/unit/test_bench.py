"""The parts of `make bench` that compute: quantiles, slopes, times of an open loop, ratios that must not fall, the document
and its plots."""

import importlib
import itertools
import json
import socket
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.dashboard
Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a module of `benchmarks/`."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for file in (ROOT / "benchmarks").glob("*.py"):
        monkeypatch.delitem(sys.modules, file.stem, raising=False)
    return importlib.import_module


def test_quantiles_are_values_that_were_measured(load: Load) -> None:
    found = load("figures").quantiles([float(value) for value in range(1_000, 0, -1)])
    assert (found.count, found.p50, found.p99, found.p999, found.worst) == (1_000, 500, 990, 999, 1_000)
    assert load("figures").quantiles([7.0]).p99 == 7.0
    assert load("figures").quantiles([]).count == 0


def test_a_spread_is_the_median_and_the_ends(load: Load) -> None:
    found = load("figures").spread([3.0, 1.0, 2.0, 9.0])
    assert (found.median, found.least, found.most) == (2.5, 1.0, 9.0)


def test_a_slope_is_that_of_the_least_squares(load: Load) -> None:
    rising = load("figures").line([0.0, 10.0, 20.0, 30.0], [5.0, 7.0, 9.0, 11.0])
    assert (rising.slope, rising.error, rising.mean) == pytest.approx((0.2, 0.0, 8.0))
    scattered = load("figures").line([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 1.0, 3.0])
    assert (scattered.slope, scattered.error) == pytest.approx((0.4, 0.565685), abs=1e-5)


def test_even_times_do_not_depend_on_anything(load: Load) -> None:
    times = list(load("schedule").due_times(200, 3, is_even=True))
    assert len(times) == 599
    assert times[:2] == [0.005, 0.01]
    assert times[-1] < 3


def test_random_times_have_the_rate_and_are_the_same_again(load: Load) -> None:
    times = list(load("schedule").due_times(1_000, 20))
    assert times == list(load("schedule").due_times(1_000, 20))
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < 20
    assert len(times) == pytest.approx(20_000, rel=0.03)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert sum(gap > 0.001 for gap in gaps) == pytest.approx(len(gaps) * 0.3679, rel=0.05)  # 1/e: exponential


def test_bodies_have_as_many_workers_as_wanted(load: Load) -> None:
    bodies = load("bodies")
    assert len({report["worker_id"] for report in bodies.sample(50, 30)}) == 30
    assert len(bodies.encoded(bodies.sample(50), 20)) == 2


def test_a_ratio_that_fell_by_a_fifth_is_named(load: Load) -> None:
    fallen = load("bench_results").fallen
    accepted = {"a": 0.5, "b": 3.0, "gone": 1.0}
    assert list(fallen({"a": 0.41, "b": 2.41, "new": 0.1}, accepted)) == []
    assert list(fallen({"a": 0.40, "b": 3.5}, accepted)) == ["a: 0.40, 20 % less than the accepted 0.50"]
    assert len(list(fallen({"a": 0.1, "b": 0.1}, accepted))) == 2


def run(load: Load, **more: Any) -> Any:
    results, figures = load("bench_results"), load("figures")

    def closed(service: float, bare: float) -> Any:
        rates = {"service": figures.spread([service]), "bare": figures.spread([bare])}
        ratio = {"bare": figures.spread([service / bare])}
        return results.Closed(rate=rates, p50=rates, p99=rates, ratio=ratio, failed=0)

    return results.Run("a machine", "c0ffee", None, closed(5_000, 10_000), closed(20_000, 80_000), **more)


def test_the_guarded_ratios_get_smaller_when_something_gets_worse(load: Load) -> None:
    read_results = load("read_results")
    reads = {
        errors: read_results.Results({"list": read_results.Times(ms, ms, ms, ms, ms)}, {}, 400.0, 130.0)
        for errors, ms in ((100, 20.0), (1_000, 25.0), (10_000, 40.0))
    }
    found = load("bench_results").guarded(run(load, reads=reads, reads_against=reads[100]))
    assert found == {
        "single reports to the bare handler": 0.5,
        "batches to single reports": 4.0,
        "reads of fewest errors to those of most": 0.5,
        "reads of the other commit to these": 0.8,
    }


def test_a_fallen_ratio_is_the_exit_status_of_the_run(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, baseline = load("bench"), tmp_path / "baseline.json"
    monkeypatch.setattr(bench, "BASELINE", baseline)
    monkeypatch.setattr(bench, "_measured", lambda *_, **__: run(load))
    baseline.write_text('{"batches to single reports": 5.0}')
    quick = ["--quick", "--json", str(tmp_path / "results.json")]
    assert bench.main(quick) == 1
    assert "fallen: batches to single reports: 4.00, 20 % less than the accepted 5.00" in capsys.readouterr().out
    assert bench.main([*quick, "--accept"]) == 0
    assert json.loads(baseline.read_text())["batches to single reports"] == 4.0
    assert bench.main(quick) == 0


def test_a_report_that_waits_for_a_slow_answer_is_slow_itself(load: Load) -> None:
    """Each latency counts from when the report was due, not from when it could be sent (no coordinated omission)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=_slow_at_first, args=(server,))
        serving.start()
        plan = load("open_loop").Plan(server.getsockname()[1], 100, 0.5, connections=1, is_even=True)
        sending = load("open_loop").Sending(plan)
        began = sending.begin(0.1)
        found = sending.result()
        serving.join(10)
    assert (len(found.due), found.failed, found.unanswered) == (49, {}, 0)
    assert found.due[0] - began == pytest.approx(0.01)
    during = (found.due - began > 0.05) & (found.due - began < 0.2)
    assert all(found.latency[during] >= 0.01 + STALL - 0.2)
    assert found.late.max() <= found.latency.max()


STALL = 0.3  # seconds before the first answer


def _slow_at_first(server: socket.socket) -> None:
    connection, _ = server.accept()
    pause, data = STALL, b""
    with connection:
        while received := connection.recv(65_536):
            data += received
            head, ends, body = data.partition(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
            if ends and len(body) == length:
                time.sleep(pause)
                pause, data = 0.0, b""
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_a_part_of_the_document_is_replaced_and_nothing_else(load: Load) -> None:
    replaced = load("document").replaced
    text = "before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n"
    new = replaced(text, "bench", r"new \1 text")
    assert new == "before\n<!-- bench: begin -->\n\nnew \\1 text\n\n<!-- bench: end -->\nafter\n"
    assert replaced(new, "bench", r"new \1 text") == new
    with pytest.raises(ValueError, match="flat: begin"):
        replaced(text, "flat", "new")


def test_the_document_has_both_generated_parts(load: Load) -> None:
    text = (ROOT / "docs/performance.md").read_text("utf-8")
    for part in ("bench", "flat"):
        load("document").replaced(text, part, "new")


def test_results_name_bars_that_are_missed(load: Load) -> None:
    part = load("document").bench_part(run(load), {"batches to single reports": 3.0})
    assert "| batches to single reports | 4.00 | 3.00 |" in part
    assert "| single reports to the bare handler | 0.50 | none |" in part
    assert "- kept: rate of single reports, of the bare handler's: 0.50, the bar is 0.5" in part
    slower = run(load)
    slower.batch.rate["service"] = load("figures").spread([14_000.0])
    assert "**missed**: rate of batches of 100" in load("document").bench_part(slower, {})


def test_plots_are_svg_that_name_axes_and_lines(load: Load) -> None:
    plot = load("plot")
    lines = {"a < b": [(10.0, 1.0), (1_000.0, 20.0)], "other": [(10.0, 2.0), (1_000.0, 3.0)]}
    svg = plot.plot("Title & more", plot.Axis("workers", is_log=True), plot.Axis("ms"), lines)
    root = ElementTree.fromstring(svg)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Title & more", "workers", "ms", "a < b", "other", "100", "0"} <= set(words)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
    assert "prefers-color-scheme:dark" in svg
    ElementTree.fromstring(plot.bar_chart("Rates", "/s", {"one": 1.0, "two": 2_000.0}))


def test_a_line_of_equal_values_can_be_plotted(load: Load) -> None:
    plot = load("plot")
    ElementTree.fromstring(plot.plot("Flat", plot.Axis("x"), plot.Axis("ms"), {"a": [(1.0, 0.0)]}))
    ElementTree.fromstring(plot.plot("Flat", plot.Axis("x"), plot.Axis("ms", is_log=True), {"a": [(1.0, 5.0)]}))


def test_durations_are_read_as_serve_reads_them(load: Load) -> None:
    seconds = load("flat").seconds
    assert [seconds(text) for text in ("300", "5m", "30d")] == [300, 300, 2_592_000]
