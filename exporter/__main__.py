"""`python -m exporter` is `error-visualization`."""

from exporter.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
