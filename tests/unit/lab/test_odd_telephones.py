"""Telephones that no exchange would have, asked as a PBX asks them."""

import asyncio

import pytest

from voicegate.lab.odd_telephones import OddTelephones, header_of

PBX = ("127.0.0.1", 5060)


class Wire(asyncio.DatagramTransport):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def sendto(self, data: object, addr: object = None) -> None:
        assert isinstance(data, bytes)
        assert addr == PBX
        self.sent.append(data.decode())


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def telephones(wire: Wire) -> OddTelephones:
    telephones = OddTelephones()
    telephones.connection_made(wire)
    return telephones


def request(method: str, uri: str = "sip:+12025550101@127.0.0.1:9", sequence: int = 1) -> bytes:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK{method}\r\n"
        f"From: <sip:me@127.0.0.1>;tag=a\r\nTo: <{uri}>\r\nCall-ID: call-1\r\n"
        f"CSeq: {sequence} {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def said(wire: Wire) -> list[tuple[str, str]]:
    return [(text.splitlines()[0], header_of(text, "cseq")) for text in wire.sent]


def test_a_cancel_crosses_the_answer(
    telephones: OddTelephones, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("INVITE", "CANCEL", "ACK", "BYE"):
        telephones.datagram_received(request(method), PBX)
    assert said(wire) == [
        ("SIP/2.0 180 Ringing", "1 INVITE"),
        ("SIP/2.0 200 OK", "1 INVITE"),
        ("SIP/2.0 200 OK", "1 CANCEL"),
        ("SIP/2.0 200 OK", "1 BYE"),
    ]
    assert "RTP/AVP 0\r\n" in wire.sent[1]
    assert capsys.readouterr().out.endswith(": INVITE CANCEL ACK BYE\n")


def test_an_answer_along_the_unusable_trunk_names_a_codec_that_nobody_offered(
    telephones: OddTelephones, wire: Wire
) -> None:
    telephones.datagram_received(request("INVITE", "sip:+12025550101@127.0.0.1:9;trunk=unusable"), PBX)
    assert said(wire) == [("SIP/2.0 180 Ringing", "1 INVITE"), ("SIP/2.0 200 OK", "1 INVITE")]
    assert "RTP/AVP 15\r\n" in wire.sent[1]


def test_a_reply_echoes_what_tells_calls_apart(telephones: OddTelephones, wire: Wire) -> None:
    telephones.datagram_received(request("INVITE"), PBX)
    (ringing,) = wire.sent
    assert header_of(ringing, "via").endswith("branch=z9hG4bKINVITE")
    assert header_of(ringing, "call-id") == "call-1"
    assert ";tag=" in header_of(ringing, "to")
    assert ringing.endswith("Content-Length: 0\r\n\r\n")


def test_a_cancel_of_nothing_is_not_answered(telephones: OddTelephones, wire: Wire) -> None:
    telephones.datagram_received(request("CANCEL"), PBX)
    assert wire.sent == []
