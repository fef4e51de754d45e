"""One message an interval, and the others counted."""

from datetime import timedelta

from voicegate.application.throttling import Throttle


def test_one_message_an_interval_passes_and_says_how_many_did_not() -> None:
    time = 5.0
    throttle = Throttle(timedelta(seconds=10), monotonic=lambda: time)
    assert [throttle.admit() for _ in range(4)] == [0, None, None, None]
    time = 14.9
    assert throttle.admit() is None
    time = 15.0
    assert [throttle.admit() for _ in range(2)] == [4, None]
    time = 100.0
    assert throttle.admit() == 1
