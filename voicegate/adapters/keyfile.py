"""The key file: 32 random bytes from which every code follows; fills the `Keyring` port.

The file is one line of text, `voicegate-key-1` and 64 hexadecimal digits, so that a cut or foreign file is
noticed. Who reads it can compute every code: it belongs to the service's user alone. Each purpose has a
key of its own (HKDF, RFC 5869); a caller's own code is sealed with AES-256-GCM (NIST SP 800-38D), its
challenge's id as associated data. The codes themselves are `domain.passcode`'s.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicegate.application.examination import Finding, doubtful, failed, passed
from voicegate.domain import passcode as passcodes
from voicegate.domain.errors import InvalidPasscode, KeyFileError
from voicegate.domain.passcode import Passcode

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_HEADER: Final = "voicegate-key-1"
_CONTENT: Final = re.compile(rf"{_HEADER} ([0-9a-f]{{{2 * _KEY_BYTES}}})\n".encode())
_SIZE: Final = len(_HEADER) + 1 + 2 * _KEY_BYTES + 1
_RESTORE: Final = "restore it from its backup; without one, move it away and every open code is void"


class FileKeyring:
    """The keys of one key file; shows nothing of them."""

    __slots__ = ("_derive_key", "_digest_key", "_seal")

    def __init__(self, secret: bytes) -> None:
        self._derive_key = _subkey(secret, "derive")
        self._digest_key = _subkey(secret, "digest")
        self._seal = AESGCM(_subkey(secret, "seal"))

    @classmethod
    def open(cls, file: Path, *, may_create: bool = True) -> Self:
        """Return the keys in `file`, which is made on the first start; blocks on the disk.

        Raises:
            KeyFileError: missing and not to be made, readable by others, damaged, or not a key file;
                names the file and the cure.
        """
        try:
            return cls(_read(file))
        except FileNotFoundError:
            if not may_create:
                raise KeyFileError(f"{file}: the key file is missing: {_RESTORE}") from None
        except OSError as error:
            raise KeyFileError(f"{file}: the key file cannot be read: {error.strerror}") from error
        try:
            _create(file)
            return cls(_read(file))
        except OSError as error:
            cure = f"the folder {file.parent} must exist and belong to the service's user"
            raise KeyFileError(f"{file}: the key file cannot be made: {error.strerror}; {cure}") from error

    def derive(self, challenge_id: str, length: int) -> Passcode:
        """Return the code of a challenge: always the same for the same key file."""
        return passcodes.derive(self._derive_key, challenge_id, length)

    def digest(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return the digest to store and compare guesses by."""
        return passcodes.digest(self._digest_key, challenge_id, passcode)

    def matches(self, challenge_id: str, expected: bytes, guess: str) -> bool:
        """Is `guess` the code behind `expected`? In constant time."""
        return passcodes.matches(self._digest_key, challenge_id, expected, guess=guess)

    def seal(self, challenge_id: str, passcode: Passcode) -> bytes:
        """Return a caller's own code, encrypted and bound to its challenge: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, passcode.digits.encode(), challenge_id.encode())

    def unseal(self, challenge_id: str, sealed: bytes) -> Passcode:
        """Return the code that was sealed.

        Raises:
            KeyFileError: sealed with another key file, for another challenge, or damaged.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return Passcode(self._seal.decrypt(nonce, ciphertext, challenge_id.encode()).decode())
        except (InvalidTag, ValueError, InvalidPasscode):
            raise KeyFileError("the key file does not open this sealed code") from None

    def __repr__(self) -> str:
        return "FileKeyring(redacted)"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


class KeyFileExaminer:
    """Fills the port `Examiner` for a key file; `database`, if any, has codes made by it."""

    subject = "key file"

    def __init__(self, file: Path, database: Path | None = None) -> None:
        self._file = file
        self._database = database

    async def examine(self) -> AsyncIterator[Finding]:
        """Yield what is found; shows nothing of the keys."""
        try:
            _read(self._file)
            owner = self._file.stat().st_uid
        except FileNotFoundError:
            if self._database is not None:
                text = f"{self._file} does not exist, and {self._database}, whose codes it makes, does"
                yield failed(self.subject, text, f"storage.key_file must name it, or {_RESTORE}")
                return
            cure = "made on the first start; if there was one before, restore it from its backup"
            yield doubtful(self.subject, f"{self._file} does not exist", cure)
        except KeyFileError as error:
            yield failed(self.subject, str(error), "storage.key_file")
        except OSError as error:
            cure = "storage.key_file must name a file of the daemon's user; look as that user"
            yield failed(self.subject, f"{self._file} cannot be read: {error.strerror}", cure)
        else:
            if owner == os.geteuid():
                yield passed(self.subject, f"{self._file}: yours alone; see that its backup is kept apart")
            else:
                cure = f"look as the daemon's user; if that is you: chown {os.geteuid()} {self._file}"
                yield doubtful(self.subject, f"{self._file} belongs to user {owner}, not to you", cure)


def _subkey(secret: bytes, purpose: str) -> bytes:
    info = f"voicegate {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)


def _read(file: Path) -> bytes:
    # O_NONBLOCK: a FIFO in the key file's place must not hang the start.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError(f"{file}: the key file must be an ordinary file: name another in the settings")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(f"{file}: others may use the key file: chmod 600 {file}")
        content = os.read(descriptor, _SIZE + 1)
    finally:
        os.close(descriptor)
    match = _CONTENT.fullmatch(content)
    if match is None:
        raise KeyFileError(f"{file}: not a key file, or a damaged one: {_RESTORE}")
    return bytes.fromhex(match[1].decode())


def _create(file: Path) -> None:
    """Write a new key under another name, then give it its own: whole or not there, never replaced."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(f"{_HEADER} {secrets.token_hex(_KEY_BYTES)}\n".encode())
            opened.flush()
            os.fsync(descriptor)
        # Another start may be faster: then its key is the key.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
