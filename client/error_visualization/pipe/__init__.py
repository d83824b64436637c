"""`error-visualization pipe`: makes reports of the lines of a log that are errors."""
