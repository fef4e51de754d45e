"""Logs: one way for all, and no number, code or secret in any of it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.conftest import plain_logs
from voicegate.adapters import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    logs.configure("debug", "json", written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    plain_logs()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+12025550143", "+1••••••••43"),
        ("calling 12025550143.", "calling 12•••••••43."),
        ("PJSIP/+12025550143@carrier", "PJSIP/+1••••••••43@carrier"),
        ("sip:02079460123@example", "sip:02•••••••23@example"),
        ("a=+12025550143,b=+442079460123", "a=+1••••••••43,b=+4•••••••••23"),
    ],
)
def test_a_number_is_masked_wherever_it_stands(stream: io.StringIO, text: str, expected: str) -> None:
    structlog.get_logger("test").info("seen", what=text, deep={"er": [text, (text,)]})
    [line] = lines(stream)
    assert line["what"] == expected
    assert line["deep"] == {"er": [expected, [expected]]}


@pytest.mark.parametrize(
    "text",
    [
        "call_0k31234567z",
        "ver_12345678901234567890",
        "req_0123456789abcdef",
        "1700000000.12",
        "PJSIP/carrier-00000012",
        "2026-01-01T00:00:00.123456Z",
        "123456",
        "/run/voicegate/audio",
    ],
)
def test_ids_times_and_channels_are_left_as_they_are(stream: io.StringIO, text: str) -> None:
    structlog.get_logger("test").info("seen", what=text)
    assert lines(stream)[0]["what"] == text


@pytest.mark.parametrize("key", ["passcode", "ami_secret", "token", "Authorization", "digits"])
def test_what_a_key_calls_secret_is_hidden(stream: io.StringIO, key: str) -> None:
    structlog.get_logger("test").info("seen", **{key: "4711", "inside": {key: 4711}})
    assert "4711" not in stream.getvalue()


def test_a_number_in_an_error_is_masked(stream: io.StringIO) -> None:
    try:
        raise ValueError("no such number: +12025550143")
    except ValueError as error:
        structlog.get_logger("test").exception("failed", error=error)
    assert "ValueError" in lines(stream)[0]["exception"]
    assert "12025550143" not in stream.getvalue()


def test_the_standard_library_takes_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("somebody").warning("called %s", "+12025550143")
    [line] = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("called +1••••••••43", "warning", "somebody")


def test_panoramisk_never_tells_its_actions(stream: io.StringIO) -> None:
    logging.getLogger("panoramisk.manager").info("Originate")
    logging.getLogger("panoramisk.manager").warning("lost")
    assert [line["event"] for line in lines(stream)] == ["lost"]


def test_times_are_in_utc(stream: io.StringIO) -> None:
    structlog.get_logger("test").info("seen")
    assert lines(stream)[0]["timestamp"].endswith("Z")


def test_text_is_for_people(stream: io.StringIO) -> None:
    text = io.StringIO()
    logs.configure("info", "text", text)
    structlog.get_logger("test").debug("unseen")
    structlog.get_logger("test").info("seen", number="+12025550143")
    assert "seen" in text.getvalue()
    assert "number=+1••••••••43" in text.getvalue()
    assert "unseen" not in text.getvalue()
