"""Reports the errors of a worker to an Error Visualization service."""

__version__ = "0.1.0"
