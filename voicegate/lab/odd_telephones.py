"""Telephones that behave as no exchange can be made to; a minimal SIP over UDP.

One rings for ever. When it is told to stop, it first answers the call, and then confirms the stop: on the
wire this is a person who picked up a moment before the CANCEL arrived. RFC 3261, sections 9.1 and 15: such a
call is established, and the caller must acknowledge it and hang up. The other one, on the trunk `unusable`,
answers with a codec that nobody offered. What happened to each call is printed.
"""

import asyncio
import sys
from typing import Final, cast

_ECHOED: Final = ("via", "from", "call-id", "cseq")
_TAG: Final = ";tag=odd"
_SDP: Final = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP "
_USABLE: Final = f"{_SDP}0\r\n"
_UNUSABLE: Final = f"{_SDP}15\r\n"
_UNUSABLE_TRUNK: Final = ";trunk=unusable "
Address = tuple[str, int]


class OddTelephones(asyncio.DatagramProtocol):
    """Any number of such telephones at one address."""

    def __init__(self) -> None:
        self._invites: dict[str, str] = {}
        self._seen: dict[str, list[str]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Answer a request."""
        request = data.decode("utf-8", "replace")
        method, call = request.partition(" ")[0], header_of(request, "call-id")
        self._seen.setdefault(call, []).append(method)
        match method:
            case "INVITE":
                self._invites[call] = request
                self._send(reply(request, "180 Ringing"), addr)
                if _UNUSABLE_TRUNK in request.partition("\r\n")[0]:
                    self._send(reply(self._invites.pop(call), "200 OK", _UNUSABLE), addr)
            case "CANCEL" if call in self._invites:
                self._send(reply(self._invites.pop(call), "200 OK", _USABLE), addr)
                self._send(reply(request, "200 OK"), addr)
            case "BYE":
                self._send(reply(request, "200 OK"), addr)
                sys.stdout.write(f"{header_of(request, 'to')}: {' '.join(self._seen.pop(call))}\n")

    def _send(self, text: str, address: Address) -> None:
        self._transport.sendto(text.encode(), address)


def header_of(message: str, name: str) -> str:
    """Return a header's value; empty when there is none."""
    for line in message.splitlines():
        found, _, value = line.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return ""


def reply(request: str, status: str, body: str = "", *, contact: str = "") -> str:
    """Return the response to a request; without a contact, it is the address that was asked for."""
    lines = request.partition("\r\n\r\n")[0].split("\r\n")[1:]
    echoed = [line for line in lines if line.partition(":")[0].strip().lower() in _ECHOED]
    to = header_of(request, "to")
    return "\r\n".join(
        (
            f"SIP/2.0 {status}",
            *echoed,
            f"To: {to}" if ";tag=" in to else f"To: {to}{_TAG}",
            f"Contact: <{contact or request.split()[1]}>",
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
            "",
            body,
        )
    )
