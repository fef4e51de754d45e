"""Stands between a controller and a PBX's or a server's port: keeps what they say to each other, and can cut
them off, aloud or without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Relay:
    """One port before another, both on loopback."""

    target: int | Path
    """The PBX's; or a server's Unix socket."""
    port: int = 0
    """Ours; 0 until it runs: any free one."""
    host: str = "127.0.0.1"
    """Where ours is."""
    is_closed: bool = False
    """Hangs up on whoever comes."""
    traffic: list[bytearray] = field(default_factory=list)
    """What was said so far, one entry a direction of a connection."""
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Pass on, as long as the context lasts."""
        self._flows.set()
        async with asyncio.TaskGroup() as tasks:

            def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._connect(reader, writer))

            server = await asyncio.start_server(take, self.host, self.port)
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                server.close()
                self.is_closed = True
                self.thaw()
                self.cut()

    def freeze(self) -> None:
        """Pass nothing on, and close nothing: as where a network swallows all there is."""
        self._flows.clear()

    def thaw(self) -> None:
        """Pass on again, what waits first."""
        self._flows.set()

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
            await self._flows.wait()
            from_pbx, to_pbx = await self._reach()
        except OSError:
            writer.close()
            return
        said, answered = bytearray(), bytearray()
        self.traffic += [said, answered]
        ends = {writer, to_pbx}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(pump(reader, said, to_pbx, self._flows))
                ways.create_task(pump(from_pbx, answered, writer, self._flows))
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection("127.0.0.1", self.target)


async def pump(
    reader: asyncio.StreamReader,
    kept: bytearray,
    writer: asyncio.StreamWriter | None = None,
    flows: asyncio.Event | None = None,
) -> None:
    """Keep what comes, and pass it on while it may flow."""
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            kept += chunk
            if flows is not None:
                await flows.wait()
            if writer is not None:
                writer.write(chunk)
                await writer.drain()
    if writer is not None:
        writer.close()
