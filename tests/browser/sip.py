"""A PBX as far as a telephone in the browser needs one before it is answered: it takes the registration, and
calls with what a test puts in."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

OFFER: Final = "\r\n".join(
    [
        *("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 0"),
        *("c=IN IP4 127.0.0.1", "a=ice-ufrag:aaaa", f"a=ice-pwd:{'a' * 24}", "a=setup:actpass", "a=mid:0"),
        *(f"a=fingerprint:sha-256 {':'.join(['AA'] * 32)}", "a=rtcp-mux", "a=sendrecv", ""),
    ]
)
_COPIED: Final = ("via", "from", "call-id", "cseq")


class SipPeer:
    """Speaks SIP over WebSocket (RFC 7118) with one telephone."""

    def __init__(self) -> None:
        self._telephone: asyncio.Future[web.WebSocketResponse] = asyncio.get_running_loop().create_future()
        self._transports: list[asyncio.BaseTransport] = []

    async def call(self, caller: str) -> None:
        """Call the telephone; `caller` is the From header, name and address."""
        socket = await self._telephone
        lines = [
            *("INVITE sip:4109@127.0.0.1 SIP/2.0", "Max-Forwards: 70", "CSeq: 1 INVITE"),
            f"Via: SIP/2.0/WS 127.0.0.1;branch=z9hG4bK{secrets.token_hex(8)}",
            *(f"From: {caller};tag=caller", "To: <sip:4109@127.0.0.1>", f"Call-ID: {secrets.token_hex(8)}"),
            *("Contact: <sip:pbx@127.0.0.1;transport=ws>", "User-Agent: <script>window.pwned = 1</script>"),
            *("Content-Type: application/sdp", f"Content-Length: {len(OFFER)}", "", OFFER),
        ]
        await socket.send_str("\r\n".join(lines))

    def close(self) -> None:
        """Leave at once: the server would wait until the telephone does."""
        for transport in self._transports:
            transport.close()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("sip",))
        await socket.prepare(request)
        assert request.transport is not None
        self._transports.append(request.transport)
        async for message in socket:
            head, *rest = message.data.split("\r\n")
            if head.startswith("REGISTER "):
                await socket.send_str(_taken(rest))
                if not self._telephone.done():
                    self._telephone.set_result(socket)
        return socket


def _taken(lines: list[str]) -> str:
    headers = {name.strip().lower(): line for line in lines for name in (line.partition(":")[0],) if line}
    answer = ["SIP/2.0 200 OK", *(headers[name] for name in _COPIED), f"{headers['to']};tag=pbx"]
    return "\r\n".join([*answer, headers["contact"], "Content-Length: 0", "", ""])


@asynccontextmanager
async def sip_peer() -> AsyncIterator[tuple[SipPeer, str]]:
    """A peer, and the address of its WebSocket."""
    peer, app = SipPeer(), web.Application()
    app.router.add_get("/ws", peer.serve)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        [(host, port)] = runner.addresses
        yield peer, f"ws://{host}:{port}/ws"
    finally:
        peer.close()
        await runner.cleanup()
