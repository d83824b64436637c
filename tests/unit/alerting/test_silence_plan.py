"""Which silences an Alertmanager should have, and what is done about those that it has."""

import datetime as dt
import re
from typing import Any

import pytest

from exporter.alerting.silence_plan import ENDED_BY_HAND, Held, Matcher, Status, Wanted, matchers_of, plan

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 27, 4, tzinfo=dt.UTC)
LABELS = {"job": "j", "service": "s1"}
HOUR = dt.timedelta(hours=1)
MUTE = Wanted("f", 7, ("f",), "Ana", NOW + HOUR, "until then")
ENDLESS = MUTE._replace(until=None)
ENDED = MUTE._replace(noted=(None, ENDED_BY_HAND))
NOTED = MUTE._replace(noted=("z", None))  # it had a silence, in one of the Alertmanagers


def held(id_: str = "x", mute: Wanted = MUTE, service: str = "s1", **fields: Any) -> Held:
    given: dict[str, Any] = {"starts_at": NOW - HOUR, "ends_at": NOW + HOUR, "updated_at": NOW - HOUR}
    given["status"] = Status("active")
    given["comment"] = f"muted by Ana [mute {mute.number} of {service}]"
    return Held(id_, matchers_of(mute, LABELS), **(given | fields))


def lapsed_at(id_: str, hours: float) -> Held:
    return held(id_, status=Status("expired"), ends_at=NOW - hours * HOUR, updated_at=NOW - (hours + 1) * HOUR)


def ended_at(id_: str, hours: float) -> Held:
    return held(id_, status=Status("expired"), ends_at=NOW - hours * HOUR, updated_at=NOW - hours * HOUR)


EXPIRED = {"status": Status("expired"), "ends_at": NOW - HOUR}
BY_HAND = EXPIRED | {"updated_at": NOW - HOUR}


@pytest.mark.parametrize(
    ("mutes", "found", "posted", "expired", "kept", "ended"),
    [
        ([MUTE], [], [None], [], {}, []),
        ([MUTE], [held()], [], [], {"f": "x"}, []),
        ([MUTE], [held(service="s2")], [None], [], {}, []),  # of another service
        ([MUTE], [held(mute=MUTE._replace(number=6))], [None], ["x"], {}, []),  # of an earlier mute
        ([], [held()], [], ["x"], {}, []),
        ([], [held(**EXPIRED)], [], [], {}, []),
        ([], [], [], [], {}, []),
        ([MUTE], [held(), held("y")], [], ["y"], {"f": "x"}, []),  # two processes made one each
        ([NOTED], [held(**BY_HAND)], [], [], {}, ["f"]),
        ([MUTE], [held(**BY_HAND)], [None], [], {}, []),  # the service ended it: another state was in force meanwhile
        ([NOTED], [held(**EXPIRED, updated_at=NOW - 3 * HOUR)], [None], [], {}, []),  # the service was away
        ([MUTE], [held("y", **BY_HAND), held()], [], [], {"f": "x"}, []),  # replaced by another one
        ([MUTE], [held("y"), held()], [], ["y"], {"f": "x"}, []),  # as another member of the cluster lists them
        ([NOTED], [ended_at("y", 3), lapsed_at("x", 1)], [None], [], {}, []),  # replaced, then the service was away
        ([NOTED], [lapsed_at("x", 2), ended_at("y", 1)], [], [], {}, ["f"]),
        ([ENDED], [], [], [], {}, ["f"]),  # Alertmanager has forgotten it
        ([ENDED], [held()], [], [], {"f": "x"}, []),  # another Alertmanager
        ([MUTE._replace(names=("f", "g"))], [held()], ["x"], [], {}, []),  # the pattern has another id now
        ([MUTE._replace(until=NOW + 2 * HOUR)], [held()], ["x"], [], {}, []),
        ([ENDLESS], [held()], [], [], {"f": "x"}, []),
        ([ENDLESS], [held(ends_at=NOW + HOUR / 3)], ["x"], [], {}, []),  # renewed in time
        ([MUTE], [held(comment="by hand")], [None], [], {}, []),
    ],
)
def test_what_is_done(
    mutes: list[Wanted], found: list[Held], posted: list[str | None], expired: list[str], kept: dict[str, str],
    ended: list[str],
) -> None:  # fmt: skip
    todo = plan(mutes, found, LABELS, "s1", NOW)
    assert [body.get("id") for _, body in todo.posts] == posted
    assert (todo.expire, todo.kept, todo.ended) == (expired, kept, ended)


def test_a_silence_is_of_the_alerts_of_this_pattern_and_service_alone() -> None:
    ((_, body),) = plan([MUTE._replace(names=("f.1", "g"))], [], LABELS, "s1", NOW).posts
    own, *others = body["matchers"]
    assert {one["name"]: one["value"] for one in others} == {"source": "push", **LABELS}
    assert own["isRegex"]
    assert [bool(re.fullmatch(own["value"], name)) for name in ("f.1", "g", "fx1", "f", "f.1g")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert (body["endsAt"], body["createdBy"]) == ("2026-11-27T05:00:00.000Z", "Ana")
    assert matchers_of(MUTE, {})[0] == Matcher("fingerprint", "f")


def test_a_silence_is_found_again_by_what_was_posted() -> None:
    for mute in (MUTE, ENDLESS, MUTE._replace(by="x [mute 1 of s1]")):
        for service in ("s1", "team[a]", ".*"):
            ((_, body),) = plan([mute], [], LABELS, service, NOW).posts
            one = held(comment=body["comment"], ends_at=dt.datetime.fromisoformat(body["endsAt"]))
            assert plan([mute], [one], LABELS, service, NOW).kept == {"f": "x"}


def test_a_renewed_silence_keeps_its_start() -> None:
    ((_, body),) = plan([ENDLESS], [held(ends_at=NOW + HOUR / 3)], LABELS, "s1", NOW).posts
    assert (body["id"], body["startsAt"], body["endsAt"]) == (
        "x", "2026-11-27T03:00:00.000Z", "2026-11-27T05:00:00.000Z",
    )  # fmt: skip
