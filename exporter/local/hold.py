"""How a command has the running service keep its database file unchanged while the command copies it.

The service listens on a Unix socket beside its database, `<db_path>.sock`, with mode 0600: only its own user and root
can connect, and nothing of this can be reached over the HTTP port.

    command → service    hold\\n
    command ← service    {"position": 17, "refused": ""}\\n
    the command closes the connection, or dies: the hold ends

During a hold DuckDB writes only to its write-ahead log and to unused blocks of the file, so the file is the database at
`position`. There is one hold at a time.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from exporter.store import StoreError
from exporter.store.client import StoreClient

ASK: Final = b"hold\n"
MAX_ADDRESS: Final = 107  # bytes of a path in the address of a Unix socket
ASK_SECONDS: Final = 5.0  # for a command to send its line
ANSWER_SECONDS: Final = 60.0  # for the service to answer; its database may have to catch up with the log
_log = logging.getLogger(__name__)


class Answer(Struct):
    """`position` is the log position of the file. `refused` says why there is no hold, "" if there is one."""

    position: int = 0
    refused: str = ""


def socket_path(database: Path) -> Path:
    """Returns the path of the socket of the service with the database at `database`."""
    return database.with_name(database.name + ".sock")


class HoldListener:
    """Listens for commands. To be started by the service that has the lock on the log, so that a socket which is there
    already can only be that of a killed service."""

    def __init__(self, database: Path, store: StoreClient) -> None:
        self._path = socket_path(database)
        self._store = store
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._held = False

    async def start(self) -> None:
        """Listens. If that is not possible, the service runs without, and logs why."""
        try:
            self._server = await asyncio.start_unix_server(self._answer, sock=_listening(self._path), limit=64)
        except OSError as error:
            _log.warning("no backups are possible while the service runs: %s: %s", self._path, error)

    async def stop(self) -> None:
        """Ends the hold and removes the socket."""
        if self._server is None:
            return
        self._server.close()
        for one in self._connections:
            one.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError):  # the command is gone, or sent a line that is too long
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(ASK_SECONDS):
            asked = await reader.readline()
        if asked != ASK:
            _send(writer, Answer(refused="this release of the service does not know the request"))
        elif self._held:
            _send(writer, Answer(refused="another backup is running"))
        else:
            await self._hold(reader, writer)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held = True
        try:
            _send(writer, Answer(await self._store.hold()))
            await reader.read()  # until the command closes the connection
        except StoreError as error:
            _send(writer, Answer(refused=str(error)))
        finally:
            self._held = False
            self._store.release()


@contextlib.contextmanager
def held(database: Path) -> Iterator[int | None]:
    """Has the running service keep the file of `database` unchanged inside `with`. Yields the log position of the file;
    None if no service listens there. Raises `StoreError` if the service refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            with _address(socket_path(database)) as address:
                connection.connect(address)
            connection.sendall(ASK)
            with connection.makefile("rb") as stream:
                line = stream.readline()
            answer = msgspec.json.decode(line, type=Answer) if line else Answer(refused="the service ended")
        except PermissionError:
            raise StoreError(f"{socket_path(database)}: only root and the user of the service may connect") from None
        except (FileNotFoundError, ConnectionRefusedError):
            answer = None
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(f"{socket_path(database)}: {error}") from error
        if answer and answer.refused:
            raise StoreError(answer.refused)
        yield answer.position if answer else None


def _listening(path: Path) -> socket.socket:
    """Returns a socket on which only the own user can connect. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            listening.bind(address)
        path.chmod(0o600)  # nobody can connect before `listen`
        listening.listen(4)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Yields a name of `path` that fits into an address: a long path goes through the descriptor of its folder, where
    there is /proc. Raises FileNotFoundError if the file's own name is too long."""
    if len(os.fsencode(path)) <= MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = f"/proc/self/fd/{folder}/{path.name}"
        if len(os.fsencode(short)) > MAX_ADDRESS:
            raise FileNotFoundError(errno.ENAMETOOLONG, "the path is too long for a socket")
        yield short
    finally:
        os.close(folder)


def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
