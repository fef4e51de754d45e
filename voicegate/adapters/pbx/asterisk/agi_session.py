"""One FastAGI connection: commands out, replies in, and the packet counts after the hangup.

Which connections are accepted is in `agi`; what the commands are for is in `call`. Source: panoramisk 1.4
`fast_agi.Request`, whose `send_command` is replaced, and Asterisk 22.10.1.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from panoramisk.fast_agi import Request

from voicegate.adapters.pbx.asterisk.agi_wire import (
    DEAD,
    MAX_LINE,
    HangupNotice,
    LineReader,
    Reply,
    ReplyReader,
    build_command,
)
from voicegate.adapters.pbx.asterisk.line_quality import FIELDS, QUALITY, count, read_quality, seconds
from voicegate.domain.call import Media
from voicegate.domain.call_quality import CallQuality
from voicegate.domain.errors import LegEnded, PbxProtocolError

log = structlog.get_logger(__name__)

_LAST_WORDS: Final = 2.0
"""Seconds from the hangup notice to the end of the connection."""
_COUNTS: Final = "${CHANNEL(rtcp,rxcount)}|${CHANNEL(rtcp,txcount)}|${CHANNEL(rtcp,rtt)}|${HANGUPCAUSE}"
_COUNTED: Final = 4
"""How many parts that has."""
_LAST: Final = f"{_COUNTS}|{QUALITY}"


@dataclass(frozen=True, slots=True)
class _Command:
    """A command that has no reply yet."""

    verb: str
    """The part of it that may be logged."""
    line: bytes
    """The line that is sent."""
    timeout_s: float
    """Seconds from sending it to its reply."""
    reply: "asyncio.Future[Reply]"
    """Done when the reply came, or when nobody waits for it any more."""


class AgiSession(Request):  # type: ignore[misc]  # panoramisk is untyped
    """The FastAGI session of a channel."""

    def __init__(
        self,
        app: object,
        headers: Mapping[str, str],
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(app, headers, reader, writer)
        self._pending: deque[_Command] = deque()
        self._is_waiting = False
        self._expiry: asyncio.TimerHandle | None = None
        self._lines = LineReader()
        self._replies = ReplyReader()
        self._timeout = asyncio.timeout(None)
        self._is_closed = False
        self.is_hung_up = False
        self.is_unanswered = False
        self.is_cut = False
        self.is_counted = False
        self.media = Media()
        self.quality = CallQuality()
        self.cause: int | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether the connection is closed."""
        return self._is_closed

    async def run(self) -> None:
        """Read until the connection ends, or until the counts after the hangup are in. Raises only when
        cancelled."""
        try:
            async with self._timeout:
                # What arrives is mostly one whole reply: `readline` would cost as much as the rest.
                while (data := await self.reader.read(MAX_LINE)) and not self._is_closed:
                    self._take_all(data)
            self.is_cut = not (self._is_closed or self.is_hung_up)
        except TimeoutError:
            log.warning("AGI session ended without a hangup message")
        except (OSError, ValueError, PbxProtocolError) as error:
            self.is_cut = not (self._is_closed or self.is_hung_up)
            log.warning("FastAGI connection dropped", why=str(error) or type(error).__name__)
        finally:
            self.close()

    async def send_command(self, verb: str, *values: str, timeout_s: float) -> Reply:
        """Send a command, after the replies to all earlier commands, and return its reply.

        The deadline counts from sending it. If the caller is cancelled, a command that was sent stays with
        the PBX; its late reply is ignored.

        Raises:
            LegEnded: the connection is closed, or no reply came in time, which closes it.
            UnsafeValue: a value would inject a command; nothing was sent.
        """
        return await self._write(verb, *values, timeout_s=timeout_s)

    async def count(self, timeout_s: float) -> Media:
        """Return the leg's packet counts; the last known ones when the channel is gone."""
        with suppress(LegEnded):
            self._learn(await self.send_command("GET FULL VARIABLE", _COUNTS, timeout_s=timeout_s))
            # Until the next command: in between the PBX sends nothing.
            self.is_counted = True
        return self.media

    def hang_up(self) -> None:
        """Ask the PBX to end the channel after the commands that were sent before. Does not wait."""
        if not self._is_closed:
            self._write("HANGUP", timeout_s=_LAST_WORDS)

    def close(self) -> None:
        """Close the connection; commands that wait for a reply fail."""
        self._is_closed = True
        self._end_wait()
        while self._pending:
            reply = self._pending.popleft().reply
            if not reply.done():
                reply.set_exception(LegEnded())
                reply.exception()
        self.writer.close()

    def _write(self, verb: str, *values: str, timeout_s: float) -> "asyncio.Future[Reply]":
        line = build_command(verb, *values)
        if self._is_closed:
            raise LegEnded
        self.is_counted = False
        command = _Command(verb, line, timeout_s, asyncio.get_running_loop().create_future())
        self._pending.append(command)
        self._send_next()
        return command.reply

    def _send_next(self) -> None:
        # One at a time: of two that arrive together 22.10.1 leaves the second unread until a third comes.
        while not self._is_waiting and self._pending:
            command = self._pending[0]
            if command.reply.done():
                # Nobody waits any more, and it was not sent.
                self._pending.popleft()
            else:
                self._is_waiting = True
                self._expiry = asyncio.get_running_loop().call_later(command.timeout_s, self._expire)
                self.writer.write(command.line)

    def _expire(self) -> None:
        log.warning("no reply to a FastAGI command", command=self._pending[0].verb)
        self.is_unanswered = True
        self.close()

    def _take_all(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._take(line)

    def _take(self, line: bytes) -> None:
        reply = self._replies.feed(line)
        if isinstance(reply, HangupNotice):
            self._say_last_words()
        elif reply is not None:
            if not self._is_waiting:
                raise PbxProtocolError("a FastAGI reply to no command")
            self._end_wait()
            command = self._pending.popleft()
            if not command.reply.done():
                command.reply.set_result(reply)
            if reply.code == DEAD:
                # No notice comes from a channel that had ended before FastAGI began, as by a BYE right behind
                # our ACK: 22.10.1 sends one only for a hangup that it sees happen, and keeps the channel.
                self._say_last_words()
            self._send_next()

    def _end_wait(self) -> None:
        self._is_waiting = False
        if self._expiry is not None:
            self._expiry.cancel()

    def _say_last_words(self) -> None:
        """Ask for the packet counts while the ended channel still answers; then close."""
        if not self.is_hung_up:
            self.is_hung_up = True
            self._timeout.reschedule(asyncio.get_running_loop().time() + _LAST_WORDS)
            # 22.10.1 keeps a dead channel until FastAGI is closed, and still tells its variables.
            counts = self._write("GET FULL VARIABLE", _LAST, timeout_s=_LAST_WORDS)
            counts.add_done_callback(self._hear_last_words)

    def _hear_last_words(self, future: "asyncio.Future[Reply]") -> None:
        if not future.cancelled() and future.exception() is None:
            self.cause = self._learn(future.result())
        self.close()

    def _learn(self, reply: Reply) -> int | None:
        """Store the counts of a reply; return its hangup cause, if it has one."""
        parts = (reply.value or "").split("|")
        if len(parts) not in (_COUNTED, _COUNTED + FIELDS):
            return None
        received, sent, cause = (count(parts[index]) for index in (0, 1, 3))
        self.media = Media(
            received=self.media.received if received is None else received,
            sent=self.media.sent if sent is None else sent,
            reports_back=self.media.reports_back or bool(seconds(parts[2])),
        )
        if len(parts) > _COUNTED:
            self.quality = read_quality(parts[_COUNTED:])
        return cause
