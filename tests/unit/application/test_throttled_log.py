"""Warnings that strangers cause: counted by address, bounded, and none hidden by another's flood."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from voicegate.application import throttled_log
from voicegate.application.throttled_log import AUTHENTICATION_FAILED, MAX_APART, ThrottledLog
from voicegate.lab.deadlines import within

FLOODER, OTHER = "198.51.100.7", "203.0.113.9"
Lines = list[Any]


def of(lines: Lines, address: str) -> Lines:
    return [line for line in lines if line["address"] == address]


async def test_the_flood_of_one_address_hides_no_other() -> None:
    with capture_logs() as lines:
        throttled = ThrottledLog()
        for _ in range(1000):
            throttled.authentication_failed(FLOODER, "key_wrong")
            throttled.warn("not HTTP", FLOODER)
        throttled.authentication_failed(OTHER, "key_wrong")
        throttled.warn("not HTTP", OTHER)
        throttled.close()
    assert [line["event"] for line in of(lines, OTHER)] == [AUTHENTICATION_FAILED, "not HTTP"]
    counted = Counter[str]()
    for line in of(lines, FLOODER):
        counted[line["event"]] += line.get("times", 1)
    assert counted == {AUTHENTICATION_FAILED: 1000, "not HTTP": 1000}
    assert len(of(lines, FLOODER)) == 11 + 2, "ten and a sum; one and a sum"


async def test_many_addresses_are_counted_together_and_log_no_more_than_is_bounded() -> None:
    with capture_logs() as lines:
        throttled = ThrottledLog()
        addresses = [f"2001:db8:{count:x}::/64" for count in range(10 * MAX_APART)]
        for address in addresses:
            throttled.authentication_failed(address, "key_wrong")
        throttled.close()
    assert len(lines) == MAX_APART + 2, "each of the first ones, the crowd's first, and its sum"
    assert sum(line.get("times", 1) for line in lines) == len(addresses)
    assert len(throttled._counts) == 0


async def test_who_goes_on_is_summed_up_and_who_stops_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttled_log, "SUM_UP_EVERY_S", 0.05)
    with capture_logs() as lines:
        throttled = ThrottledLog()
        for _ in range(30):
            throttled.authentication_failed(FLOODER, "key_wrong")
        async with within(5):
            while sum(line.get("times", 1) for line in lines) < 30:
                await asyncio.sleep(0.01)
        assert len(lines) == 11
        throttled.authentication_failed(FLOODER, "key_wrong")
        async with within(5):
            while throttled._counts:
                await asyncio.sleep(0.01)
    assert sum(line.get("times", 1) for line in lines) == 31
    assert not +throttled._apart, "its place is free again"


async def test_each_failure_is_told_whatever_is_logged() -> None:
    told: list[str] = []
    throttled = ThrottledLog(told.append)
    for _ in range(50):
        throttled.authentication_failed(FLOODER, "key_wrong")
    throttled.close()
    assert told == ["key_wrong"] * 50


async def test_the_address_is_the_first_thing_in_the_line() -> None:
    """What reads the log may rely on it; a test of fail2ban's does."""
    with capture_logs() as lines:
        throttled = ThrottledLog()
        throttled.authentication_failed(FLOODER, "key_wrong")
        throttled.close()
    assert list(lines[0])[:2] == ["address", "why"]
