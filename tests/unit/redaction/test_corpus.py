"""What redaction finds in the corpus, and what it leaves alone: the bars below which no change may fall."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.dashboard

ROOT = Path(__file__).parents[3]
RECALL, PRECISION = 0.95, 0.99
KNOWN_MISTAKES = {
    "forgot-password: 404"
}  # look-alikes that are changed, and why we accept it: a password may be a number


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_redaction", ROOT / "benchmarks/redaction.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = _load()
CASES = benchmark.corpus()


def test_the_corpus_is_large_and_a_third_of_it_is_held_out() -> None:
    secrets = [case for case in CASES if case.rule]
    assert len(secrets) >= 200
    assert len(CASES) - len(secrets) >= 400
    assert 0.25 < sum(case.held_out for case in CASES) / len(CASES) < 0.42
    assert all(case.secrets for case in secrets)


def test_most_secrets_are_found_and_what_is_found_is_a_secret() -> None:
    result = benchmark.run(CASES)
    assert result.recall >= RECALL, result.misses
    assert result.precision >= PRECISION, result.mistakes
    assert {mistake.partition("\n")[0] for mistake in result.mistakes} == KNOWN_MISTAKES


def test_the_held_out_third_is_found_as_well() -> None:
    result = benchmark.run([case for case in CASES if case.held_out])
    assert result.recall >= RECALL, result.misses


def test_the_text_around_a_secret_stays() -> None:
    assert benchmark.run(CASES).damaged == []


def test_a_missed_secret_and_a_changed_look_alike_are_counted() -> None:
    missed = benchmark.Case("password", b'{"message":"it is hunter2"}', ("hunter2",), "a", False)
    changed = benchmark.Case("", b'{"message":"password=hunter2"}', (), "b", False)
    result = benchmark.run([missed, changed])
    assert (result.recall, result.precision) == (0.0, 0.0)
    assert (result.missed["password"], result.wrong["password"]) == (1, 1)
