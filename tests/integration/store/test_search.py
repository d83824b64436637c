"""The list of errors and the facets, with filters and with text, against the same computed here from the events."""

import datetime as dt
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from events import event
from projected import Projected

from exporter.events.cursor import parse_cursor
from exporter.events.event import MAX_MESSAGE, ErrorEvent, isoformat
from exporter.events.groups import groups_of
from exporter.events.plain_text import plain_text
from exporter.store import read_facets, search, texts
from exporter.store.parameters import FacetName, Filters
from exporter.store.queries import GetFacets, ListErrors
from exporter.store.read import answer
from exporter.store.results import ErrorPage, Facets
from exporter.store.rollups import Rollups
from exporter.store.select import Cursor

pytestmark = pytest.mark.dashboard
NOW = dt.datetime(2026, 11, 20, 12, 0, 30, tzinfo=dt.UTC)
LIMIT = 9
LONG = 14  # events whose text is too long for the table of texts
MESSAGES = [
    "CUDA out of memory: tried to allocate 40 MiB", "CUDA out of memory: tried to allocate 12 MiB", "Straße 7 gesperrt",
    "İstanbul is not reachable", "100 % of the disk is used", "it's \"quoted\"", "a\x1b[31mred\x1b[0m word", "9", "",
    "two\nlines", "ΟΔΟΣ", "nul \x00 byte", "x" * MAX_MESSAGE + "beyond", "back\\slash_and%percent",
]  # fmt: skip
TRACEBACKS = [
    None, "", 'File "train.py", line 12, in step', 'File "train.py", line 99, in step\n  \x1b[1mraise\x1b[0m Error(40)',
    "tests/test_ui.py::test_login[chrome-3]", "y" * (texts.MAX_TEXT_BYTES + 1) + " the end",
]  # fmt: skip
TYPES = ["TimeoutError", "Überlauf", "KeyError", "ΟΔΟΣ"]
CATEGORIES = ["NETWORK_TIMEOUT", "RESOURCE_EXHAUSTED", "TEST_7"]
WORDS = [
    "cuda", "OUT OF", "40 mib", "12", "0", "9", "line 12", "line 1", "line 99, in step", "straße", "STRASSE", "ẞ", "İ",
    "i̇stanbul", "%", "100 %", "'", '"quoted"', "a\x1b", "ared", "red word", "raise error(40)", "two\nlines",
    "9\ntests/", "7 gesperrt\nfile", "gesperrt\nfile", "\n", "e", "é", "οδος", "ΟΔΟΣ", "\x00", "beyond", "xbeyond",
    "the end", "timeout", "überlauf", "ÜBER", "w-12", "w-1", "test_7", "test_", "login[chrome-3]", "login[chrome-4]",
    "nothing like it", "1234567890", "x" * 500, "\\", "_", "\\slash_and%", "y the end", " ",
]  # fmt: skip


def made() -> list[ErrorEvent]:
    """Returns events with each message and each traceback, at times that partly repeat and are not in order."""
    dice = random.Random(7)
    found = []
    for number, (message, traceback) in enumerate(itertools.product(MESSAGES, TRACEBACKS), 1):
        when = NOW - dt.timedelta(minutes=dice.randrange(600))
        category = dice.choice(CATEGORIES)
        one = event(
            number, timestamp=when, received_at=when, worker_id=f"w-{dice.randrange(40)}", type=dice.choice(TYPES),
            category=category, severity=dice.choice(["critical", "warning", "info"]), is_recurring=dice.random() < 0.5,
            hardware_type=dice.choice([None, "cuda", "tpu"]), hardware_error=dice.random() < 0.3,
            fingerprint=dice.choice(["a", "b"]) * 16, message=plain_text(message)[:MAX_MESSAGE],
            body=json.dumps({"worker_id": "w", "message": message, "traceback": traceback}),
        )  # fmt: skip
        found.append(one)
    return found


EVENTS = made()


def text_matches(one: ErrorEvent, word: str) -> bool:
    traceback = json.loads(one.body)["traceback"] or ""
    places = [f"{one.message}\n{plain_text(traceback)}", one.type, one.worker_id, one.category]
    return any(word.lower() in place.lower() for place in places)


def matches(one: ErrorEvent, filters: Filters, without: str = "") -> bool:
    def any_of(name: str, value: str | None) -> bool:
        return name == without or not getattr(filters, name) or value in getattr(filters, name)

    groups = groups_of(one.category, hardware_error=one.hardware_error, recurring=one.is_recurring)
    return (
        one.timestamp >= NOW - dt.timedelta(hours=filters.hours)
        and any_of("severity", one.severity)
        and any_of("category", one.category)
        and any_of("worker", one.worker_id)
        and any_of("type", one.type)
        and any_of("hardware", one.hardware_type)
        and (not filters.group or bool(set(filters.group) & set(groups)))
        and filters.fingerprint in (None, one.fingerprint)
        and (filters.q is None or text_matches(one, filters.q))
    )


