"""The contents of a key file, and how it is changed: completely or not at all, and without losing a key.

One line for each key, oldest first: `voicegate-key-2`, the time it was made, and 64 hexadecimal digits. The
word and the exact form reveal a truncated or foreign file. A line of the first version, `voicegate-key-1`,
has no time. Anybody who can read the file can compute every code, so only the service's user may read it.
"""

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voicegate.domain.errors import KeyFileError

KEY_BYTES: Final = 32
MAX_KEYS: Final = 100
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_LINE: Final = re.compile(
    rb"voicegate-key-1 (?P<old>[0-9a-f]{64})"
    rb"|voicegate-key-2 (?P<made>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
    rb" (?P<new>[0-9a-f]{64})"
)
_LONGEST: Final = 110
"""The longest line in bytes, with its end."""
LOST: Final = (
    "restore it from its backup; without one, `voicegate key new` makes another, and codes that are out are"
    " void"
)
"""The fix for a key file that is missing."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a key file."""

    secret: bytes = field(repr=False)
    """The key itself."""
    made_at: datetime | None = None
    """When it was made; None: unknown, because its version did not record the time."""

    @property
    def id(self) -> str:
        """The key's name: eight digits that reveal nothing of the key."""
        return subkey(self.secret, "id").hex()[:8]


def subkey(secret: bytes, purpose: str) -> bytes:
    """Return the derived key for one purpose (HKDF, RFC 5869)."""
    info = f"voicegate {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def read_keys(file: Path) -> Sequence[Key]:
    """Return the keys in a file, oldest first; blocks on the disk.

    Raises:
        FileNotFoundError: there is no file.
        KeyFileError: readable by others, damaged, or not a key file; names the file and the fix.
        OSError: it cannot be read.
    """
    content = read_private(file, MAX_KEYS * _LONGEST)
    keys = _parse(content)
    if not keys:
        raise KeyFileError(f"{file}: not a key file, or a damaged one: move it away; {LOST}")
    return keys


def read_private(file: Path, longest: int) -> bytes:
    """Return a file's content, with one byte more than `longest` at most; blocks on the disk.

    Raises:
        FileNotFoundError: there is no file.
        KeyFileError: it is no ordinary file, or others may use it; names the file and the fix.
        OSError: it cannot be read.
    """
    # O_NONBLOCK: a FIFO in place of the key file must not block the start.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError(f"{file}: the key file must be an ordinary file: name another in the settings")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(f"{file}: others may use the key file: chmod 600 {file}")
        return os.read(descriptor, longest + 1)
    finally:
        os.close(descriptor)


def create(file: Path, key: Key) -> bool:
    """Make a file with one key; False: there is a file already, which is left unchanged.

    Raises:
        OSError: the folder is missing or not writable.
    """
    with draft(file, _line(key)) as drafted:
        try:
            file.hardlink_to(drafted)
        except FileExistsError:
            return False
    return True


def add_key(file: Path, key: Key, *, is_only: bool) -> Sequence[Key]:
    """Add a key, or with `is_only` replace all others by it; return the keys in the file now.

    Raises:
        KeyFileError: there are too many keys, or the file cannot be used.
        OSError: it cannot be read or written.
    """
    with locked(file.parent):
        present = read_keys(file)
        keys = [key] if is_only else [*present, key]
        if len(keys) > MAX_KEYS:
            raise KeyFileError(f"{file}: has {MAX_KEYS} keys: `voicegate key rotate --drop-old` drops them")
        with draft(file, "".join(map(_line, keys))) as drafted:
            drafted.replace(file)
    return keys


def new_key(now: datetime) -> Key:
    """Return a new random key."""
    return Key(secrets.token_bytes(KEY_BYTES), now.astimezone(UTC).replace(microsecond=0))


def _parse(content: bytes) -> Sequence[Key]:
    lines = content.split(b"\n")
    if lines.pop():
        return []  # cut in the middle of a line
    matches = [_LINE.fullmatch(line) for line in lines]
    try:
        return [_key_of(match) for match in matches]
    except ValueError:
        return []


def _key_of(match: re.Match[bytes] | None) -> Key:
    if match is None:
        raise ValueError("no key")
    if match["old"]:
        return Key(bytes.fromhex(match["old"].decode()))
    made_at = datetime.strptime(match["made"].decode(), _TIME).replace(tzinfo=UTC)
    return Key(bytes.fromhex(match["new"].decode()), made_at)


def _line(key: Key) -> str:
    if key.made_at is None:
        return f"voicegate-key-1 {key.secret.hex()}\n"
    return f"voicegate-key-2 {key.made_at.strftime(_TIME)} {key.secret.hex()}\n"


@contextlib.contextmanager
def draft(file: Path, content: str) -> Iterator[Path]:
    """Write content to a file with another name, which the caller renames; it is synced to disk."""
    drafted = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(drafted, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content.encode())
            opened.flush()
            _give_to_owner(descriptor, file)
            os.fsync(descriptor)
        yield drafted
    finally:
        drafted.unlink(missing_ok=True)
    with _folder(file.parent) as folder:
        os.fsync(folder)


def _give_to_owner(descriptor: int, file: Path) -> None:
    """If root makes the file, give it to the daemon's user: the owner of the old file, else of the folder."""
    if os.geteuid() == 0:
        owner = (file if file.exists() else file.parent).stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from changing the files of a folder by this way; blocks."""
    with _folder(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
