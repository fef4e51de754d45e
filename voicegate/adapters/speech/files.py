"""The sound files of calls: they have random names, and are removed when their call has ended.

`mixer` makes their sound. A file may hold a code, so only the owner and the PBX's group may read it, and its
name is random.
"""

import contextlib
import grp
import os
import re
import secrets
import shutil
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from voicegate.domain.errors import SpeechError

_PART: Final = ".part"
CALL_FILE: Final = re.compile(r"(vg-[0-9a-f]{32})\.(wav|wav16|ulaw|alaw)(?P<part>\.part)?", re.ASCII)
"""The name of a call's file, and of one that is still written."""


@dataclass(frozen=True, slots=True)
class AudioFolder:
    """The folder of calls' sound files. Its methods block."""

    path: Path
    """The folder; made when missing, for the owner and the group only."""
    suffix: str
    """The suffix of the files' names."""
    group: str | None = None
    """The group that may read the files; None leaves it as the system sets it."""
    _live: set[str] = field(default_factory=set, repr=False)

    def sweep(self) -> int:
        """Remove files of Voicegate that belong to no call in progress; return how many.

        Raises:
            SpeechError: the folder cannot be read or written; names it.
        """
        removed = 0
        try:
            # Created at the start, so that a failure is reported then and not on the first call.
            self._make()
            self._prove()
            # Listed before the live names are looked at: a name is live before its file exists.
            found = [
                (file, match) for file in self.path.iterdir() if (match := CALL_FILE.fullmatch(file.name))
            ]
            for file, match in found:
                if match[1] not in self._live:
                    file.unlink(missing_ok=True)
                    removed += 1
        except OSError as error:
            raise SpeechError(f"{self.path}: cannot be used: {error.strerror}") from error
        return removed

    def claim(self) -> str:
        """Return a new name, without suffix, whose files `sweep` keeps until it is released."""
        name = f"vg-{secrets.token_hex(16)}"
        self._live.add(name)
        return name

    def release(self, name: str) -> None:
        """Remove the files of a claimed name, if there are any."""
        for part in ("", _PART):
            # What cannot be removed now, the next sweep removes.
            _try_unlink(self.path / f"{name}.{self.suffix}{part}")
        self._live.discard(name)

    def write(self, name: str, content: bytes) -> None:
        """Write a file under a claimed name, completely or not at all.

        Raises:
            SpeechError: the folder cannot be made or written; names it.
        """
        try:
            self._make()
            file = self.path / f"{name}.{self.suffix}"
            part = file.with_name(file.name + _PART)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            self._hand_over(part, mode=0o640)
            part.replace(file)
        except OSError as error:
            raise SpeechError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _prove(self) -> None:
        """Write a file, give it to the PBX's group, and remove it: a trial of what each call needs."""
        name = self.claim()
        try:
            self.write(name, b"")
        finally:
            self.release(name)

    def _make(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._hand_over(self.path, mode=0o750)
        found = self.path.stat()
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
            raise SpeechError(f"audio.folder: {self.path} belongs to another user, or anyone may write there")
        if self.group and not _may_enter(found, self._gid(self.group)):
            self._let_group_enter(found)

    def _let_group_enter(self, found: os.stat_result) -> None:
        """Give the group a folder that was created before the group was set, or for another group."""
        if found.st_uid != os.geteuid():
            fix = f"chgrp {self.group} {self.path} && chmod 750 {self.path}"
            raise SpeechError(f"audio.folder: the group {self.group} may not enter {self.path}: {fix}")
        self._hand_over(self.path, mode=0o750)

    @staticmethod
    def _gid(group: str) -> int:
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError as error:
            raise SpeechError(f"audio.group: there is no group {group!r}") from error

    def _hand_over(self, file: Path, *, mode: int) -> None:
        if self.group:
            try:
                shutil.chown(file, group=self.group)
            except LookupError as error:
                raise SpeechError(f"audio.group: there is no group {self.group!r}") from error
            except PermissionError as error:
                fix = "the daemon's user must be a member of it"
                raise SpeechError(
                    f"audio.group: {file.name} cannot be given to {self.group!r}; {fix}"
                ) from error
        file.chmod(mode)


class CallFiles:
    """The files of one call; written by a thread, closed from the loop.

    `close` may be called while the thread still writes; a lock makes sure that no file appears afterwards.
    """

    def __init__(self, folder: AudioFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._is_closed = False
        self._names: list[str] = []

    def write(self, content: bytes) -> str:
        """Write a file completely or not at all; return its name without suffix. Blocks.

        Raises:
            SpeechError: the folder cannot be made or written; names it.
        """
        with self._lock:
            name = self._folder.claim()
            self._names.append(name)
            if self._is_closed:
                self._folder.release(name)
            else:
                self._folder.write(name, content)
            return name

    def close(self) -> None:
        """Remove the files; may be called twice."""
        with self._lock:
            self._is_closed = True
            for name in self._names:
                self._folder.release(name)


def _may_enter(folder: os.stat_result, gid: int) -> bool:
    """Return whether a group's members may open a file in a folder, if they know its name."""
    entered = stat.S_IXGRP if folder.st_gid == gid else stat.S_IXOTH
    return bool(folder.st_mode & entered)


def _try_unlink(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
