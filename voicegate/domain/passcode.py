"""The one-time code: its shape, how it is derived from a key and a challenge, and how it is compared.

A code is derived (HMAC-SHA-256, RFC 2104) and never stored: the same key and challenge give the same code, so
that another call can repeat it. Keys are given as bytes; files and encryption belong to an adapter.
"""

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from voicegate.domain.errors import InvalidPasscode
from voicegate.domain.writing import fold

MIN_LENGTH = 4
MAX_LENGTH = 10
DEFAULT_LENGTH = 6

_SHAPE = re.compile(rf"[0-9]{{{MIN_LENGTH},{MAX_LENGTH}}}", re.ASCII)
_WRITTEN = re.compile(rf"[0-9](?:[\s.-]{{0,3}}[0-9]){{{MIN_LENGTH - 1},{MAX_LENGTH - 1}}}", re.ASCII)
_BETWEEN = re.compile(r"[\s.-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Passcode:
    """A code of 4 to 10 decimal digits that hides itself from `repr` and `str`.

    Raises:
        InvalidPasscode: it has another shape.
    """

    digits: str = field(repr=False)
    """The digits in the order they are spoken."""

    def __post_init__(self) -> None:
        if not _SHAPE.fullmatch(self.digits):
            raise InvalidPasscode

    @classmethod
    def parse(cls, written: str) -> "Passcode":
        """Return a code as a person types it or a program sends it.

        Blanks around and between digits and hyphens between them are removed; digits of any script are
        accepted.

        Raises:
            InvalidPasscode: it is no code.
        """
        text = fold(written).strip()
        if not _WRITTEN.fullmatch(text):
            raise InvalidPasscode
        return cls(_BETWEEN.sub("", text))

    def __str__(self) -> str:
        return "Passcode(redacted)"


def derive(key: bytes, challenge_id: str, length: int) -> Passcode:
    """Return the code of `challenge_id`: `length` unbiased digits that only the holder of the key can
    compute."""
    digits = _digit_stream(key, challenge_id)
    return Passcode("".join(next(digits) for _ in range(length)))


def digest(key: bytes, challenge_id: str, passcode: Passcode) -> bytes:
    """Return the 32 bytes to compare guesses with; without the key they do not help to find the code."""
    return _mac(key, "digest", challenge_id, passcode.digits)


def matches(key: bytes, challenge_id: str, expected: bytes, *, guess: Passcode) -> bool:
    """Return whether `guess` is the code whose digest is `expected`, in constant time."""
    return hmac.compare_digest(digest(key, challenge_id, guess), expected)


def _digit_stream(key: bytes, challenge_id: str) -> Iterator[str]:
    # 256 is no multiple of 10: bytes from 250 up are dropped, or the digits 0-5 would be likelier.
    block = 0
    while True:
        for byte in _mac(key, "passcode", challenge_id, str(block)):
            if byte < 250:
                yield str(byte % 10)
        block += 1


def _mac(key: bytes, *parts: str) -> bytes:
    encoded = [part.encode() for part in parts]
    # Each part's length goes before it, so that no two lists of parts make the same message.
    message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return hmac.new(key, message, sha256).digest()
