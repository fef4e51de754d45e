"""A TCP port, of the API or of the metrics, and its certificate.

Without TLS only on loopback, where nobody can eavesdrop.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voicegate.adapters.http.server import Listener
from voicegate.domain.errors import ConfigError

_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class TcpPort:
    """Where is listened beside the Unix socket."""

    host: str
    """An address of this machine, or its name."""
    port: int
    """The port; 0: any free one."""
    certificate: Path | None = None
    """PEM file with the certificate and its issuers' certificates; None: no TLS."""
    key: Path | None = None
    """PEM file with the certificate's private key; None: it is in the certificate's file."""
    section: str = "tcp"
    """The section of its settings, for errors."""


def tls_of(port: TcpPort) -> ssl.SSLContext | None:
    """Return the TLS context; None: no TLS. Blocks while it reads the files.

    Raises:
        ConfigError: TLS is missing where others could eavesdrop, or a file cannot be used; names the setting.
    """
    if port.certificate is None:
        if not is_loopback(port.host):
            raise ConfigError(f"{port.section}.certificate: {port.host} is not loopback, where keys need TLS")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, port)
    return context


def renew_certificate(context: ssl.SSLContext, port: TcpPort) -> None:
    """Use the certificate's present files for new connections. Blocks while it reads them.

    Raises:
        ConfigError: as `tls_of`; then the previous certificate stays in use.
    """
    if tls_of(port) is not None:  # into one of its own first, for a load that fails half way leaves its mark
        _load(context, port)


@contextmanager
def listening_on(port: TcpPort) -> Iterator[Listener]:
    """Give a listening port. Blocks briefly.

    Raises:
        ConfigError: as `tls_of`; or the address cannot be used.
    """
    tls = tls_of(port)
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    try:
        listener = socket.create_server((port.host, port.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"{port.section}.host, {port.section}.port"
        raise ConfigError(f"{where}: {port.host}:{port.port}: {error.strerror}") from error
    with listener:
        listener.setblocking(False)
        yield Listener(listener, tls)


def _load(context: ssl.SSLContext, port: TcpPort) -> None:
    try:
        context.load_cert_chain(port.certificate or "", port.key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        where = f"{port.section}.certificate, {port.section}.key"
        raise ConfigError(f"{where}: {port.certificate} cannot be used: {reason}") from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
