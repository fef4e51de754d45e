"""Twilio's own Python SDK, unmodified but for its base URL, through the daemon and the lab's telephones.

Three flows at once, each with a number of its own; then what the attempts say of all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.acceptance.test_daemon import daemon
from voicegate.lab.deadlines import Deadline
from voicegate.lab.ear import hear_code
from voicegate.lab.numbers import find_number
from voicegate.lab.rendering import render_controller
from voicegate.lab.world import Lab

if TYPE_CHECKING:
    from tests.acceptance.conftest import Sdks

# With the flows of the other SDKs, which are lived at the same time.
pytestmark = pytest.mark.timeout(400)

ACCOUNT, SERVICE = "AC" + "0" * 31 + "1", "VA" + "0" * 31 + "1"
AREA: Final = "505"
OFFICE, PERSON, RINGS = (
    find_number(name).american(AREA) for name in ("office", "presses-key", "rings-for-ever")
)
EXTENSION = find_number("office").extension
TIMEOUT_S: Final = 90

Facts = dict[str, Any]


@dataclass(frozen=True)
class Backend:
    """A backend that knows Twilio only, with ears at its users' telephones."""

    client: Client
    lab: Lab

    @property
    def verify(self) -> Any:
        return self.client.verify.v2

    @property
    def service(self) -> Any:
        return self.verify.services(SERVICE)

    def call(self, number: str, **more: str) -> Any:
        return self.service.verifications.create(to=number, channel="call", **more)

    def check(self, **guess: str) -> tuple[str, bool] | tuple[int, int | None]:
        """Status and validity, or the error's status and code."""
        try:
            checked = self.service.verification_checks.create(**guess)
        except TwilioRestException as error:
            return error.status, error.code
        return checked.status, checked.valid

    def statuses(self, sid: str) -> list[str]:
        """Where each call of a verification stands, newest first."""
        attempts = self.verify.verification_attempts.list(verification_sid=sid)
        return [attempt.channel_data["call_status"] for attempt in attempts]

    def hear(self, number: str, count: int = 1) -> str:
        """The code that the independent ear reads from the `count`th call to a number."""
        until(lambda: len(self.lab.recordings(number)) >= count)
        code = hear_code(self.lab.recordings(number)[count - 1], 6)
        assert code is not None
        return code


def until(is_so: Callable[[], bool]) -> None:
    deadline = Deadline(TIMEOUT_S)
    while not is_so():
        assert not deadline.has_passed
        time.sleep(0.2)


@asynccontextmanager
async def backend(lab: Lab, folder: Path) -> AsyncIterator[Backend]:
    """A daemon on the lab's PBX, and a client of it."""
    # Of the lab's five hundred ports, one that nobody else uses.
    port = lab.settings.port_base + 92
    overrides = {
        "storage.database": str(folder / "voicegate.db"),
        "storage.key_file": str(folder / "key"),
        "storage.state_folder": str(folder / "state"),
        "socket.path": str(folder / "voicegate.sock"),
        "audio.folder": str(lab.settings.volatile / "audio-twilio"),
        "pbx.main.agi_port": 0,
        "tcp.enabled": True,
        "tcp.port": port,
        "twilio.bank.sid": SERVICE,
    }
    settings = folder / "voicegate.toml"
    merged = {**lab.settings.overrides, **overrides}
    settings.write_text(render_controller(replace(lab.settings, overrides=merged)))
    async with daemon(settings):
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "voicegate.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://voicegate") as admin:
            new = {"name": "twilio-sdk", "scopes": ["verifications"]}
            added = await admin.post("/v1/clients", json=new)
        client = Client(ACCOUNT, added.json()["key"])
        client.verify.base_url = f"http://127.0.0.1:{port}"
        yield Backend(client, lab)


def sign_in(backend: Backend) -> Facts:
    """An office's extension is called; a wrong code, then the right one."""
    created = backend.call(OFFICE, send_digits=f"w{EXTENSION}")
    code = backend.hear(OFFICE)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    checks = [backend.check(to=OFFICE, code=guess) for guess in (wrong, code, code)]
    first = (created.status, created.valid, created.account_sid, created.channel, created.to)
    return {"sid": created.sid, "created": first, "checks": checks}


