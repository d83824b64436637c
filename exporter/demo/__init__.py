"""`error-visualization demo`: the reports of an imagined fleet, for a first look and for tests."""
