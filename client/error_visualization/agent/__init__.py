"""`error-visualization agent`: reports the faults in a machine's kernel log, and sends its heartbeats."""
