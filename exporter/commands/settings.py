"""`error-visualization settings`."""

import argparse

from exporter import config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def main(given: argparse.Namespace) -> int:
    """Prints the sample of the settings file; returns 0."""
    print(config.sample(), end="")
    return 0
