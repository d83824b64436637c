"""`python -m error_visualization` is the command `error-visualization`."""

from __future__ import annotations

import sys

from error_visualization.cli import main

if __name__ == "__main__":
    sys.exit(main())
