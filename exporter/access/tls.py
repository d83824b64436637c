"""TLS as the section `tls_server_config` of the web config file describes it, with Python's `ssl`."""

import contextlib
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Never

from exporter.access.web_format import REQUIRED, TlsServer, WebConfigError

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS: Final = ("TLS10", "TLS11")
CLIENTS: Final = {  # names of Go's crypto/tls
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,  # as in Go, nothing depends on the certificate
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    REQUIRED: ssl.CERT_REQUIRED,
}
UNVERIFIED: Final = ("RequireAnyClientCert", "RequireClientCert")
CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
SUITES_13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES: Final = {  # Go's name: OpenSSL's
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}


class Pems(NamedTuple):
    """Certificate chain, private key and CAs of clients, in PEM. Empty: not set."""

    cert: bytes
    key: bytes
    client_ca: bytes


def make_context(tls: TlsServer, pems: Pems) -> ssl.SSLContext:
    """Returns a context for a server. Raises `WebConfigError` for what is wrong, and for what `ssl` cannot do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = _known(VERSIONS, "min_version", tls.min_version)
    context.maximum_version = _known(VERSIONS, "max_version", tls.max_version)
    if context.minimum_version > context.maximum_version:
        raise WebConfigError("tls_server_config: min_version is above max_version")
    try:
        _set_suites(context, tls)
        _set_curve(context, tls)
    except ssl.SSLError as error:  # an OpenSSL that was built, or is configured, without them
        words = f"OpenSSL refuses cipher_suites or curve_preferences ({error.reason})"
        raise WebConfigError(f"tls_server_config: {words}") from None
    _load(context, pems)
    _ask_clients(context, tls, pems.client_ca)
    return context


class FollowingContext(ssl.SSLContext):
    """The context that a server is started with. Each connection uses `current` as it is when the connection begins."""

    current: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
        return self.current.wrap_bio(*arguments, **more)


def following(current: ssl.SSLContext) -> FollowingContext:
    """Returns a context whose connections use `current`."""
    context = FollowingContext(ssl.PROTOCOL_TLS_SERVER)
    context.current = current
    return context


def _known(names: Any, key: str, name: str) -> Any:
    """Returns the value of a name in the file. Raises `WebConfigError`."""
    if name in names:
        return names[name]
    why = "is not secure" if name in OLD_VERSIONS else "is not known"
    raise WebConfigError(f"tls_server_config: {key}: {name} {why}; expected {' or '.join(filter(None, names))}")


def _set_suites(context: ssl.SSLContext, tls: TlsServer) -> None:
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not tls.cipher_suites:
        return
    known = SUITES | dict.fromkeys(SUITES_13, "")  # those of TLS 1.3 are always on, as in Go
    suites = [_known(known, "cipher_suites", name) for name in tls.cipher_suites]
    if any(suites):
        context.set_ciphers(":".join(filter(None, suites)))
    elif context.minimum_version < ssl.TLSVersion.TLSv1_3:
        raise WebConfigError(
            "tls_server_config: cipher_suites has none for TLS 1.2; add one, or set min_version: TLS13"
        )


def _set_curve(context: ssl.SSLContext, tls: TlsServer) -> None:
    if len(tls.curve_preferences) > 1:
        raise WebConfigError("tls_server_config: only one curve can be chosen; name one in curve_preferences, or none")
    for name in tls.curve_preferences:
        context.set_ecdh_curve(_known(CURVES, "curve_preferences", name))


def _load(context: ssl.SSLContext, pems: Pems) -> None:
    if b"-----BEGIN CERTIFICATE-----" not in pems.cert:
        raise WebConfigError("tls_server_config: the certificate is not one in PEM")
    if b"PRIVATE KEY-----" not in pems.key:
        raise WebConfigError("tls_server_config: the key is not a private key in PEM")
    try:
        with _path(pems.cert) as cert, _path(pems.key) as key:
            context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            raise WebConfigError("tls_server_config: the key does not belong to the certificate") from None
        words = f"the certificate or its key cannot be read ({error.reason or 'damaged PEM'})"
        raise WebConfigError(f"tls_server_config: {words}") from None


def _no_password() -> Never:
    raise WebConfigError("tls_server_config: the key is encrypted; it must be without a passphrase")


@contextlib.contextmanager
def _path(content: bytes) -> Iterator[str]:
    """Yields a path under which `ssl` finds what is in memory: it loads keys from files only. What was checked is so
    what is used, even if the file changes meanwhile."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pem")
            path.touch(0o600)
            path.write_bytes(content)
            yield str(path)


def _ask_clients(context: ssl.SSLContext, tls: TlsServer, client_ca: bytes) -> None:
    """Has clients show a certificate, as `client_auth_type` says."""
    kind = tls.client_auth_type
    if kind in UNVERIFIED:
        raise WebConfigError(f"tls_server_config: client_auth_type: {kind} verifies nothing; expected {REQUIRED}")
    context.verify_mode = _known(CLIENTS, "client_auth_type", kind)
    if client_ca and kind in ("", "NoClientCert"):
        raise WebConfigError(f"tls_server_config: client_ca without client_auth_type; expected {REQUIRED}")
    if context.verify_mode != ssl.CERT_NONE and not client_ca:
        raise WebConfigError(f"tls_server_config: client_auth_type: {kind} needs client_ca_file")
    if client_ca:
        try:
            context.load_verify_locations(cadata=client_ca.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise WebConfigError("tls_server_config: client_ca_file has no certificates in PEM") from None
    if tls.client_allowed_sans:
        if kind != REQUIRED:
            raise WebConfigError(f"tls_server_config: client_allowed_sans needs client_auth_type: {REQUIRED}")
        context.sslobject_class = _checking(frozenset(map(_plain_address, tls.client_allowed_sans)))


def _checking(allowed: Collection[str]) -> type[ssl.SSLObject]:
    """Returns a class of connections that end where the certificate of the client has none of these names."""

    class Checked(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            names: Any = (self.getpeercert() or {}).get("subjectAltName", ())  # pairs of kind and name
            if not any(_plain_address(name) in allowed for _, name in names):
                raise ssl.SSLCertVerificationError("the client's certificate has none of client_allowed_sans")

    return Checked


def _plain_address(name: str) -> str:
    """Returns an IP address in its usual form, everything else as it is."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
