"""Which settings a running service can change, and which need a restart."""

from typing import Final, NamedTuple

from exporter.config.settings import Settings, names
from exporter.ingest.severity import Thresholds

RELOADABLE: Final = frozenset(
    {
        "log_level", "alertmanager_url", "redaction_rules_file", "redact_emails", "redact_ip_addresses",
        *Thresholds.__struct_fields__,
    }
)  # fmt: skip


class Merged(NamedTuple):
    """`settings`: those to run with. `changed` are the names of those that differ from before, `restart` of those that
    would differ after a restart; both in the order of the documentation."""

    settings: Settings
    changed: tuple[str, ...]
    restart: tuple[str, ...]


def merge(running: Settings, read: Settings) -> Merged:
    """Returns what a service that runs with `running` uses after `read` was read."""
    differing = [name for name in names() if getattr(running, name) != getattr(read, name)]
    values = {name: getattr(read if name in RELOADABLE else running, name) for name in names()}
    return Merged(
        Settings(**values),
        tuple(name for name in differing if name in RELOADABLE),
        tuple(name for name in differing if name not in RELOADABLE),
    )
