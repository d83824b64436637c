"""Groups of errors that are counted and filtered together. The SQL, the API and the severity rules use these."""

from functools import lru_cache
from typing import Final, Literal, get_args

GroupName = Literal["resource", "network", "hardware", "worker", "test", "recurring"]
GROUPS: Final[tuple[GroupName, ...]] = get_args(GroupName)

# Categories of a group begin with its prefix. An error of the group `hardware` may also have
# another category: `severity.Conditions` decides, and the event's `hardware_error` keeps the result.
PREFIXES: Final[dict[GroupName, str]] = {
    "resource": "RESOURCE_",
    "network": "NETWORK_",
    "hardware": "HARDWARE_",
    "worker": "WORKER_",
    "test": "TEST_",
}
BY_PREFIX: Final[tuple[GroupName, ...]] = ("resource", "network", "worker", "test")


@lru_cache(1024)
def groups_of(category: str, *, hardware_error: bool, recurring: bool) -> tuple[GroupName, ...]:
    """Returns the groups that an error belongs to, in the order of `GROUPS`."""
    upper = category.upper()  # the log may hold events of releases that kept the sender's spelling
    found = {name for name in BY_PREFIX if upper.startswith(PREFIXES[name])}
    if hardware_error:
        found.add("hardware")
    if recurring:
        found.add("recurring")
    return tuple([name for name in GROUPS if name in found])
