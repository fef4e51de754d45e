"""The service "call me with a code": a tester dials it, hangs up, and is called back by Voicegate.

A FastAGI server for the company's PBX (Asterisk 22's `AGI()` with an agi:// address) and a client of the
lab's daemon. Whom to call is the endpoint that the PBX knows by its password, never a caller ID, which
anybody may invent. The code is checked elsewhere: nothing is asked for on the telephone. Run as
`python -m voicegate.lab.callback`.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegate.client import ApiError, AsyncClient, Unreachable
from voicegate.config import project_folder
from voicegate.lab.services import CODE
from voicegate.lab.telephones import Line

# A telephone needs a moment to be free again.
_PAUSE_S: Final = 1.0
_DEADLINE_S: Final = 60


@dataclass(frozen=True, slots=True)
class CallBack:
    """Everybody who asks to be called."""

    socket: Path
    """The daemon's."""
    sounds: Path
    """What service numbers say."""

    async def serve(self, port: int) -> None:
        """Answer the PBX on a port of loopback, for ever."""
        server = await asyncio.start_server(self._take_call, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _take_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        try:
            caller = (await line.read_request()).get("agi_arg_1")
            is_promised = bool(caller) and await asyncio.wait_for(self._promise(line), _DEADLINE_S)
        finally:
            # Asterisk holds the channel until then.
            writer.close()
        if caller and is_promised:
            await asyncio.sleep(_PAUSE_S)
            await self._call(caller)

    async def _promise(self, line: Line) -> bool:
        """Tell the caller what will happen, and hang up; return whether it will."""
        watching = asyncio.create_task(line.watch())
        is_ready = await self._is_ready()
        sound = self.sounds / CODE.name if is_ready else project_folder("sounds") / "en/apology"
        try:
            await line.command(f'STREAM FILE "{sound}" ""')
            await line.command("HANGUP")
        finally:
            watching.cancel()
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
    """Serve until killed: PORT SOCKET SOUNDS-FOLDER."""
    socket, sounds = map(Path, arguments[1:])
    asyncio.run(CallBack(socket, sounds).serve(int(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