def expected(filters: Filters) -> list[int]:
    found = [one for one in EVENTS if matches(one, filters)]
    return [one.id for one in sorted(found, key=lambda one: (one.timestamp, one.id), reverse=True)]


def counted(filters: Filters, name: FacetName, since: str = "") -> list[tuple[str, int]]:
    column = {"worker": "worker_id", "hardware": "hardware_type"}.get(name, name)
    found = [one for one in EVENTS if matches(one, filters, name) and isoformat(one.timestamp) >= since]
    counts = Counter(getattr(one, column) for one in found)
    return sorted(((v, n) for v, n in counts.items() if v is not None), key=lambda row: (-row[1], row[0]))


def pages(store: Projected, filters: Filters) -> list[ErrorPage]:
    """Returns all pages of a list. Each must end at an earlier place than the one before it."""
    found: list[ErrorPage] = []
    after = None
    while len(found) <= len(EVENTS):
        page: ErrorPage = store.read(ListErrors(filters=filters, now=NOW, after=after, limit=LIMIT))
        found.append(page)
        if page.next_cursor is None:
            return found
        before, after = after, parse_cursor(page.next_cursor)
        assert before is None or after < before
    raise AssertionError("the pages do not end")


def listed(found: list[ErrorPage]) -> list[int]:
    return [one.id for page in found for one in page.errors]


def facets(store: Projected, filters: Filters, **more: Any) -> Facets:
    found: Facets = store.read(GetFacets(filters=filters, now=NOW, **more))
    return found


def rows(found: Facets, name: str) -> list[tuple[str, int]]:
    return [(one.value, one.count) for one in getattr(found, name)]


