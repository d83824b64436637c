"""JUnit XML in the dialects of many tools, and what is wrong with some files."""

import re
import threading
import time
from typing import Any

import pytest

from exporter.protocols import xml_mending
from exporter.protocols.json_value import MessageError
from exporter.protocols.junit import JUnit, read_results
from exporter.protocols.xml_mending import mended

pytestmark = pytest.mark.dashboard


def read(text: str | bytes, run: dict[str, str] | None = None, worker: str = "") -> JUnit:
    return read_results(text if isinstance(text, bytes) else text.encode(), run or {}, worker)


def brief(one: dict[str, Any]) -> tuple[Any, ...]:
    test = one["test"]
    return one["worker_id"], one["type"], one["message"], test["id"], test["attempt"], test["outcome"]


PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1"
 failures="1" skipped="2" tests="5" time="0.05" timestamp="2026-03-15T12:00:00+01:00" hostname="ci-7">
<testcase classname="tests.test_load.TestBig" name="test_all[1]" time="0.010"><failure
 message="ValueError: no device 7">def test_all():\n&gt; raise ValueError\nE   ValueError: no device 7\n\ntests/test_load.py:3: ValueError</failure></testcase>
<testcase classname="tests.test_load" name="test_b" time="0.001" />
<testcase classname="tests.test_load" name="test_c" time="0.001"><skipped type="pytest.xfail" message="later" /></testcase>
<testcase classname="tests.test_load" name="test_d" time="0.001"><skipped type="pytest.skip" message="no gpu" /></testcase>
<testcase classname="tests.test_load" name="test_e" time="0.001"><error message="failed on setup with &quot;OSError: no space&quot;">E   OSError: no space</error></testcase>
</testsuite></testsuites>"""
SUREFIRE = """<testsuite name="com.example.LoadTest" time="1,234.5" tests="3" errors="0" skipped="0" failures="1">
<properties><property name="java.version" value="21"/></properties>
<testcase name="testAll" classname="com.example.LoadTest" time="0.1">
<failure message="expected: 1" type="org.opentest4j.AssertionFailedError"><![CDATA[org.opentest4j.AssertionFailedError: expected: 1
\tat com.example.LoadTest.testAll(LoadTest.java:12)]]></failure>
<rerunFailure message="expected: 2" type="org.opentest4j.AssertionFailedError"><stackTrace><![CDATA[second]]></stackTrace>
<system-out>noise</system-out></rerunFailure></testcase>
<testcase name="testFlaky" classname="com.example.LoadTest" time="0.1">
<flakyError message="timeout" type="java.net.SocketTimeoutException"><stackTrace>first</stackTrace></flakyError></testcase>
<testcase name="testGood" classname="com.example.LoadTest" time="0.1"/></testsuite>"""
GRADLE = """<testsuite name="LoadTest" hostname="agent-1" timestamp="2026-03-15T12:00:00"><testcase name="t()" classname="LoadTest"
 time="0"><failure message="java.lang.IllegalStateException: one" type="java.lang.IllegalStateException">java.lang.IllegalStateException: one</failure></testcase>
