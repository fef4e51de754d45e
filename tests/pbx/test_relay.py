"""A PBX that cannot reach us over TCP: its calls come by `voicegate-agi` and the Unix socket."""

import asyncio
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from tests.pbx.conftest import Backend
from tests.pbx.hung_up import all_end
from tests.unit.application.conftest import TESTER
from voicegate import bootstrap, config
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import CallRecord
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap.app import App
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within
from voicegate.lab.numbers import find_number
from voicegate.lab.world import Lab

PROGRAM = Path(sys.executable).with_name("voicegate-agi")


@contextmanager
def relayed(lab: Lab, path: Path) -> Iterator[None]:
    """Have the PBX's dialplan hand calls to the program, as `[globals]` would."""
    lab.pbx_command(f'dialplan set global VOICEGATE_RELAY "{PROGRAM},{path}"')
    try:
        yield
    finally:
        lab.pbx_command('dialplan set global VOICEGATE_RELAY ""')


def settings_of(lab: Lab, path: Path) -> config.Settings:
    """A second controller's settings, that no TCP connection may reach."""
    raw = tomllib.loads(lab.settings.config_file.read_text("utf-8"))
    raw["passcode"]["length"] = 4
    raw["audio"]["folder"] = str(lab.settings.volatile / "relayed")
    raw["storage"] = {name: f"{lab.settings.folder}/relayed.{name}" for name in ("database", "key_file")}
    raw["pbx"]["main"] |= {"agi_port": 0, "agi_allowed_peers": [], "agi_socket": str(path)}
    return config.parse(raw)


async def call(app: App, number: str) -> CallRecord:
    issued = await app.sign_in.issue(IssueRequest(TESTER, ChallengeSpec(Destination.parse(number))))
    assert isinstance(issued, Issued)
    since, record = -1, issued.record
    while record.calls[0].call.is_live:
        found = await app.challenges.look(
            TESTER, record.challenge.id, since=since, wait=timedelta(seconds=10)
        )
        assert found is not None
        since, record = found.revision, found
    return record.calls[0]


async def test_a_call_by_the_socket_is_a_call_as_any_other(backend: Backend) -> None:
    lab, path = backend.lab, backend.lab.settings.volatile / "agi.sock"
    numbers = [find_number(name).american("707") for name in ("hangs-up-at-end", "hangs-up-midway")]
    with relayed(lab, path):
        async with bootstrap.running(settings_of(lab, path)) as app:
            async with within(10):
                while not app.pbxs["main"].is_connected:
                    await asyncio.sleep(0.05)
            told, cut = await asyncio.gather(*(call(app, number) for number in numbers))
    assert told.outcome is not None
    assert cut.outcome is not None
    assert (told.outcome.outcome.value, told.call.evidence.announced) == ("delivered", 1)
    assert (cut.outcome.outcome.value, cut.call.evidence.announced) == ("hung_up", 0)
    assert cut.call.evidence.human
    await backend.quiet()


async def test_a_call_by_the_socket_that_is_hung_up_at_once_leaves_nothing(lab: Lab) -> None:
    path = lab.settings.volatile / "agi.sock"
    with relayed(lab, path):
        await all_end(lab, 30, **{"pbx.main.agi_socket": str(path)})
