"""What DuckDB's errors say about the disk."""

from typing import Final

import duckdb

# In DuckDB's messages for a file that cannot be read; they have no type of their own.
DAMAGE: Final = ("Corrupt", "checksum", "not a valid DuckDB", "Could not read", "Failure while replaying WAL")


def is_damage(error: Exception) -> bool:
    """Returns whether DuckDB could not read a part of its file."""
    return isinstance(error, duckdb.Error) and any(words in str(error) for words in DAMAGE)


def has_fault(error: Exception) -> bool:
    """Returns whether a statement failed because of the disk or the memory, and not because it is wrong."""
    return is_damage(error) or isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException)


def first_line(error: Exception) -> str:
    """Returns a message without the lines that repeat the statement or the stack."""
    return str(error).partition("\n")[0]
