"""The people at the carrier's telephones: they hear what is said on a call and press what is requested.

A FastAGI server for the carrier's channels (Asterisk 22's `AGI()` with an agi:// address): the dialplan
records what a telephone hears into a growing file, and asks here what its person does. Speech is recognised
in `listener`; which number has which person is in `numbers`. Run as `python -m voicegate.lab.telephones`.
"""

import asyncio
import contextlib
import sys
import wave
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import soxr

from voicegate.domain.announcement import OPT_OUT_KEY, REPORT_KEY, PromptName
from voicegate.lab.behaviour import Action
from voicegate.lab.deadlines import within
from voicegate.lab.listener import KeyListener
from voicegate.lab.odd_telephones import OddTelephones

RATE: Final = 8000
_RAW_RATE: Final = 48000
_SAMPLE_BYTES: Final = 2
# Asterisk writes in blocks of a third of a second: looking more often than this shows nothing new.
_LOOK_S: Final = 0.15
REACTION_S: Final = 0.8
"""From hearing the requested key to pressing it, in seconds."""
AGAIN_S: Final = 3.0
"""From that to pressing it again, in seconds: Asterisk 22's AGI loses a key between two commands."""
# These telephones press again only where the first press did not help.
_HELPS_WITHIN_S: Final = 7
_DIGITS_HEARD: Final = 3
# Of the code's length as our example of the settings has it.
_READING_HEARD: Final = 6
_REPEAT_HEARD: Final = 8
# The beginning of an eight may be taken for a three.
_DIGIT_ENDS_WITHIN_S: Final = 0.3
_HOLD_S: Final = 4
_DEADLINE_S: Final = 300
_KEEP: Final = "keep"
Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


class Listener(Protocol):
    """How a person hears; `KeyListener` is one."""

    def feed(self, samples: Samples) -> None:
        """Take the next samples, 8 kHz."""

    def asked_key(self) -> str | None:
        """Return the requested key; None: none was requested yet."""

    def digits_heard_since_key(self) -> int:
        """Return how many digits were heard since then."""

    def has_heard(self, phrase: PromptName) -> bool:
        """Return whether a phrase was heard since then."""


class Line:
    """The carrier's side of one call: commands go out, replies come back, until it ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._replies: asyncio.Queue[str] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def read_request(self) -> dict[str, str]:
        """Return the variables that Asterisk sends first, up to an empty line."""
        request: dict[str, str] = {}
        while line := (await self._reader.readline()).decode("utf-8", "replace").strip():
            name, _, value = line.partition(":")
            request[name] = value.strip()
        return request

    async def watch(self) -> None:
        """Read replies until the call ends."""
        while line := (await self._reader.readline()).decode("utf-8", "replace").strip():
            # Comes at any moment, also between a command and its reply.
            if line == "HANGUP":
                break
            self._replies.put_nowait(line)
        self.ended.set()
        # For a command that waits for its reply.
        self._replies.put_nowait("")

    async def command(self, text: str) -> None:
        """Send Asterisk a command; return when it is done or the call has ended."""
        if self.ended.is_set():
            return
        self._writer.write(f"{text}\n".encode())
        await self._replies.get()

    async def wait(self, seconds: float) -> None:
        """Return when the call ends, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)


