"""What the client makes of the answers of a service."""

import json

import pytest
from error_visualization.answers import TRIES, Answer, Verdict, judge

pytestmark = pytest.mark.dashboard
STORED = json.dumps({"status": "success", "data": {}})
FAULT = json.dumps({"status": "error", "message": "internal error"})


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (200, STORED, Verdict.SETTLED),
        (200, "<html>sign in</html>", Verdict.HELD),
        (410, FAULT, Verdict.SETTLED),
        (400, FAULT, Verdict.REFUSED),
        (413, FAULT, Verdict.REFUSED),
        (401, FAULT, Verdict.HELD),
        (403, FAULT, Verdict.HELD),
        (403, json.dumps({"status": "error", "field": "worker_id"}), Verdict.REFUSED),
        (404, FAULT, Verdict.HELD),
        (302, "", Verdict.HELD),
        (429, FAULT, Verdict.LATER),
        (500, FAULT, Verdict.LATER),
        (502, "", Verdict.LATER),
        (503, FAULT, Verdict.LATER),
    ],
)
def test_the_answer_to_one_report(status: int, text: str, verdict: Verdict) -> None:
    assert judge(Answer(status, text), 1) == [verdict]


def test_items_of_a_batch_have_answers_of_their_own() -> None:
    results = [{"status": "success"}, {"status": "error", "code": 400}, {"status": "error", "code": 503}]
    text = json.dumps({"status": "partial", "data": {"results": results}})
    assert judge(Answer(207, text), 3) == [Verdict.SETTLED, Verdict.REFUSED, Verdict.LATER]


def test_a_report_that_the_service_cannot_take_does_not_stop_those_behind_it() -> None:
    assert judge(Answer(500, FAULT), 3) == [Verdict.ALONE] * 3
    assert judge(Answer(500, FAULT), 1, TRIES - 2) == [Verdict.LATER]
    assert judge(Answer(500, FAULT), 1, TRIES - 1) == [Verdict.REFUSED]
    assert judge(Answer(500, "a proxy says so"), 1, 100) == [Verdict.LATER]
    assert judge(Answer(503, FAULT), 1, 100) == [Verdict.LATER]


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_that_lacks_another_path_gets_the_reports_behind_it(status: int) -> None:
    assert judge(Answer(status, FAULT), 1, optional=True) == [Verdict.REFUSED]
    assert judge(Answer(503, FAULT), 1, optional=True) == [Verdict.LATER]
