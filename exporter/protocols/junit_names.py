"""Names the test of a `testcase`, from `classname` and `name`, which every tool fills in its own way.

pytest       tests.test_load.TestBig, test_all[1]   tests/test_load.py::TestBig::test_all[1]
Java         com.example.LoadTest, testAll          com.example.LoadTest.testAll
Go           example.com/load, TestAll/big          example.com/load.TestAll/big
Jest, CTest  load big files, load big files         load big files
"""

import re
from typing import Final

from exporter.protocols.junit_xml import Case

MAX_ID: Final = 512  # characters
_PYTHON: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_MODULE: Final = re.compile(r"(?:test_\w*|\w*_test|tests)")


def test_id(case: Case) -> str:
    """Returns the id of a test: pytest's own where its module can be told from its classes."""
    name, class_ = case.attributes.get("name", "").strip(), case.attributes.get("classname", "").strip()
    if (file := _pytest_file(case)) is not None:
        module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
        inner = class_.removeprefix(module).strip(".")
        return "::".join(filter(None, [file, *inner.split("."), name]))[:MAX_ID]
    if not class_ or class_ == name or name.startswith(class_):
        return (name or class_ or case.suite.get("name", "") or "a test without a name")[:MAX_ID]
    return f"{class_}.{name}"[:MAX_ID] if name else class_[:MAX_ID]


def file_of(case: Case) -> str:
    """Returns the path of the test's file, "" if it is not known."""
    return _pytest_file(case) or case.attributes.get("file", "") or case.suite.get("file", "")


def _pytest_file(case: Case) -> str | None:
    """Returns the file of a test of pytest; None if another tool ran it, or the module cannot be told."""
    file, class_ = case.attributes.get("file", ""), case.attributes.get("classname", "")
    if file.endswith(".py") and class_.startswith(file.removesuffix(".py").replace("/", ".").replace("\\", ".")):
        return file
    if case.suite.get("name") != "pytest" or not _PYTHON.fullmatch(class_):
        return None
    parts = class_.split(".")
    modules = [number for number, part in enumerate(parts) if _MODULE.fullmatch(part) and part != "tests"]
    return "/".join(parts[: modules[-1] + 1]) + ".py" if modules else None
