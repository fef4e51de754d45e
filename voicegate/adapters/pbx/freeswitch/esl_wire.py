"""ESL as bytes: frames from chunks, events from frames, and commands that are safe to send. Pure.

What an event means is in `esl_events`. Source: mod_event_socket of FreeSWITCH 1.10.12. A frame is header
lines, an empty line, and as many bytes of body as its Content-Length says. The body of an event in `plain`
form is again header lines with percent-encoded values, an empty line, and its own body. A value is decoded
only after it was cut out: a caller's name may have a line end in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from voicegate.domain.errors import PbxProtocolError, UnsafeValue

MAX_HEAD: Final = 65_536
"""The longest head of a frame, in bytes; FreeSWITCH's longest, the reply to `connect`, has about 8,000."""
MAX_BODY: Final = 16_777_216
"""The longest body, in bytes."""
_FORBIDDEN: Final = frozenset("\r\n\0")


@dataclass(frozen=True, slots=True)
class Frame:
    """One ESL message."""

    headers: Mapping[str, str]
    """The headers of the frame itself, as they were sent."""
    body: str = ""
    """The body."""

    @property
    def kind(self) -> str:
        """Its Content-Type; empty: it has none."""
        return self.headers.get("Content-Type", "")


@dataclass(frozen=True, slots=True)
class Event:
    """The content of a text/event-plain frame."""

    headers: Mapping[str, str]
    """The headers as they were sent, percent-encoded; of a repeated one, the first."""
    body: str
    """The event's own body, such as the result of a background job."""

    def text(self, key: str) -> str:
        """Return a header's decoded value; empty: it is missing."""
        # Decoded only here: a line end in a caller's name was no line end on the wire.
        return unquote(self.headers.get(key, ""))

    def number(self, key: str) -> int | None:
        """Return a header's number; None: it is missing or not a number."""
        text = self.text(key)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


class Framer:
    """Splits a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._headers: Mapping[str, str] | None = None

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames that `chunk` completes.

        Raises:
            PbxProtocolError: the peer does not speak ESL, or a frame is too large.
        """
        self._rest += chunk
        while (frame := self._cut()) is not None:
            yield frame

    def _cut(self) -> Frame | None:
        if self._headers is None:
            # A head has no length of its own: it ends with an empty line.
            head, found, rest = self._rest.partition(b"\n\n")
            if len(head) > MAX_HEAD:
                raise PbxProtocolError("the peer does not end its message's head")
            if not found:
                return None
            self._headers, self._rest = _read_lines(head.decode("utf-8", "replace")), rest
        length = _length_of(self._headers)
        if len(self._rest) < length:
            return None
        body = self._rest[:length].decode("utf-8", "replace")
        del self._rest[:length]
        frame, self._headers = Frame(self._headers, body), None
        return frame


def parse_event(text: str) -> Event:
    """Return the event in the body of an event frame, or in the answer to `uuid_dump`.

    Raises:
        PbxProtocolError: a line is not a header.
    """
    head, _, body = text.partition("\n\n")
    return Event(_read_lines(head), body)


def build_command(line: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a command with its header lines.

    Raises:
        UnsafeValue: CR, LF or NUL, which would start another command, or a lone surrogate, which cannot be
            encoded.
    """
    lines = [line, *(f"{key}: {value}" for key, value in (headers or {}).items())]
    if not all(_FORBIDDEN.isdisjoint(text) for text in lines) or not line.strip():
        raise UnsafeValue
    try:
        return ("\n".join(lines) + "\n\n").encode()
    except UnicodeEncodeError:
        raise UnsafeValue from None


def _read_lines(head: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.split("\n"):
        key, found, value = line.partition(":")
        if found and key:
            # Of a repeated one the first: what FreeSWITCH writes itself stands before all variables.
            headers.setdefault(key, value.strip())
        elif line:
            raise PbxProtocolError("the peer sent something that is not an ESL header")
    return headers


def _length_of(headers: Mapping[str, str]) -> int:
    # Checked to the digit: int() takes signs, blanks and underscores too.
    text = headers.get("Content-Length", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= MAX_BODY):
        raise PbxProtocolError("the peer names a length that no message has")
    return int(text)
