"""AMI as bytes: messages from chunks, and values that are safe to send. Pure: no I/O, no clock.

What a message means is in `ami_events`. Source: Asterisk 22, "AMI v2 Specification", and what 22.10.1 sent: a
message is header lines, each ended by CRLF, and an empty line; the greeting is one line. Messages and actions
are panoramisk's; its splitting and decoding are replaced, because they lose characters that are split over
two chunks, and an empty header at the end of a message.
"""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from panoramisk.message import Message

from voicegate.domain.errors import PbxProtocolError, UnsafeValue

EOL: Final = "\r\n"
MAX_MESSAGE: Final = 65_536
"""The longest message, in characters; Asterisk's longest have about 4,000."""
_GREETING: Final = "Asterisk Call Manager/"
_FORBIDDEN: Final = frozenset("\r\n\0")

Fields = Mapping[str, str | Sequence[str]]
"""The headers of an action; a sequence repeats its key."""


class Framer:
    """Splits a stream of bytes into messages."""

    def __init__(self) -> None:
        # A caller's name may be in any encoding: a wrong byte spoils its own character only.
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._is_greeted = False

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that `chunk` completes.

        Raises:
            PbxProtocolError: the peer does not speak AMI, or never ends a message.
        """
        self._rest += self._decode(chunk)
        if not self._is_greeted and not self._greet():
            return
        *blocks, self._rest = self._rest.split(EOL + EOL)
        self._check_size()
        # Whole ones are handed on at once: only what does not end can grow.
        for block in blocks:
            yield from parse_block(block)

    def _greet(self) -> bool:
        line, found, rest = self._rest.partition(EOL)
        if not _GREETING.startswith(line[: len(_GREETING)]):
            raise PbxProtocolError("the peer does not greet as Asterisk's manager interface does")
        if not found:
            self._check_size()
            return False
        self._rest, self._is_greeted = rest, True
        return True

    def _check_size(self) -> None:
        if len(self._rest) > MAX_MESSAGE:
            raise PbxProtocolError("the peer does not end its message")


def parse_block(block: str) -> Iterator[Message]:
    """Yield the message in a block of lines; nothing for an empty block.

    Raises:
        PbxProtocolError: it is neither an event nor a response.
    """
    # A header without a value may lack the space that `Message` looks for.
    lines = [f"{line} " if line.endswith(":") else line for line in block.strip(EOL).split(EOL)]
    if not any(lines):
        return
    message = Message.from_line(EOL.join(lines))
    if message is None:
        raise PbxProtocolError("the peer sent something that is neither an event nor a response")
    yield message


def check_fields(fields: Fields) -> None:
    """Refuse values that would start another header or action, or cannot be encoded.

    Raises:
        UnsafeValue: CR, LF, NUL or a lone surrogate in a key or a value.
    """
    for key, value in fields.items():
        for text in (key, value) if isinstance(value, str) else (key, *value):
            if not _FORBIDDEN.isdisjoint(text) or not _is_encodable(text):
                raise UnsafeValue
        if not key or ":" in key:
            raise UnsafeValue("an action's key is empty or has a colon")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
