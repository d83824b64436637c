"""The exposition: exact numbers, a limited number of series whatever a sender does, and promtool's lint."""

import asyncio
import datetime as dt
import shutil
import subprocess
import time
from typing import Any

import pytest
from conftest import ROOT, InProcess

pytestmark = pytest.mark.dashboard
DT = "distributed_testing_"
HARDWARE = {
    "system_context": {
        "metrics": {
            "cpu": {"percent": 75, "frequency_mhz": 3200},
            "memory": {"used_percent": 80, "total_gb": 32, "available_gb": 6.4},
            "disk": {"used_percent": 65, "total_gb": 512, "free_gb": 179},
        },
        "gpu_metrics": {
            "devices": [
                {"index": 0, "memory_utilization": 85, "temperature": 78, "utilization": 91.0, "power_watts": 412.5,
                 "clock_mhz": 1755},
                {"temperature": 60, "power_watts": "95 W", "utilization": "N/A"},
            ]
        },
    },
    "hardware_context": {"hardware_type": "cuda", "hardware_status": {"memory_pressure": True}},
}  # fmt: skip
HOSTILE = 'a"b\\c\nd\0e\u202e{}é日"'


def labels(**values: str) -> str:
    return "{" + ",".join(f'{name}="{values[name]}"' for name in sorted(values)) + "}"


async def test_severities_are_there_at_zero(service: InProcess) -> None:
    metrics = await service.metrics()
    for severity in ("critical", "warning", "info"):
        assert metrics[f"{DT}errors_by_severity_total" + labels(severity=severity)] == 0


async def test_a_new_series_is_zero_for_two_scrapes(service: InProcess) -> None:
    name = f"{DT}errors_total" + labels(category="RESOURCE_EXHAUSTED", worker="worker-1", type="ResourceError")
    assert name not in await service.metrics()
    await service.post()
    await service.post()
    assert [(await service.metrics())[name] for _ in range(3)] == [0, 0, 2]
    await service.post()
    assert (await service.metrics())[name] == 3


async def test_counters_go_on_after_a_restart(serve: Any) -> None:
    service = await serve()
    for number in range(5):
        await service.post({"worker_id": f"w{number % 2}", **HARDWARE})
    for _ in range(2):
        await service.metrics()
    before = await service.metrics()
    await service.client.close()
    after = await (await serve()).metrics()
    names = [n for n in before if "errors_total{" in n or "errors_by_severity_total{" in n or "first_seen" in n]
    assert len(names) == 7
    for name in names:
        assert after[name] == pytest.approx(before[name]), name
    assert after[f"{DT}worker_status" + labels(worker="w0")] == 2
    assert after[f"{DT}critical_errors"] == 5
    assert after[f"{DT}error_rate"] == 5


async def test_hardware_in_base_units(service: InProcess) -> None:
    await service.post(HARDWARE)
    metrics = await service.metrics()
    expected = {
        "cpu_utilization_ratio": 0.75, "cpu_frequency_hertz": 3.2e9, "memory_utilization_ratio": 0.8,
        "memory_total_bytes": 32 * 2**30, "memory_available_bytes": 6.4 * 2**30, "disk_utilization_ratio": 0.65,
        "disk_total_bytes": 512 * 2**30, "disk_free_bytes": 179 * 2**30,
    }  # fmt: skip
    for name, value in expected.items():
        assert metrics[f"{DT}worker_{name}" + labels(worker="worker-1")] == pytest.approx(value)
    assert metrics[f"{DT}worker_gpu_temperature_celsius" + labels(worker="worker-1", gpu="0")] == 78
    assert metrics[f"{DT}worker_gpu_temperature_celsius" + labels(worker="worker-1", gpu="1")] == 60
    assert metrics[f"{DT}worker_gpu_memory_utilization_ratio" + labels(worker="worker-1", gpu="0")] == 0.85
    assert metrics[f"{DT}worker_gpu_utilization_ratio" + labels(worker="worker-1", gpu="0")] == 0.91
    assert metrics[f"{DT}worker_gpu_power_watts" + labels(worker="worker-1", gpu="0")] == 412.5
    assert metrics[f"{DT}worker_gpu_clock_hertz" + labels(worker="worker-1", gpu="0")] == 1.755e9
    assert metrics[f"{DT}worker_gpu_power_watts" + labels(worker="worker-1", gpu="1")] == 95
    assert f"{DT}worker_gpu_utilization_ratio" + labels(worker="worker-1", gpu="1") not in metrics
    assert metrics[f"{DT}worker_hardware_condition" + labels(worker="worker-1", condition="memory_pressure")] == 1
    assert metrics[f"{DT}worker_hardware_condition" + labels(worker="worker-1", condition="throttling")] == 0
    await service.post()  # a report without hardware measurements changes nothing
    assert f"{DT}worker_cpu_utilization_ratio" + labels(worker="worker-1") in await service.metrics()


