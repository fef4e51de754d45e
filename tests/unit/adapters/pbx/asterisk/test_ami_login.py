"""How the manager interface is logged in to: by a proof of the secret, and over TLS where that is wanted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.pbx.asterisk.peers import (
    SECRET,
    AmiPeer,
    AsteriskPbx,
    an_order,
    connected,
    settings_for,
    tls_of,
)
from voicegate.bootstrap.asterisk import tls_context
from voicegate.domain.errors import ConfigError, PbxUnavailable
from voicegate.lab.deadlines import within


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with AmiPeer().serving() as peer:
        yield peer


IMPOSTORS = {
    "takes all": {"Login": lambda peer, message: "Response: Success"},
    "knows no challenge": {"Challenge": lambda peer, message: "Response: Error\r\nMessage: Invalid command"},
    "gives none": {"Challenge": lambda peer, message: "Response: Success"},
    "gives an empty one": {"Challenge": lambda peer, message: "Response: Success\r\nChallenge: "},
}


@pytest.mark.parametrize("kind", IMPOSTORS)
async def test_an_impostor_gets_no_secret(peer: AmiPeer, kind: str) -> None:
    peer.answers |= IMPOSTORS[kind]
    async with AsteriskPbx(settings_for(peer)) as pbx:
        await peer.until(lambda: peer.connections == 2 or pbx.is_connected)
    assert b"Challenge" in peer.raw
    assert SECRET.encode() not in peer.raw


async def test_with_tls_an_impostor_gets_no_call(tmp_path: Path) -> None:
    impostor, _ = tls_of(tmp_path / "impostor")
    _, ours = tls_of(tmp_path / "ours")
    for server in (impostor, None):
        async with AmiPeer().serving(server) as peer:
            with capture_logs() as logs:
                async with AsteriskPbx(settings_for(peer, ami_tls=ours)) as pbx:
                    async with within(5):
                        while sum("retry_s" in entry for entry in logs) < 2:
                            await asyncio.sleep(0.01)
                    with pytest.raises(PbxUnavailable):
                        async with pbx.originate(an_order()):
                            pytest.fail("a call was placed")
            assert peer.asked == []


async def test_with_tls_calls_are_placed_where_the_certificate_is_right(tmp_path: Path) -> None:
    server, ours = tls_of(tmp_path)
    async with (
        AmiPeer().serving(server) as peer,
        connected(peer, ami_tls=ours) as pbx,
        pbx.originate(an_order()),
    ):
        assert peer.asked[-1]["Action"] == "Originate"


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name, says in (("empty.pem", "holds no certificate"), ("none.pem", "cannot be read: No such file")):
        with pytest.raises(ConfigError, match=rf"pbx\.x\.ami_tls_ca: .*{name} {says}"):
            tls_context(str(tmp_path / name), "pbx.x.ami_tls_ca")