<testcase name="t()" classname="LoadTest" time="0"/><system-out><![CDATA[much]]></system-out></testsuite>"""
JEST = """<testsuites name="jest tests" tests="1" failures="1" time="0.5"><testsuite name="load" timestamp="2026-03-15T12:00:00" time="0.3">
<testcase classname="load big files" name="load big files" time="0.003"><failure>Error: expect(received).toBe(expected)
    at Object.toBe (/srv/load.test.js:3:11)</failure></testcase></testsuite></testsuites>"""
GO = """<testsuites><testsuite name="example.com/load" tests="1" failures="1" time="0.1"><testcase classname="example.com/load"
 name="TestAll/big" time="0.00"><failure message="Failed" type="">    load_test.go:9: got 1, want 2</failure></testcase></testsuite></testsuites>"""
CTEST = """<testsuite name="Linux-c++" tests="2" failures="1" disabled="1" hostname="box" time="1" timestamp="2026-03-15T12:00:00">
<testcase name="load" classname="load" time="0.5" status="fail"><failure message="Failed"/><system-out>load.cpp:3: Segmentation fault</system-out></testcase>
<testcase name="off" classname="off" time="0" status="disabled"/></testsuite>"""
PLAYWRIGHT = """<testsuites id="" name="" tests="1" failures="1" time="2.5"><testsuite name="load.spec.ts" hostname="chromium"
 timestamp="2026-03-15T12:00:00.000Z"><testcase name="big › all" classname="load.spec.ts" time="1"><failure
 message="load.spec.ts:3:1 all" type="FAILURE"><![CDATA[  [chromium] › load.spec.ts:3:1

    TimeoutError: locator.click: Timeout 30000ms exceeded.
]]></failure><system-out><![CDATA[[[ATTACHMENT|trace.zip]]]]></system-out></testcase></testsuite></testsuites>"""
NESTED = """<testsuites><testsuite name="outer" hostname="h1"><testsuite name="inner"><testcase name="a"><error/></testcase>
</testsuite><testcase name="b"/><testsuite name="broken"><error message="ModuleNotFoundError: No module named 'x'"/></testsuite></testsuite></testsuites>"""

TABLE: list[tuple[str, str, list[tuple[Any, ...]], dict[str, int]]] = [
    ("pytest", PYTEST, [
        ("ci-7", "ValueError", "ValueError: no device 7", "tests/test_load.py::TestBig::test_all[1]", 1, "failed"),
        ("ci-7", "OSError", 'failed on setup with "OSError: no space"', "tests/test_load.py::test_e", 1, "error"),
    ], {"passed": 1, "failed": 1, "skipped": 2, "errors": 1}),
    ("Surefire", SUREFIRE, [
        ("junit", "org.opentest4j.AssertionFailedError", "expected: 1", "com.example.LoadTest.testAll", 1, "rerun"),
        ("junit", "org.opentest4j.AssertionFailedError", "expected: 2", "com.example.LoadTest.testAll", 2, "failed"),
        ("junit", "java.net.SocketTimeoutException", "timeout", "com.example.LoadTest.testFlaky", 1, "rerun"),
    ], {"passed": 2, "failed": 1, "skipped": 0, "errors": 0}),
    ("Gradle", GRADLE, [
        ("agent-1", "java.lang.IllegalStateException", "java.lang.IllegalStateException: one", "LoadTest.t()", 1, "rerun"),
    ], {"passed": 1, "failed": 0, "skipped": 0, "errors": 0}),
    ("Jest", JEST, [
        ("junit", "Error", "Error: expect(received).toBe(expected)", "load big files", 1, "failed"),
    ], {"passed": 0, "failed": 1, "skipped": 0, "errors": 0}),
    ("Go", GO, [
        ("junit", "TestFailure", "load_test.go:9: got 1, want 2", "example.com/load.TestAll/big", 1, "failed"),
    ], {"passed": 0, "failed": 1, "skipped": 0, "errors": 0}),
    ("CTest", CTEST, [("box", "TestFailure", "load.cpp:3: Segmentation fault", "load", 1, "failed")],
     {"passed": 0, "failed": 1, "skipped": 1, "errors": 0}),
    ("Playwright", PLAYWRIGHT, [
        ("chromium", "TimeoutError", "load.spec.ts:3:1 all", "load.spec.ts.big › all", 1, "failed"),
    ], {"passed": 0, "failed": 1, "skipped": 0, "errors": 0}),
    ("nested", NESTED, [
        ("h1", "TestError", "the test failed without a message", "a", 1, "error"),
        ("h1", "ModuleNotFoundError", "ModuleNotFoundError: No module named 'x'", "broken", 1, "error"),
    ], {"passed": 1, "failed": 0, "skipped": 0, "errors": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "counts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_dialect(text: str, expected: list[tuple[Any, ...]], counts: dict[str, int]) -> None:
    found = read(text)
    assert [brief(one) for one in found.reports] == expected
    assert found.counts == counts
    assert not found.warning
    assert len({one["event_id"] for one in found.reports}) == len(found.reports)


def test_details() -> None:
    (first, second) = read(PYTEST).reports
    assert first["traceback"].endswith("tests/test_load.py:3: ValueError")
    assert first["timestamp"] == "2026-03-15T12:00:00+01:00"
    assert first["test"] | {"id": ""} == {
        "id": "", "file": "tests/test_load.py", "attempt": 1, "outcome": "failed", "duration": 0.01
    }  # fmt: skip
    assert first["error_category"] == "TEST_FAILURE"
    assert second["error_category"] == "TEST_FAILURE"
    assert read(SUREFIRE).reports[1]["traceback"] == "second"
    assert read(CTEST).reports[0]["traceback"] == "load.cpp:3: Segmentation fault"
    memory = PYTEST.replace("ValueError: no device 7", "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB")
    assert "error_category" not in read(memory).reports[0]  # the service derives a better one


def test_the_same_file_has_the_same_ids() -> None:
    def ids(found: JUnit) -> set[str]:
        return {one["event_id"] for one in found.reports}

    assert ids(read(PYTEST)) == ids(read(PYTEST))
    assert not ids(read(PYTEST)) & ids(read(PYTEST, {"id": "2"}))
    assert not ids(read(PYTEST)) & ids(read(PYTEST + " "))


def test_a_summary_needs_the_id_of_the_run() -> None:
    assert read(PYTEST).summary is None
    summary = read(PYTEST, {"id": "7", "job": "nightly"}, "w1").summary
    assert summary is not None
    assert summary.pop("worker_id").startswith("w1/junit-")
    assert summary == {
        "run": {"id": "7", "job": "nightly"},
        "started_at": "2026-03-15T12:00:00+01:00",
        "finished_at": "2026-03-15T12:00:00.014000+01:00",
        "complete": True,
        "workers": {"w1": {
            "passed": ["tests/test_load.py::test_b"],
            "failed": ["tests/test_load.py::TestBig::test_all[1]"],
            "skipped": ["tests/test_load.py::test_c", "tests/test_load.py::test_d"],
            "errors": ["tests/test_load.py::test_e"],
        }},
        "counts": {"passed": 1, "failed": 1, "skipped": 2, "errors": 1},
    }  # fmt: skip


def test_a_file_replaces_its_own_summary_and_no_other() -> None:
    def sender(text: str, worker: str = "w1") -> str:
        return (read(text, {"id": "7"}, worker).summary or {})["worker_id"]

    assert sender(PYTEST) == sender(PYTEST + " ") != sender(NESTED)
    assert sender(PYTEST) != sender(PYTEST, "w2")
    assert sender(PYTEST, "w" * 300)[:201] == "w" * 200 + "/"
    (workers,) = (read(NESTED, {"id": "7"}).summary or {})["workers"]
    assert workers == "h1"


ONE = '<testsuite name="s"><testcase name="t"><failure message="{}">{}</failure></testcase></testsuite>'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (ONE.format("a & b", "").encode(), "a & b"),
        (ONE.format("a &nbsp; b", "").encode(), "a &nbsp; b"),
        (ONE.format("&#27;[31mred&#0;", "").encode(), "\ufffd[31mred\ufffd"),
        (ONE.format("\x1b[31mred\x00", "").encode(), "\ufffd[31mred\ufffd"),
        (ONE.format("caf\xe9", "").encode("latin-1"), "caf\ufffd"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + ONE.format("caf\xe9", "").encode("latin-1"), "café"),
        (b'<?xml version="1.0" encoding="punycode"?>' + ONE.format("x", "").encode(), "x"),
        (b"\xef\xbb\xbf" + ONE.format("bom", "").encode(), "bom"),
        (ONE.format("wide", "").encode("utf-16"), "wide"),
        (ONE.format("né", "").encode("utf-16-le"), "né"),
        (ONE.format("né", "").encode("utf-16-be"), "né"),
        (b'<?xml version="1.0" encoding="utf-16"?>' + ONE.format("né", "").encode(), "né"),  # as .NET writes it
        (b'\n <?xml version="1.0" encoding="ISO-8859-1"?>' + ONE.format("né", "").encode("latin-1"), "né"),
        (ONE.format("", "<![CDATA[a & b &amp; \x07]]>").encode(), "a & b &amp; \ufffd"),
        (ONE.format("", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")).encode(), "\ufffd\ufffd\ufffd"),
        (ONE.replace("testsuite", "ns:testsuite").format("prefix", "").encode(), "prefix"),
    ],
)  # fmt: skip
def test_what_is_no_xml_is_mended(body: bytes, message: str) -> None:
    (report,) = read(body).reports
    assert report["message"] == message


@pytest.mark.parametrize("shift", range(12))
def test_no_reference_is_divided_where_a_long_text_is_mended_in_pieces(
    shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml_mending, "PIECE", 64)
    text = "x" * shift + "&&amp;&#1234567;&#65;&nbsp;\x00& " * 20
    whole = "x" * shift + "&amp;&amp;\ufffd&#65;&amp;nbsp;\ufffd&amp; " * 20
    assert mended(text.encode()).decode() == whole


def longest_wait(text: bytes) -> tuple[float, float]:
    """Returns the longest time for which a thread that sleeps for a millisecond again and again has to wait while `text` is
    mended, and how long that takes, in seconds."""
    done, worst = threading.Event(), 0.0

    def watch() -> None:
        nonlocal worst
        while not done.is_set():
            began = time.perf_counter()
            time.sleep(0.001)
            worst = max(worst, time.perf_counter() - began)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    mended(text)
    took = time.perf_counter() - began
    done.set()
    watcher.join()
    return worst, took


def test_the_regular_expressions_never_hold_the_interpreter_for_long() -> None:
    """A busy machine may hold a thread, too, but not always at the same time."""
    waits = (longest_wait(b"&" * 2_000_000 + b"\x00" * 2_000_000) for _ in range(3))
    assert any(worst < max(0.2 * took, 0.05) for worst, took in waits)


def test_a_token_is_not_divided_where_a_long_output_is_cut() -> None:
    token = "ghp_aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    for shift in range(0, 160, 7):
        text = "w" * shift + f" {token}" * 4_000
        (report,) = read(ONE.format("m", text)).reports
        assert set(re.findall(r"[^\W_]{2,}", report["traceback"])) <= {"w" * shift, "ghp", token[4:], "cut", "characters", "128", *map(str, range(1000))}  # fmt: skip
        assert "[cut: " in report["traceback"]


def test_of_a_file_that_ends_early_the_results_before_its_end_count() -> None:
    found = read(PYTEST[: PYTEST.index('<testcase classname="tests.test_load" name="test_d"')], {"id": "7"})
    assert found.counts == {"passed": 1, "failed": 1, "skipped": 1, "errors": 0}
    assert "ends early" in found.warning
    assert found.summary
    assert found.summary["complete"] is False
    cut = read(PYTEST[: PYTEST.index("raise ValueError")])  # inside the text of the first failure
    assert [one["message"] for one in cut.reports] == ["ValueError: no device 7"]


def test_a_huge_output_is_cut_in_the_middle() -> None:
    (report,) = read(ONE.format("m", "first line\n" + "x" * 3_000_000 + "\nlast line")).reports
    text = report["traceback"]
    assert text.startswith("first line\n")
    assert text.endswith("\nlast line")
    assert "[cut: 2,934,485 characters]" in text
    assert len(text) < 66_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not XML"),
        (b"--boundary\r\nContent-Disposition: form-data", "not XML"),
        (b"<html><body/></html>", "not JUnit XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>', "document type"),
        (b"<testsuite>" + b"<a>" * 100, "nested more than 64"),
    ],
)  # fmt: skip
def test_what_is_no_junit_xml_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        read(body)


def test_a_call_and_its_teardown_that_fail_are_two_errors_of_one_attempt() -> None:
    both = '<testsuite><testcase name="t"><failure message="a"/><error message="b"/></testcase></testsuite>'
    assert [brief(one)[2:] for one in read(both).reports] == [("a", "t", 1, "failed"), ("b", "t", 1, "error")]
