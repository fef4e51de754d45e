"""Whatever bytes a PBX sends over either wire: an error of the peer's or none, no hang, nothing left over."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.unit.adapters.pbx.asterisk.peers import (
    READING,
    AgiCaller,
    AmiPeer,
    AsteriskPbx,
    an_order,
    connected,
    hang_up,
)
from tests.unit.fuzz import chunks_of, cut, hostile
from voicegate.adapters.pbx.asterisk.agi_wire import ReplyReader
from voicegate.adapters.pbx.asterisk.ami_events import read_event
from voicegate.adapters.pbx.asterisk.ami_wire import MAX_MESSAGE, Framer
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.errors import LegEnded, PbxProtocolError
from voicegate.lab.deadlines import within

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
AMI_PIECES = st.sampled_from(
    [
        b"Event: Hangup\r\n",
        b"Event: OriginateResponse\r\n",
        b"Event: DialState\r\nDialStatus: RINGING\r\n",
        b"Event: Newstate\r\nChannelState: 6\r\n",
        b"Event: DeviceStateListComplete\r\nEventList: Complete\r\n",
        b"Response: Success\r\n",
        b"Response: Error\r\nMessage: No such channel\r\n",
        b"Response: Follows\r\n",
        b"ActionID: voicegate-1\r\n",
        b"Uniqueid: CALL\r\n",
        b"Uniqueid: call_1\r\nUniqueid: call_2\r\n",
        b"Cause: 99999999999999999999\r\n",
        b"Cause: \xd9\xa1\r\n",
        b"Reason: -1\r\n",
        b"Value:\r\n",
        b": \r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b"--END COMMAND--\r\n\r\n",
        GREETING,
        b"\xff\xfe\x00",
        b"X: " + b"y" * 5000 + b"\r\n",
    ]
)
AGI_PIECES = st.sampled_from(
    [
        b"200 result=0 endpos=4000\n",
        b"200 result=-1 endpos=0\n",
        b"200 result=55\n",
        b"200 result=99999999999999999999\n",
        b"200 result=1 (7|9|0.5|16)\n",
        b"200 result=1 (\n",
        b"200 result=\n",
        b"100 trying\n",
        b"HANGUP\n",
        b"HANGUP",
        b"510 Invalid or unknown command\n",
        b"511 Command Not Permitted on a dead channel\n",
        b"520-Invalid command syntax.\n",
        b"520 End of proper usage.\n",
        b"\n",
        b"\r\n",
        b"\xff\x00\n",
        b"9" * 5000 + b"\n",
    ]
)


@hostile(300)
@given(chunks_of(AMI_PIECES), st.data())
def test_hostile_ami_bytes_are_events_or_a_peers_error(pieces: list[bytes], data: Any) -> None:
    framer = Framer()
    with suppress(PbxProtocolError):
        for chunk in cut(GREETING + b"".join(pieces), data.draw):
            for message in framer.feed(chunk):
                read_event(message)
    assert len(framer._rest) <= MAX_MESSAGE


@hostile(300)
@given(chunks_of(AMI_PIECES), st.data())
def test_hostile_ami_bytes_mean_the_same_however_they_are_cut(pieces: list[bytes], data: Any) -> None:
    def read(chunks: list[bytes]) -> list[object]:
        framer, told = Framer(), list[object]()
        with suppress(PbxProtocolError):
            for message in (message for chunk in chunks for message in framer.feed(chunk)):
                told.append(dict(message))
        return told

    whole = GREETING + b"".join(pieces)
    assert read(cut(whole, data.draw)) == read([whole])


@hostile(300)
@given(chunks_of(AGI_PIECES))
def test_hostile_agi_lines_are_replies_or_a_peers_error(pieces: list[bytes]) -> None:
    reader = ReplyReader()
    with suppress(PbxProtocolError):
        for line in b"".join(pieces).splitlines(keepends=True):
            reader.feed(line)
    assert len(reader._lines) <= 200


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[AmiPeer, AsteriskPbx]]:
    async with AmiPeer(answers={"Hangup": hang_up}).serving() as peer, connected(peer) as pbx, within(20):
        yield peer, pbx


async def live_through_ami(pieces: list[bytes]) -> None:
    async with connection() as (peer, pbx):
        async with pbx.originate(an_order()) as leg:
            call_id = (await peer.until_asked("Originate"))["ChannelId"].encode()
            peer.say(b"".join(pieces).replace(b"CALL", call_id))
        assert [signal async for signal in leg.signals() if isinstance(signal, Hangup)] != []
        while pbx._legs or pbx.driver._calls or not pbx.is_connected:
            await asyncio.sleep(0.005)


async def live_through_agi(pieces: list[bytes]) -> None:
    async with connection() as (peer, pbx):
        async with pbx.originate(an_order()) as leg:
            caller = await AgiCaller.enter(pbx, await peer.until_asked("Originate"))
            caller.send(b"".join(pieces))
            # It may find the leg not yet there, or gone.
            with suppress(LegEnded, TimeoutError):
                await asyncio.wait_for(leg.play(READING), 0.2)
            caller.hang_up()
        assert pbx.is_connected
        assert not pbx.driver.agi._admissions


@hostile(6)
@given(chunks_of(AMI_PIECES, most=20))
def test_a_hostile_manager_interface_ends_no_adapter_and_every_call_ends(pieces: list[bytes]) -> None:
    with capture_logs():
        asyncio.run(live_through_ami(pieces))


@hostile(15)
@given(chunks_of(AGI_PIECES, most=20))
def test_a_hostile_fastagi_peer_ends_its_own_call_at_most(pieces: list[bytes]) -> None:
    with capture_logs():
        asyncio.run(live_through_agi(pieces))


def test_a_hostile_stream_leaves_nothing_behind() -> None:
    framer = Framer()
    list(framer.feed(GREETING))
    block = b"Event: Hangup\r\nUniqueid: call_1\r\n\r\n" * 50
    tracemalloc.start()
    try:
        for _ in range(50):
            list(framer.feed(block))
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(200):
            list(framer.feed(block))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
