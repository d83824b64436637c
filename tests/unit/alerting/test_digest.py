"""The digest: what is new, gone, worst and still open; and that nothing is sent when there is nothing to tell."""

import argparse
import asyncio
import datetime as dt
from typing import Any

import pytest
from aiohttp import web
from stub import Handler, listening

from exporter.alerting import digest_command
from exporter.alerting.digest import MAX_NAMED, Seen, alert, description, digest, summary

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 24, 7, tzinfo=dt.UTC)


def seen(name: str, first: float, last: float, times: int = 1) -> Seen:
    """A pattern that was there from `first` to `last` hours ago."""
    ago = [NOW - dt.timedelta(hours=hours) for hours in (first, last)]
    return Seen(pattern=f"{name} <*>", type="T", occurrences=times, workers=2, last_seen=ago[1], ever_first_seen=ago[0],
                pattern_id=name)  # fmt: skip


def test_the_sections() -> None:
    lately = [seen("old", 100, 1, 9), seen("new", 5, 2, 3)]
    made = digest(NOW, 24, lately, [*lately, seen("gone", 300, 30, 2)])
    assert [[one.pattern_id for one in section] for section in (made.new, made.gone, made.worst, made.open)] == [
        ["new"], ["gone"], ["old", "new"], ["old"],
    ]  # fmt: skip
    assert summary(made) == "12 errors of 2 patterns in 24 hours: 1 new, 1 gone, 1 known before"
    assert description(made).split("\n\n")[:2] == [
        "New:\n- 3x T: new <*> (2 workers)", "Gone:\n- 2x T: gone <*> (2 workers)",
    ]  # fmt: skip


def test_a_digest_is_short_and_of_one_meaning() -> None:
    many = [seen(f"p{n}" + "x" * 5_000, 5, 2) for n in range(50)]
    made = alert(digest(NOW, 168, many, many), NOW, "http://here", {"cluster": "eu"})
    assert len(made["annotations"]["description"]) < 5_000
    assert made["annotations"]["description"].count(f"and {50 - MAX_NAMED} more") == 1
    assert made["labels"]["period"] == "weekly"
    assert made["annotations"]["permalink"] == "http://here/error-visualization?range=168"


def both(sent: list[Any], patterns: int = 1) -> Handler:
    """A service that has so many patterns, and an Alertmanager that adds the alerts it gets to `sent`."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            sent.extend(await request.json())
            return web.Response()
        found = {"pattern": "p", "type": "T", "occurrences": 3, "workers": 1, "last_seen": "2026-11-24T06:00:00.000Z",
                 "ever_first_seen": None, "pattern_id": "x"}  # fmt: skip
        return web.json_response({"data": {"patterns": [found] * patterns, "next_cursor": None}})

    return answer


@pytest.mark.parametrize("errors", [0, 1])
async def test_the_command_sends_only_if_there_is_something_to_tell(
    errors: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Any] = []
    parser = argparse.ArgumentParser()
    digest_command.add_arguments(parser)
    async with listening(both(sent, errors)) as url:
        given = parser.parse_args(["daily", "--url", url, "--alertmanager-url", url, "--external-labels", "team=a"])
        assert await asyncio.to_thread(digest_command.main, given) == 0
    said = capsys.readouterr().out
    assert ("there is nothing to tell" in said) == (not errors)
    assert [one["labels"]["team"] for one in sent] == ["a"] * errors
    assert [one["labels"]["service"] for one in sent] == [url.removeprefix("http://")] * errors
    given.external_labels = ["team"]
    assert digest_command.main(given) == 2
    given.external_labels = []
    assert await asyncio.to_thread(digest_command.main, given) == 1  # nobody is there any more


async def test_each_alertmanager_is_tried_and_labels_are_given_as_to_the_service() -> None:
    sent: list[Any] = []
    parser = argparse.ArgumentParser()
    digest_command.add_arguments(parser)
    async with listening(both(sent)) as url:
        to = ["--alertmanager-url", "http://127.0.0.1:9", "--alertmanager-url", url]
        given = parser.parse_args(["--url", url, *to, "--external-labels", "service=a, cluster=eu"])
        assert await asyncio.to_thread(digest_command.main, given) == 1  # one of them is away
    assert [(one["labels"]["service"], one["labels"]["cluster"]) for one in sent] == [("a", "eu")]
