"""Stands between a controller and a PBX's port: keeps what they say to each other, and can cut them off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Relay:
    """One port before another, both on loopback."""

    target: int
    """The PBX's."""
    port: int = 0
    """Ours; 0 until it runs: any free one."""
    is_closed: bool = False
    """Hangs up on whoever comes."""
    traffic: list[bytearray] = field(default_factory=list)
    """What was said so far, one entry a direction of a connection."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Pass on, as long as the context lasts."""
        async with asyncio.TaskGroup() as tasks:

            def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._connect(reader, writer))

            server = await asyncio.start_server(take, "127.0.0.1", self.port)
            self.port = server.sockets[0].getsockname()[1]
            yield self
            server.close()
            self.is_closed = True
            self.cut()

    async def silence(self, seconds: float = 0.2) -> None:
        """Wait until there is no recording of anything for a while: no command waits for its answer."""
        said = -1
        while said != (said := sum(map(len, self.traffic))):
            await asyncio.sleep(seconds)

    def cut(self) -> None:
        """End all connections that there are."""
        for writer in self._open:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.is_closed:
                raise ConnectionError
            from_pbx, to_pbx = await asyncio.open_connection("127.0.0.1", self.target)
        except ConnectionError:
            writer.close()
            return
        said, answered = bytearray(), bytearray()
        self.traffic += [said, answered]
        ends = {writer, to_pbx}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(pump(reader, said, to_pbx))
                ways.create_task(pump(from_pbx, answered, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()


async def pump(
    reader: asyncio.StreamReader, kept: bytearray, writer: asyncio.StreamWriter | None = None
) -> None:
    """Keep what comes, and pass it on."""
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            kept += chunk
            if writer is not None:
                writer.write(chunk)
                await writer.drain()
    if writer is not None:
        writer.close()
