"""`error-visualization run -- COMMAND`: runs a command and reports how it failed."""