@pytest.fixture(scope="module", params=["all texts are known", "some texts are known"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projected]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "some texts are known":
            patch.setattr(texts, "MAX_TEXTS", 20)
        path: Path = tmp_path_factory.mktemp("search") / "errors.duckdb"
        one = Projected(path)
        one.append(EVENTS[:50])
        one.catch_up(50)
        with one.database.writing:
            Rollups(one.database).step(1)
        one.append(EVENTS[50:])
        one.catch_up(len(EVENTS))
        (unknown,) = one.values("SELECT count(*) FROM errors WHERE text = 0")
        assert unknown == (LONG if request.param == "all texts are known" else 54)
        yield one
        one.close()


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SECONDS", 60)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few errors are asked for and read at once."""
    monkeypatch.setattr(search, "FIRST", 7)
    monkeypatch.setattr(search, "NEXT", 11)
    monkeypatch.setattr(search, "MAX_BLOCKS", 1)


@pytest.fixture
def no_time(small_steps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches stop after few errors."""
    monkeypatch.setattr(search, "SECONDS", 0)


@pytest.mark.parametrize("word", WORDS, ids=ascii)
@pytest.mark.parametrize("more", [{}, {"severity": ("critical", "info"), "hours": 5}], ids=["all", "filtered"])
def test_a_text_finds_what_has_it(store: Projected, word: str, more: dict[str, Any]) -> None:
    filters = Filters(q=word, **more)
    found = pages(store, filters)
    assert listed(found) == expected(filters)
    assert {page.searched_since for page in found} == {None}


@pytest.mark.parametrize("word", WORDS[::2], ids=ascii)
def test_without_time_the_pages_together_have_all(store: Projected, no_time: None, word: str) -> None:
    filters = Filters(q=word)
    found = pages(store, filters)
    assert listed(found) == expected(filters)
    for page in found:
        stopped = page.searched_since is not None
        assert len(page.errors) <= LIMIT
        assert stopped or len(page.errors) == LIMIT or page is found[-1]
        if stopped:
            assert page.next_cursor is not None
            assert all(one.timestamp >= page.searched_since for one in page.errors)


def test_a_page_says_how_far_it_searched(store: Projected, no_time: None) -> None:
    found = pages(store, Filters(q="1234567890"))
    if len(found) > 1:  # some texts are not known
        assert listed(found) == []
        since = [page.searched_since for page in found]
        assert since[-1] is None
        assert None not in since[:-1]
        assert since[:-1] == sorted(since[:-1], reverse=True)
    else:
        assert store.values("SELECT count(*) FROM errors WHERE text = 0") == [LONG]


MANY = tuple(dict.fromkeys(one.worker_id for one in EVENTS))[:30]  # those with the lowest integers
TEXTS = [{"q": "cuda"}, {"q": "40"}, {"q": "line 12", "worker": MANY}, {"q": "error"}, {"q": "no such text"},
         {"q": "cuda", "type": ("KeyError",), "severity": ("info", "critical")},
         {"q": "cuda", "group": ("recurring",), "hardware": ("tpu",)}, {"q": "40", "group": ("recurring", "test")},
         {"q": "cuda", "fingerprint": "a" * 16}, {"q": "40", "fingerprint": "b" * 16, "hours": 7}]  # fmt: skip
FILTERS = [
    {}, {"severity": ("critical",)}, {"worker": ("w-1", "w-7")}, {"worker": MANY}, {"worker": ("nobody",)},
    {"type": ("KeyError",), "category": ("TEST_7",)}, {"hardware": ("cuda",)}, {"group": ("recurring",)},
    {"group": ("hardware",)}, {"group": ("test", "network")}, {"group": ("worker",)}, {"group": ("recurring", "test")},
    {"fingerprint": "a" * 16}, {"fingerprint": "c" * 16}, {"worker": ("w-3",), "severity": ("info",)},
    {"severity": ("critical",), "worker": MANY, "type": ("KeyError", "TimeoutError"), "hardware": ("tpu",),
     "category": ("TEST_7", "NETWORK_TIMEOUT")},
    {"hours": 3, "type": ("Überlauf",)}, *TEXTS,
]  # fmt: skip


@pytest.mark.parametrize("given", FILTERS, ids=ascii)
def test_lists_and_facets_with_filters(store: Projected, given: dict[str, Any]) -> None:
    filters = Filters(**given)
    assert listed(pages(store, filters)) == expected(filters)
    found = facets(store, filters)
    assert found.searched_since is None
    for name in ("severity", "category", "worker", "type", "hardware"):
        assert rows(found, name) == counted(filters, name), name


@pytest.mark.parametrize("given", TEXTS, ids=ascii)
def test_lists_and_facets_in_small_steps(store: Projected, small_steps: None, given: dict[str, Any]) -> None:
    test_lists_and_facets_with_filters(store, given)


@pytest.mark.parametrize(
    "given",
    [{"q": "40"}, {"q": "train.py", "type": ("KeyError",)}, {"q": "of"}, {"q": "of", "fingerprint": "a" * 16}],
    ids=ascii,
)
def test_without_time_facets_count_the_newest_errors(store: Projected, no_time: None, given: dict[str, Any]) -> None:
    filters = Filters(**given)
    found = facets(store, filters)
    assert found.searched_since is not None
    for name in ("severity", "category", "worker", "type", "hardware"):
        assert rows(found, name) == counted(filters, name, found.searched_since), name


@pytest.mark.parametrize("name", ["severity", "category", "worker", "type", "hardware"])
@pytest.mark.parametrize("text", [None, "1", "T", "über", "none"])
def test_one_facet_with_a_text(store: Projected, name: FacetName, text: str | None) -> None:
    filters = Filters(severity=("critical", "warning"), type=("KeyError", "Überlauf"))
    found = facets(store, filters, facet=name, contains=text)
    assert rows(found, name) == [row for row in counted(filters, name) if (text or "").lower() in row[0].lower()]
    assert all(
        not getattr(found, other) for other in ("severity", "category", "worker", "type", "hardware") if other != name
    )


def test_a_facet_has_the_most_frequent_values(store: Projected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_facets, "VALUES", 3)
    assert rows(facets(store, Filters()), "worker") == counted(Filters(), "worker")[:3]


def test_a_search_sees_one_state_while_new_texts_come(tmp_path: Path) -> None:
    # The condition has a bit for each text of that state; new errors in the same blocks of rows have higher ones.
    store = Projected(tmp_path / "errors.duckdb")
    store.append(EVENTS[:40])
    store.catch_up(40)
    filters = Filters(q="in step")

    def both(cursor: Cursor) -> list[tuple[ErrorPage, Facets]]:
        found = []
        for _ in range(2):
            page = answer(cursor, ListErrors(filters=filters, now=NOW, limit=1_000))
            found.append((page, answer(cursor, GetFacets(filters=filters, now=NOW))))
            if store.log.last < len(EVENTS):
                store.append(EVENTS[40:])
                store.catch_up(len(EVENTS))
        return found

    before, after = store.database.read(both)
    assert before == after
    assert len(before[0].errors) < len(listed(pages(store, filters)))
    store.close()
