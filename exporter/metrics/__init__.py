"""The metrics of /metrics: counters and gauges of errors, workers, hardware and the service itself. They are kept in
memory; a scrape reads neither the log nor the database."""
