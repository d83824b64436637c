"""Finds the test that failed by the ids and titles that pytest and unittest write. Pure functions.

tests/ui/test_catalog.py::TestSearch::test_search[chrome]      test_search (shop.tests.TestSearch)
_______________ TestSearch.test_search[chrome] ______________  _____ ERROR at setup of test_search _____
"""

import re
from typing import Final

from exporter.patterns.paths import place

_PYTEST: Final = re.compile(r"([^\s'\"()<>|,;:]{1,300}+(?<=\.py))((?:::[A-Za-z_]\w*+)++)(?:\[[^\]\n]{0,500}+\])?+")
_UNITTEST: Final = re.compile(
    r"\b(test[_A-Z0-9]\w*+) \(([A-Za-z_]\w*+(?:\.[A-Za-z_<][\w>]*+)++)\)(?: \[[^\]\n]{0,500}+\])?+"
)
_TITLE: Final = re.compile(
    r"^_{3,}+ (?:ERROR (?:at|collecting) (?:setup of |teardown of )?+)?+([A-Za-z_][\w.]*+)"
    r"(?:\[[^\n]*?\])?+ _{3,}+[^\S\n]*+$",
    re.MULTILINE,
)
PLACEHOLDER: Final = "<test>"


def failed_test(text: str) -> str:
    """Returns the first test that `text` names, as `file::Class::test` without parameters, `module.Class.test` or its
    bare name; "" if there is none."""
    if ".py::" in text:
        found = _PYTEST.search(text)
        if found:
            return place(found[1])[0] + found[2]
    if " (" in text and "test" in text:
        found = _UNITTEST.search(text)
        if found:
            return _unittest(found[1], found[2])
    if "___ " in text:
        found = _TITLE.search(text)
        if found:
            return found[1].replace(".", "::")
    return ""


def without_tests(text: str) -> str:
    """Returns `text` with a placeholder for each id of a test."""
    if ".py::" in text:
        text = _PYTEST.sub(PLACEHOLDER, text)
    if " (" in text and "test" in text:
        text = _UNITTEST.sub(PLACEHOLDER, text)
    return text


def _unittest(name: str, class_: str) -> str:
    parts = [part for part in class_.split(".") if part != "<locals>"]
    return ".".join([*(parts[:-1] if parts[-1] == name else parts), name])  # since Python 3.11, `class_` has it, too
