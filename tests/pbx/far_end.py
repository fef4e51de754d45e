"""A far end that a test writes: SIP and RTP over UDP, no more of them than it needs, on loopback.

It listens where the lab's trunk `stranger` leads, and takes any number of calls; how it behaves on one is its
`Habit`, chosen by the called number. RFC 3261 for the dialogs, RFC 3551 and RFC 4733 for the audio.
"""

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from voicegate.lab.odd_telephones import header_of, reply

HOST: Final = "127.0.0.1"
MULAW: Final = 0
EVENT: Final = 101
Address = tuple[str, int]

SDP: Final = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
"""An ordinary answer; `{port}` is where its audio goes."""
TONES_SDP: Final = SDP.replace(" 101", "").replace("a=rtpmap:101 telephone-event/8000\r\n", "")
"""Of one that knows keys as tones in the audio only."""


@dataclass(frozen=True)
class Habit:
    """How a far end behaves on a call."""

    ringing: tuple[str, ...] = ("180 Ringing",)
    """What it says first."""
    final: str = "200 OK"
    """What it says last; empty: nothing."""
    after_s: float = 0
    """How long it takes for that."""
    sdp: str = SDP
    """What an answer has as its body; empty: none."""
    contact: str = ""
    """Where it says to be found; empty: where it was asked."""
    hangs_up_at_ack: bool = False
    """Does its BYE come right behind our ACK?"""
    echo: bool = False
    """Does the line send back what it hears, 0.3 s later and at a quarter of the level, key events too?"""


@dataclass
class Dialog:
    """One call, as its far end sees it."""

    number: str
    """Who was called."""
    habit: Habit
    invite: str
    """The request."""
    address: Address
    """Whence it came."""
    media: "Media"
    """Its audio."""
    seen: list[str] = field(default_factory=list)
    """The methods of its requests so far."""
    began_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """When its request came, by the loop's clock."""
    over_at: float = math.inf
    """When it was over."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Is it over?"""

    def end(self) -> None:
        """Record that it is over."""
        self.over_at = min(self.over_at, asyncio.get_running_loop().time())
        self.ended.set()


class FarEnd(asyncio.DatagramProtocol):
    """All its telephones."""

    def __init__(self, habit_of: Callable[[str], Habit]) -> None:
        self._habit_of = habit_of
        self._loop = asyncio.get_running_loop()
        self.dialogs: dict[str, Dialog] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = data.decode("utf-8", "replace")
        method, call = message.partition(" ")[0], header_of(message, "call-id")
        dialog = self.dialogs.get(call)
        if dialog is not None:
            dialog.seen.append(method)
        match method:
            case "INVITE" if dialog is None:
                self._loop.create_task(self._take(message, call, addr))
            case "OPTIONS":
                self._send(reply(message, "200 OK"), addr)
            case "ACK" if dialog is not None and dialog.habit.hangs_up_at_ack:
                self.hang_up(dialog)
            case "CANCEL" if dialog is not None:
                self._send(reply(message, "200 OK"), addr)
                self._send(reply(dialog.invite, "487 Request Terminated"), addr)
                dialog.end()
            case "BYE" if dialog is not None:
                self._send(reply(message, "200 OK"), addr)
                dialog.media.close()
                dialog.end()

    def hang_up(self, dialog: Dialog) -> None:
        """Send a BYE."""
        answer = reply(dialog.invite, "200 OK")
        target = header_of(dialog.invite, "contact").partition("<")[2].partition(">")[0]
        here = self._transport.get_extra_info("sockname")[1]
        lines = (
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{here};branch=z9hG4bKbye{id(dialog)}",
            f"From: {header_of(answer, 'to')}",
            f"To: {header_of(dialog.invite, 'from')}",
            f"Call-ID: {header_of(dialog.invite, 'call-id')}",
            "CSeq: 1 BYE",
            "Max-Forwards: 70",
            "Content-Length: 0",
            "",
            "",
        )
        self._send("\r\n".join(lines), dialog.address)
        dialog.media.close()
        dialog.end()

    async def _take(self, invite: str, call: str, address: Address) -> None:
        number = invite.split()[1].removeprefix("sip:").partition("@")[0]
        habit = self._habit_of(number)
        media = Media(habit)
        await self._loop.create_datagram_endpoint(lambda: media, (HOST, 0))
        dialog = self.dialogs[call] = Dialog(number, habit, invite, address, media, ["INVITE"])
        for status in habit.ringing:
            self._send(reply(invite, status), address)
        await asyncio.sleep(habit.after_s)
        if habit.final and not dialog.ended.is_set():
            body = habit.sdp.format(port=media.port) if habit.final.startswith("2") else ""
            self._send(reply(invite, habit.final, body, contact=habit.contact), address)
            if not habit.final.startswith("2"):
                dialog.end()

    def _send(self, text: str, address: Address) -> None:
        self._transport.sendto(text.encode(), address)


class Media(asyncio.DatagramProtocol):
    """The audio of one call: what was heard is kept, and sent back where the line echoes."""

    def __init__(self, habit: Habit) -> None:
        self._habit = habit
        self._loop = asyncio.get_running_loop()
        self.heard: list[bytes] = []
        """The audio of each packet."""
        self.events: list[str] = []
        """The keys that came as events."""
        self._sequence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        kind, payload = data[1] & 0x7F, data[12:]
        if kind == MULAW:
            self.heard.append(payload)
        elif kind == EVENT and data[1] & 0x80:
            self.events.append("0123456789*#ABCD"[payload[0]])
        if self._habit.echo:
            back = _QUARTER[np.frombuffer(payload, np.uint8)].tobytes() if kind == MULAW else payload
            self._sequence += 1
            head = struct.pack("!BBH", 0x80, data[1], self._sequence & 0xFFFF)
            packet = head + data[4:8] + b"echo" + back
            self._loop.call_later(0.3, self._send, packet, addr)

    def close(self) -> None:
        """Hear and say no more."""
        self._transport.close()

    def _send(self, packet: bytes, address: Address) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(packet, address)


@asynccontextmanager
async def far_end(port: int, habit_of: Callable[[str], Habit]) -> AsyncIterator[FarEnd]:
    """Be the far end at a port of loopback."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: FarEnd(habit_of), (HOST, port))
    try:
        yield protocol
    finally:
        for dialog in protocol.dialogs.values():
            dialog.media.close()
        transport.close()


def _decode(
    mulaw: "np.ndarray[tuple[int], np.dtype[np.uint8]]",
) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    """ITU-T G.711, µ-law."""
    inverted = (~mulaw).astype(np.int32) & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << ((inverted >> 4) & 7)) - 0x84
    return np.where(inverted & 0x80, -magnitude, magnitude)


_BYTES: Final = np.arange(256, dtype=np.uint8)
_LEVELS: Final = _decode(_BYTES)
_QUARTER: Final = np.array([np.abs(_LEVELS - level / 4).argmin() for level in _LEVELS], np.uint8)
"""Each byte of µ-law, 12 dB quieter."""
