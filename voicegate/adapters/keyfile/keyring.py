"""The keys of a key file in use: the newest for new codes, and for an old code the one that it was made with.

Each purpose has a derived key of its own. A caller's own code is sealed with AES-256-GCM (NIST SP 800-38D),
with the challenge's id as associated data. It is not recorded with which key a code was made; the few keys
are tried in turn. `domain.passcode` computes the codes.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voicegate.adapters.keyfile.file import LOST, Key, create, new_key, read_keys, subkey
from voicegate.domain import passcode as passcodes
from voicegate.domain.errors import InvalidPasscode, KeyFileError
from voicegate.domain.passcode import Passcode

_NONCE_BYTES: Final = 12


class FileKeyring:
    """The keys of one key file; hides them from logs."""

    __slots__ = ("_keys",)

    def __init__(self, *secret_keys: bytes) -> None:
        # The newest first: nearly every code is made with it.
        self._keys = tuple(_Keys(secret) for secret in reversed(secret_keys))

    @classmethod
    def open(cls, file: Path, *, may_create: bool = True) -> Self:
        """Return the keys in `file`, which is made on the first start; blocks on the disk.

        Raises:
            KeyFileError: missing and not to be made, readable by others, damaged, or not a key file;
                names the file and the fix.
        """
        try:
            return cls(*(key.secret for key in read_keys(file)))
        except FileNotFoundError:
            if not may_create:
                raise KeyFileError(f"{file}: the key file is missing: {LOST}") from None
        except OSError as error:
            raise KeyFileError(f"{file}: the key file cannot be read: {error.strerror}") from error
        try:
            # Another start may have made the file first: then its key is used.
            create(file, new_key(datetime.now(UTC)))
            return cls(*(key.secret for key in read_keys(file)))
        except OSError as error:
            fix = f"the folder {file.parent} must exist and belong to the service's user"
            raise KeyFileError(f"{file}: the key file cannot be made: {error.strerror}; {fix}") from error

    def renew(self, file: Path) -> None:
        """Use the keys that a file has now, the newest for new codes; blocks on the disk.

        Raises:
            KeyFileError: as `open`; or a key in use is gone, and with it the open codes made with it.
        """
        present = type(self).open(file, may_create=False)
        if not {keys.digest for keys in self._keys} <= {keys.digest for keys in present._keys}:
            fix = "restore it, or restart the daemon, which ends the open codes made with it"
            raise KeyFileError(f"{file}: a key that is in use is gone: {fix}")
        self._keys = present._keys

    @property
    def ids(self) -> Sequence[str]:
        """The ids of its keys, the newest first. They reveal nothing of the keys."""
        return [keys.id for keys in self._keys]

    def derive(self, challenge_id: str, length: int) -> Passcode:
        """Return the code of a new challenge, derived with the newest key."""
        return passcodes.derive(self._keys[0].derive, challenge_id, length)

    def derive_again(self, challenge_id: str, length: int, expected: bytes) -> Passcode:
        """Return the code with the digest `expected`, derived with the key that it was made with.

        Raises:
            KeyFileError: that key is not in the key file.
        """
        for keys in self._keys:
            code = passcodes.derive(keys.derive, challenge_id, length)
            if passcodes.matches(keys.digest, challenge_id, expected, guess=code):
                return code
        raise KeyFileError("the key file has not the key that this code was made with")

    def digest(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return the digest to store and to compare guesses with, made with the newest key."""
        return passcodes.digest(self._keys[0].digest, challenge_id, passcode)

    def matches(self, challenge_id: str, expected: bytes, guess: Passcode) -> bool:
        """Return whether `guess` is the code with the digest `expected`, by any key; in constant time."""
        found = [passcodes.matches(keys.digest, challenge_id, expected, guess=guess) for keys in self._keys]
        return any(found)

    def seal(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return a caller's own code, encrypted and bound to its challenge: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._keys[0].seal.encrypt(nonce, passcode.digits.encode(), challenge_id.encode())

    def unseal(self, challenge_id: str, sealed: bytes) -> Passcode:
        """Return the sealed code; each key is tried.

        Raises:
            KeyFileError: it was sealed with a key that is missing, for another challenge, or is damaged.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for keys in self._keys:
            try:
                return Passcode(keys.seal.decrypt(nonce, ciphertext, challenge_id.encode()).decode())
            except (InvalidTag, ValueError, InvalidPasscode):
                continue
        raise KeyFileError("the key file does not open this sealed code") from None

    def number_digests(self, number: str) -> Sequence[bytes]:
        """Return a number's digest by each key, newest first, to find the number where only a digest is
        stored."""
        return [hmac.digest(keys.number, number.encode(), hashlib.sha256) for keys in self._keys]

    def __repr__(self) -> str:
        return "FileKeyring(redacted)"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


class _Keys:
    """The derived keys of one key."""

    __slots__ = ("derive", "digest", "id", "number", "seal")

    def __init__(self, secret: bytes) -> None:
        self.id = Key(secret).id
        self.derive = subkey(secret, "derive")
        self.digest = subkey(secret, "digest")
        self.number = subkey(secret, "number")
        self.seal = AESGCM(subkey(secret, "seal"))
