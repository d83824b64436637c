"""What /metrics shows: counters and gauges of errors, workers and hardware, and of the service itself. Everything is
kept in memory; a scrape asks neither the log nor the database."""
