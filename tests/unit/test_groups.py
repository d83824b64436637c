"""The groups of errors: what an error belongs to, and that nothing else defines them again."""

import re

import pytest
from conftest import ROOT

from exporter.events.groups import GROUPS, PREFIXES, groups_of

pytestmark = pytest.mark.dashboard


@pytest.mark.parametrize(
    ("category", "hardware_error", "recurring", "expected"),
    [
        ("RESOURCE_EXHAUSTED", False, False, ["resource"]),
        ("network_timeout", False, False, ["network"]),
        ("WORKER_SLOW", True, True, ["hardware", "worker", "recurring"]),
        ("TEST_FAILURE", False, True, ["test", "recurring"]),
        ("HARDWARE_THERMAL", True, False, ["hardware"]),
        ("RESOURCE", False, False, []),
        ("MY_RESOURCE_LEAK", False, False, []),
    ],
)
def test_the_groups_of_an_error(category: str, hardware_error: bool, recurring: bool, expected: list[str]) -> None:
    assert groups_of(category, hardware_error=hardware_error, recurring=recurring) == tuple(expected)


def test_the_prefixes_are_written_down_once() -> None:
    """Neither as a text, nor in SQL (`'RESOURCE\\_%'`), nor in a selector (`(?i:resource_.*)`)."""
    words = "|".join(prefix.removesuffix("_") for prefix in PREFIXES.values())
    prefix = re.compile(rf"[\"':](?:{words})\\?_[\"'%.]", re.IGNORECASE)
    assert all(prefix.search(text) for text in ('"RESOURCE_"', r"'RESOURCE\_%'", "(?i:network_.*)"))
    files = [*(ROOT / "exporter").rglob("*.*"), *(ROOT / "grafana").rglob("*.py")]
    sources = [file for file in files if file.suffix in (".py", ".js", ".sql", ".html") and "vendor" not in file.parts]
    assert len(sources) > 50
    assert {file.name for file in sources if prefix.search(file.read_text("utf-8"))} == {"groups.py"}


def test_the_rules_of_prometheus_know_the_prefixes() -> None:
    rules = "".join(file.read_text("utf-8") for file in (ROOT / "prometheus/rules").glob("*.yml"))
    used = re.findall(r"\(\?i:(\w+_)\.\*\)", rules)
    assert used
    assert {prefix.upper() for prefix in used} <= set(PREFIXES.values())


def test_every_group_with_a_prefix_is_a_group() -> None:
    assert set(PREFIXES) < set(GROUPS)
