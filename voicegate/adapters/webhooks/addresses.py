"""Which addresses messages may go to: none of a private network, unless the admin allows it.

A name is resolved once, each address is judged, and the connection goes to one of them: a name server that
answers otherwise the next time (DNS rebinding) changes nothing.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# NAT64 (RFC 6052): the IPv4 address is in the last 32 bits.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """The receiver's address is one that messages may not go to."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Which addresses messages may go to, besides public ones."""

    allowed: Sequence[IpNetwork] = ()
    """Networks that are allowed although they are not public."""
    is_loopback_only: bool = False
    """Only this machine itself? For `http://`, which others could read on its way."""

    def judge(self, address: str) -> None:
        """Let an address pass.

        Raises:
            AddressRefused: messages may not go there.
        """
        # A zone, as in fe80::1%eth0, is no part of the address.
        given = ipaddress.ip_address(address.partition("%")[0])
        inner = _inner(given)
        if self.is_loopback_only:
            if not inner.is_loopback:
                raise AddressRefused(f"{address} is not this machine: http:// goes nowhere else")
            return
        is_public = all(one.is_global and not one.is_multicast for one in (given, inner))
        if not is_public and not any(inner in network for network in self.allowed):
            raise AddressRefused(
                f"{address} is not public: webhook_delivery.allowed_networks does not have it"
            )


class CheckedResolver(AbstractResolver):
    """Resolves names as the operating system does, and refuses a name that has a refused address."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            AddressRefused: messages may not go to one of them.
            OSError: it has none.
        """
        found = await _look_up(host, port, family)
        for address in found:
            self._rules.judge(address.host)
        return [
            ResolveResult(
                hostname=host,
                host=address.host,
                port=port,
                family=address.family,
                proto=address.proto,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class _Address:
    """One address of a name, as `socket.getaddrinfo` has it."""

    family: socket.AddressFamily
    proto: int
    host: str


async def _look_up(host: str, port: int, family: socket.AddressFamily) -> Sequence[_Address]:
    """Resolve a name in a thread of its own, which nobody waits for once the caller has given up."""
    # Not in the loop's executor: a name server that is silent for half a minute would hold its few threads,
    # and the daemon's end.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[_Address]] = loop.create_future()

    def work() -> None:
        try:
            found: Sequence[_Address] | OSError = _resolve(host, port, family)
        except OSError as error:
            found = error
        except UnicodeError:
            found = OSError(f"{host!r} is no name of a host")
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found)

    def settle(found: Sequence[_Address] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
    return await answer


def _resolve(host: str, port: int, family: socket.AddressFamily) -> Sequence[_Address]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [_Address(kind, protocol, str(address[0])) for kind, _, protocol, _, address in found]


def _inner(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address only wraps, else the address itself."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