class Ear:
    """Hears a recording while it grows: raw samples at 48 kHz, for its listener."""

    def __init__(self, file: Path, listener: Listener) -> None:
        self.file = file
        self.listener = listener
        self._position = 0

    def skip(self) -> None:
        """Ignore what was recorded so far: the person was not there yet."""
        self._position = _size(self.file)

    def listen(self) -> None:
        """Hear what is new; blocks while it is recognised."""
        fresh = _size(self.file) - self._position
        whole = fresh - fresh % (_SAMPLE_BYTES * _RAW_RATE // RATE)
        if whole > 0:
            with self.file.open("rb") as recording:
                recording.seek(self._position)
                heard = recording.read(whole)
            self._position += len(heard)
            self.listener.feed(thin_out(heard))


def thin_out(raw: bytes) -> Samples:
    """Return a 48 kHz recording of a telephone at 8 kHz, for listening while it grows.

    Every sixth sample is enough: a wideband telephone has little above 4 kHz that would be mirrored below.
    """
    return np.frombuffer(raw[: len(raw) // 2 * 2], np.dtype("<i2"))[:: _RAW_RATE // RATE].astype(np.int16)


Actions = Mapping[Action, Callable[[Line, Ear], Awaitable[None]]]


async def press(line: Line, ear: Ear) -> None:
    """Listen for the requested key, press it until that helps, and stay until the call ends."""
    key = await _hear_key(line, ear)
    while key is not None and not line.ended.is_set():
        await _press(line, key)
        await line.wait(_HELPS_WITHIN_S)
        await asyncio.to_thread(ear.listen)
        # Asked again, one hears the key, and "press", which is much like a six.
        if ear.listener.digits_heard_since_key() > 2:
            break
    await line.ended.wait()


async def press_wrong_first(line: Line, ear: Ear) -> None:
    """Press the key next to the requested one, then the requested one, and stay until the call ends."""
    if (key := await _hear_key(line, ear)) is not None:
        # Neither 9 nor 0, which say something of their own.
        await _press(line, str(int(key) % 8 + 1))
        await _press(line, key)
    await line.ended.wait()


async def repeat(line: Line, ear: Ear) -> None:
    """Press the key, and `*` in the middle of the second reading; stay until the call ends."""
    await _press_key(line, ear)
    if await _hear_digits(line, ear, _REPEAT_HEARD):
        await _press(line, "*")
    await line.ended.wait()


async def hold(line: Line, ear: Ear) -> None:
    """Press the key, put the caller on hold for a while during the code, and stay until the call ends."""
    await _press_key(line, ear)
    if await _hear_digits(line, ear, _DIGITS_HEARD):
        # A bridge in which nobody hears another, and whose entertainment is to be on hold.
        await line.command(f"EXEC BridgeWait hold,participant,e(h)S({_HOLD_S})")
    await line.ended.wait()


async def hang_up_midway(line: Line, ear: Ear) -> None:
    """Press the key, and hang up when some digits of the code were heard."""
    await _press_key(line, ear)
    await _hear_digits(line, ear, _DIGITS_HEARD)
    await line.command("HANGUP")


async def hang_up_at_end(line: Line, ear: Ear) -> None:
    """Press the key, and hang up as soon as the first reading's last digit was heard."""
    await _press_key(line, ear)
    await _hear_digits(line, ear, _READING_HEARD)
    await line.wait(_DIGIT_ENDS_WITHIN_S)
    await line.command("HANGUP")


async def report(line: Line, ear: Ear) -> None:
    """Press 9 instead of the requested key, and 0 at each offer to stop further calls; stay until the call
    ends."""
    if await _hear_key(line, ear) is not None:
        await _press(line, REPORT_KEY)
        for offer in (PromptName.NO_MORE_CALLS, PromptName.CONFIRM_NO_MORE):
            if await _hear_until(line, ear, partial(ear.listener.has_heard, offer)):
                await _press(line, OPT_OUT_KEY)
    await line.ended.wait()


async def listen(line: Line, _ear: Ear) -> None:
    """Do nothing; what is heard is still recorded."""
    await line.ended.wait()


ACTIONS: Final[Actions] = {
    Action.PRESS: press,
    Action.PRESS_WRONG_FIRST: press_wrong_first,
    Action.REPEAT: repeat,
    Action.HOLD: hold,
    Action.HANG_UP: hang_up_midway,
    Action.HANG_UP_AT_END: hang_up_at_end,
    Action.REPORT: report,
    Action.LISTEN: listen,
}
"""What each kind of person does; the dialplan names it in the path of its agi:// address."""


@dataclass(frozen=True, slots=True)
class Telephones:
    """All people at the carrier's telephones."""

    raw: Path
    """The folder in which the carrier records."""
    recordings: Path
    """The folder of finished recordings."""
    new_listener: Callable[[], Listener]
    """Creates the hearing of a person."""

    async def serve(self, port: int) -> None:
        """Serve the carrier on a port of loopback, until cancelled."""
        server = await asyncio.start_server(self._take_call, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _take_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        try:
            await self._attend(line, await line.read_request())
        finally:
            # Asterisk holds the channel until then.
            writer.close()

    async def _attend(self, line: Line, request: Mapping[str, str]) -> None:
        # Only a name of ours: no path may lead out of the folder.
        raw = self.raw / Path(request.get("agi_arg_1", "")).name
        script = request.get("agi_network_script")
        if script == _KEEP:
            await asyncio.to_thread(save_recording, raw, self.recordings)
        elif script:
            ear = Ear(raw, self.new_listener())
            ear.skip()
            await self._live(line, ear, Action(script))

    async def _live(self, line: Line, ear: Ear, action: Action) -> None:
        watching = asyncio.create_task(line.watch())
        try:
            async with within(_DEADLINE_S):
                await ACTIONS[action](line, ear)
        except TimeoutError:
            sys.stderr.write(f"{ear.file.name}: nobody hung up\n")
        finally:
            watching.cancel()


def save_recording(raw: Path, folder: Path) -> None:
    """Turn a raw recording into a WAV of the same name in `folder`, and remove it; blocks."""
    unfinished = raw.with_name(f"{raw.name}.wav")
    copy_recording(raw, unfinished)
    unfinished.rename(folder / f"{raw.name.removesuffix('.sln48')}.wav")
    raw.unlink()


def copy_recording(raw: Path, file: Path) -> None:
    """Write the present content of a raw recording as the WAV `file`; blocks."""
    sound = raw.read_bytes()
    samples = np.frombuffer(sound[: len(sound) // _SAMPLE_BYTES * _SAMPLE_BYTES], np.dtype("<i2"))
    with wave.open(str(file), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(_SAMPLE_BYTES)
        recording.setframerate(RATE)
        recording.writeframes(soxr.resample(samples, _RAW_RATE, RATE).astype("<i2").tobytes())


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


async def _press_key(line: Line, ear: Ear) -> None:
    if (key := await _hear_key(line, ear)) is not None:
        await _press(line, key)


async def _hear_key(line: Line, ear: Ear) -> str | None:
    await _hear_until(line, ear, lambda: ear.listener.asked_key() is not None)
    return ear.listener.asked_key()


async def _press(line: Line, key: str) -> None:
    await line.wait(REACTION_S)
    await line.command(f"GOSUB pressed s 1 {key}")


async def _hear_digits(line: Line, ear: Ear, count: int) -> bool:
    return await _hear_until(line, ear, lambda: ear.listener.digits_heard_since_key() >= count)


async def _hear_until(line: Line, ear: Ear, is_heard: Callable[[], bool]) -> bool:
    while not line.ended.is_set():
        await asyncio.to_thread(ear.listen)
        if is_heard():
            return True
        await line.wait(_LOOK_S)
    return False


def main(arguments: Sequence[str]) -> None:
    """Serve until killed: PORT ODD-PORT RAW-FOLDER RECORDINGS-FOLDER SOUNDS-FOLDER."""
    (port, odd), (raw, recordings, sounds) = map(int, arguments[:2]), map(Path, arguments[2:])
    people = Telephones(raw, recordings, lambda: KeyListener(sounds))
    asyncio.run(_serve(people, port, odd=odd))


async def _serve(people: Telephones, port: int, *, odd: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(OddTelephones, ("127.0.0.1", odd))
    await people.serve(port)


if __name__ == "__main__":
    main(sys.argv[1:])
