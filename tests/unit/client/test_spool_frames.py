"""The file format of the spool: what is whole is read, wherever a file was cut or damaged."""

import pytest
from error_visualization.frames import HEADER, Record, frame, header, position_of, records
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.dashboard
RECORDS = st.lists(st.tuples(st.sampled_from(["/api/report-error", "/api/runs"]), st.binary(max_size=50)), max_size=5)


@given(RECORDS, st.integers(0, 10_000))
def test_what_is_written_is_read(given: list[tuple[str, bytes]], offset: int) -> None:
    data = b"".join(frame(Record(*one)) for one in given)
    found = list(records(data, offset))
    assert [(one.path, one.body) for one in found] == given
    assert not given or found[-1].end == offset + len(data)


@given(RECORDS.filter(bool), st.data())
def test_a_cut_or_damage_costs_nothing_before_it(given: list[tuple[str, bytes]], draw: st.DataObject) -> None:
    data = bytearray(b"".join(frame(Record(*one)) for one in given))
    at = draw.draw(st.integers(0, len(data) - 1))
    ends = [one.end for one in records(bytes(data), 0)]
    whole = sum(end <= at for end in ends)
    assert len(list(records(bytes(data[:at]), 0))) == whole
    data[at] ^= draw.draw(st.integers(1, 255))
    assert len(list(records(bytes(data), 0))) == whole


def test_the_header() -> None:
    assert position_of(header(1234)) == 1234
    assert position_of(header(0)) == HEADER
    for wrong in (b"", b"EVSPOOL1", b"nonsense" + bytes(8)):
        with pytest.raises(ValueError, match="not a file of the spool"):
            position_of(wrong)
