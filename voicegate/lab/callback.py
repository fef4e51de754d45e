"""The service "call me with a code": a tester dials it, hangs up, and is called back by Voicegate.

It is a server for the company's PBX, which passes the call to it (Asterisk 22 by `AGI()` with an agi://
address, FreeSWITCH 1.10 by its application `socket`), and a client of the lab's daemon. It calls back the
tester whose password the PBX has checked, never a caller ID, which anybody can forge. The code is checked
elsewhere: the telephone asks for nothing. Run as `python -m voicegate.lab.callback`.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote

from voicegate.adapters.pbx.freeswitch.esl_wire import Frame, Framer, build_command
from voicegate.client import ApiError, AsyncClient, Unreachable
from voicegate.config import project_folder
from voicegate.lab.deadlines import within
from voicegate.lab.services import CODE
from voicegate.lab.settings import PbxKind
from voicegate.lab.telephones import Line

# A telephone needs a moment to be free again.
_PAUSE_S: Final = 1.0
_DEADLINE_S: Final = 60
_CHUNK_BYTES: Final = 65_536


class IncomingCall(Protocol):
    """The PBX's side of a call to the service."""

    async def caller(self) -> str | None:
        """Return the tester who calls; None: no tester."""

    async def dismiss(self, sound: Path) -> None:
        """Play a sound, named without its suffix, and hang up; earlier if the caller hangs up."""


class AsteriskCall:
    """FastAGI: one line for each command, one line for each reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._line = Line(reader, writer)

    async def caller(self) -> str | None:
        """Return the tester who calls; None: no tester."""
        return (await self._line.read_request()).get("agi_arg_1") or None

    async def dismiss(self, sound: Path) -> None:
        """Play a sound, named without its suffix, and hang up; earlier if the caller hangs up."""
        watching = asyncio.create_task(self._line.watch())
        try:
            await self._line.command(f'STREAM FILE "{sound}" ""')
            await self._line.command("HANGUP")
        finally:
            watching.cancel()


class FreeSwitchCall:
    """Outbound ESL, neither async nor full: the reply to a command comes when it is done."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = Framer()

    async def caller(self) -> str | None:
        """Return the tester who calls; None: no tester."""
        channel = await self._ask("connect")
        return unquote(channel.headers.get("variable_tester", "")) or None if channel else None

    async def dismiss(self, sound: Path) -> None:
        """Play a sound, named without its suffix, and hang up; earlier if the caller hangs up."""
        await self._execute("playback", f"{sound}.wav")
        await self._execute("hangup")

    async def _execute(self, application: str, argument: str = "") -> None:
        order = {"execute-app-name": application, "execute-app-arg": argument}
        await self._ask("sendmsg", {"call-command": "execute", **order})

    async def _ask(self, line: str, headers: Mapping[str, str] | None = None) -> Frame | None:
        """Send a command and return its reply; None: the call has ended."""
        self._writer.write(build_command(line, headers))
        # What FreeSWITCH had not read of us when it closed makes its end a reset.
        with suppress(ConnectionError):
            while chunk := await self._reader.read(_CHUNK_BYTES):
                for frame in self._framer.feed(chunk):
                    return frame
        return None


_CALLS: Final[Mapping[PbxKind, Callable[[asyncio.StreamReader, asyncio.StreamWriter], IncomingCall]]] = {
    PbxKind.ASTERISK: AsteriskCall,
    PbxKind.FREESWITCH: FreeSwitchCall,
}


@dataclass(frozen=True, slots=True)
class CallBack:
    """Calls back the testers who ask for it."""

    kind: PbxKind
    """The kind of the PBX."""
    socket: Path
    """The daemon's socket."""
    sounds: Path
    """The folder of the sounds of service numbers."""

    async def serve(self, port: int) -> None:
        """Serve the PBX on a port of loopback, until cancelled."""
        server = await asyncio.start_server(self._take_call, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _take_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = _CALLS[self.kind](reader, writer)
        try:
            async with within(_DEADLINE_S):
                caller = await call.caller()
                is_promised = caller is not None and await self._promise(call)
        finally:
            # The PBX holds the channel until then.
            writer.close()
        if caller and is_promised:
            await asyncio.sleep(_PAUSE_S)
            await self._call(caller)

    async def _promise(self, call: IncomingCall) -> bool:
        """Tell the caller what will happen, and hang up; return whether they will be called back."""
        is_ready = await self._is_ready()
        await call.dismiss(self.sounds / CODE.name if is_ready else project_folder("sounds") / "en/apology")
        return is_ready

    async def _is_ready(self) -> bool:
        async with AsyncClient(socket=self.socket) as client:
            try:
                await client.ready()
            except (ApiError, Unreachable) as error:
                sys.stderr.write(f"nobody can be called: {error}\n")
                return False
        return True

    async def _call(self, caller: str) -> None:
        async with AsyncClient(socket=self.socket) as client:
            try:
                created = await client.create_verification(caller, reference=f"{caller} asked for it")
            except (ApiError, Unreachable) as error:
                sys.stderr.write(f"{caller} is not called back: {error}\n")
            else:
                sys.stderr.write(f"{caller}: check the code with: voicegate check {created.id}\n")


def main(arguments: Sequence[str]) -> None:
    """Serve until killed: PORT PBX-KIND SOCKET SOUNDS-FOLDER."""
    socket, sounds = map(Path, arguments[2:])
    asyncio.run(CallBack(PbxKind(arguments[1]), socket, sounds).serve(int(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