async def test_old_errors_count_but_are_not_of_the_last_hour(service: InProcess) -> None:
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    await service.post({"timestamp": old.isoformat(), **HARDWARE})
    metrics = await service.metrics()
    assert metrics[f"{DT}errors_by_severity_total" + labels(severity="critical")] == 1
    assert metrics[f"{DT}critical_errors"] == 0
    assert metrics[f"{DT}worker_status" + labels(worker="worker-1")] == 0
    assert f"{DT}worker_cpu_utilization_ratio" + labels(worker="worker-1") not in metrics


async def test_recurring_patterns_by_category(service: InProcess) -> None:
    for _ in range(3):
        await service.post({"error_category": "TEST_X"})
    await service.post({"error_category": "TEST_Y", "message": "else"})
    metrics = await service.metrics()
    assert metrics[f"{DT}recurring_patterns" + labels(category="TEST_X")] == 1
    assert metrics[f"{DT}recurring_patterns" + labels(category="TEST_Y")] == 0


async def test_a_late_error_does_not_end_the_recurrence_of_its_pattern(service: InProcess) -> None:
    late = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat()
    for timestamp in (None, late):
        await service.post({"timestamp": timestamp, "error_frequency": {"recurring": True}})
    assert (await service.metrics())[f"{DT}recurring_patterns" + labels(category="RESOURCE_EXHAUSTED")] == 1


