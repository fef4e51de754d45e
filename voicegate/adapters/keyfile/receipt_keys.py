"""The keys of receipts, in a file beside the key file and with its rules: mode 0600, changed whole or not.

One line each: the chain's id, the key of number digests, then the signing keys (Ed25519), the oldest first. A
signing key that was dropped leaves its public half, by which older receipts are still proven. A rotation
carries chain and number key over: the same number has the same digest in all receipts.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voicegate.adapters.keyfile.file import MAX_KEYS, draft, locked, read_private
from voicegate.domain.errors import KeyFileError
from voicegate.domain.receipt import Sealed

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_LINE: Final = re.compile(
    r"voicegate-receipts-1 (?:chain (?P<chain>[0-9a-f]{16})|number (?P<number>[0-9a-f]{64})"
    r"|(?P<kind>sign|public) (?P<made>[0-9TZ:-]{20}) (?P<key>[0-9a-f]{64}))"
)
_LONGEST: Final = 120
LOST: Final = (
    "restore it from its backup; without one, move the old receipts' export away and begin a new chain with"
    " `voicegate key receipts`"
)
"""What to do about a file that is gone."""


@dataclass(frozen=True, slots=True)
class _Key:
    made: str
    public: bytes
    secret: bytes | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return hashlib.sha256(self.public).hexdigest()[:16]

    @property
    def line(self) -> str:
        kind, key = ("sign", self.secret) if self.secret is not None else ("public", self.public)
        return f"voicegate-receipts-1 {kind} {self.made} {key.hex()}\n"


class ReceiptKeys:
    """The keys of a file; fills the port `ReceiptSigner`, and proves receipts."""

    __slots__ = ("_keys", "_number", "_publics", "_signing", "chain")

    def __init__(self, chain: str, number: bytes, keys: Sequence[_Key]) -> None:
        newest = keys[-1].secret
        if newest is None:
            raise KeyFileError("the newest key of receipts has no secret half")
        self.chain = chain
        """The id of the chain."""
        self._number = number
        self._keys = tuple(keys)
        self._signing = Ed25519PrivateKey.from_private_bytes(newest)
        self._publics = {key.id: Ed25519PublicKey.from_public_bytes(key.public) for key in keys}

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the keys in a file; blocks on the disk.

        Raises:
            FileNotFoundError: there is no file.
            KeyFileError: readable by others, damaged, or no such file; names the file and the fix.
            OSError: it cannot be read.
        """
        lines = read_private(file, MAX_KEYS * _LONGEST).decode("ascii", "replace").split("\n")
        matches = [_LINE.fullmatch(line) for line in lines[:-1]]
        found = [match for match in matches if match is not None]
        chains = [match["chain"] for match in found if match["chain"]]
        numbers = [bytes.fromhex(match["number"]) for match in found if match["number"]]
        keys = [_read_key(match) for match in found if match["key"]]
        is_whole = lines[-1] == "" and len(found) == len(matches)
        if not is_whole or len(chains) != 1 or len(numbers) != 1 or not keys:
            raise KeyFileError(f"{file}: no file of receipts' keys, or a damaged one: {LOST}")
        return cls(chains[0], numbers[0], keys)

    @classmethod
    def open(cls, file: Path, *, may_create: bool) -> Self:
        """Return the keys in a file, which is made on the first start; blocks on the disk.

        Raises:
            KeyFileError: missing and not to be made, or not to be used; names the file and the fix.
        """
        try:
            if may_create and not os.path.lexists(file):
                create_receipt_keys(file, datetime.now(UTC))
            return cls.read(file)
        except FileNotFoundError:
            raise KeyFileError(f"{file}: the file of receipts' keys is missing: {LOST}") from None
        except OSError as error:
            raise KeyFileError(f"{file}: receipts' keys cannot be read: {error.strerror}") from error

    @property
    def key_id(self) -> str:
        """The id of the key that signs now."""
        return self._keys[-1].id

    @property
    def publics(self) -> Mapping[str, str]:
        """The public keys, hexadecimal, by id: enough to prove receipts."""
        return {key.id: key.public.hex() for key in self._keys}

    def sign(self, body: bytes) -> Sealed:
        """Return a body with its signature."""
        return Sealed(body, self._signing.sign(body))

    def number_digest(self, number: str) -> str:
        """Return a number's digest by the chain's own key."""
        return hmac.digest(self._number, number.encode(), hashlib.sha256).hex()

    def proves(self, key_id: str, sealed: Sealed) -> bool:
        """Is this body signed by the key with that id?"""
        return proves_by(self._publics.get(key_id), sealed)

    def rotated(self, now: datetime, *, is_only: bool) -> str:
        """Return the file's content with a further key; `is_only`: the older ones keep their public halves
        only."""
        older = [_Key(key.made, key.public) for key in self._keys] if is_only else self._keys
        return _content(self.chain, self._number, [*older, _new_key(now)])

    def __repr__(self) -> str:
        return f"ReceiptKeys({self.chain})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


def proves_by(public: Ed25519PublicKey | None, sealed: Sealed) -> bool:
    """Is this body signed by that key? None: the key is unknown."""
    if public is None:
        return False
    try:
        public.verify(sealed.signature, sealed.body)
    except InvalidSignature:
        return False
    return True


def create_receipt_keys(file: Path, now: datetime) -> bool:
    """Make a file with a new chain; False: there is one, which stays as it is.

    Raises:
        OSError: the folder is missing or not ours to write in.
    """
    content = _content(secrets.token_hex(8), secrets.token_bytes(32), [_new_key(now)])
    with draft(file, content) as drafted:
        try:
            file.hardlink_to(drafted)
        except FileExistsError:
            return False
    return True


def rotate_receipt_keys(file: Path, now: datetime, *, is_only: bool) -> str:
    """Add a signing key, and return its id; `is_only`: the older ones keep their public halves only.

    Raises:
        KeyFileError: the file is none to be used.
        OSError: it cannot be read or written.
    """
    with locked(file.parent):
        content = ReceiptKeys.read(file).rotated(now, is_only=is_only)
        with draft(file, content) as drafted:
            drafted.replace(file)
    return ReceiptKeys.read(file).key_id


def _read_key(match: re.Match[str]) -> _Key:
    key = bytes.fromhex(match["key"])
    if match["kind"] == "public":
        return _Key(match["made"], key)
    return _Key(match["made"], Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw(), key)


def _new_key(now: datetime) -> _Key:
    secret = secrets.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return _Key(now.astimezone(UTC).strftime(_TIME), public, secret)


def _content(chain: str, number: bytes, keys: Sequence[_Key]) -> str:
    head = f"voicegate-receipts-1 chain {chain}\nvoicegate-receipts-1 number {number.hex()}\n"
    return head + "".join(key.line for key in keys)
