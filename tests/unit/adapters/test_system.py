"""The machine's clock and random numbers."""

import re
from collections import Counter
from datetime import timedelta

from voicegate.adapters.system import SystemClock, SystemEntropy


def test_the_clock_is_in_utc_and_goes_forward() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first.utcoffset() == timedelta()
    assert first <= second


def test_an_id_is_its_prefix_and_at_least_96_bits_of_digits_and_small_letters() -> None:
    entropy = SystemEntropy()
    ids = {entropy.new_id("ver") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("ver_[0-9a-z]{20}", each) for each in ids)
    assert 36**20 > 2**96


def test_every_key_that_may_come_does_and_none_is_likelier() -> None:
    entropy = SystemEntropy()
    counts = Counter(entropy.key_press("12345678") for _ in range(8000))
    assert set(counts) == set("12345678")
    # Eight standard deviations: seen once in a million million runs.
    assert all(abs(count - 1000) < 240 for count in counts.values())
