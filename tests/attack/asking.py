"""HTTP over connections that are kept, as cheap as can be: who asks shares the cores with who is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer(NamedTuple):
    """An answer."""

    status: int
    head: bytes
    body: bytes


class Asking:
    """Asks, over a connection that is free or a new one."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._free: list[Streams] = []

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: tuple[str, ...] = (),
        body: bytes = b"",
        media_type: str = "",
    ) -> Answer:
        """Return the answer.

        Raises:
            OSError: the connection was not made, or reset.
            EOFError: it was closed without an answer.
        """
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
        if body:
            lines += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
        reader, writer = self._free.pop() if self._free else await self._connect()
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            told = await reader.readexactly(int(header(head, b"content-length") or 0))
        except BaseException:
            writer.transport.abort()
            raise
        if header(head, b"connection") == b"close":
            writer.close()
        else:
            self._free.append((reader, writer))
        return Answer(int(head.split(b" ", 2)[1]), head, told)

    def close(self) -> None:
        """Close the connections that are free."""
        for _, writer in self._free:
            writer.transport.abort()


def header(head: bytes, name: bytes) -> bytes | None:
    """Return a header of an answer's head, in small letters; None: it is not there."""
    _, found, rest = head.lower().partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else None
