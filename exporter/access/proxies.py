"""Which peers are trusted proxies, and what they say: who the user is, and from where.

A proxy adds the address of its client to the right end of `X-Forwarded-For`, so only what trusted proxies added there
is believed: the client is the rightmost address that is no trusted proxy. What is to the left of it may be made up.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

MAX_USER: Final = 256
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Reads addresses and networks as 10.0.0.0/8. Raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the address is that of a trusted proxy. No address is trusted by itself, not even loopback."""
    address = address_of(peer)
    return address is not None and any(address in network for network in trusted)


def client(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Returns the address of the client. `forwarded` are the values of `X-Forwarded-For`."""
    found = peer
    for text in reversed([part for value in forwarded for part in value.split(",")]):
        if not is_trusted(found, trusted):
            break
        address = address_of(_without_port(text.strip()))
        if address is None:
            break
        found = str(address)
    return found


def user(values: Sequence[str]) -> str:
    """Returns the name in the values of a user header; "" for nobody. A header that is there twice, or has a list, is
    nobody: a client may have sent the first of them."""
    name = values[0].strip() if len(values) == 1 else ""
    return name if name.isprintable() and "," not in name and len(name) <= MAX_USER else ""


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def address_of(text: str) -> Address | None:
    """`text` as an IP address, None for a name; an IPv4-mapped IPv6 address (::ffff:10.0.0.1) counts as IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
