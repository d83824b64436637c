"""The end of a stream of bytes."""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_BYTES: Final = 1024 * 1024  # the goroutines of a Go panic come after the panic


class Tail:
    """Keeps the last `most` bytes. One thread writes; read it after that thread has ended."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= self._most:
            self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        """Returns the bytes as text; the first line may lack its beginning."""
        return b"".join(self._chunks)[-self._most :].decode("utf-8", "replace")
