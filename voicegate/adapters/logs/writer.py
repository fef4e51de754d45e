"""A thread that writes log lines, so that logging never waits for a full pipe, a slow disk or a terminal.

The package formats the lines.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

MAX_BYTES: Final = 4 * 2**20
"""The bytes of lines that may wait: about ten thousand lines."""

_GATHER_S: Final = 0.05
"""So late a line can be written."""


class LineWriter:
    """Writes lines to a descriptor, in order; if more than `max_bytes` wait, new lines are dropped and
    counted.

    Once lines are dropped, all new lines are dropped until half of the waiting ones are written, so that one
    notice stands for many lines. `notice` makes the line that tells their number.
    """

    def __init__(
        self, descriptor: int, notice: Callable[[int], bytes], *, max_bytes: int = MAX_BYTES
    ) -> None:
        self._descriptor = descriptor
        self._notice = notice
        self._max_bytes = max_bytes
        # A number stands for the notice of as many that were dropped there.
        self._lines: deque[bytes | int] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._is_writing = self._is_idle = False
        self._changed = threading.Condition()
        # A daemon thread, for a write that blocks for ever must not keep the process from its end.
        threading.Thread(target=self._write_for_ever, name="log writer", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Queue a line to be written; does not block and never raises."""
        with self._changed:
            limit = self._max_bytes // 2 if self._dropped else self._max_bytes
            if self._waiting_bytes + len(line) > limit:
                self._dropped += 1
                return
            self._mark_dropped()
            self._lines.append(line)
            self._waiting_bytes += len(line)
            if self._is_idle:
                self._changed.notify_all()

    def flush(self, within_s: float) -> None:
        """Wait until all lines are written, or the time is over; blocks."""
        deadline = monotonic() + within_s
        with self._changed:
            # Whoever gathers lines need not do so any longer.
            self._changed.notify_all()
            while (self._lines or self._is_writing) and (left := deadline - monotonic()) > 0:
                self._changed.wait(left)

    def _mark_dropped(self) -> None:
        if self._dropped:
            self._lines.append(self._dropped)
            self._dropped = 0

    def _write_for_ever(self) -> None:
        has_failed = False
        while True:
            line = self._take(may_mark=not has_failed)
            try:
                _write(self._descriptor, self._notice(line) if isinstance(line, int) else line)
                has_failed = False
            except OSError:  # the reader is gone, or the disk full: told to whoever reads on later
                has_failed = True
                with self._changed:
                    self._dropped += line if isinstance(line, int) else 1

    def _take(self, *, may_mark: bool) -> bytes | int:
        with self._changed:
            self._is_writing = False
            if may_mark and not self._lines:
                self._mark_dropped()
            self._changed.notify_all()
            if not self._lines:
                self._is_idle = True
                self._changed.wait_for(lambda: self._lines)
                self._is_idle = False
                # Others follow: to wake this thread for each line costs more than the lines do.
                self._changed.wait(_GATHER_S)
            self._is_writing = True
            line = self._lines.popleft()
            self._waiting_bytes -= len(line) if isinstance(line, bytes) else 0
            return line


def _write(descriptor: int, line: bytes) -> None:
    left = memoryview(line)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            # Whoever shares our standard error may have made it non-blocking.
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
