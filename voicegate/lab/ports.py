"""The ports of a lab, all derived from one base, and a way to find a base that nobody uses."""

import ipaddress
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

from voicegate.lab.errors import LabError

DEFAULT_PORT_BASE: Final = 21000
# Below the ports that Linux hands out by itself (32768 and up), above those of known services.
_PORT_BASES: Final = range(12000, 32000, 500)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one lab: 500 from `base` on, on loopback; those for testers on any address."""

    RTP_SPAN: ClassVar[int] = 200
    """RTP ports of each exchange: 100 calls at once, each with RTP and RTCP."""

    base: int
    """The first port; even."""

    @property
    def pbx_sip(self) -> int:
        """SIP of the PBX (UDP): base + 0."""
        return self.base

    @property
    def carrier_sip(self) -> int:
        """SIP of the carrier (UDP): base + 1."""
        return self.base + 1

    @property
    def ami(self) -> int:
        """Manager interface of the PBX (TCP): base + 2."""
        return self.base + 2

    @property
    def agi(self) -> int:
        """FastAGI of the controller (TCP): base + 3."""
        return self.base + 3

    @property
    def telephones(self) -> int:
        """FastAGI of the telephones (TCP): base + 4."""
        return self.base + 4

    @property
    def testers(self) -> int:
        """SIP of the PBX for the testers' softphones (UDP and TCP): base + 7."""
        return self.base + 7

    @property
    def callback(self) -> int:
        """The service "call me with a code" (TCP): base + 8."""
        return self.base + 8

    @property
    def http(self) -> int:
        """The API on TCP, and the page with a telephone (TCP): base + 10."""
        return self.base + 10

    @property
    def websocket(self) -> int:
        """SIP over WebSocket of the PBX, for that telephone (TCP): base + 11."""
        return self.base + 11

    @property
    def reserved(self) -> int:
        """Held while `reserve_port_base` has given the base to somebody (TCP): base + 9."""
        return self.base + 9

    @property
    def pbx_tls(self) -> int:
        """SIP over TLS of the PBX (TCP): base + 20."""
        return self.base + 20

    @property
    def carrier_tls(self) -> int:
        """SIP over TLS of the carrier (TCP): base + 21."""
        return self.base + 21

    @property
    def odd(self) -> int:
        """SIP of the odd telephones (UDP): base + 22."""
        return self.base + 22

    @property
    def nobody(self) -> int:
        """A SIP address where nothing listens (UDP): base + 23."""
        return self.base + 23

    @property
    def ami_tls(self) -> int:
        """Manager interface of the PBX, over TLS (TCP): base + 25."""
        return self.base + 25

    @property
    def stranger(self) -> int:
        """SIP for tests that play a far end (UDP): base + 24. The lab itself does not listen there."""
        return self.base + 24

    @property
    def freeswitch_sip(self) -> int:
        """SIP of a FreeSWITCH as PBX (UDP): base + 30."""
        return self.base + 30

    @property
    def esl(self) -> int:
        """Event socket of a FreeSWITCH as PBX (TCP): base + 31."""
        return self.base + 31

    @property
    def freeswitch_tls(self) -> int:
        """SIP over TLS of a FreeSWITCH as PBX (TCP): base + 32."""
        return self.base + 32

    @property
    def pbx_rtp(self) -> int:
        """First RTP port of the PBX: base + 100. Two PBXs have half of the span each."""
        return self.base + 100

    @property
    def carrier_rtp(self) -> int:
        """First RTP port of the carrier: base + 300."""
        return self.base + 300

    def taken(self) -> list[int]:
        """Return those of its fixed ports that another program is using."""
        odd = (self.odd, self.nobody, self.stranger)
        datagrams = (self.pbx_sip, self.carrier_sip, self.testers, *odd, self.freeswitch_sip)
        agi = (self.agi, self.telephones, self.callback)
        secure = (self.ami_tls, self.pbx_tls, self.carrier_tls, self.freeswitch_tls)
        streams = (self.ami, *agi, self.testers, self.http, self.websocket, *secure, self.esl)
        kinds = {socket.SOCK_DGRAM: datagrams, socket.SOCK_STREAM: streams}
        return [port for kind, ports in kinds.items() for port in ports if not _is_free(kind, port)]

    def check_listen(self, address: str) -> None:
        """Refuse an address that softphones could not call: one that is not this machine's, or whose port is
        in use.

        Raises:
            LabError: with the reason.
        """
        try:
            is_any = ipaddress.IPv4Address(address).is_unspecified
        except ValueError:
            is_any = True
        if is_any:
            raise LabError(f"{address} is no single IPv4 address: softphones have to be told one.")
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with ExitStack() as trial:
                try:
                    _bind(trial, kind, self.testers, address=address)
                except OSError as error:
                    where = f"{address}:{self.testers}"
                    raise LabError(
                        f"Softphones cannot be listened for at {where}: {error.strerror}"
                    ) from error


def free_port_base() -> int:
    """Return a port base whose fixed ports are all free now.

    Raises:
        LabError: there is none.
    """
    with reserve_port_base() as base:
        return base


@contextmanager
def reserve_port_base() -> Iterator[int]:
    """Yield a free port base that no other process gets from here meanwhile.

    Raises:
        LabError: there is none.
    """
    # Not secret: only spread, so that parallel test runs seldom try the same one.
    for base in random.sample(_PORT_BASES, len(_PORT_BASES)):
        with ExitStack() as stack:
            if _hold(stack, Ports(base).reserved) and not Ports(base).taken():
                yield base
                return
    raise LabError(f"No 500 ports in a row are free from {_PORT_BASES.start} to {_PORT_BASES.stop}.")


def _hold(stack: ExitStack, port: int) -> bool:
    try:
        _bind(stack, socket.SOCK_STREAM, port)
    except OSError:
        return False
    return True


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with ExitStack() as trial:
        try:
            _bind(trial, kind, port)
        except OSError:
            return False
    return True


def _bind(stack: ExitStack, kind: socket.SocketKind, port: int, *, address: str = "127.0.0.1") -> None:
    holder = stack.enter_context(socket.socket(socket.AF_INET, kind))
    if kind is socket.SOCK_STREAM:
        # As servers do, so that connections just closed do not count; listening, it still excludes others.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((address, port))
    if kind is socket.SOCK_STREAM:
        holder.listen(1)
