"""The lab's bad network: a whole call stays on it, and it loses and swallows what it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from voicegate.lab.bad_network import HOST, Address, BadNetwork, Weather, bad_network
from voicegate.lab.deadlines import within

SDP = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0\r\n"
INVITE = (
    "INVITE sip:+12025550101@127.0.0.1:{trunk} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z\r\n"
    "Call-ID: one@pbx\r\nContact: <sip:pbx@127.0.0.1:{own}>\r\nContent-Length: {length}\r\n\r\n{body}"
)
OK = (
    "SIP/2.0 200 OK\r\nCall-ID: one@pbx\r\nContact: <sip:127.0.0.1:{own};x>\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


class End(asyncio.DatagramProtocol):
    """A UDP port that keeps what it gets, with whence."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.got.put_nowait((data, addr))

    def send(self, data: bytes, port: int) -> None:
        self.transport.sendto(data, (HOST, port))

    async def next(self) -> tuple[bytes, Address]:
        async with within(10):
            return await self.got.get()


@dataclass
class Ends:
    """Both sides' signalling and audio."""

    network: BadNetwork
    trunk: int
    pbx: End
    carrier: End
    heard: dict[str, End] = field(default_factory=dict)

    async def establish(self) -> tuple[int, int]:
        """Make a call; return where the PBX and the carrier are told to send their audio."""
        body = SDP.format(port=self.heard["pbx"].port)
        own = self.pbx.port
        self.pbx.send(
            INVITE.format(trunk=self.trunk, own=own, length=len(body), body=body).encode(), self.trunk
        )
        invite, whence = await self.carrier.next()
        assert f"Contact: <sip:pbx@127.0.0.1:{whence[1]}>".encode() in invite
        assert f"Via: SIP/2.0/UDP 127.0.0.1:{own};".encode() in invite
        body = SDP.format(port=self.heard["carrier"].port)
        self.carrier.send(OK.format(own=self.carrier.port, length=len(body), body=body).encode(), whence[1])
        answer, _ = await self.pbx.next()
        assert f"Contact: <sip:127.0.0.1:{self.trunk};x>".encode() in answer
        return audio_of(answer), audio_of(invite)


def audio_of(message: bytes) -> int:
    head, _, body = message.decode().partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head
    return int(body.partition("m=audio ")[2].split()[0])


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with ends_over(Weather()) as ends:
        yield ends


@asynccontextmanager
async def ends_over(weather: Weather) -> AsyncIterator[Ends]:
    pbx, carrier, free, *audio = [await opened() for _ in range(5)]
    trunk = free.port
    free.transport.close()
    await asyncio.sleep(0)
    async with bad_network(weather, trunk, pbx_sip=pbx.port, carrier_sip=carrier.port) as network:
        heard = dict(zip(("pbx", "carrier"), audio, strict=True))
        yield Ends(network, trunk, pbx, carrier, heard)
    for end in (pbx, carrier, *audio):
        end.transport.close()


async def opened() -> End:
    _, end = await asyncio.get_running_loop().create_datagram_endpoint(End, (HOST, 0))
    return end


async def test_signalling_and_audio_of_a_call_stay_on_it_in_both_directions(ends: Ends) -> None:
    for_pbx, for_carrier = await ends.establish()
    assert {for_pbx, for_carrier}.isdisjoint({ends.heard["pbx"].port, ends.heard["carrier"].port})
    ends.heard["pbx"].send(b"spoken", for_pbx)
    assert await ends.heard["carrier"].next() == (b"spoken", (HOST, for_carrier))
    ends.heard["carrier"].send(b"answered", for_carrier)
    assert await ends.heard["pbx"].next() == (b"answered", (HOST, for_pbx))


async def test_it_loses_the_share_that_it_is_told_to_and_swallows_all(ends: Ends) -> None:
    for_pbx, _ = await ends.establish()
    counts, sender = ends.network.counts, ends.heard["pbx"]
    ends.network.weather.loss = 0.05
    ends.network.weather.jitter_s = 0.001
    before = counts.passed
    async with within(30):
        for number in range(1000):
            sender.send(str(number).encode(), for_pbx)
            # One at a time: what a full buffer drops is not the network's.
            while counts.passed + counts.lost <= before + number:
                await asyncio.sleep(0)
    assert 20 <= counts.lost <= 80
    ends.network.weather.is_swallowing = True
    passed, lost = counts.passed, counts.lost
    sender.send(b"unheard", for_pbx)
    async with within(10):
        while counts.lost == lost:
            await asyncio.sleep(0.01)
    assert counts.passed == passed
