"""Where the API listens, and who may use the socket, from the settings."""

import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voicegate.adapters.http.identity import own_uids
from voicegate.adapters.http.tcp_port import TcpPort
from voicegate.adapters.lockfile import held
from voicegate.adapters.unix_socket import SocketFile, listening
from voicegate.bootstrap.asterisk import group_id
from voicegate.config import Settings
from voicegate.domain.errors import ConfigError


def socket_file(settings: Settings) -> SocketFile:
    """Return the socket's file, as configured.

    Raises:
        ConfigError: the group does not exist.
    """
    socket = settings.socket
    group = group_id(socket.group, "socket.group") if socket.group else None
    return SocketFile(Path(socket.path), mode=int(socket.mode, 8), group=group)


def tcp_port(settings: Settings) -> TcpPort | None:
    """Return the API's TCP port, as configured; None: it is off."""
    tcp = settings.tcp
    if not tcp.enabled:
        return None
    certificate = Path(tcp.certificate) if tcp.certificate else None
    return TcpPort(tcp.host, tcp.port, certificate, Path(tcp.key) if tcp.key else None)


def allowed_uids(settings: Settings) -> frozenset[int]:
    """Return the Unix users who may use the API: those configured, the daemon's own and root.

    Raises:
        ConfigError: a user does not exist.
    """
    users = settings.socket.allowed_users
    try:
        return own_uids() | {pwd.getpwnam(user).pw_uid for user in users}
    except KeyError as error:
        unknown = ", ".join(user for user in users if repr(user) in str(error))
        raise ConfigError(f"socket.allowed_users: there is no user {unknown}") from error


@contextmanager
def listening_alone(file: SocketFile) -> Iterator[socket.socket]:
    """Give the listening Unix socket; a second daemon cannot take it, even if both start at the same moment.

    Raises:
        ConfigError: another daemon has it, or the file cannot be created; names the path.
    """
    lock = file.path.with_name(f"{file.path.name}.lock")
    with suppress(OSError):  # the lock file's error names the folder
        file.path.parent.mkdir(parents=True, exist_ok=True)
    # Locked first: between examining the file and removing it, another start could create its own.
    with held(lock, guarded=file.path, setting="socket.path"), listening(file) as listener:
        yield listener
