"""Reads the file of the setting `redaction_rules_file`.

rules:
  - name: lab-badge             # in marks and metrics: [redacted:lab-badge]
    pattern: 'LB-(\\d{6})'       # RE2; what its first group matches is replaced, without groups the whole match
  - name: lab-pin
    keys: [lab_pin, door_code]  # names of keys and variables whose values are replaced
disable: [card-number]          # built-in rules that are turned off
allow: [example-token]          # values that stay, and names whose values stay
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from exporter.redaction.engine import compiled_by_user
from exporter.redaction.rules import RULES
from exporter.yaml_text import YamlError, read_yaml_file

MAX_RULES: Final = 100
MAX_PATTERN: Final = 1_000  # characters
_NAME: Final = re.compile(r"[a-z][a-z-]{0,39}")
_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_ESCAPED: Final = re.compile(r"\\.|\[\^?\]?[^\]]*\]")


class UserPattern(NamedTuple):
    """A rule with a pattern of RE2."""

    name: str
    pattern: str


class UserRules(NamedTuple):
    """The content of the file. `keys` has the rule of each name, in lower case."""

    patterns: tuple[UserPattern, ...] = ()
    keys: Mapping[str, str] = {}
    off: frozenset[str] = frozenset()
    allowed: frozenset[bytes] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*[one.name for one in self.patterns], *self.keys.values())))

    @property
    def keywords(self) -> list[str]:
        """The names of keys as patterns."""
        return [f"(?i:{re.escape(key)})" for key in self.keys]


NO_RULES: Final = UserRules()


@lru_cache(8)
def read_rules(file: str) -> UserRules:
    """Returns the rules of a file, none for "". Raises ValueError with one sentence that says what is wrong."""
    if not file:
        return NO_RULES
    try:
        return _rules(read_yaml_file(file))
    except (YamlError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from None


def _rules(content: Any) -> UserRules:
    content = _mapping({} if content is None else content, "the file", ("rules", "disable", "allow"))
    patterns: list[UserPattern] = []
    keys: dict[str, str] = {}
    given = content.get("rules") or []
    if not isinstance(given, list) or len(given) > MAX_RULES:
        raise ValueError(f"`rules` must be a list of at most {MAX_RULES} rules")
    for number, one in enumerate(given, 1):
        rule = _mapping(one, f"rule {number}", ("name", "pattern", "keys"))
        name = rule.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"rule {number} needs a `name` of small letters and hyphens, such as lab-badge")
        if "pattern" not in rule and "keys" not in rule:
            raise ValueError(f"rule {name} needs a `pattern` or `keys`")
        if "pattern" in rule:
            patterns.append(UserPattern(name, _pattern(rule["pattern"], name)))
        for key in _texts(rule.get("keys"), f"`keys` of rule {name}"):
            if not _KEY.fullmatch(key):
                raise ValueError(f"rule {name}: a key has letters, digits and _.- only, not {key!r}")
            keys[key.lower()] = name
    off = frozenset(_texts(content.get("disable"), "`disable`"))
    allowed = frozenset(word.encode() for word in _texts(content.get("allow"), "`allow`"))
    _check_off(off)
    return UserRules(tuple(patterns), keys, off, allowed)


def _check_off(off: frozenset[str]) -> None:
    if unknown := sorted(off.difference(RULES)):
        raise ValueError(f"`disable` names {unknown[0]}, which is no built-in rule; they are {', '.join(RULES)}")


def _mapping(value: Any, what: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a mapping of {', '.join(known)}")
    if unknown := [str(key) for key in value if key not in known]:
        raise ValueError(f"{what} has the key {unknown[0]}, which is not known; known are {', '.join(known)}")
    return value


def _texts(value: Any, what: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f"{what} must be a list of texts")
    return value


def _pattern(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PATTERN:
        raise ValueError(f"the `pattern` of rule {name} must be a text of 1 to {MAX_PATTERN} characters")
    try:
        pattern = compiled_by_user(value)
    except ValueError as error:
        raise ValueError(f"the `pattern` of rule {name} is not one of RE2: {error}") from None
    if pattern.search(b""):
        raise ValueError(f"the `pattern` of rule {name} matches an empty text")
    if re.search(r"[$^]", _ESCAPED.sub("", value)) or re.search(r"\\[Az]", value):
        raise ValueError(f"the `pattern` of rule {name} must not use ^, $, \\A or \\z; it is searched inside of texts")
    return value
