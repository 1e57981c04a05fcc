"""Tell whose address it is, for limits and for the proxies that the operator named."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

IPV6_PREFIX_BITS = 64  # one customer's network; the addresses in it cost nothing
NAME_CHARACTERS = 100  # kept of a name that is no address
KEY_NAME = "api_key"  # where a request's scope has the name of its program's key
SIGNED_IN = "signed_in"  # where it has the name of the person whom a trusted proxy signed in


def address_of(host: str) -> str:
    """Return the address that limits count: an IPv4 address, or a customer's IPv6 network."""
    try:
        address = ipaddress.ip_address(unmapped(host))
    except ValueError:
        return host[:NAME_CHARACTERS]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), IPV6_PREFIX_BITS), strict=False))


def person_of(scope: Mapping[str, Any]) -> str:
    """Return whose quota and share a request counts against.

    One token is one team, so people are told apart by address, unless a proxy signs them in. A program's key is
    somebody of its own.
    """
    if name := scope.get(KEY_NAME):
        return f"api:{name}"
    return f"web:{scope.get(SIGNED_IN) or client_of(scope)}"


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the address that a request came from, as limits count it."""
    client = scope.get("client")
    return address_of(client[0]) if client else ""


def unmapped(host: str) -> str:
    """Return an IPv4 address that a socket for both kinds shows as IPv6 (::ffff:192.0.2.1) in its own form."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped) if mapped else host


def is_within(host: str, networks: Sequence[str]) -> bool:
    """Return whether the host is in one of the networks."""
    try:
        address = ipaddress.ip_address(unmapped(host))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def network_of(text: str) -> str:
    """Return an address or a network as a network. Raises `ValueError`."""
    return str(ipaddress.ip_network(text, strict=False))
