"""One lab for all tests that call for real: two Asterisks, the telephones and the daemon.

Those tests mostly wait for telephones, so all others run beside them in a second process. Two labs at once
would be more than two cores can keep whole audio for.
"""

from collections.abc import Iterator

import pytest

from voicegate.lab.ports import reserve_port_base
from voicegate.lab.settings import LabSettings
from voicegate.lab.world import Lab

# Shorter than an admin would want them, so that a test of patience needs little of ours.
OVERRIDES = {
    "call.human_timeout_s": 14,
    # Longer than the longest post-dial delay of the table's numbers, and than `progress_timeout_s`.
    "trunks.carrier.ring_timeout_s": 14,
    "pbx.main.lost_grace_s": 8,
}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with reserve_port_base() as port_base:
        folder = tmp_path_factory.mktemp("lab")
        world = Lab(LabSettings(folder, port_base, name="tests", overrides=OVERRIDES))
        try:
            world.up()
            yield world
        finally:
            world.down()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep whatever calls for real in one process."""
    for item in items:
        folder = item.path.parent.name
        if folder in ("pbx", "contract") or "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("calls"))
