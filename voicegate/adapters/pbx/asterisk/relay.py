"""`voicegate-agi`: passes a channel to the controller's Unix socket, where FastAGI over TCP is not possible.

A classic AGI program: Asterisk starts one process for each call and speaks AGI on its standard streams. Every
line is passed on unchanged, so that the controller's conversation is the same as over FastAGI. Only the head
is written as FastAGI writes it, and the signal of a hangup becomes FastAGI's notice. Source: Asterisk 22,
"AGI", `res_agi.c`: an exit code above 0 sets AGISTATUS to FAILURE. Why pyst2 is used for the head only: its
replies lose how much of a stopped playback was played; and it prints every command, so its standard error is
closed.
"""

import io
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from voicegate import how_to_install
from voicegate.adapters.pbx.asterisk.variables import AGI_VARIABLE, TOKEN_VARIABLE

_IN: Final = 0
_OUT: Final = 1
_ERRORS: Final = 2
_CHUNK: Final = 4096
_NOTICE: Final = b"HANGUP\n"
_CONNECT_TIMEOUT_S: Final = 3.0


def main() -> None:
    """Pass this process's channel to the socket that is the only argument; blocks until it is over."""
    try:
        _, path = sys.argv
        with socket.socket(socket.AF_UNIX) as controller, hangups() as woken:
            head = read_head()
            controller.settimeout(_CONNECT_TIMEOUT_S)
            controller.connect(path)
            controller.sendall(head)
            relay(controller, woken)
    except ModuleNotFoundError as error:
        sys.exit(f"voicegate-agi: {error.name} is not installed: {how_to_install('classic-agi')}")
    except (OSError, ValueError):
        # The dialplan apologises then.
        sys.exit(1)


@contextmanager
def hangups() -> Iterator[socket.socket]:
    """Give a socket that becomes readable when the channel has ended; from the start of the process on."""
    woken, waker = socket.socketpair()
    with woken, waker:
        waker.setblocking(False)
        # Which signal it is, nobody asks: SIGHUP is the only one that pyst2 has a handler for.
        signal.set_wakeup_fd(waker.fileno())
        yield woken


def read_head() -> bytes:
    """Return the channel's head as FastAGI would send it.

    Raises:
        ValueError: the channel does not send its variables.
        ModuleNotFoundError: pyst2 is not installed.
    """
    from asterisk.agi import AGI, AGIException  # noqa: PLC0415  # an extra, which most PBXs do not need

    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), _ERRORS)
        # Unbuffered: what follows the head is not pyst2's to read.
        replies = io.FileIO(_IN, closefd=False)
        with open(_OUT, "w", encoding="utf-8", closefd=False) as commands:
            try:
                channel = AGI(stdin=replies, stdout=commands, stderr=nowhere)
                # From the channel's variable, not as an argument: command lines show in `ps`.
                address, token = channel.get_variable(AGI_VARIABLE), channel.get_variable(TOKEN_VARIABLE)
            except AGIException as error:
                raise ValueError("the channel does not tell its variables") from error
        return build_head(channel.env, address=address, token=token)


def build_head(env: Mapping[str, str], *, address: str, token: str) -> bytes:
    """Return a FastAGI head with the channel's own values."""
    script = address.rpartition("/")[2]
    facts = {**env, "agi_network": "yes", "agi_network_script": script, "agi_arg_1": token}
    return "".join(f"{name}: {value}\n" for name, value in facts.items()).encode() + b"\n"


def relay(controller: socket.socket, woken: socket.socket) -> None:
    """Pass lines both ways until either side ends."""
    controller.settimeout(None)
    with selectors.DefaultSelector() as selector:
        replies = Lines()
        takes = {
            _IN: lambda: _pass_on(controller, replies.feed(os.read(_IN, _CHUNK))),
            controller.fileno(): lambda: _write(controller.recv(_CHUNK)),
            woken.fileno(): lambda: _pass_on(controller, woken.recv(_CHUNK) and _NOTICE),
        }
        for source in takes:
            selector.register(source, selectors.EVENT_READ)
        while all(takes[key.fd]() for key, _ in selector.select()):
            pass


class Lines:
    """Passes whole lines only: the notice of a hangup may come between two of them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk and return the lines that it completes; None: the end of the stream."""
        if not chunk:
            return None
        lines, end, self._rest = (self._rest + chunk).rpartition(b"\n")
        return lines + end


def _pass_on(controller: socket.socket, lines: bytes | None) -> bool:
    if lines is not None:
        controller.sendall(lines)
    return lines is not None


def _write(commands: bytes) -> bool:
    rest = commands
    while rest:
        rest = rest[os.write(_OUT, rest) :]
    return bool(commands)
