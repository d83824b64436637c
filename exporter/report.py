"""The reading of a report, for programs outside of the service, such as acceptance tests: `event_time` as it is applied to
the timestamp of a report, and `parse_report`. Inside the service they are imported from where they are defined."""

from exporter.ingest.parse import parse_report
from exporter.ingest.times import event_time

__all__ = ["event_time", "parse_report"]
