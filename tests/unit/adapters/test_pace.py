"""How long a write takes: measured, soon forgotten, and never by one stall alone."""

from voicegate.adapters.storage.pace import WritePace


def at(rate: int, each_s: float, seconds: int) -> WritePace:
    """Writes that came one by one."""
    pace = WritePace(0)
    for number in range(rate * seconds):
        pace.note(1, each_s, number / rate)
    return pace


def test_before_anything_is_known_a_write_takes_a_few_milliseconds() -> None:
    assert 0.001 < WritePace(0).each_s(0) < 0.01


def test_a_busy_machine_is_found_out_within_a_second() -> None:
    pace = WritePace(0)
    for batch in range(10):
        pace.note(4, 0.1, batch / 10)
    assert 0.015 < pace.each_s(1.0) < 0.025


def test_one_stall_among_many_writes_changes_little() -> None:
    pace = at(50, 0.005, 10)
    pace.note(1, 0.3, 10)
    assert pace.each_s(10) < 0.01


def test_what_is_long_ago_is_forgotten() -> None:
    pace = at(5, 0.2, 10)
    assert pace.each_s(10) > 0.05
    assert abs(pace.each_s(30) - WritePace(0).each_s(0)) < 0.0001
