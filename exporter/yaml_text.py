"""Reads YAML that users write: at most `MAX_FILE_BYTES`, with a safe loader. Messages quote nothing of the file."""

from pathlib import Path
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

MAX_FILE_BYTES: Final = 2**20


class YamlError(Exception):
    """The text cannot be read; the message is a sentence about it that may follow the name of the file and a colon."""


def read_yaml_file(file: str) -> Any:
    """Returns what a file says. Raises `YamlError`."""
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise YamlError(f"cannot be read: {error.strerror}") from None
    except ValueError:  # a name with a NUL
        raise YamlError("cannot be read: this is not the name of a file") from None
    if len(content) > MAX_FILE_BYTES:
        raise YamlError(f"larger than {MAX_FILE_BYTES} bytes")
    return read_yaml(content)


def read_yaml(content: bytes, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Returns what a text says. Raises `YamlError`."""
    try:
        return yaml.load(content, loader)
    except ReaderError:
        raise YamlError("this is not YAML in UTF-8") from None
    except yaml.MarkedYAMLError as error:  # its own message quotes the line, which may have a password
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"line {line}: {error.problem}") from None
    except Exception:  # of an odd value, such as the date 2026-13-45, the parser raises almost anything
        raise YamlError("a value cannot be read as YAML") from None