def call_twice(backend: Backend) -> Facts:
    """Somebody did not catch the code; another code of the backend is not spoken meanwhile."""
    created = backend.call(PERSON)
    heard = backend.hear(PERSON)
    until(lambda: backend.statuses(created.sid) == ["completed"])
    with pytest.raises(TwilioRestException) as refused:
        backend.call(PERSON, custom_code="8674")
    again = backend.call(PERSON)
    heard_again = backend.hear(PERSON, 2)
    until(lambda: backend.statuses(created.sid) == ["completed"] * 2)
    backend.service.verifications(created.sid).update(status="approved")
    return {
        "sid": created.sid,
        "same": (again.sid == created.sid, heard_again == heard, len(again.send_code_attempts)),
        "refused": (refused.value.status, refused.value.code),
    }


def give_up(backend: Backend) -> Facts:
    """Somebody cancels while it rings."""
    created = backend.call(RINGS)
    until(lambda: backend.statuses(created.sid) == ["ringing"])
    with pytest.raises(TwilioRestException) as doubled:
        backend.call(RINGS)
    canceled = backend.service.verifications(created.sid).update(status="canceled")
    until(lambda: backend.statuses(created.sid) == ["canceled"])
    return {
        "sid": created.sid,
        "doubled": (doubled.value.status, doubled.value.code),
        "status": (canceled.status, canceled.valid),
        "check": backend.check(verification_sid=created.sid, code="123456"),
    }


@dataclass(frozen=True)
class Day:
    """What the SDK was told."""

    flows: tuple[Facts, Facts, Facts]
    attempts: list[Any]
    attempt: Any
    summary: Any


async def live_a_day(lab: Lab, folder: Path) -> Day:
    """All flows at once."""
    async with backend(lab, folder) as one:
        first, second, third = await asyncio.gather(
            *(asyncio.to_thread(flow, one) for flow in (sign_in, call_twice, give_up))
        )
        return await asyncio.to_thread(look_back, one, (first, second, third))


@pytest.fixture
def day(sdks: "Sdks") -> Day:
    return sdks.twilio


def look_back(backend: Backend, flows: tuple[Facts, Facts, Facts]) -> Day:
    # Two a page, so that the SDK has to turn pages.
    attempts = backend.verify.verification_attempts.list(verify_service_sid=SERVICE, page_size=2)
    first = backend.verify.verification_attempts.list(verification_sid=flows[0]["sid"])[0]
    attempt = backend.verify.verification_attempts(first.sid).fetch()
    return Day(flows, attempts, attempt, backend.verify.verification_attempts_summary().fetch())


def test_an_extension_is_called_and_its_code_approved_once(day: Day) -> None:
    flow = day.flows[0]
    assert flow["created"] == ("pending", False, ACCOUNT, "call", OFFICE)
    assert flow["checks"] == [("pending", False), ("approved", True), (404, 20404)]


def test_a_pending_code_is_repeated(day: Day) -> None:
    flow = day.flows[1]
    assert flow["same"] == (True, True, 2)
    assert flow["refused"] == (400, 60200)


def test_cancelling_hangs_up(day: Day) -> None:
    flow = day.flows[2]
    assert flow["doubled"] == (429, 60212)
    assert flow["status"] == ("canceled", False)
    assert flow["check"] == (404, 20404)


def test_the_attempts_tell_what_became_of_each_call(day: Day) -> None:
    sids = [flow["sid"] for flow in day.flows]
    told = sorted(
        (
            sids.index(attempt.verification_sid),
            attempt.conversion_status,
            attempt.channel_data["call_status"],
            attempt.channel_data["evidence"],
        )
        for attempt in day.attempts
    )
    assert told == [
        (0, "converted", "completed", "announced"),
        (1, "converted", "completed", "announced"),
        (1, "unconverted", "completed", "announced"),
        (2, "unconverted", "canceled", "none"),
    ]
    assert (day.attempt.verification_sid, day.attempt.channel_data["country"]) == (sids[0], "US")
    assert day.attempt.date_created <= day.attempt.date_updated
    summary = day.summary
    counted = (summary.total_attempts, summary.total_converted, summary.total_unconverted)
    assert counted == (4, 2, 2)
    assert float(summary.conversion_rate_percentage) == 50
