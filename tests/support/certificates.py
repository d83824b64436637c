"""Certificates made with trustme, as files, and handshakes in memory."""

import ssl
from pathlib import Path

import trustme

from exporter.access.tls import Pems

CA = trustme.CA()
OTHER_CA = trustme.CA()


def pems(server: trustme.LeafCert, client_ca: bytes = b"") -> Pems:
    chain = b"".join(pem.bytes() for pem in server.cert_chain_pems)
    return Pems(chain, server.private_key_pem.bytes(), client_ca)


def write(folder: Path, server: trustme.LeafCert, name: str = "server") -> None:
    """Writes NAME.crt and NAME.key in this order, each in one step."""
    for suffix, content in zip((".crt", ".key"), pems(server)[:2], strict=True):
        new = folder / f"{name}{suffix}.new"
        new.write_bytes(content)
        new.rename(folder / f"{name}{suffix}")


def trusting(ca: trustme.CA = CA, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """A client that trusts `ca`, with the certificate `client`."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if client:
        client.configure_cert(context)
    return context


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> ssl.SSLObject:
    """Shakes hands in memory, and returns the client's side. Raises ssl.SSLError of whichever side refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(sides)
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return sides[0]
