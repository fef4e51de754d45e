"""A trunk's ratios and averages, and when too few keys are an alarm."""

from datetime import timedelta

import pytest

from voicegate.domain.trunk_figures import KeyAlarm, TrunkFigures, total

SECOND = timedelta(seconds=1)
HERE = TrunkFigures(
    "a", "US", placed=8, answered=4, verified=2, keys_asked=4, keys_pressed=1, delays=5, delay=10 * SECOND
)
THERE = TrunkFigures("a", "GB", placed=2, answered=1, failed=1, talk=30 * SECOND)


def test_ratios_are_of_the_calls_that_could_have_them() -> None:
    assert (HERE.answer_seizure_ratio, HERE.verified_ratio, HERE.key_press_share) == (0.5, 0.25, 0.25)
    assert (HERE.post_dial_delay, THERE.call_duration) == (2 * SECOND, 30 * SECOND)


def test_of_nothing_there_is_no_ratio_and_no_average() -> None:
    empty = TrunkFigures("a")
    assert (empty.answer_seizure_ratio, empty.verified_ratio, empty.key_press_share) == (None, None, None)
    assert (empty.post_dial_delay, empty.call_duration) == (None, None)


def test_the_total_is_of_one_trunk_in_all_countries() -> None:
    whole = total("a", [HERE, TrunkFigures("b", "US", placed=99), THERE])
    assert (whole.country, whole.placed, whole.answered, whole.failed) == ("", 10, 5, 1)
    assert (whole.delay, whole.talk, whole.keys_asked) == (10 * SECOND, 30 * SECOND, 4)


@pytest.mark.parametrize(
    ("asked", "pressed", "is_due"),
    [(0, 0, False), (19, 0, False), (20, 3, True), (20, 4, False), (20, 20, False)],
)
def test_the_alarm_is_due_below_the_floor_with_enough_calls(
    asked: int, pressed: int, *, is_due: bool
) -> None:
    alarm = KeyAlarm(floor=0.2, calls=20)
    assert alarm.is_due(TrunkFigures("a", keys_asked=asked, keys_pressed=pressed)) is is_due
