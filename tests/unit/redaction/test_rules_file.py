"""The file of `redaction_rules_file`: more rules, rules that are off, values that stay, and what is wrong with a file."""

from pathlib import Path

import pytest

from exporter.config import ConfigError, Settings, load
from exporter.redaction.redact import Redaction
from exporter.redaction.rules_file import NO_RULES, read_rules

pytestmark = pytest.mark.dashboard

GOOD = """
rules:
  - name: lab-badge
    pattern: 'LB-(\\d{6})'
  - name: lab-pin
    keys: [lab_pin, door.code]
disable: [card-number, password]
allow: [EXAMPLE-a1b2c3d4e5, session_token]
"""


def _file(folder: Path, text: str) -> str:
    file = folder / "rules.yml"
    file.write_text(text)
    return str(file)


def test_no_file_is_no_rules() -> None:
    assert read_rules("") is NO_RULES


def test_rules_of_a_file_are_applied_and_counted(tmp_path: Path) -> None:
    redaction = Redaction(read_rules(_file(tmp_path, GOOD)))
    body = b'{"message":"badge LB-123456 of ci","lab_pin":4711,"env":{"DOOR.CODE":"ab12"},"text":"lab_pin=99x"}'
    assert redaction.redact(body) == (
        b'{"message":"badge LB-[redacted:lab-badge] of ci","lab_pin":"[redacted:lab-pin]",'
        b'"env":{"DOOR.CODE":"[redacted:lab-pin]"},"text":"lab_pin=[redacted:lab-pin]"}'
    )
    assert (redaction.counts["lab-badge"], redaction.counts["lab-pin"]) == (1, 3)


def test_rules_that_are_off_and_allowed_values_leave_texts_alone(tmp_path: Path) -> None:
    redaction = Redaction(read_rules(_file(tmp_path, GOOD)))
    for text in (
        b"4111 1111 1111 1111",
        b"password=hunter2",
        b"token=EXAMPLE-a1b2c3d4e5",
        b"session_token=a1b2c3d4e5f6",
    ):
        assert redaction.redact(b'{"message":"' + text + b'"}') == b'{"message":"' + text + b'"}'
    assert b"redacted:token" in redaction.redact(b'{"message":"token=a1b2c3d4e5f6"}')
    assert "password" not in redaction.counts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: 3", "`rules` must be a list of at most 100 rules"),
        ("- a", "the file must be a mapping of rules, disable, allow"),
        ("rulez: []", "the file has the key rulez, which is not known; known are rules, disable, allow"),
        ("rules: [{pattern: a}]", "rule 1 needs a `name` of small letters and hyphens, such as lab-badge"),
        ("rules: [{name: a b, pattern: a}]", "rule 1 needs a `name`"),
        ("rules: [{name: a}]", "rule a needs a `pattern` or `keys`"),
        ("rules: [{name: a, pattern: '('}]", "the `pattern` of rule a is not one of RE2: missing ): ("),
        ("rules: [{name: a, pattern: '(?=x)'}]", "is not one of RE2: invalid perl operator: (?="),
        ("rules: [{name: a, pattern: 'x*'}]", "matches an empty text"),
        ("rules: [{name: a, pattern: '^x'}]", "must not use ^, $"),
        ("rules: [{name: a, keys: ['a b']}]", "a key has letters, digits and _.- only, not 'a b'"),
        ("rules: [{name: a, keys: b}]", "`keys` of rule a must be a list of texts"),
        ("disable: [nothing]", "`disable` names nothing, which is no built-in rule; they are password, secret"),
        ("allow: [1]", "`allow` must be a list of texts"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
        ("allow: [2026-13-45]", "a value cannot be read as YAML"),
        pytest.param(f"allow: {'[' * 3_000}", "a value cannot be read as YAML", id="nested"),
        pytest.param("#" * 2**20 + "\n", "larger than 1048576 bytes", id="large"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load({"redaction_rules_file": file}, {})
    words = str(refused.value)
    assert words.startswith(f"--redaction-rules-file: {file}")
    assert said in words
    assert "\n" not in words


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--redaction-rules-file: /nowhere/x.yml: cannot be read: No such file"):
        load({"redaction_rules_file": "/nowhere/x.yml"}, {})


def test_a_pattern_with_nested_quantifiers_takes_linear_time(tmp_path: Path) -> None:
    rules = read_rules(_file(tmp_path, "rules: [{name: a, pattern: '(a+)+b'}]"))
    assert Redaction(rules).redact(b'{"message":"' + b"a" * 1_000_000 + b'"}').count(b"redacted") == 0


def test_redaction_is_on_by_default() -> None:
    assert Settings().redaction
    assert not Settings(redaction=False).redaction
