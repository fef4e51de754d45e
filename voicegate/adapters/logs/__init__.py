"""Logs on standard error; removes codes, secrets and whole telephone numbers from them.

Records of structlog and of the standard library (asyncio, aiohttp, panoramisk) are handled alike: one
redacting processor, then JSON or text. A daemon's lines are written by a thread (`in_background`), so that a
slow reader of its standard error cannot block it.
"""

import io
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from voicegate.adapters.logs.writer import LineWriter
from voicegate.domain.phone_number import mask

REDACTED: Final = "[redacted]"

_SECRET_KEYS: Final = re.compile(r"passcode|secret|token|password|authorization|digits", re.IGNORECASE)
_OWN_KEYS: Final = frozenset({"timestamp", "level", "logger"})
# E.164 with its plus, or a bare run of as many digits; not a part of an id, a decimal or a date, such as
# call_0k3, 1700000000.12 or carrier-00000012.
_NUMBER: Final = re.compile(r"\+\d{7,15}(?!\d)|(?<![\w.+-])\d{7,15}(?!\w|\.\d)", re.ASCII)
_MAX_DEPTH: Final = 6
_FLUSH_WITHIN_S: Final = 2.0

# panoramisk repeats whole actions in its log, variables and all, at INFO and below; the others only chat.
_QUIET: Final = ("panoramisk", "asyncio", "aiohttp", "alembic", "httpx")


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Write all logs of this process of at least `level` to `stream` (standard error).

    `style` is `json`, `text`, or `auto`: text on a terminal, else JSON.
    """
    target = stream if stream is not None else sys.stderr
    is_text = style == "text" or (style == "auto" and target.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _hand_over,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(shared, target, is_text=is_text))
    logging.getLogger().handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Write logs of at least `level` from now on, in a running process too."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


@contextmanager
def in_background(within_s: float = _FLUSH_WITHIN_S) -> Iterator[None]:
    """Let a thread write the logs of this process while the context lasts; call `configure` before.

    Logging never waits: above a limit, lines are dropped and their number is logged. Anything else that is
    printed to standard error (warnings, a thread's traceback) is logged too. At the end, the context waits at
    most `within_s` seconds for the last lines to be written.
    """
    root = logging.getLogger()
    (direct,) = root.handlers
    if not isinstance(direct, logging.StreamHandler):
        raise TypeError("logs are not configured")
    handler = _Handler(direct)
    printed, sys.stderr = sys.stderr, _Printed(handler)
    root.handlers[:] = [handler]
    try:
        yield
    finally:
        handler.writer.flush(within_s)
        root.handlers[:], sys.stderr = [direct], printed


class _Handler(logging.Handler):
    """Formats records as `direct` does, and passes the lines to a `LineWriter`."""

    def __init__(self, direct: "logging.StreamHandler[TextIO]") -> None:
        super().__init__()
        self.setFormatter(direct.formatter)
        if not isinstance(direct.formatter, structlog.stdlib.ProcessorFormatter):
            raise TypeError("logs are not configured")
        self._render = direct.formatter.processors[-1]
        self.writer = LineWriter(direct.stream.fileno(), self._notice)

    def emit(self, record: logging.LogRecord) -> None:
        """Format the line at once, because the objects in it may change."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001  # a log line must not end what it is about
            line = self._instead(record.name, error)
        self.writer.put(_encode(line))

    def put(self, logger: WrappedLogger, method: str, event: EventDict) -> None:
        """Do the same for an event of structlog that was processed, without a record made of it."""
        try:
            line = str(self._render(logger, method, event))
        except Exception as error:  # noqa: BLE001  # as above
            line = self._instead(logger.name, error)
        self.writer.put(_encode(line))

    def _instead(self, name: str, error: Exception) -> str:
        return self.format(_warning(__name__, f"no line of {name} for a {type(error).__name__}"))

    def _notice(self, dropped: int) -> bytes:
        return _encode(self.format(_warning(__name__, f"{dropped} log lines dropped")))


def _hand_over(logger: WrappedLogger, method: str, event: EventDict) -> Any:
    """Pass an event on, by the standard library only where somebody else listens there too."""
    # A record, its copy and the formatter's own steps cost as much as all that is done to the event before.
    match logging.getLogger().handlers:
        case [_Handler() as own]:
            own.put(logger, method, event)
            raise structlog.DropEvent
        case _:
            return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event)


class _Printed(io.TextIOBase):
    """A file that logs what is printed to standard error, line by line."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._unfinished = ""

    def write(self, text: str) -> int:
        """Log each complete line."""
        *lines, self._unfinished = f"{self._unfinished}{text}".split("\n")
        for line in filter(None, lines):
            self._handler.emit(_warning("stderr", line))
        return len(text)


def _warning(name: str, message: str) -> logging.LogRecord:
    told = {"name": name, "levelno": logging.WARNING, "levelname": "WARNING", "msg": message}
    return logging.makeLogRecord(told)


def _encode(line: str) -> bytes:
    return f"{line}\n".encode("utf-8", "backslashreplace")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide numbers, codes and secrets in a log record, at any depth and in any text."""
    return {key: value if key in _OWN_KEYS else _hide(key, value, 0) for key, value in event.items()}


def _formatter(
    shared: list[Processor], target: TextIO, *, is_text: bool
) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor = structlog.processors.JSONRenderer()
    if is_text:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _hide(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEYS.search(key) and value is not None:
        return REDACTED
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _NUMBER.sub(lambda found: mask(found[0]), value)
        case Mapping() if depth < _MAX_DEPTH:
            return {str(name): _hide(str(name), entry, depth + 1) for name, entry in value.items()}
        case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
            return [_hide("", entry, depth + 1) for entry in value]
        case _:
            # Other objects become text here; a renderer would turn them into text without redaction.
            return _hide("", repr(value), depth)
