"""Which reports `pipe` makes of the lines of logs."""

import datetime as dt
import json
from typing import Any

import pytest
from error_visualization.pipe.converter import MAX_SOURCES, Converter

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 3, 16, 12, 0, 0)
XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: no'


def reports(text: str, format_: str = "auto", **more: Any) -> list[dict[str, Any]]:
    converter = Converter(format_, now=lambda: NOW, **more)
    return [fields for line in text.split("\n") for fields in converter.push(line)] + converter.flush()


ERRORS = [
    # the line, what its report has
    (f"3,1234,5678901,-;{XID}", {"type": "XID 79", "message": XID, "event_id": "boot-1234",
                                 "devices": [{"kind": "gpu", "pci": "0000:3b:00.0"}]}),
    ("3,7,1,-;a line that is in no table", {"type": "KernelError", "event_id": "boot-7"}),
    (r"3,8,1,c;with a \x0a", {"message": "with a \n"}),
    ("[ 5678.901234] mlx5_core 0000:12:00.0 ens1: Link down", {"type": "mlx5 link down", "error_category": "NETWORK_LINK_DOWN"}),
    ("[   12.5][ T1234] EDAC MC0: 1 UE memory read error on CPU", {"type": "EDAC uncorrectable memory error"}),
    ("kern  :err   : [ 5678.9] something odd", {"type": "KernelError", "message": "something odd"}),
    ("<11>Mar 15 12:00:00 node7 app[12]: cannot", {"type": "LogError", "message": "cannot", "syslog": {"host": "node7", "program": "app", "pid": "12"},
                                                   "timestamp": dt.datetime(2026, 3, 15, 12).timestamp()}),
    ('<34>1 2026-03-15T12:00:00Z node7 su 77 ID47 [a@1 b="c\\]"] \'su root\' failed', {"type": "LogCritical", "message": "'su root' failed", "timestamp": "2026-03-15T12:00:00Z"}),
    ("<3>1 - - - - - - bare", {"message": "bare"}),
    ("Dec 31 12:00:00 node7 kernel: [  12.5] Memory cgroup out of memory: Killed process 12 (python) total-vm:1kB",
     {"type": "OOM kill", "kernel": {"process": "python", "pid": 12}, "timestamp": dt.datetime(2025, 12, 31, 12).timestamp()}),
    ("2026-03-15T12:00:00.5+00:00 node7 app: ERROR broken", {"message": "broken", "timestamp": "2026-03-15T12:00:00.5+00:00"}),
    ('{"level":"error","msg":"boom","ts":1700000000.5,"error":"eof"}', {"message": "boom: eof", "timestamp": 1700000000.5}),
    ('{"level":50,"msg":"bad","time":1700000000500,"err":{"type":"TypeError","message":"x","stack":"TypeError: x\\n    at f (a.js:1:1)"}}',
     {"type": "TypeError", "message": "bad: x", "traceback": "TypeError: x\n    at f (a.js:1:1)"}),
    ('{"severity":"CRITICAL","message":"m","timestamp":"2026-03-15T12:00:00Z"}', {"type": "LogCritical", "message": "m"}),
    ('{"levelname":"ERROR","message":"m","exc_info":"Traceback (most recent call last):\\n  File \\"a\\", line 1, in f\\nKeyError: 1"}', {"type": "KeyError", "message": "m"}),
    ('{"log.level":"error","message":"m","@timestamp":"2026-03-15T12:00:00Z","error.type":"java.lang.X"}', {"type": "java.lang.X"}),
    ('{"PRIORITY":"3","MESSAGE":"m","__REALTIME_TIMESTAMP":"1700000000000000","_TRANSPORT":"syslog"}', {"message": "m", "timestamp": 1700000000.0}),
    (json.dumps({"PRIORITY": "4", "MESSAGE": XID, "_TRANSPORT": "kernel"}), {"type": "XID 79"}),
    ('{"record":{"level":{"name":"ERROR","no":40},"message":"loguru"}}', {"message": "loguru"}),
    ('{"worker_id":"w","type":"T","message":"m","more":[1]}', {"worker_id": "w", "type": "T", "message": "m", "more": [1]}),
    ('{"log":"ERROR in docker\\n","stream":"stderr","time":"2026-03-15T12:00:00Z"}', {"message": "in docker", "timestamp": "2026-03-15T12:00:00Z"}),
    ("2026-03-15 12:00:00,123 ERROR [main] a.B - message", {"message": "[main] a.B - message", "timestamp": "2026-03-15 12:00:00,123"}),
    ("2026-03-15 12:00:00,123 - app.db - ERROR - message", {"message": "message"}),
    ("2026-03-15T12:00:00Z | FATAL | message", {"type": "LogCritical", "message": "message"}),
    ("[2026-03-15 12:00:00] [error] message", {"message": "message"}),
    ("E1126 20:31:55.123456   123 file.go:12] glog", {"message": "glog"}),
    ("ERROR:root:failed", {"message": "root:failed"}),
    ("error: cannot open", {"message": "error: cannot open"}),
    ("<3>only a priority", {"message": "only a priority"}),
]  # fmt: skip
NO_ERRORS = [
    "", "   ", "6,1235,5678901,-;usb 1-1: new device", " SUBSYSTEM=pci", "[ 5678.9] mlx5_core 0000:12:00.0 ens1: Link up",
    "<14>Mar 15 12:00:00 node7 app: fine", '{"level":"warn","msg":"w"}', '{"level":30,"msg":"fine"}', '{"level":40,"msg":"pino warns"}',
    '{"level":true,"msg":"x"}', '{"msg":"no level"}', "{not json", "[1, 2]", "INFO:root:Error handling is fine", "an ERROR in prose",
    "0 errors, 3 warnings", "2026-03-15 12:00:00 INFO error: none", "kern  :info  : [ 1.0] fine", "<999999999999>x",
]  # fmt: skip


