"""The HTTP interface: reports in, reads and metrics out, the page's files, access checks, and the one shape of every
answer. May import every other package; no other package imports it."""
