"""Which alerts of the rules fire, and end, when a fleet of 1,000 workers has an incident. The expectations are what
docs/runbooks and docs/alerting.md promise. A test takes 5 to 15 s, most of it in promtool."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from dashboards.promtool import needs_promtool
from rule_storms import (
    DAY,
    HOUR,
    LEAD,
    MINUTE,
    OUT_OF_MEMORY,
    PEER_LOST,
    STEP,
    Error,
    Recording,
    check,
    hardware,
    history,
    nights,
    usual,
)

pytestmark = [pytest.mark.dashboard, needs_promtool]
BEGINS = 5  # minutes


def recorded(minutes: float, errors: Iterable[Error] = (), *, workers: int = 1_000, lead: int = LEAD) -> Recording:
    """So many minutes of the fleet, with these errors beside the usual ones."""
    recording = Recording([*history(workers), *usual(minutes, workers), *errors], lead)
    recording.scrape_until(minutes * MINUTE + 1)
    return recording


def nightly_run(tests: int, workers: int) -> Iterator[Error]:
    """Tests fail on many workers in nine minutes; one in a hundred has too little memory, too."""
    for n in range(tests):
        at = MINUTE * (BEGINS + n * 9 / tests)
        yield Error(at, f"worker-{n % workers}")
        if n % 100 == 10:
            yield Error(at, f"worker-{n // 10}", *OUT_OF_MEMORY)


def test_on_a_quiet_day_nothing_fires(tmp_path: Path) -> None:
    case = recorded(20, lead=0).case()
    names = Counter(series.partition("{")[0].removeprefix("distributed_testing_") for series in case.series)
    assert names["worker_status"] == names["worker_last_error_timestamp_seconds"] == 1_000
    assert names["errors_total"] >= 2_000
    assert names["worker_gpu_temperature_celsius"] >= 500
    check(tmp_path, case, firing={1: {}, 10: {}, 20: {}}, ever={})


def test_a_storm_on_20_workers(tmp_path: Path) -> None:
    """881 errors in ten minutes: workers fail one after the other, and then again and again. 20 of 1,000 are no
    quarter, and 88 errors a minute exceed the limit of ErrorRateHigh for less than ten minutes, averaged over five."""
    workers = [f"worker-{n % (1 + n * 20 // 881)}" for n in range(881)]
    errors = [Error(MINUTE * (BEGINS + n * 10 / 881), name, *OUT_OF_MEMORY) for n, name in enumerate(workers)]
    with_five = sum(count >= 5 for count in Counter(workers).values())
    check(
        tmp_path,
        recorded(32, errors).case(),
        firing={
            4: {},
            6: {"CriticalErrors": 1},
            13: {"CriticalErrors": 1, "ErrorSurge": 1},
            25: {},  # ten minutes after the storm
            32: {"WorkerSilentAfterErrors": with_five},
        },
        ever={"CriticalErrors": 1, "ErrorSurge": 1, "WorkerSilentAfterErrors": with_five},
    )


def test_300_workers_at_once(tmp_path: Path) -> None:
    """Three errors each, within a second. No worker has the five errors of WorkerSilentAfterErrors."""
    errors = [Error(MINUTE * BEGINS + n / 900, f"worker-{n % 300}", *OUT_OF_MEMORY) for n in range(900)]
    check(
        tmp_path,
        recorded(22, errors).case(),
        firing={4: {}, 8: {"CriticalErrors": 1, "ManyWorkersCritical": 1}, 15: {}, 22: {}},
        ever={"CriticalErrors": 1, "ManyWorkersCritical": 1},
    )


def test_a_rack_loses_its_network(tmp_path: Path) -> None:
    """16 of 1,000 workers, three times within two minutes; beside it, five others have a network error in five
    minutes, as always."""
    errors = [Error(MINUTE * (BEGINS + n), f"worker-{rack}", *PEER_LOST) for n in range(3) for rack in range(16)]
    lost = {"NetworkErrorsOnSeveralWorkers": 1}
    check(tmp_path, recorded(22, errors, lead=0).case(), firing={4: {}, 9: lost, 17: {}, 22: {}}, ever=lost)


def test_the_first_nightly_run(tmp_path: Path) -> None:
    check(
        tmp_path,
        recorded(24, nightly_run(500, 400)).case(),
        firing={4: {}, 13: {"CriticalErrors": 1, "ErrorSurge": 1}, 24: {}},  # ten minutes after the run
        ever={"CriticalErrors": 1, "ErrorSurge": 1},
    )


def test_nightly_runs_of_eight_days(tmp_path: Path) -> None:
    """In the third night three times as many tests fail. Then three nights have no run, so that the last night can be
    compared with that of a week ago only."""
    at, times = 7 * HOUR, [1, 1, 3, 1, 0, 0, 0, 1]
    case = nights(recorded(25, nightly_run(300, 250), lead=0), times, at)
    firing: dict[float, dict[str, int]] = {}
    for day, factor in enumerate(times):
        minute = (day * DAY + at) / MINUTE
        firing[minute] = firing[minute + BEGINS + 19] = {}  # ten minutes after the run
        surge = {"ErrorSurge": 1} if day in (0, 2) else {}
        firing[minute + BEGINS + 11] = {"CriticalErrors": 1} | surge if factor else {}
    check(tmp_path, case, firing=firing, ever={"CriticalErrors": 1, "ErrorSurge": 1})


def test_a_service_in_a_crash_loop(tmp_path: Path) -> None:
    """It is up for 15 s of every 90 s, for 21 minutes. A fifth of the fleet, evaluated at each scrape: evaluations once
    a minute would not see that it was up."""
    recording = Recording([*history(200), *usual(37, 200)], lead=0)
    recording.scrape_until(BEGINS * MINUTE)
    for n in range(14):
        recording.scrape_until(BEGINS * MINUTE + 90 * n + 75, is_up=False)
        recording.restart()
        recording.scrape_until(BEGINS * MINUTE + 90 * n + 90)
    recording.scrape_until(37 * MINUTE + 1)
    looping = {"ExporterCrashLooping": 1}
    case = recording.case()._replace(every=STEP)
    check(tmp_path, case, firing={5: {}, 10: looping, 26: looping, 37: {}}, ever=looping)


def test_a_worker_that_dies_hot(tmp_path: Path) -> None:
    """Its GPU has 97 °C in eleven reports, the last of which is that of its death. The others go on. The service
    exposes the temperature for an hour after the last report. With 700 workers, because WorkerSilentAfterErrors reads
    12 samples of each, and in promtool a query may load 10,000 samples."""
    hot = hardware(97.0)
    errors = [
        Error(MINUTE * BEGINS + 30 * n, "worker-0", "TooHot", "HARDWARE_FAULT", "warning", hot) for n in range(10)
    ]
    dies = BEGINS + 5
    errors.append(Error(MINUTE * dies, "worker-0", "WorkerCrash", "WORKER_CRASHED", "critical", hot))
    silent, new = {"WorkerSilentAfterErrors": 1}, {"NewErrorType": 2}
    check(
        tmp_path,
        recorded(dies + 62, errors, workers=700, lead=0).case(),
        firing={
            4: {},
            6: {"GPUOverheating": 1, "NewErrorType": 1},
            11: {"GPUOverheating": 1, "CriticalErrors": 1} | new,
            dies + 10: new,
            dies + 17: silent | new,
            dies + 40: silent | new,
            dies + 62: {},
        },
        ever={"GPUOverheating": 1, "CriticalErrors": 1} | silent | new,
    )
