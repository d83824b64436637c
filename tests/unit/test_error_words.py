"""What a client is told names no path of the machine."""

import pytest

from exporter.http.responses import failure, without_paths

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('IO Error: Cannot open file "/srv/data/errors.duckdb": No such file', 'IO Error: Cannot open file (a file): No such file'),
        ("/srv/errors.duckdb.log: mdb_txn_begin: Input/output error", "(a file): mdb_txn_begin: Input/output error"),
        ("Could not write file '/tmp/errors.duckdb.tmp/x.block', disk full", "Could not write file (a file), disk full"),
        ("./errors.duckdb: is locked", "(a file): is locked"),
        ("~/errors.duckdb (/proc/1/fd) is locked", "(a file) ((a file)) is locked"),
        ("the database did not answer within 30 s", "the database did not answer within 30 s"),
        ("INTERNAL Error: x\n\nStack Trace:\n/opt/duckdb.so(+0x1)", "INTERNAL Error: x"),
        ("expected application/json, 10/s, http://host/path", "expected application/json, 10/s, http://host/path"),
    ],
)  # fmt: skip
def test_paths_are_left_out(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_bytes_of_a_request_that_are_not_utf_8_are_escaped() -> None:
    answer = failure(403, "the origin \udcff is not allowed", "\udcfe")
    assert answer.body == rb'{"status":"error","message":"the origin \\udcff is not allowed","field":"\\udcfe"}'
