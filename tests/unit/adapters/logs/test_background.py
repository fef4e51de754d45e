"""Log lines that a thread writes: whoever logs never waits, and what is lost is counted."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import plain_logs
from voicegate.adapters import logs
from voicegate.adapters.logs.writer import LineWriter
from voicegate.lab.deadlines import Deadline, at_most


class Pipe:
    """Standard error that somebody reads when the test says so."""

    def __init__(self) -> None:
        self.end, self.descriptor = os.pipe()

    def lines(self, until: str) -> list[str]:
        """Read until a line holds `until`."""
        read, deadline = b"", Deadline(20)
        while until.encode() not in read or not read.endswith(b"\n"):
            assert not deadline.has_passed
            read += os.read(self.end, 65536)
        return read.decode().splitlines()

    def close(self) -> None:
        for descriptor in (self.end, self.descriptor):
            os.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def notice(dropped: int) -> bytes:
    return f"{dropped} dropped\n".encode()


@pytest.mark.timeout(30)
def test_a_reader_that_does_not_read_holds_nobody_up_and_learns_later_how_many_it_missed(pipe: Pipe) -> None:
    writer = LineWriter(pipe.descriptor, notice, max_bytes=100_000)
    line = b"x" * 99 + b"\n"
    for _ in range(5000):
        writer.put(line)
    writer.flush(0.1)  # returns, though not all is written
    lines = pipe.lines(until="dropped")
    whole = [found for found in lines if found == "x" * 99]
    told = [int(found.split()[0]) for found in lines if found.endswith("dropped")]
    assert len(whole) + sum(told) == 5000
    assert 1 <= len(told) <= 3  # not one for each line
    writer.put(b"again\n")
    assert pipe.lines(until="again")[-1] == "again"


def test_lines_keep_their_order_and_all_are_written_at_a_flush(pipe: Pipe) -> None:
    writer = LineWriter(pipe.descriptor, notice)
    for number in range(1000):
        writer.put(b"%d\n" % number)
    writer.flush(at_most(10))
    assert os.read(pipe.end, 65536).split() == [b"%d" % number for number in range(1000)]


def test_what_could_not_be_written_is_counted_once_it_can_be_again(pipe: Pipe) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = LineWriter(descriptor, notice)
        for _ in range(3):
            writer.put(b"lost\n")
        writer.flush(at_most(10))
        os.dup2(pipe.descriptor, descriptor)
        writer.put(b"found\n")
        assert pipe.lines(until="found") == ["3 dropped", "found"]
    finally:
        os.close(descriptor)


def test_a_standard_error_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.descriptor, False)
    writer = LineWriter(pipe.descriptor, notice)
    for _ in range(3000):
        writer.put(b"x" * 99 + b"\n")
    writer.put(b"last\n")
    assert len(pipe.lines(until="last")) == 3001


SPEAKS = """
import logging, sys, threading, warnings
from voicegate.adapters import logs
logs.configure("info", "json")
with logs.in_background():
    print("no such number: +12025550143", file=sys.stderr)
    warnings.warn("old")
    failing = threading.Thread(target=lambda: int("none"))
    failing.start()
    failing.join()
    logging.getLogger("test").warning("%d calls", "many")
    logging.getLogger("test").warning("end")
print("afterwards", file=sys.stderr)
"""


def test_what_is_printed_is_logged_and_what_cannot_be_said_is_told_of() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SPEAKS], stderr=subprocess.PIPE, text=True, check=True, timeout=at_most(20)
    )
    *lines, last = ran.stderr.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert last == "afterwards"
    assert events[0] == "no such number: +1••••••••43"
    said = "\n".join(events)
    assert "UserWarning: old" in said
    assert "ValueError: invalid literal" in said
    assert events[-2:] == ["no line of test for a TypeError", "end"]


TELLS = """
import logging, structlog
from voicegate.adapters import logs
log = structlog.get_logger("test")
class Mute:
    def __repr__(self):
        raise ValueError
def tell():
    log.info("call ended", call="call_1", number="+12025550143", seconds=3.5, words=["\u00fc", None])
    log.debug("not wanted")
    try:
        int("none")
    except ValueError:
        log.exception("failed")
logs.configure("info", STYLE)
tell()
with logs.in_background():
    tell()
    log.info("mute", thing={Mute: 1}, passcode="123456")
    heard = []
    class Ear(logging.Handler):
        def emit(self, record):
            heard.append(record.name)
    logging.getLogger().addHandler(Ear())
    log.info("heard by another too")
    assert heard == ["test"]
    log.info("end")
"""


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_line_in_the_background_is_the_line_that_would_be_written_at_once(style: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TELLS.replace("STYLE", repr(style))],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=at_most(20),
    )
    # But for the times, and the lines of the two calls of `tell`.
    lines = [re.sub(r"20\d\d-[-0-9T:.]+Z|line \d+", "", line) for line in ran.stderr.splitlines()]
    half = next(index for index, line in enumerate(lines) if "mute" in line) // 2
    assert "call ended" in lines[0]
    assert "not wanted" not in ran.stderr
    assert lines[:half] == lines[half : 2 * half]
    assert "123456" not in ran.stderr
    assert "heard by another too" in lines[-2]
    assert "end" in lines[-1]


def test_afterwards_standard_error_is_as_it_was(pipe: Pipe) -> None:
    before = sys.stderr
    root = logging.getLogger()
    handlers = root.handlers[:]
    with os.fdopen(os.dup(pipe.descriptor), "w") as stream:
        logs.configure("info", "json", stream)
        configured = root.handlers[:]
        with logs.in_background():
            assert sys.stderr is not before
        assert root.handlers == configured
    assert sys.stderr is before
    root.handlers[:] = handlers
    plain_logs()
