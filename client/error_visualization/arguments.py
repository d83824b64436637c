"""The parser of the command line: it says how a mistyped option is spelled."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Callable, NoReturn


class ArgumentParser(argparse.ArgumentParser):
    """Reports an unknown option with the usage of its subcommand; argparse would show that of the main command."""

    def parse_known_args(  # type: ignore[override]  # argparse declares overloads for namespaces of other types
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return found, unknown

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        options = [option for option in self._option_string_actions if option.startswith("--")]
        words = [
            word + (did_you_mean(word.partition("=")[0], options) if word.startswith("-") else "") for word in unknown
        ]
        self.error(f"unrecognized arguments: {' '.join(words)}")


def did_you_mean(word: str, known: Iterable[str], spell: Callable[[str], str] = str) -> str:
    """Returns " (did you mean …?)" with the known word most similar to `word`; "" if none is similar. Case and the
    difference between dashes, dots and underscores are ignored."""
    import difflib

    plain = {_plain(one): one for one in known}
    closest = difflib.get_close_matches(_plain(word), plain, n=1)
    return f" (did you mean {spell(plain[closest[0]])}?)" if closest else ""


def _plain(word: str) -> str:
    return word.lower().replace(".", "-").replace("_", "-").lstrip("-")
