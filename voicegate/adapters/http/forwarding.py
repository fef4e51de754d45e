"""Which address a request comes from: the peer's, or the one that a trusted reverse proxy gives in
`X-Forwarded-For`.

Each proxy appends its peer's address, so the list is read from its end, past the trusted proxies; what stands
before the first untrusted address was written by that sender and is ignored. An IPv6 host owns a /64 (RFC
6177), so an address counts as its /64.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import Final, Self

HEADER: Final = "X-Forwarded-For"
_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class Proxies:
    """The reverse proxies that are trusted."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Their networks."""

    @classmethod
    def of(cls, networks: Iterable[str]) -> Self:
        """Return the proxies in these networks or at these addresses.

        Raises:
            ValueError: one is neither; the message says which.
        """
        return cls(tuple(ipaddress.ip_network(network) for network in networks))

    def is_trusted(self, address: str) -> bool:
        """Return whether an address is one of them."""
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    def client_of(self, forwarded: Sequence[str]) -> str | None:
        """Return the sender's address by a trusted proxy's headers; None: they name none."""
        entries = [entry.strip() for header in forwarded for entry in header.split(",")]
        for entry in reversed(entries):
            if _parse(entry) is None:
                return None
            if not self.is_trusted(entry):
                return counted(entry)
        return None

    def end_user_of(self, forwarded: Sequence[str], *, is_proxied: bool) -> str | None:
        """Return the address of the person for whom a client asks, by the header that the client wrote; None:
        it does not tell.

        `is_proxied`: a trusted proxy handed the request on, so that the last entries are of proxies.
        """
        entries = [entry.strip() for header in forwarded for entry in header.split(",")]
        if is_proxied:
            while entries and self.is_trusted(entries[-1]):
                entries.pop()
            entries = entries[:-1]  # the client's own address
        return counted(entries[0]) if entries and _parse(entries[0]) else None


def counted(address: str) -> str:
    """Return what an address counts as: itself, or its IPv6 network."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _IPV6_PREFIX), strict=False))
    return address if parsed is None else str(parsed)


def _parse(address: str) -> ipaddress.IPv4Address | IPv6Address | None:
    try:
        # Some proxies write a port, and brackets around IPv6: 192.0.2.1:4711, [2001:db8::1]:4711.
        if address.startswith("["):
            address = address[1:].partition("]")[0]
        elif address.count(":") == 1:
            address = address.partition(":")[0]
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
