"""A bad network between a PBX and a carrier: relays SIP and RTP over UDP on loopback, and drops, delays or
swallows what it relays. It needs no rights, for it stands in the addresses that both are told.

It listens where a trunk leads. In what passes, each side's contact and audio port become ones of the relay,
so that the whole call stays on it. RFC 3261, sections 8.1.1.8 and 18.2.2, RFC 3581 (`rport`, which both send)
and RFC 3264; RTCP is on the next port (RFC 3550, section 11).
"""

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

HOST: Final = "127.0.0.1"
_CONTACT: Final = re.compile(rb"^((?:Contact|m):[^\r\n]*?@?127\.0\.0\.1:)(\d+)", re.MULTILINE | re.IGNORECASE)
_AUDIO: Final = re.compile(rb"^(m=audio )(\d+)", re.MULTILINE)
_CALL_ID: Final = re.compile(rb"^(?:Call-ID|i):\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_LENGTH: Final = re.compile(rb"^((?:Content-Length|l):\s*)\d+", re.MULTILINE | re.IGNORECASE)
_END: Final = b"\r\n\r\n"
_PAIR_TRIES: Final = 50
_APART_S: Final = 1e-6

Address = tuple[str, int]
Take = Callable[[bytes, Address], None]


@dataclass(slots=True)
class Weather:
    """How bad the network is; may be changed while it runs."""

    loss: float = 0.0
    """The share of packets that are lost, in each direction."""
    jitter_s: float = 0.0
    """Each packet is late by a time up to this, by chance; none overtakes another, as in a queue."""
    is_swallowing: bool = False
    """Does nothing pass at all?"""


@dataclass(slots=True)
class Counts:
    """What became of the packets."""

    passed: int = 0
    """Relayed."""
    lost: int = 0
    """Lost or swallowed."""


class _Socket(asyncio.DatagramProtocol):
    """One UDP port."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._take(data, addr)

    def send(self, data: bytes, address: Address) -> None:
        """Send a packet, unless the port is closed."""
        if not self.transport.is_closing():
            self.transport.sendto(data, address)


@dataclass(slots=True)
class _Side:
    """One end's audio: where it is, and the relay's ports that stand for the other end."""

    sockets: list[_Socket] = field(default_factory=list)
    """RTP and RTCP."""
    port: int | None = None
    """Where the end itself takes RTP; None: not told yet."""


class BadNetwork:
    """The network of one trunk."""

    def __init__(self, weather: Weather, pbx_sip: int, carrier_sip: int) -> None:
        self.weather = weather
        """How it is now."""
        self.counts = Counts()
        """What became of all packets so far."""
        self._pbx: Address = (HOST, pbx_sip)
        self._carrier: Address = (HOST, carrier_sip)
        self._chance = random.Random(1)  # noqa: S311 - the same losses on every run
        self._loop = asyncio.get_running_loop()
        self._calls: dict[bytes, tuple[_Side, _Side]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._near: _Socket
        self._far: _Socket

    async def open(self, port: int) -> None:
        """Listen where the trunk leads."""
        self._near = await self._bound(port, self._from_pbx)
        self._far = await self._bound(0, self._from_carrier)

    def close(self) -> None:
        """Relay nothing more."""
        sides = [side for pair in self._calls.values() for side in pair]
        for one in (self._near, self._far, *(held for side in sides for held in side.sockets)):
            one.transport.close()
        for task in self._tasks:
            task.cancel()

    def _from_pbx(self, data: bytes, address: Address) -> None:
        self._pbx = address
        self._do(self._signal(data, is_from_pbx=True))

    def _from_carrier(self, data: bytes, _address: Address) -> None:
        self._do(self._signal(data, is_from_pbx=False))

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _signal(self, data: bytes, *, is_from_pbx: bool) -> None:
        """Relay a SIP message, in which the relay stands for its sender."""
        own, other = (self._far, self._carrier) if is_from_pbx else (self._near, self._pbx)
        head, end, body = data.partition(_END)
        head = _CONTACT.sub(rb"\g<1>%d" % own.port, head)
        audio, call = _AUDIO.search(body), _CALL_ID.search(head)
        if audio is not None and call is not None and int(audio[2]):
            port = await self._audio(call[1], int(audio[2]), is_from_pbx=is_from_pbx)
            body = _AUDIO.sub(rb"\g<1>%d" % port, body, count=1)
            head = _LENGTH.sub(rb"\g<1>%d" % len(body), head)
        self._pass(own, head + end + body, other)

    async def _audio(self, call: bytes, port: int, *, is_from_pbx: bool) -> int:
        """Note where an end takes audio; return where the other is to send it."""
        if call not in self._calls:
            near, far = _Side(), _Side()
            self._calls[call] = near, far
            near.sockets = await self._pair_to(far)
            far.sockets = await self._pair_to(near)
        near, far = self._calls[call]
        side, standing_for = (near, far) if is_from_pbx else (far, near)
        side.port = port
        return standing_for.sockets[0].port

    async def _pair_to(self, other: _Side) -> list[_Socket]:
        """Open RTP and RTCP for one end; what it sends there goes to the other."""

        def relay(index: int) -> Take:
            def take(data: bytes, _address: Address) -> None:
                if other.port is not None and other.sockets:
                    self._pass(other.sockets[index], data, (HOST, other.port + index))

            return take

        first = _free_pair()
        return [await self._bound(first + index, relay(index)) for index in (0, 1)]

    async def _bound(self, port: int, take: Take) -> _Socket:
        _, protocol = await self._loop.create_datagram_endpoint(lambda: _Socket(take), (HOST, port))
        return protocol

    def _pass(self, through: _Socket, data: bytes, address: Address) -> None:
        if self.weather.is_swallowing or self._chance.random() < self.weather.loss:
            self.counts.lost += 1
            return
        self.counts.passed += 1
        late_s = self._chance.random() * self.weather.jitter_s
        # The loop keeps no order among timers that are due at the same time.
        due = through.due = max(self._loop.time() + late_s, through.due + _APART_S)
        self._loop.call_at(due, through.send, data, address)


@asynccontextmanager
async def bad_network(
    weather: Weather, port: int, *, pbx_sip: int, carrier_sip: int
) -> AsyncIterator[BadNetwork]:
    """Relay between a PBX's trunk that leads to `port` and a carrier, as long as the context lasts."""
    network = BadNetwork(weather, pbx_sip, carrier_sip)
    await network.open(port)
    try:
        yield network
    finally:
        network.close()


def _free_pair() -> int:
    """Return an even port that is free, as the one behind it is."""
    for _ in range(_PAIR_TRIES):
        with ExitStack() as trial:
            one = trial.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind((HOST, 0))
            port = int(one.getsockname()[1])
            if port % 2:
                continue
            other = trial.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                other.bind((HOST, port + 1))
            except OSError:
                continue
            return port
    raise OSError("no two UDP ports in a row are free")
