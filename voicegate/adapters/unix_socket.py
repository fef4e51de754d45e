"""A Unix socket as a file: made with its rights, never stolen from a daemon that lives.

Both the API and FastAGI listen on one. It is the one module that adapters share: the rules of such a file
are the operating system's and belong to neither. Why not asyncio's or aiohttp's own way to listen on a path:
both remove a socket that is there, and so take it from a daemon that lives. Why no abstract socket: a file
has an owner, a group and a mode. Source: unix(7).
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from voicegate.domain.errors import ConfigError

_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class SocketFile:
    """Where the socket lies, who may open it, and which setting says so."""

    path: Path
    """The file."""
    mode: int = 0o660
    """Its permissions."""
    group: int | None = None
    """Its group's id; None: the daemon's own."""
    setting: str = "socket.path"
    """What an error names."""
    makes_folder: bool = True
    """Is a folder that is not there made? False: it is an error."""


@contextmanager
def listening(file: SocketFile) -> Iterator[socket.socket]:
    """Give a listening socket; its file is removed in the end. Blocks for moments only.

    Raises:
        ConfigError: another daemon answers there, or the file cannot be made; names the path.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            if file.makes_folder:
                file.path.parent.mkdir(parents=True, exist_ok=True)
            _clear(file)
            _bind(listener, file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"{file.setting}: {file.path} cannot be used: {reason}") from error
        inode = file.path.stat().st_ino
        try:
            yield listener
        finally:
            _remove(file.path, inode)
    finally:
        listener.close()


def _bind(listener: socket.socket, file: SocketFile) -> None:
    listener.bind(str(file.path))
    # Nobody can connect before `listen`, so the file is never open wider than asked.
    file.path.chmod(file.mode)
    if file.group is not None:
        os.chown(file.path, -1, file.group)
    listener.setblocking(False)
    listener.listen(_BACKLOG)


def _clear(file: SocketFile) -> None:
    """Remove a socket that a dead daemon left; refuse when one is alive, or when it is no socket."""
    path, setting = file.path, file.setting
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"{setting}: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except FileNotFoundError:
            return
        except TimeoutError as error:
            raise ConfigError(f"{setting}: another daemon holds {path} and is busy") from error
        else:
            raise ConfigError(f"{setting}: another daemon answers at {path}")


def _remove(path: Path, inode: int) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()
