"""Listens on the way from the PBX to the carrier, as somebody on the wire would; changes nothing there.

The carrier says that its audio is wanted at another address of loopback, where each of its RTP ports is
listened to, kept, and passed on. Its own goes back the same way, for a PBX may take audio from there only.
That needs no rights, but addresses 127.0.0.0/8 that are all there: Linux.
"""

import asyncio
import io
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, cast

import soundfile

from voicegate.lab.ports import Ports
from voicegate.lab.world import Lab

HEADER: Final = 12
MULAW_PACKET: Final = HEADER + 160
_MULAW: Final = 0
_RELOAD: Final = "module reload res_pjsip.so"


class Tap:
    """What went to the carrier at one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.packets: list[bytes] = []
        """Audio in µ-law, or what says to be; other RTP and RTCP only pass."""

    def take(self, packet: bytes) -> None:
        if len(packet) >= MULAW_PACKET and packet[1] & 0x7F == _MULAW:
            self.packets.append(packet)

    def save(self, file: Path) -> Path:
        """Write what an eavesdropper hears who takes the packets for what they say to be."""
        in_order = sorted(self.packets, key=lambda packet: struct.unpack("!H", packet[2:4]))
        raw = b"".join(packet[HEADER:MULAW_PACKET] for packet in in_order)
        form = {"samplerate": 8000, "channels": 1, "format": "RAW", "subtype": "ULAW"}
        samples, rate = soundfile.read(io.BytesIO(raw), dtype="int16", **form)
        soundfile.write(file, samples, rate)
        return file


class _Port(asyncio.DatagramProtocol):
    def __init__(self, tap: Tap, port: int) -> None:
        self._tap = tap
        self._carrier = ("127.0.0.1", port)
        self._pbx: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr != self._carrier:
            self._pbx = addr
            self._tap.take(data)
            self._transport.sendto(data, self._carrier)
        elif self._pbx is not None:
            self._transport.sendto(data, self._pbx)


@asynccontextmanager
async def tapped(lab: Lab, *endpoints: str) -> AsyncIterator[Mapping[str, Tap]]:
    """Have the audio to some of the carrier's endpoints pass by us."""
    taps = {name: Tap(f"127.0.0.{number}") for number, name in enumerate(endpoints, 3)}
    file = lab.settings.folder / "carrier/etc/pjsip.conf"
    honest = text = file.read_text("utf-8")
    for name, tap in taps.items():
        header = f"[{name}](telephone)\n"
        assert header in text
        text = text.replace(header, f"{header}media_address = {tap.address}\nrtp_symmetric = yes\n")
    async with AsyncExitStack() as stack:
        for tap in taps.values():
            await _listen(stack, tap, lab.settings.ports)
        file.write_text(text, "utf-8")
        await asyncio.to_thread(lab.carrier_command, _RELOAD)
        try:
            yield taps
        finally:
            file.write_text(honest, "utf-8")
            await asyncio.to_thread(lab.carrier_command, _RELOAD)


async def _listen(stack: AsyncExitStack, tap: Tap, ports: Ports) -> None:
    loop = asyncio.get_running_loop()
    for port in range(ports.carrier_rtp, ports.carrier_rtp + ports.RTP_SPAN):
        made = await loop.create_datagram_endpoint(partial(_Port, tap, port), (tap.address, port))
        stack.callback(made[0].close)
