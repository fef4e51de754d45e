"""Check the API's socket: can it be created, and can each allowed user reach it?

The rights of other users are judged by the modes of folders and socket; access control lists are not read.
Source: path_resolution(7), unix(7).
"""

import grp
import os
import pwd
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from voicegate.adapters.unix_socket import SocketFile
from voicegate.application.diagnostics import Finding, failed, look_at_own_folder, passed

_ABOUT: Final = "socket"
_ENTER: Final = 0o1
_CONNECT: Final = 0o2


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int
    groups: frozenset[int]

    def may(self, right: int, *, mode: int, owner: int, group: int) -> bool:
        if self.uid == 0:
            return True
        if self.uid == owner:
            return bool(mode >> 6 & right)
        return bool((mode >> 3 if group in self.groups else mode) & right)


class SocketCheck:
    """Fills the port `Check` for the socket at `file`, which `users` may use.

    `audio_group` may read the sound files of codes, so no user of the API may be in it; None: no group.
    """

    subject = _ABOUT

    def __init__(self, file: SocketFile, users: Sequence[str], audio_group: str | None = None) -> None:
        self._file = file
        self._users = users
        self._audio_group = audio_group

    async def run(self) -> AsyncIterator[Finding]:
        """Yield the findings."""
        folder = self._file.path.parent
        if (finding := look_at_own_folder(_ABOUT, folder, setting="socket.path", mode="0755")) is not None:
            yield finding
            return
        yield passed(_ABOUT, f"{folder} can be written")
        for name in self._users if folder.is_dir() else ():
            yield self._look_at_user(_user(name))

    def _look_at_user(self, user: _User) -> Finding:
        about, path = f"user {user.name}", self._file.path
        group = self._audio_group
        if group is not None and grp.getgrnam(group).gr_gid in user.groups:
            return failed(about, f"is in {group}, whose members can read codes", _leave(user, group))
        folder = path.parent.resolve()
        for one in (*reversed(folder.parents), folder):
            if not _may(user, _ENTER, one.stat()):
                fix = f"chmod o+x {one}; the socket's own mode keeps others out"
                return failed(about, f"cannot enter {one}, and so not reach {path}", fix)
        mode, owner, gid = self._rights()
        if not user.may(_CONNECT, mode=mode, owner=owner, group=gid):
            fix = f"socket.group: a group that {user.name} is in, and not audio.group"
            return failed(about, f"may not open {path}: mode {mode:04o}, group {_group_name(gid)}", fix)
        return passed(about, f"can reach {path}")

    def _rights(self) -> tuple[int, int, int]:
        """Return the socket's mode, owner and group; if there is no socket yet, those that it will have."""
        try:
            found = self._file.path.stat()
        except OSError:
            group = os.getegid() if self._file.group is None else self._file.group
            return self._file.mode, os.geteuid(), group
        return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def _leave(user: _User, group: str) -> str:
    """Return the command that removes a user from a group; no command removes a user from their primary
    group."""
    if grp.getgrnam(group).gr_gid != user.gid:
        return f"gpasswd --delete {user.name} {group}: a group of their own for the socket, socket.group"
    fix = f"usermod --gid OTHER {user.name}: {group} is their primary group; then restart their programs"
    if user.name in grp.getgrnam(group).gr_mem:
        fix += f"; and gpasswd --delete {user.name} {group}"
    return fix


def _may(user: _User, right: int, status: os.stat_result) -> bool:
    return user.may(right, mode=status.st_mode, owner=status.st_uid, group=status.st_gid)


def _user(name: str) -> _User:
    found = pwd.getpwnam(name)
    return _User(name, found.pw_uid, found.pw_gid, frozenset(os.getgrouplist(name, found.pw_gid)))


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
