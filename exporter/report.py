"""Reads reports as the service does, for programs outside of it, such as acceptance tests: `event_time` reads a
timestamp, `parse_report` a whole report. Inside the service both are imported from where they are defined."""

from exporter.ingest.parse import parse_report
from exporter.ingest.times import event_time

__all__ = ["event_time", "parse_report"]
