"""The judgement of recorded system calls: it finds the answer that did not wait for its flush. The lines are strace's, with
shorter contents and paths."""

import re
from math import inf

import pytest
from strace import LMDB_META_BYTES, folder_flushed, parse, unflushed

pytestmark = pytest.mark.dashboard
LOG = r".*/errors\.duckdb\.log"

# One commit of an LMDB log: data pages, flush, meta page through a descriptor that flushes by itself, answer.
COMMIT = r"""
53 openat(AT_FDCWD</srv>, "/db/errors.duckdb.log-lock", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3</db/errors.duckdb.log-lock>
53 openat(AT_FDCWD</srv>, "/db/errors.duckdb.log", O_RDWR|O_CREAT, 0644) = 4</db/errors.duckdb.log>
53 openat(AT_FDCWD</srv>, "/db", O_RDONLY|O_CLOEXEC) = 6</db>
53 fsync(6</db>)                          = 0
53 openat(AT_FDCWD</srv>, "/db/errors.duckdb.log", O_WRONLY|O_DSYNC|O_CLOEXEC) = 5</db/errors.duckdb.log>
53 writev(4</db/errors.duckdb.log>, [{iov_base="\6\0\0", iov_len=4096}, {iov_base="{\"event_id\":\"e-1\"}\0\20", iov_len=4096}], 2) = 8192
53 fdatasync(4</db/errors.duckdb.log>)     = 0
53 pwrite64(5</db/errors.duckdb.log>, "\0\0\0\4\0\0\0\0\0\20\0\0", 120, 4128) = 120
53 write(7<socket:[87312]>, "HTTP/1.1 200 OK\r\n\r\n{\"event_id\":\"e-1\"}", 44) = 44
"""
FLUSH = "53 fdatasync(4</db/errors.duckdb.log>)     = 0\n"
META = r"""53 pwrite64(5</db/errors.duckdb.log>, "\0\0\0\4\0\0\0\0\0\20\0\0", 120, 4128) = 120
"""
ANSWER = r"""53 write(7<socket:[87312]>, "HTTP/1.1 200 OK\r\n\r\n{\"event_id\":\"e-1\"}", 44) = 44
"""
NOT_FLUSHED = "before the write of line [0-9]+ was flushed"
NO_META = "before the meta page of its commit was flushed"

# Two threads of a service whose journal is a plain file.
JOURNAL = r"""
08 write(12<socket:[306]>, "\0\0\0i\200\5take{\"event_id\": \"e-7\"}", 109 <unfinished ...>
40 pwrite64(7</db/errors.duckdb.log>, "\361\360Pc\0\3\350\214\255e-7\2722026", 673, 412 <unfinished ...>
08 <... write resumed>)              = 109
08 write(26<socket:[870]>, "HTTP/1.1 200 OK\r\n\r\n{\"event_id\":\"e-6\"}", 327) = 327
40 <... pwrite64 resumed>)           = 673
40 fdatasync(7</db/errors.duckdb.log> <unfinished ...>
08 write(27<socket:[872]>, "HTTP/1.1 400 Bad Request\r\n\r\n{\"message\":\"e-7\"}", 327) = 327
40 <... fdatasync resumed>)          = 0
--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=40, si_uid=0, si_status=0, si_utime=25, si_stime=5} ---
08 writev(21<socket:[864]>, [{iov_base="HTTP/1.1 200 OK\r\n", iov_len=17}, {iov_base="{\"event_id\":\"e-7\"}", iov_len=19}], 2 <unfinished ...>
08 <... writev resumed>)              = 36
40 +++ exited with 0 +++
"""
JOURNAL_FLUSHED = "40 <... fdatasync resumed>)          = 0\n"


def judge(text: str, event_id: str = "e-1", meta_bytes: int = LMDB_META_BYTES) -> str:
    return unflushed(parse(text.splitlines(keepends=True)), LOG, [event_id], meta_bytes=meta_bytes).get(event_id, "")