@pytest.mark.parametrize(("line", "wanted"), ERRORS)
def test_an_error(line: str, wanted: dict[str, Any]) -> None:
    (report,) = reports(line, boot_id="boot")
    assert {name: report.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("line", NO_ERRORS)
def test_no_error(line: str) -> None:
    assert reports(line) == []


def test_all_lines_if_wanted() -> None:
    assert [report["message"] for report in reports("one\n\ntwo", every=True)] == ["one", "two"]


def test_a_traceback_is_one_report() -> None:
    (report,) = reports(f"starting\n{TRACEBACK}\nended")
    assert (report["type"], report["message"], report["traceback"]) == ("ValueError", "no", TRACEBACK)


def test_a_traceback_belongs_to_the_error_before_it() -> None:
    first, second = reports(f"ERROR:root:first\nERROR:root:failed\n{TRACEBACK}")
    assert (first["message"], "traceback" in first) == ("root:first", False)
    assert (second["type"], second["message"], second["log_message"]) == ("ValueError", "no", "root:failed")


def test_tracebacks_of_two_programs_are_joined_apart() -> None:
    lines = [
        f"<14>Mar 15 12:00:00 node7 {app}: {line}"
        for line in TRACEBACK.split("\n")
        for app in ("one[1]", "two[2]")
    ]  # fmt: skip
    found = reports("\n".join(lines))
    assert [(report["traceback"], report["syslog"]["pid"]) for report in found] == [(TRACEBACK, "1"), (TRACEBACK, "2")]


def test_what_many_programs_left_unfinished_is_bounded_and_not_lost() -> None:
    lines = [f"<11>Mar 15 12:00:00 node7 app[{number}]: broken" for number in range(MAX_SOURCES * 3)]
    converter = Converter(now=lambda: NOW)
    early = [report for line in lines for report in converter.push(line)]
    assert len(early) == MAX_SOURCES * 2
    assert len(early + converter.flush()) == len(lines)


def test_a_format_that_is_given_is_the_only_one() -> None:
    assert reports('{"level":"error","msg":"x"}', "text") == []
    assert reports(f"3,1,1,-;{XID}", "text") == []
    assert len(reports(f"3,1,1,-;{XID}", "kmsg")) == 1
    assert len(reports("Mar 15 12:00:00 n kernel: " + XID, "syslog")) == 1
    assert reports("ERROR in text", "kmsg") == []
