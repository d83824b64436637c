"""Computes the pattern of an error. Pure functions: this package reads no clock, no file and no database, and imports
of this project only `exporter.events.plain_text`."""
