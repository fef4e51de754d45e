"""FastAGI as text: headers, commands that are safe to send, replies from lines. Pure: no I/O.

What is said is up to `agi_session` and `call`. Source: Asterisk 22, "Asterisk Gateway Interface",
`res_agi.c`, and what 22.10.1 sent.
"""

import re
from dataclasses import dataclass
from typing import Final

from voicegate.domain.errors import PbxProtocolError, UnsafeValue

MAX_LINE: Final = 4096
"""The longest line, in bytes; Asterisk's own limit for a command is 2,048."""
MAX_HEAD: Final = 16384
"""The longest head of a request, in bytes; Asterisk 22's has about a thousand."""
MAX_HEADER_LINES: Final = 80
"""The most lines in the head of a request; Asterisk 22 sends 24, and one for each argument."""
_MAX_REPLY_LINES: Final = 200
_MAX_COMMAND: Final = 2000

_STATUS: Final = re.compile(r"(\d{3})([ -])?(.*)", re.DOTALL)
_RESULT: Final = re.compile(r"result=(-?\d+)?")
_ENDPOS: Final = re.compile(r"endpos=(\d{1,12})$")
_VALUE: Final = re.compile(r"result=1 \((.*)\)", re.DOTALL)
_OPEN_VALUE: Final = re.compile(r"200 result=1 \((?!.*\)\Z)", re.DOTALL)

OK: Final = 200
DEAD: Final = 511
"""The reply code for a command that needs a live channel, when the channel has ended."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a command."""

    code: int
    """200, 510 unknown command, 511 dead channel, 520 wrong usage."""
    result: int | None = None
    """The number after `result=`; None: it is not a number."""
    endpos: int | None = None
    """Samples played; None: the reply has none."""
    value: str | None = None
    """A variable's value; None: it is not set, or the reply has none."""


class HangupNotice:
    """The line HANGUP, which belongs to no command and can come at any time."""


class LineReader:
    """Turns what arrives into lines."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the lines that it completes, without their ends.

        Raises:
            PbxProtocolError: a line is longer than `MAX_LINE`.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise PbxProtocolError("a FastAGI line without an end")
        return lines


class ReplyReader:
    """Turns lines into replies."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def feed(self, line: bytes) -> Reply | HangupNotice | None:
        """Take the next line; return what it completes.

        Raises:
            PbxProtocolError: it is not a reply.
        """
        text = line.decode("utf-8", "replace")
        if not self._lines:
            if text == "HANGUP":
                return HangupNotice()
            # Provisional: the final reply follows.
            if text.startswith("100"):
                return None
        self._lines.append(text)
        if len(self._lines) > _MAX_REPLY_LINES:
            raise PbxProtocolError("a FastAGI reply that does not end")
        whole = "\n".join(self._lines)
        if self._is_open(whole, text):
            return None
        self._lines.clear()
        return _parse(whole)

    def _is_open(self, whole: str, last: str) -> bool:
        if self._lines[0].startswith("520-"):
            return not last.startswith("520 ")
        # Nothing but a variable's value can hold a line end, and it is in parentheses.
        return _OPEN_VALUE.match(whole) is not None


def _parse(text: str) -> Reply:
    status = _STATUS.fullmatch(text)
    if status is None:
        raise PbxProtocolError("a FastAGI reply without a status")
    code, rest = int(status[1]), status[3]
    if code != OK:
        return Reply(code)
    result = _RESULT.match(rest)
    if result is None:
        raise PbxProtocolError("a FastAGI reply without a result")
    # By our own reading: panoramisk loses the endpos of a result of -1, and takes a value "hangup" for one.
    value, endpos = _VALUE.fullmatch(rest), _ENDPOS.search(rest)
    return Reply(
        code=code,
        result=int(result[1]) if result[1] else None,
        endpos=int(endpos[1]) if endpos and not value else None,
        value=value[1] if value else None,
    )


def build_command(verb: str, *values: str) -> bytes:
    """Return the line of a command; each value is quoted.

    Raises:
        UnsafeValue: a value has a line end, NUL, quote or backslash, or the line is too long.
    """
    for value in values:
        # Refused rather than escaped: no value of ours needs one, and an escape that is misread is a
        # command.
        if not frozenset('\r\n\0"\\').isdisjoint(value):
            raise UnsafeValue("a FastAGI value has a line end, NUL, quote or backslash: nothing was sent")
    line = " ".join((verb, *(f'"{value}"' for value in values))).encode() + b"\n"
    if len(line) > _MAX_COMMAND:
        raise UnsafeValue("a FastAGI command is longer than Asterisk reads: nothing was sent")
    return line


def parse_header(line: bytes) -> tuple[str, str] | None:
    """Return the name and value of a line of the head; None: it has none."""
    name, found, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
    return (name, value.removeprefix(" ")) if found else None
