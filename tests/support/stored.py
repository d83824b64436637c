"""What `GET /api/storage` says of a service with room, of a database near its limit, and of a disk that is nearly full."""

from typing import Any

STORAGE: dict[str, Any] = {
    "errors": 312_480, "oldest": "2024-10-27T12:00:00.000Z", "retention_seconds": 30 * 86_400.0,
    "database_bytes": 50 * 10**6, "used_bytes": 41 * 10**6, "max_bytes": 20 * 10**9, "log_bytes": 10**6,
    "disk_bytes": 100 * 10**9, "disk_free_bytes": 71 * 10**9, "pinned_errors": 0, "pinned_patterns": 0,
}  # fmt: skip
FULL = {"used_bytes": 18_600_000_000}
DISK = {"disk_free_bytes": 9_990_000_000}
