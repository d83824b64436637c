"""What an error's pattern is. Pure functions: this package reads no clock, no file and no database, and imports nothing
else of this project."""