async def test_labels_are_bounded_and_the_rest_is_counted(serve: Any) -> None:
    service = await serve(max_worker_labels=3, max_type_labels=2)
    items = [{"worker_id": f"w{n}", "type": f"T{n % 4}", "message": "m"} for n in range(10)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    for _ in range(2):
        await service.metrics()
    metrics = await service.metrics()
    series = {name: value for name, value in metrics.items() if name.startswith(f"{DT}errors_total{{")}
    assert sum(series.values()) == 10
    assert {part for name in series for part in name.split('"') if part.startswith("w") or part == "other"} == {
        "w0", "w1", "w2", "other",
    }  # fmt: skip
    assert metrics[f"{DT}label_values_folded_total" + labels(label="worker")] == 7
    assert metrics[f"{DT}label_values_folded_total" + labels(label="type")] == 4


async def test_series_are_bounded(serve: Any) -> None:
    service = await serve(max_series=10)
    items = [{"worker_id": f"w{n % 20}", "type": f"T{n % 7}", "message": "m"} for n in range(140)]
    async with service.client.post("/api/report-errors", json=items) as response:
        assert response.status == 200
    for _ in range(2):
        await service.metrics()
    series = {n: v for n, v in (await service.metrics()).items() if n.startswith(f"{DT}errors_total{{")}
    assert len(series) <= 10 + 20
    assert not [name for name in series if 'worker="other"' in name]
    assert sum(series.values()) == 140


async def test_series_are_bounded_in_types_and_categories_too(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.store.series.MAX_FOLDED_SERIES", 5)
    service = await serve(max_series=20, max_worker_labels=10)
    for n in range(60):
        await service.post({"worker_id": f"w{n}", "type": f"T{n}", "error_category": f"C{n % 30}"})
    for _ in range(3):
        metrics = await service.metrics()
    series = {name: value for name, value in metrics.items() if name.startswith(f"{DT}errors_total{{")}
    assert len(series) <= 20 + 5 + 10 + 1
    assert sum(series.values()) == 60
    assert series[f"{DT}errors_total" + labels(category="other", worker="other", type="other")] > 20


async def test_a_restart_keeps_the_workers_with_the_latest_errors(serve: Any) -> None:
    """Their counters go on. What is counted under `other` begins at 0 again, as the counts of the process do."""
    limits = {"max_worker_labels": 5, "max_type_labels": 4}
    service = await serve(**limits)
    now = time.time()
    for n in range(30):
        await service.post({"worker_id": f"w{n * 7 % 12}", "type": f"T{n % 9}", "timestamp": now - 60 * n})
    for _ in range(3):
        before = await service.metrics()
    await service.client.close()
    after = await (await serve(**limits)).metrics()
    series = [name for name in before if "errors_total{" in name or "errors_by_severity_total{" in name]
    assert len([name for name in series if '"other"' not in name]) > 5
    for name in series:
        assert after.get(name) == (None if '"other"' in name else before[name]), name
    assert after[f"{DT}label_values_folded_total" + labels(label="worker")] == 0


async def test_gauges_leave_out_impossible_values(service: InProcess) -> None:
    devices = [{"memory_utilization": 140737488355328.0, "temperature": 2147483632}, {"temperature": 60}]
    metrics = {"cpu": {"percent": 1593}, "disk": {"total_gb": 4294967295, "free_gb": 2, "used_percent": 65}}
    await service.post({"system_context": {"metrics": metrics, "gpu_metrics": {"devices": devices}}})
    gauges = {name: value for name, value in (await service.metrics()).items() if name.startswith(f"{DT}worker_")}
    for name in ("cpu_utilization_ratio", "disk_total_bytes", "gpu_memory_utilization_ratio"):
        assert not [one for one in gauges if one.startswith(f"{DT}worker_{name}{{")]
    assert gauges[f"{DT}worker_gpu_temperature_celsius" + labels(worker="worker-1", gpu="1")] == 60
    assert not [one for one in gauges if 'gpu="0"' in one]
    assert gauges[f"{DT}worker_disk_utilization_ratio" + labels(worker="worker-1")] == 0.65
    assert gauges[f"{DT}worker_disk_free_bytes" + labels(worker="worker-1")] == 2 * 2**30


async def test_a_category_has_one_series(service: InProcess) -> None:
    for spelling in ("network_timeout", "Network_Timeout", " NETWORK_TIMEOUT "):
        await service.post({"error_category": spelling})
    scrapes = [await service.metrics() for _ in range(3)]
    found = {name: value for name, value in scrapes[-1].items() if name.startswith(f"{DT}errors_total{{")}
    assert list(found.values()) == [3]
    assert 'category="NETWORK_TIMEOUT"' in "".join(found)


async def test_a_worker_cannot_make_series_of_its_gpus(service: InProcess) -> None:
    for n in range(5):
        devices = [{"index": 1000 * n + k - 3, "temperature": 50} for k in range(100)]
        await service.post({"system_context": {"gpu_metrics": {"devices": devices}}})
    metrics = await service.metrics()
    assert len([name for name in metrics if "gpu_temperature" in name]) == 64


async def test_counts_begin_anew_within_the_second_of_a_reset(serve: Any) -> None:
    service = await serve()
    for _ in range(3):
        await service.post()
    async with service.client.post("/api/reset-counts") as response:
        assert response.status == 200
    assert (await service.metrics())[f"{DT}critical_errors"] == 0
    await service.post()
    assert (await service.metrics())[f"{DT}critical_errors"] == 1
    await service.client.close()
    assert (await (await serve()).metrics())[f"{DT}critical_errors"] == 1


async def test_openmetrics_has_exemplars(service: InProcess) -> None:
    id_ = (await service.post())["id"]
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with service.client.get("/metrics", headers=accept) as response:
        text = await response.text()
        assert "openmetrics" in response.headers["Content-Type"]
    assert text.endswith("# EOF\n")
    line = next(x for x in text.splitlines() if x.startswith(f'{DT}errors_by_severity_total{{severity="critical"}}'))
    assert f'# {{error_id="{id_}"}} 1.0' in line
    assert "_created" not in text


async def test_hostile_label_values_break_nothing(service: InProcess) -> None:
    await service.post({"worker_id": HOSTILE, "type": HOSTILE, "error_category": HOSTILE})
    metrics = await service.metrics()
    assert metrics[f"{DT}errors_by_severity_total" + labels(severity="info")] == 1


@pytest.mark.parametrize("format_", ["", "application/openmetrics-text; version=1.0.0"])
async def test_each_coding_has_the_same_text(serve: Any, format_: str) -> None:
    service = await serve(longest_scrape_interval=0)
    await service.post({"worker_id": HOSTILE, **HARDWARE})
    texts = {}
    for coding in ("identity", "gzip", "deflate"):
        headers = {"Accept": format_, "Accept-Encoding": coding}
        async with service.client.get("/metrics", headers=headers) as response:  # the client decompresses it
            assert response.headers.get("Content-Encoding", "identity") == coding
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
            lines = (await response.text()).split("\n")
        texts[coding] = [line for line in lines if "worker=" in line]  # other metrics may change meanwhile
    assert len(texts["identity"]) > 15
    assert texts["identity"] == texts["gzip"] == texts["deflate"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's prometheus) is not installed")
@pytest.mark.parametrize("name", ["w", HOSTILE])
async def test_promtool_finds_nothing(service: InProcess, name: str) -> None:
    await service.post({"worker_id": name, "type": name, "error_category": name, **HARDWARE})
    async with service.client.get("/metrics") as response:
        text = await response.text()
    checked = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


async def test_every_metric_is_documented(service: InProcess) -> None:
    await service.post(HARDWARE)
    text = (ROOT / "docs/metrics.md").read_text()
    for name in {sample.partition("{")[0] for sample in await service.metrics()}:
        if name.startswith(DT):
            base = name
            for suffix in ("_bucket", "_count", "_sum", "_created"):
                base = base.removesuffix(suffix)
            assert f"`{base}" in text or f"`{base}_total" in text, f"{base} is not in docs/metrics.md"