def test_calls_that_other_threads_interrupt_are_put_together() -> None:
    calls = parse(JOURNAL.splitlines())
    assert [(call.name, call.began, call.ended, call.result) for call in calls] == [
        ("write", 1, 3, 109), ("pwrite64", 2, 5, 673), ("write", 4, 4, 327), ("fdatasync", 6, 8, 0), ("write", 7, 7, 327),
        ("writev", 10, 11, 36),
    ]  # fmt: skip
    pwrite = calls[1]
    assert (pwrite.descriptor, pwrite.path, pwrite.offset) == ("7</db/errors.duckdb.log>", "/db/errors.duckdb.log", 412)
    assert calls[0].offset == inf


def test_a_failure_and_a_call_that_never_returned() -> None:
    failed, killed = parse([
        '9 openat(AT_FDCWD</>, "/x", O_RDONLY) = -1 ENOENT (No such file or directory)', "9 fsync(3</x> <unfinished ...>",
    ])  # fmt: skip
    assert (failed.result, failed.tail) == (-1, "ENOENT (No such file or directory)")
    assert (killed.ended, killed.result) == (inf, -1)


def test_an_answer_after_its_flush_is_good() -> None:
    assert judge(COMMIT) == ""
    assert judge(JOURNAL, "e-7", 0) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (COMMIT.replace(FLUSH, ""), NOT_FLUSHED),
        (COMMIT.replace(FLUSH, "").replace(META, META.replace("pwrite64(5", "pwrite64(4")), NOT_FLUSHED),  # sync=False
        (COMMIT.replace(FLUSH, FLUSH.replace("= 0", "= -1 EIO (Input/output error)")), NOT_FLUSHED),
        (COMMIT.replace(FLUSH, FLUSH.replace(")     = 0", " <unfinished ...>")), NOT_FLUSHED),
        (COMMIT.replace(FLUSH, FLUSH.replace("errors.duckdb.log", "errors.duckdb")), NOT_FLUSHED),
        (COMMIT.replace(FLUSH, "").replace(ANSWER, ANSWER + FLUSH), NOT_FLUSHED),
        (COMMIT.replace(META, META.replace("pwrite64(5", "pwrite64(4")), NO_META),  # metasync=False
        (COMMIT.replace(META, "").replace(ANSWER, ANSWER + META), NO_META),
        (COMMIT.replace(META, META.replace("4128", "40960")), NO_META),
        (COMMIT.replace(r"{\"event_id\":\"e-1\"}\0", r"\0"), "no write to the log carries it"),
        (COMMIT.replace(ANSWER, ANSWER.replace("200 OK", "503 No")), "not answered with success"),
    ],
)
def test_an_answer_before_its_flush_is_found(text: str, reason: str) -> None:
    assert text != COMMIT
    assert re.search(reason, judge(text))


@pytest.mark.parametrize("flush", ["", JOURNAL_FLUSHED])
def test_a_flush_that_began_before_the_write_had_ended_or_ends_too_late_does_not_count(flush: str) -> None:
    late = JOURNAL.replace(JOURNAL_FLUSHED, "") + flush
    assert re.search(NOT_FLUSHED, judge(late, "e-7", 0))
    begun, ended = (
        "40 <... pwrite64 resumed>)           = 673\n",
        "40 fdatasync(7</db/errors.duckdb.log> <unfinished ...>\n",
    )
    early = JOURNAL.replace(begun + ended, ended + begun)
    assert early != JOURNAL
    assert re.search(NOT_FLUSHED, judge(early, "e-7", 0))


def test_the_folder_of_a_new_log_must_be_flushed_before_the_first_answer() -> None:
    sync = "53 fsync(6</db>)                          = 0\n"
    assert folder_flushed(parse(COMMIT.splitlines()), LOG)
    for text in (COMMIT.replace(sync, ""), COMMIT.replace(sync, "").replace(ANSWER, ANSWER + sync)):
        assert not folder_flushed(parse(text.splitlines()), LOG)
