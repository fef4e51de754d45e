"""A file that one process at a time holds, so that two daemons never share a socket or a database.

A lock is no secret, but whoever can open its file, be it for reading, can hold it and keep the daemon from
starting: the file is its owner's alone. Sources: flock(2); proc_locks(5) for who holds it.
"""

import fcntl
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from voicegate.domain.errors import ConfigError

_LOCKS: Final = Path("/proc/locks")
# O_NONBLOCK: a FIFO in its place must not hang the start.
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def held(file: Path, *, guarded: Path, setting: str) -> Iterator[None]:
    """Hold the lock `file` of what is at `guarded` while the context lasts; the file is made, and stays.

    Raises:
        ConfigError: another process holds it, it is another user's, or it cannot be made; names `setting`.
    """
    descriptor = _open(file, setting)
    try:
        _check_owner(descriptor, file, setting)
        os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            raise ConfigError(f"{setting}: another daemon uses {guarded}{holder}") from None
        yield
    finally:
        os.close(descriptor)


def _open(file: Path, setting: str) -> int:
    try:
        return os.open(file, _FLAGS, 0o600)
    except FileNotFoundError:
        raise ConfigError(f"{setting}: the folder {file.parent} does not exist") from None
    except PermissionError:
        if file.exists():
            raise ConfigError(f"{setting}: {file} belongs to another user") from None
        raise ConfigError(f"{setting}: the folder {file.parent} cannot be written") from None
    except OSError as error:
        raise ConfigError(f"{setting}: {file} cannot be used: {error.strerror}") from error


def _check_owner(descriptor: int, file: Path, setting: str) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{setting}: {file} is not a regular file: remove it")
    if status.st_uid != os.geteuid():
        owner = f"uid {status.st_uid}"
        with suppress(KeyError):
            owner = pwd.getpwuid(status.st_uid).pw_name
        fix = "start the daemon as that user, or remove the file if none runs"
        raise ConfigError(f"{setting}: {file} belongs to {owner}: {fix}")


def _holder(descriptor: int) -> str:
    """Return who holds the lock, for a message; nothing when that is not known."""
    inode = str(os.fstat(descriptor).st_ino)
    with suppress(OSError):
        for line in _LOCKS.read_text("ascii").splitlines():
            # Words: number, kind, ADVISORY, WRITE, process, "major:minor:inode", and the range.
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f" (process {words[4]})"
    return ""
