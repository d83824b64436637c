"""The web config file while the service runs: read again when it or a file that it names changes."""

import logging
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from exporter.access.tls import FollowingContext, Pems, following, make_context
from exporter.access.users import Users
from exporter.access.web_format import REQUIRED, TlsServer, WebConfigError, WebFile, parse
from exporter.yaml_text import MAX_FILE_BYTES

CHECK_SECONDS: Final = 1.0  # between two looks whether the files changed
__all__ = ["WebConfig", "WebConfigError"]
_log = logging.getLogger(__name__)


class WebConfig:
    """What the web config file says now. `WebConfig("")`: there is none. To be used on the event loop's thread."""

    def __init__(self, path: str) -> None:
        """Reads the file. Raises `WebConfigError`."""
        self.path = path
        self.users = Users({})  # the same object after each change
        self.headers: Mapping[str, str] = {}  # for every response
        self.requires_client_certificates = False
        self._read: dict[Path, bytes | str] = {}  # content of each file, or why it cannot be read
        self._context: FollowingContext | None = None
        if path:
            found = _load(Path(path), self._read)
            if found.context:
                self._context = following(found.context)
            self._use(found)

    def ssl_context(self) -> ssl.SSLContext | None:
        """Returns the context for the server, which follows changes of the certificates; None: plain HTTP."""
        return self._context

    def refresh(self) -> None:
        """Reads the file again if it, or a file that it names, changed. A wrong file changes nothing and is logged
        once. So is one without the access control or the TLS that the service was started with."""
        if all(_content(path) == content for path, content in self._read.items()):
            return
        self._read = {}
        try:
            found = self._load_again(self._read)
        except WebConfigError as error:
            _log.error("%s; the previous users and certificates are still used", error)
            return
        self._use(found)
        _log.info("%s was read again", self.path)

    def read_again(self) -> Callable[[], None]:
        """Reads the file, also if it did not change. Returns a function that uses what was read. Raises
        `WebConfigError` as `refresh` logs it."""
        if not self.path:
            return lambda: None
        read: dict[Path, bytes | str] = {}
        found = self._load_again(read)

        def use() -> None:
            self._read = read
            self._use(found)

        return use

    def _load_again(self, read: dict[Path, bytes | str]) -> "_Loaded":
        found = _load(Path(self.path), read)
        self._refuse_less(found)
        return found

    def close(self) -> None:
        self.users.close()

    def _use(self, found: "_Loaded") -> None:
        if self._context and found.context:
            self._context.current = found.context
        self.users.replace(found.file.users)
        self.headers = found.file.headers
        self.requires_client_certificates = found.requires_client_certificates
        for sentence in found.notes:
            _log.warning("%s: %s", self.path, sentence)

    def _refuse_less(self, found: "_Loaded") -> None:
        """Raises `WebConfigError` for a change that would open the service, or that needs another listener."""
        if self.users and not found.file.users:
            raise WebConfigError(f"{self.path}: basic_auth_users has no user any more; restart the service for that")
        if self.requires_client_certificates and not found.requires_client_certificates:
            raise WebConfigError(f"{self.path}: clients need no certificate any more; restart the service for that")
        if (self._context is None) != (found.context is None):
            raise WebConfigError(f"{self.path}: TLS was switched on or off; restart the service for that")


class _Loaded(NamedTuple):
    file: WebFile
    context: ssl.SSLContext | None
    notes: tuple[str, ...]  # what the file says and this service does not do

    @property
    def requires_client_certificates(self) -> bool:
        tls = self.file.tls_server_config
        return bool(self.context and tls and tls.client_auth_type == REQUIRED)


def _load(path: Path, read: dict[Path, bytes | str]) -> _Loaded:
    """Returns what the files say, and notes in `read` what was in them. Raises `WebConfigError`."""
    content = read[path] = _content(path)
    if isinstance(content, str):
        raise WebConfigError(f"{path}: {content}")
    try:
        file = parse(content)
        tls = file.tls_server_config
        context = None
        if tls and tls != TlsServer():
            context = make_context(tls, _pems(tls, path.parent, read))
    except WebConfigError as error:
        raise WebConfigError(f"{path}: {error}") from None
    notes = []
    if file.http_server_config and file.http_server_config.http2:
        notes.append("http2 is not supported; HTTP/1.1 is used")
    if tls and tls.client_auth_type == "RequestClientCert":
        notes.append("client_auth_type: RequestClientCert protects nothing, so no certificates are asked for")
    return _Loaded(file, context, tuple(notes))


def _pems(tls: TlsServer, folder: Path, read: dict[Path, bytes | str]) -> Pems:
    found = []
    for key in Pems._fields:
        text, name = getattr(tls, key), getattr(tls, f"{key}_file")
        if text and name:
            raise WebConfigError(f"tls_server_config: there must not be both {key} and {key}_file")
        if not text and not name and key != "client_ca":
            raise WebConfigError(f"tls_server_config: {key}_file is missing")
        content = text.encode(errors="replace")
        if name:
            contained = read[folder / name] = _content(folder / name)
            if isinstance(contained, str):
                raise WebConfigError(f"tls_server_config: {key}_file: {folder / name}: {contained}")
            content = contained
        found.append(content)
    return Pems(*found)


def _content(path: Path) -> bytes | str:
    """Returns what is in a file, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError:  # a null byte
        return "this is not a path"
    return content if len(content) <= MAX_FILE_BYTES else f"larger than {MAX_FILE_BYTES} bytes"
