"""Exported errors: their shape, and how they are written as NDJSON, CSV and Parquet."""
