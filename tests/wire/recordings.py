"""Recorded ESL sessions of a real FreeSWITCH 1.10.12, read back into the bytes that were on the wire.

Each file names its scenario in its first line. Host names and addresses were replaced by loopback's, so that
every length still holds; nothing else was changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "esl"
NAMES = sorted(file.stem for file in FOLDER.glob("*.txt"))
_BLOCK = re.compile(r"(<<<|>>>) \[\+[\d.]+s\] conn=(\w) (\d+) bytes(.*)")


@dataclass
class Block:
    """One frame of a session."""

    is_ours: bool
    connection: str
    size: int
    kind: str
    lines: list[str] = field(default_factory=list)
    has_end: bool = True

    @property
    def data(self) -> bytes:
        return ("\n".join(self.lines) + ("\n" if self.has_end else "")).encode()

    @property
    def text(self) -> str:
        return self.data.decode()


def read(name: str) -> Sequence[Block]:
    """Return the blocks of a session in their order."""
    blocks: list[Block] = []
    for line in (FOLDER / f"{name}.txt").read_text("utf-8").split("\n"):
        if heading := _BLOCK.fullmatch(line):
            arrow, connection, size, rest = heading.groups()
            kind = re.search(r"content-type=(\S+)", rest)
            blocks.append(Block(arrow == ">>>", connection, int(size), kind[1] if kind else ""))
            blocks[-1].has_end = "(no LF at end)" not in rest
        elif blocks and line[:4] in ("<<< ", ">>> "):
            blocks[-1].lines.append(line[4:])
    return blocks


def received(name: str, connection: str = "A") -> Sequence[Block]:
    """Return what FreeSWITCH sent on one of a session's connections."""
    return [block for block in read(name) if not block.is_ours and block.connection == connection]
