"""Logs on standard error, and what never gets into them: codes, secrets, whole telephone numbers.

Records of structlog and of the standard library (asyncio, aiohttp, panoramisk) take the same way: one
redacting processor, then JSON or text. What a log line says is the business of whoever writes it.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from voicegate.domain.phone_number import mask

REDACTED: Final = "[redacted]"

_SECRET_KEYS: Final = re.compile(r"passcode|secret|token|password|authorization|digits", re.IGNORECASE)
_OWN_KEYS: Final = frozenset({"timestamp", "level", "logger"})
# E.164 with its plus, or a bare run of as many digits; not a part of an id, a decimal or a date, such as
# call_0k3, 1700000000.12 or carrier-00000012.
_NUMBER: Final = re.compile(r"\+\d{7,15}(?!\d)|(?<![\w.+-])\d{7,15}(?!\w|\.\d)", re.ASCII)
_MAX_DEPTH: Final = 6

# panoramisk repeats whole actions in its log, variables and all, at INFO and below; the others only chat.
_QUIET: Final = ("panoramisk", "asyncio", "aiohttp", "alembic", "httpx")


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error) from `level` on.

    `style` is `json`, `text`, or `auto`: text where a person looks on, else JSON.
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
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(shared, target, is_text=is_text))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


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
            # Whatever else is logged becomes text here, before a renderer makes text of it unseen.
            return _hide("", repr(value), depth)
