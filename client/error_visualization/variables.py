"""The names of the environment variables of the client. The service ignores these, and refuses others that it does not
know, so that a mistyped setting does not go unnoticed."""

from __future__ import annotations

PREFIX = "ERROR_VISUALIZATION_"
RUN = tuple(f"RUN_{key}" for key in ("ID", "JOB", "SUITE", "COMMIT", "BRANCH", "USER", "URL"))
VARIABLES = ("URL", "TOKEN", "TOKEN_FILE", "WORKER_ID", "SPOOL", *RUN)
