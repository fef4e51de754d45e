"""What the two clients cannot have from one source: how a Unix socket is opened, and events are read."""

import socket as sockets
import ssl
from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any

import httpcore
import httpx
from httpx_sse import EventSource, ServerSentEvent


class _Backend(httpcore.SyncBackend):
    """Connects to Unix sockets."""

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        # httpcore 1.0.9 leaves the socket of a failed connect open: so one of ours tries first.
        with sockets.socket(sockets.AF_UNIX) as trial:
            trial.settimeout(timeout)
            try:
                trial.connect(path)
            except OSError as error:
                raise httpcore.ConnectError(str(error)) from error
        return super().connect_unix_socket(path, timeout, socket_options)


def no_authorities() -> ssl.SSLContext:
    """Return a context that trusts nobody: TLS is not spoken on a Unix socket."""
    # httpx would read all authorities' certificates, which takes longer than a request does.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class UnixTransport(httpx.HTTPTransport):
    """Speaks HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__(verify=no_authorities())
        self._pool = httpcore.ConnectionPool(uds=path, network_backend=_Backend())


class AsyncUnixTransport(httpx.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self, path: str) -> None:
        super().__init__(verify=no_authorities(), uds=path)


def read_events(response: httpx.Response) -> Generator[ServerSentEvent, None]:
    """Yield the server-sent events of a response."""
    # A generator, which can be closed: httpx-sse's is typed as no more than an iterator.
    yield from EventSource(response).iter_sse()


def async_read_events(response: httpx.Response) -> AsyncGenerator[ServerSentEvent, None]:
    """Do the same for asyncio."""
    return EventSource(response).aiter_sse()
