"""What the daemon takes before anything else."""

import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from voicegate.adapters.unix_socket import SocketFile
from voicegate.bootstrap.endpoints import listening_alone
from voicegate.domain.errors import ConfigError

PAIRS = 400


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns so often that every order of their steps comes up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_of_two_that_start_in_one_moment_one_has_the_socket(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        for pair in range(PAIRS):
            path = tmp_path / f"{pair}.sock"
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(path))  # what a killed daemon leaves
            both = Barrier(2)

            def start(path: Path = path, both: Barrier = both) -> bool:
                both.wait()
                try:
                    with listening_alone(SocketFile(path)):
                        both.wait()
                        return True
                except ConfigError:
                    both.wait()
                    return False

            starts = [threads.submit(start) for _ in range(2)]
            assert sorted(one.result() for one in starts) == [False, True]
