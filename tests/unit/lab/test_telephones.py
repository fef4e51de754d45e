"""People at telephones: what they hear, what they press, when they hang up, what is kept."""

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from voicegate.domain.announcement import PromptName
from voicegate.lab.deadlines import within
from voicegate.lab.ports import Ports, free_port_base
from voicegate.lab.telephones import Samples, Telephones, thin_out

RAW = "+12025550101-carrier-1.2.sln48"
SECOND = 48000


class Script:
    """A listener that understands by counting: a key after a second, a digit each second after."""

    heard: int

    def __init__(self) -> None:
        self.heard = 0

    def feed(self, samples: Samples) -> None:
        self.heard += len(samples)

    def asked_key(self) -> str | None:
        return "7" if self.heard >= 8000 else None

    def digits_heard_since_key(self) -> int:
        return max(0, self.heard // 8000 - 1)

    def has_heard(self, phrase: PromptName) -> bool:
        """The offers come after three seconds and four."""
        return self.heard >= {PromptName.NO_MORE_CALLS: 24000, PromptName.CONFIRM_NO_MORE: 32000}[phrase]


class Carrier:
    """The carrier's side of FastAGI."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def command(self) -> str:
        """Return the next command; empty when the call was let go."""
        return (await self.reader.readline()).decode().strip()

    def say(self, line: str) -> None:
        self.writer.write(f"{line}\n".encode())


class Place:
    """A carrier with people at its telephones."""

    def __init__(self, folder: Path, port: int) -> None:
        self.raw = folder / "raw"
        self.recordings = folder / "recordings"
        self.port = port
        self.listening = asyncio.Event()
        for each in (self.raw, self.recordings):
            each.mkdir()

    def new_listener(self) -> Script:
        self.listening.set()
        return Script()

    def record(self, seconds: float) -> None:
        with (self.raw / RAW).open("ab") as recording:
            recording.write(bytes(2 * int(seconds * SECOND)))

    @contextlib.asynccontextmanager
    async def call(self, script: str, name: str = RAW) -> AsyncIterator[Carrier]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        carrier = Carrier(reader, writer)
        carrier.say(f"agi_network: yes\nagi_network_script: {script}\nagi_arg_1: {name}\n")
        try:
            async with within(10):
                if script != "keep":
                    await self.listening.wait()
                yield carrier
        finally:
            writer.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path, Ports(free_port_base()).telephones)
    people = Telephones(place.raw, place.recordings, place.new_listener)
    server = asyncio.create_task(people.serve(place.port))
    while not server.done():
        with contextlib.suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.close()
            break
        await asyncio.sleep(0)
    yield place
    server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


async def test_the_asked_key_is_pressed_once_it_was_heard(place: Place) -> None:
    async with place.call("press") as carrier:
        place.record(1.2)
        assert await carrier.command() == "GOSUB pressed s 1 7"
        carrier.say("200 result=0")
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_who_did_not_ask_presses_nine_and_zero_at_each_offer(place: Place) -> None:
    async with place.call("report") as carrier:
        for seconds, key in ((1.2, "9"), (2, "0"), (1, "0")):
            place.record(seconds)
            assert await carrier.command() == f"GOSUB pressed s 1 {key}"
            carrier.say("200 result=0")
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_what_was_recorded_before_the_person_came_is_not_heard(place: Place) -> None:
    place.record(5)
    async with place.call("press") as carrier:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(carrier.command(), 0.5)
        place.record(1)
        assert await carrier.command() == "GOSUB pressed s 1 7"


async def test_a_person_who_only_listens_presses_nothing(place: Place) -> None:
    async with place.call("listen") as carrier:
        place.record(3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(carrier.command(), 0.5)
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_a_person_may_hang_up_in_the_middle_of_the_code(place: Place) -> None:
    async with place.call("hang-up") as carrier:
        place.record(1)
        assert await carrier.command() == "GOSUB pressed s 1 7"
        carrier.say("200 result=0")
        place.record(3)
        assert await carrier.command() == "HANGUP"
        carrier.say("200 result=1")
        assert await carrier.command() == ""


async def test_a_person_may_hang_up_at_the_last_digit_of_the_first_reading(place: Place) -> None:
    async with place.call("hang-up-at-end") as carrier:
        place.record(1)
        assert await carrier.command() == "GOSUB pressed s 1 7"
        carrier.say("200 result=0")
        place.record(5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(carrier.command(), 0.5)
        place.record(1)
        assert await carrier.command() == "HANGUP"


async def test_a_person_may_press_the_key_beside_the_asked_one_first(place: Place) -> None:
    async with place.call("press-wrong-first") as carrier:
        place.record(1)
        for key in "87":
            assert await carrier.command() == f"GOSUB pressed s 1 {key}"
            carrier.say("200 result=0")
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_a_person_may_ask_for_a_repeat_in_the_second_reading(place: Place) -> None:
    async with place.call("repeat") as carrier:
        place.record(1)
        assert await carrier.command() == "GOSUB pressed s 1 7"
        carrier.say("200 result=0")
        place.record(8)
        assert await carrier.command() == "GOSUB pressed s 1 *"
        carrier.say("200 result=0")
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_a_person_may_put_the_caller_on_hold_in_the_middle_of_the_code(place: Place) -> None:
    async with place.call("hold") as carrier:
        place.record(1)
        assert await carrier.command() == "GOSUB pressed s 1 7"
        carrier.say("200 result=0")
        place.record(3)
        assert await carrier.command() == "EXEC BridgeWait hold,participant,e(h)S(4)"
        carrier.say("200 result=0")
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_a_caller_who_hangs_up_first_is_let_go(place: Place) -> None:
    async with place.call("press") as carrier:
        carrier.say("HANGUP")
        assert await carrier.command() == ""


async def test_a_finished_recording_is_kept_as_a_wav(place: Place) -> None:
    place.record(2)
    async with place.call("keep") as carrier:
        assert await carrier.command() == ""
    kept = place.recordings / "+12025550101-carrier-1.2.wav"
    with wave.open(str(kept)) as recording:
        assert (recording.getframerate(), recording.getnframes()) == (8000, 16000)
    assert list(place.raw.iterdir()) == []


async def test_a_call_nobody_spoke_on_leaves_no_recording(place: Place) -> None:
    async with place.call("keep") as carrier:
        assert await carrier.command() == ""
    assert list(place.recordings.iterdir()) == []


async def test_a_path_does_not_lead_out_of_the_folder(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret.sln48"
    secret.write_bytes(bytes(96))
    async with place.call("keep", "../secret.sln48") as carrier:
        assert await carrier.command() == ""
    assert secret.exists()


def test_a_telephones_sound_survives_thinning_out() -> None:
    tone = (8000 * np.sin(np.arange(SECOND) * 2 * np.pi * 440 / SECOND)).astype("<i2")
    thin = thin_out(tone.tobytes())
    assert len(thin) == 8000
    assert np.argmax(np.abs(np.fft.rfft(thin))) == 440
