"""From the bytes of a request to an event on disk: parse, fingerprint, classify, batch, append. Knows the log, not its
readers and not HTTP."""
