"""One lab a PBX and process for all tests that call for real: PBX, carrier, telephones and daemon.

Those tests mostly wait for telephones, so they begin first, in two processes with a lab each, and all others
run beside them in two more. Only one of the two has many calls at once: two such labs would be more than two
cores can keep whole audio for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from voicegate.lab.errors import LabError
from voicegate.lab.freeswitch import find_freeswitch
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.processes import prefer
from voicegate.lab.settings import LabSettings, PbxKind
from voicegate.lab.world import Lab

pytest_plugins = ["tests.timeouts", "tests.starvation"]


def plain_logs() -> None:
    """Have structlog as it is for who did not set it up, but for tracebacks: drawn with all that is in their
    frames they take seconds.
    """
    structlog.reset_defaults()
    told = structlog.get_config()["processors"][:-1]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*told, plain])


plain_logs()

# Shorter than an admin would want them, so that a test of timeouts needs little of ours.
OVERRIDES = {
    # The invitation twice: the slow and the key that got lost have another chance.
    "call.human_timeout_s": 20,
    # Longer than the longest post-dial delay of the table's numbers, and than `progress_timeout_s`.
    "trunks.carrier.ring_timeout_s": 14,
    # A busy hour has twice as many calls as a trunk has at first, and none of them is to wait for a line.
    "trunks.carrier.max_calls": 90,
    "trunks.carrier.progress_timeout_s": 12,
}
LOST_GRACE_S = 8


MANY_CALLS = (
    "tests/acceptance/test_okta_sdk",
    "tests/acceptance/test_twilio_sdk",
    "tests/pbx/test_leaks",
    "tests/pbx/test_lines",
    "tests/pbx/test_numbers",
    "tests/pbx/test_softphones",
)
FEW_CALLS = ("tests/acceptance/test_okta_hook", "tests/browser/test_calls", "tests/contract/", "tests/pbx/")
CALLING = (*MANY_CALLS, *FEW_CALLS)
"""Where tests call for real, or promise a pace: those go before all others."""


def skip_without(*pbxs: PbxKind) -> None:
    """Skip, aloud, where one of them is not to be had."""
    if PbxKind.FREESWITCH in pbxs:
        try:
            find_freeswitch()
        except LabError as error:
            pytest.skip(str(error))


@cache
def prefer_this_process() -> None:
    """Have it go before the one that runs all other tests: it may hold daemons that are on the telephone."""
    with suppress(PermissionError):  # that it is the first of its session
        os.setsid()
        prefer(os.getpid())


@contextmanager
def running_lab(folder: Path, *pbxs: PbxKind) -> Iterator[Lab]:
    """A lab of its own with such PBXs; where one of them is not to be had, the tests are skipped aloud."""
    skip_without(*pbxs)
    prefer_this_process()
    overrides = OVERRIDES | {f"pbx.{kind.section}.lost_grace_s": LOST_GRACE_S for kind in pbxs}
    with reserve_port_base() as port_base:
        world = Lab(LabSettings(folder, port_base, name="tests", overrides=overrides, pbxs=pbxs))
        try:
            world.up()
            yield world
        finally:
            world.down()


@pytest.fixture(scope="session")
def asterisk_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), PbxKind.ASTERISK) as world:
        yield world


@pytest.fixture(scope="session")
def freeswitch_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), PbxKind.FREESWITCH) as world:
        yield world


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The Asterisk's, or that of the kind that a test's `parametrize("lab", …, indirect=True)` names."""
    kind: PbxKind = getattr(request, "param", PbxKind.ASTERISK)
    world: Lab = request.getfixturevalue(f"{kind}_lab")
    return world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Chromium's calls not while all else starts.
    items.sort(
        key=lambda item: (not item.nodeid.startswith(CALLING), item.nodeid.startswith("tests/browser/"))
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.nodeid.startswith(CALLING):
        prefer_this_process()


class Sides(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Whatever makes many calls at once is one scope, for one process and its lab, whatever makes few is
    another, pages are one, for one browser, and the house's are one, which parse each file once; every other
    test is a scope of its own.

    By path, for pytest-xdist 3.8's own groups mean nothing to pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(MANY_CALLS):
            return "many calls"
        if nodeid.startswith(FEW_CALLS):
            return "few calls"
        if nodeid.startswith("tests/house/"):
            return "house"
        return "browser" if nodeid.startswith("tests/browser/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sides:
    return Sides(config, log)
