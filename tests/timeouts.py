"""How long a test may take: its `timeout` is counted by the clock of `voicegate.lab.deadlines`.

Loaded by `conftest`; takes the place of the timer of pytest-timeout 2.4.
"""

import signal
import threading
from types import FrameType

import pytest
import pytest_timeout

from voicegate.lab.deadlines import Deadline

SOAK_TIMEOUT_S = 1800
"""For each test marked `soak` that names no `timeout` of its own."""
_AT_LEAST_S = 0.1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SOAK_TIMEOUT_S))


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: pytest_timeout.Settings) -> bool | None:
    """Wake up when the test's time would be over on an idle machine, and look at the clock."""
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None
    deadline = Deadline(settings.timeout)

    def look(_number: int, _frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if deadline.has_passed:
            pytest_timeout.timeout_sigalrm(item, settings)
        else:
            signal.setitimer(signal.ITIMER_REAL, max(deadline.left_s, _AT_LEAST_S))

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    # Where its own hook, which ends a timer, looks for how.
    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    return True
