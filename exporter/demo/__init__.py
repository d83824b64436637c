"""`error-visualization demo`: reports of a simulated fleet, to try out the service and for tests."""
