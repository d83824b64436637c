"""Error Visualization: takes the error reports of a fleet of test workers."""

__version__ = "0.1.0"
