"""Computes the pattern of an error. Pure functions: this package reads no clock, no file and no database, and imports
no other package of this project."""
