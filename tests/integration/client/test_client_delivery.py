"""The delivery: order, repeats, refusals, overload, a service that is away; and a disk that is slow, full or not there."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from error_visualization import answers, segment
from error_visualization.delivery import REPORT
from error_visualization.frames import Record
from error_visualization.reporter import Reporter
from error_visualization.spool import Spool
from recording import Recording, recording, wait_for

pytestmark = pytest.mark.dashboard
Make = Callable[..., Reporter]


@pytest.fixture
def service() -> Iterator[Recording]:
    with recording(started=False) as service:
        yield service


@pytest.fixture
def make(service: Recording) -> Iterator[Make]:
    made = []

    def one(**more: Any) -> Reporter:
        made.append(Reporter(service.url, **{"block": 20, "worker_id": "w", **more}))
        return made[-1]

    yield one
    for reporter in made:
        reporter.close(0.0)


def test_what_was_taken_while_the_service_was_away_arrives_in_order(service: Recording, make: Make) -> None:
    reporter = make()
    for number in range(250):
        assert reporter.report({"message": number})
    service.start()
    assert reporter.flush(20)
    assert service.messages == list(range(250))
    assert [path for path, _ in service.requests].count("/api/report-errors") >= 3


def test_an_answer_that_was_lost_stores_nothing_twice(service: Recording, make: Make) -> None:
    def store_and_hang_up(reports: list[dict[str, Any]]) -> str:
        service.reports += reports
        return "hang up"

    service.start()
    service.answers = [store_and_hang_up]
    reporter = make()
    assert reporter.report({"message": "once"})
    assert reporter.flush(10)
    assert len(service.requests) == 2
    assert service.messages == ["once"]


def test_each_report_of_a_batch_has_its_own_verdict(service: Recording, make: Make, tmp_path: Path) -> None:
    def judged(reports: list[dict[str, Any]]) -> dict[str, Any]:
        results = []
        for index, report in enumerate(reports):
            bad, later = report["message"] == "bad", report["message"] == "later" and len(service.requests) == 1
            if not bad and not later and report not in service.reports:
                service.reports.append(report)
            status = {"status": "error", "code": 400 if bad else 429} if bad or later else {"status": "success"}
            results.append({"index": index, **status})
        return {"status": "partial", "data": {"results": results}, "code": 207}

    reporter = make()
    for message in ("one", "bad", "two", "later", "three"):
        assert reporter.report({"message": message})
    service.answers = [judged, judged]
    service.start()
    assert reporter.flush(10)
    assert sorted(service.messages) == ["later", "one", "three", "two"]
    (refused,) = (tmp_path / "spool").rglob("refused")
    assert refused.read_text().count('"why"') == 1


def test_a_batch_that_is_refused_as_a_whole_is_sent_one_by_one(service: Recording, make: Make, tmp_path: Path) -> None:
    reporter = make()
    for message in ("one", "bad", "two"):
        assert reporter.report({"message": message})
    service.always = lambda reports: 413 if len(reports) > 1 or reports[0]["message"] == "bad" else None
    service.start()
    assert reporter.flush(10)
    assert service.messages == ["one", "two"]
    assert len(list((tmp_path / "spool").rglob("refused"))) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_what_a_person_has_to_correct_keeps_the_reports(
    service: Recording, make: Make, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.always = status
    service.start()
    reporter = make()
    assert reporter.report({"message": "kept"})
    assert not reporter.flush(0.3)
    tries = len(service.requests)
    time.sleep(0.3)  # no longer hurried
    assert len(service.requests) <= tries + 1
    service.always = None
    assert reporter.flush(10)
    assert service.messages == ["kept"]


def test_retry_after_is_kept_also_in_a_hurry(service: Recording, make: Make) -> None:
    service.answers = [(503, {"Retry-After": "1"})]
    service.start()
    reporter = make()
    began = time.monotonic()
    assert reporter.report({"message": "later"})
    assert reporter.flush(10)
    assert time.monotonic() - began >= 1


def test_other_paths_go_through_the_same_spool(service: Recording, make: Make) -> None:
    reporter = make()
    assert reporter.report({"message": "one"})
    assert reporter.post("/api/runs", {"run": {"id": "7"}, "counts": {"passed": 3}})
    assert reporter.report({"message": "two"})
    service.start()
    assert reporter.flush(10)
    assert [path for path, _ in service.requests] == ["/api/report-error", "/api/runs", "/api/report-error"]
    assert service.requests[1][1] == {"run": {"id": "7"}, "counts": {"passed": 3}}


def test_a_full_spool_drops_the_oldest_and_reports_how_many(
    service: Recording, make: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    reporter = make(spool_bytes=2**20)
    for number in range(200):
        assert reporter.report({"message": number, "traceback": "x" * 10_000})
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.spool"))
    assert size < 1.2 * 2**20
    service.start()
    assert reporter.flush(20)
    (dropped,) = [
        report for report in service.reports if report["type" if "type" in report else "message"] == "ReportsDropped"
    ]
    kept = [message for message in service.messages if isinstance(message, int)]
    assert kept == list(range(200 - len(kept), 200))
    assert dropped["message"].startswith(f"{200 - len(kept)} error reports were dropped")
    assert "the spool is full" in caplog.text


def test_a_slow_disk_keeps_the_caller_no_longer_than_it_wants(
    service: Recording, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, disk = segment._flush, threading.Event()
    monkeypatch.setattr(segment, "_flush", lambda descriptor: (disk.wait(10), flush(descriptor)))
    service.start()
    reporter = make(block=0.05)
    took = []
    for number in range(5):
        began = time.monotonic()
        assert not reporter.report({"message": number})  # not known to be safe
        took.append(time.monotonic() - began)
    assert min(took) < 0.3  # a busy machine may delay some of them
    assert max(took) < 5
    disk.set()
    assert reporter.flush(10)
    assert service.messages == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("trouble", ["full", "no folder", "another user's folder"])
def test_without_a_disk_reports_are_delivered_from_memory(
    service: Recording, make: Make, trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any
) -> None:
    more: dict[str, Any] = {}
    if trouble == "full":

        def full(*_: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
    elif trouble == "no folder":
        (tmp_path / "file").write_text("")
        more["spool"] = tmp_path / "file"
    else:
        open_to_all = tmp_path / "open" / str(os.getuid())
        open_to_all.mkdir(parents=True)
        open_to_all.chmod(0o777)
        more["spool"] = tmp_path / "open"
    reporter = make(block=0.2, **more)
    assert not reporter.report({"message": "one"})  # neither on disk nor stored
    assert not reporter.report({"message": "two"})
    service.start()
    assert reporter.flush(10)
    assert reporter.report({"message": "three"})  # stored
    assert service.messages == ["one", "two", "three"]
    assert caplog.text.count("kept in memory") == 1


def test_a_spool_that_was_deleted_is_made_again(service: Recording, make: Make, tmp_path: Path) -> None:
    import shutil

    reporter = make()
    assert reporter.report({"message": "one"})
    shutil.rmtree(tmp_path / "spool")
    assert reporter.report({"message": "two"})
    assert list((tmp_path / "spool").rglob("*.spool"))
    service.start()
    assert reporter.flush(10)
    assert service.messages == ["one", "two"]


def test_a_damaged_file_costs_only_what_is_behind_the_damage(service: Recording, make: Make, tmp_path: Path) -> None:
    reporter = make()
    for number in range(3):
        assert reporter.report({"message": number})
    reporter.close(0.0)
    wait_for(lambda: not reporter._delivery.is_running)  # it may still read the file
    (file,) = (tmp_path / "spool").rglob("*.spool")
    content = bytearray(file.read_bytes())
    content[-5] ^= 0xFF
    file.write_bytes(content)
    (file.parent / "00000000000000000001-1-aa.spool").write_text("nonsense")
    service.start()
    reporter = make()
    assert reporter.report({"message": 3})
    wait_for(lambda: sorted(service.messages) == [0, 1, 3])
    reporter.close()
    assert not list((tmp_path / "spool").rglob("*.spool"))


def test_a_closed_spool_takes_no_files_until_it_is_used_again(tmp_path: Path) -> None:
    """A sender that starts late would else hold the reports until its process ends."""
    closed, other = (Spool("http://127.0.0.1:9", {}, tmp_path / "spool") for _ in range(2))
    closed.open()
    closed.append([Record(REPORT, b"{}")])
    closed.close()
    closed.adopt()
    other.adopt()
    assert not other.is_empty()
    other.close()
    closed.open()
    closed.adopt()
    assert not closed.is_empty()
    closed.close()


def test_pauses_grow_and_are_bounded() -> None:
    away = answers.Answer(0, "")
    assert [answers.pause(away, attempt, 0.5) for attempt in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert answers.pause(away, 1000, 1.0) == answers.MAX_PAUSE
    assert answers.pause(answers.Answer(503, "", 7.0), 0, 0.5) == 7.0
    assert answers.pause(answers.Answer(503, "", 1e9), 0, 0.5) == answers.MAX_RETRY_AFTER


def test_two_reporters_of_one_process_do_not_send_for_each_other(service: Recording, make: Make) -> None:
    first, second = make(), make()
    assert first.report({"message": "first"})
    assert second.report({"message": "second"})
    service.start()
    assert first.flush(10)
    assert second.flush(10)
    wait_for(lambda: sorted(service.messages) == ["first", "second"])
    assert len(service.reports) == 2


def test_an_outage_does_not_count_as_a_fault_that_a_report_has_shown(service: Recording, make: Make) -> None:
    reporter = make()
    assert reporter.report({"message": "one"})
    assert not reporter.flush(1.2)  # some ten attempts
    service.answers = [500]
    service.start()
    assert reporter.flush(10)
    assert service.messages == ["one"]


def test_a_service_that_fails_with_every_report_costs_few_of_them(service: Recording, make: Make) -> None:
    def fails(_: Any) -> int | None:
        alone = [body["message"] for _, body in service.requests if isinstance(body, dict)]
        return 500 if alone.count(1) <= answers.TRIES + 1 else None  # more tries of the second than of the first

    service.always = fails
    service.start()
    reporter = make()
    for number in range(3):
        assert reporter.report({"message": number})
    assert reporter.flush(20)
    assert service.messages == [1, 2]
