"""`python -m error_visualization` is the command `error-visualization`."""

import sys

from error_visualization.cli import main

if __name__ == "__main__":
    sys.exit(main())
