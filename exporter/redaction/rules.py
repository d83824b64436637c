"""The names of the built-in rules: in marks, in the metric, and in the list `disable` of the rules file."""

from typing import Final

from exporter.redaction.cards import RULE as CARD
from exporter.redaction.forms import NAMES as FORMS

RULES: Final = (
    "password", "secret", "token", "api-key", "credential", "session", "authorization", "cookie", "url-password",
    "query", *FORMS, CARD,
)  # fmt: skip
