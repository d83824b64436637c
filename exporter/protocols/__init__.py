"""Other protocols than our own: each becomes error reports, by pure functions from bytes or JSON to JSON."""
