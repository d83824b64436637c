"""Every value that can be filtered is found by a part of it: runs, tests, devices, commits, patterns and groups."""

from typing import Any

import pytest
from conftest import InProcess

from exporter.store.matching import COLUMNS
from exporter.store.parameters import AnyFacet, ErrorFilters
from exporter.store.read_found import FOUND

pytestmark = pytest.mark.dashboard
NEW = ("run", "test", "device", "commit", "pattern", "group")
HOSTILE = (
    "__proto__",
    "50%_off",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE runs; --",
    "\\",
    "{rows}",
    "$limit",
    "ÄÖ ß",
)


def pairs(values: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one.get("text", one["value"]), one["count"]) for one in values]


async def send(service: InProcess, reports: list[dict[str, Any]]) -> None:
    await service.ask("/api/report-errors", [{"worker_id": "w1"} | report for report in reports])


async def fleet(service: InProcess) -> None:
    nightly = {"id": "Nightly/7", "commit": "C0FFEE1"}
    await send(service, [
        {"message": "disk sda1 is full", "run": nightly, "test": "t::Bad[1]", "devices": ["GPU-1", "GPU-2"],
         "error_category": "RESOURCE_DISK"},
        {"message": "disk sda2 is full", "run": nightly, "test": "t::bad[2]", "devices": ["gpu-2"], "worker_id": "w2",
         "error_category": "RESOURCE_DISK"},
        {"message": "no answer", "run": {"id": "other"}, "test": "t::bad[2]", "devices": ["GPU-2"],
         "error_category": "NETWORK_TIMEOUT", "type": "Timeout"},
        {"message": "of no run", "error_category": "TEST_FAILURE"},
    ])  # fmt: skip


def test_no_filter_lacks_a_facet() -> None:
    exact = {"fingerprint", "q"}  # an id that nobody types, and the search itself
    fields = {name for name in ErrorFilters.__struct_fields__ if not name.startswith("not_")} - exact
    assert set(COLUMNS) | set(FOUND) == fields == set(AnyFacet.__args__)


async def test_each_is_found_by_a_part_and_counted(service: InProcess) -> None:
    await fleet(service)
    for facet, text, right in (
        ("run", "nightLY", [("Nightly/7", 2)]), ("run", "t", [("Nightly/7", 2), ("other", 1)]), ("run", "%", []),
        ("run", "Nightly_7", []), ("test", "BAD", [("t::bad[2]", 2), ("t::Bad[1]", 1)]), ("test", "[1]", [("t::Bad[1]", 1)]),
        ("device", "gpu", [("GPU-2", 2), ("GPU-1", 1), ("gpu-2", 1)]), ("device", "1\x1fgpu", []), ("device", "U-1", [("GPU-1", 1)]),
        ("commit", "fee", [("C0FFEE1", 2)]), ("commit", "fee2", []),
        ("group", "r", [("resource", 2), ("network", 1)]), ("group", "source", [("resource", 2)]), ("group", "hardware", []),
    ):  # fmt: skip
        facets = await service.get("/api/errors/facets", facet=facet, contains=text)
        assert pairs(facets[facet]) == right, (facet, text)
        assert facets["found"] == len(right)
        assert [name for name in (*COLUMNS, *NEW) if facets.get(name)] == ([facet] if right else [])
        for value, count in right:  # as many as the filter leaves
            assert len((await service.get("/api/errors/list", **{facet: value}))["errors"]) == count


async def test_a_pattern_is_found_by_words_of_its_text_and_by_its_id(service: InProcess) -> None:
    await fleet(service)
    listed = {one["pattern_id"]: one for one in (await service.get("/api/patterns"))["patterns"]}
    for text, messages in (
        ("FULL disk", ["disk"]), ("full", ["disk"]), ("full answer", []), ("n", ["answer", "no run"]), ("%", []), ("_", []),
    ):  # fmt: skip
        facets = await service.get("/api/errors/facets", facet="pattern", contains=text)
        found = facets["pattern"]
        assert len(found) == len(messages) == facets["found"], text
        for one in found:
            pattern = listed[one["value"]]
            assert (one["text"], one["count"]) == (pattern["pattern"], pattern["occurrences"])
            assert len((await service.get("/api/errors/list", pattern=one["value"]))["errors"]) == one["count"]
    for id_, pattern in listed.items():
        (one,) = (await service.get("/api/errors/facets", facet="pattern", contains=id_))["pattern"]
        assert (one["value"], one["text"]) == (id_, pattern["pattern"])


async def test_other_filters_are_in_force_and_the_own_is_not(service: InProcess) -> None:
    await fleet(service)
    (pattern,) = (await service.get("/api/errors/facets", facet="pattern", contains="full"))["pattern"]
    full = pattern["value"]
    for query, right in {
        "facet=run&contains=t&type=Timeout": [("other", 1)], "facet=run&contains=t&run=other": [("Nightly/7", 2), ("other", 1)],
        "facet=test&contains=bad&worker=w2": [("t::bad[2]", 1)], f"facet=device&contains=gpu&pattern!={full}": [("GPU-2", 1)],
        f"facet=run&contains=t&pattern={full}": [("Nightly/7", 2)], "facet=group&contains=r&group!=network": [("resource", 2)],
        "facet=run&contains=t&q=answer": [("other", 1)],
        f"facet=pattern&contains=full&pattern={full}": [(pattern["text"], 2)], "facet=run&contains=t&device=GPU-1": [("Nightly/7", 1)],
    }.items():  # fmt: skip
        facets = await service.get(f"/api/errors/facets?{query}")
        (name,) = [one for one in NEW if one in facets]
        assert pairs(facets[name]) == right, query
        assert facets["searched_since"] is None
    found = await service.get("/api/errors/facets?facet=run&values=1")
    assert (len(found["run"]), found["found"]) == (1, 2)


async def test_without_a_facet_a_text_is_looked_for_in_all(service: InProcess) -> None:
    await fleet(service)
    assert not set(await service.get("/api/errors/facets")) & set(NEW)
    assert not set(await service.get("/api/errors/facets?facet=worker&contains=w")) & set(NEW)
    facets = await service.get("/api/errors/facets?contains=t")
    assert all(name in facets for name in NEW)
    assert [len(facets[name]) for name in ("run", "test", "type", "group")] == [2, 2, 1, 2]
    assert "found" not in facets
    assert (await service.get("/api/errors/facets", 400, facet="fingerprint"))["field"] == "facet"


async def test_hostile_names_are_names(service: InProcess) -> None:
    await send(service, [
        {"message": "x", "run": {"id": text, "commit": text}, "test": text, "devices": [text]} for text in HOSTILE
    ])  # fmt: skip
    for facet in ("run", "commit", "test", "device"):
        for text in HOSTILE:
            values = (await service.get("/api/errors/facets", facet=facet, contains=text.lower()))[facet]
            assert (text, 1) in pairs(values), (facet, text)
    for text in HOSTILE:
        await service.get("/api/errors/facets", contains=text)
