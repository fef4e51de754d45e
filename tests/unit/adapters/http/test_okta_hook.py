"""The door for Okta's telephony inline hook: the answer first, then the call, and nobody called twice."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http import problems
from voicegate.adapters.http.acceptor import _Arrival
from voicegate.adapters.http.okta_hook import PATH, OktaHook, okta_hook_door
from voicegate.adapters.http.overload import Load
from voicegate.adapters.http.problems import Refused
from voicegate.domain.announcement import Digit
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.client import Scope
from voicegate.domain.errors import StoreError
from voicegate.domain.routing import TrunkState
from voicegate.lab.deadlines import within

OFFICE = "+12025550106"
WITHIN = timedelta(seconds=2)


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    hook = OktaHook(bench.sign_in, bench.clock, extensions={OFFICE: "4321"}, answer_within=WITHIN)
    async with serving(bench, tmp_path, doors=[okta_hook_door(hook)]) as server:
        yield server


def event(event_id: str = "event-1", /, **profile: object) -> dict[str, Any]:
    """What Okta sends, as in its documents' example."""
    message = {
        "msgTemplate": "(HARDCODED MSG) Your code is 11111",
        "phoneNumber": "+12025550101",
        "otpExpires": "2026-01-01T00:04:00.321Z",
        "deliveryChannel": "voice call",
        "otpCode": "110471",
        "locale": "EN-US",
    }
    user = {"firstName": "test", "lastName": "user", "login": "test.user@example.com", "userId": "00u1"}
    return {
        "eventId": event_id,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventType": "com.okta.telephony.provider",
        "eventTypeVersion": "1.0",
        "contentType": "application/json",
        "cloudEventVersion": "0.1",
        "source": "https://org.example/api/v1/inlineHooks/cal1",
        "requestType": "com.okta.user.telephony.pre-enrollment",
        "data": {
            "context": {"request": {"id": "r"}},
            "userProfile": user,
            "messageProfile": message | profile,
        },
    }


async def answer(served: Served, body: dict[str, Any]) -> dict[str, str]:
    """The one action of the answer."""
    response = await served.http.post(PATH, json=body)
    assert response.status_code == 200, response.text
    (command,) = response.json()["commands"]
    assert command["type"] == "com.okta.telephony.action"
    (value,) = command["value"]
    return dict(value)


async def spoken(served: Served) -> str:
    """The digits of the one code that was mixed."""
    async with within(5):
        while not served.bench.speech.said:
            await asyncio.sleep(0.01)
    _, reading = served.bench.speech.said[-1]
    return "".join(part.value for part in reading if isinstance(part, Digit))


async def test_oktas_own_code_is_spoken_and_pending_until_it_is(served: Served) -> None:
    told = await answer(served, event())
    assert (told["status"], told["provider"]) == ("PENDING", "Voicegate")
    assert await spoken(served) == "110471"
    record = await served.bench.settled(told["transactionId"])
    assert record.challenge.language == "en"
    assert record.challenge.expires_at.isoformat() == "2026-01-01T00:04:00.321000+00:00"


async def test_numbers_and_codes_without_quotes_are_read_as_well(served: Served) -> None:
    told = await answer(served, event(phoneNumber=12025550101, otpCode=110471, deliveryChannel="CALL"))
    assert told["status"] == "PENDING"
    assert await spoken(served) == "110471"


async def test_a_number_of_the_map_gets_its_extension(served: Served) -> None:
    told = await answer(served, event(phoneNumber=OFFICE))
    await served.bench.settled(told["transactionId"])
    assert "send 4321" in served.bench.pbx.legs[0].done


async def test_a_language_without_prompts_is_spoken_to_in_the_default_one(served: Served) -> None:
    told = await answer(served, event(locale="fi-FI"))
    record = await served.bench.settled(told["transactionId"])
    assert record.challenge.language == "en"


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({"deliveryChannel": "SMS"}, "sms_not_supported"),
        ({"deliveryChannel": " sms "}, "sms_not_supported"),
        ({"deliveryChannel": "EMAIL"}, "channel_not_supported"),
        ({"deliveryChannel": "WHATSAPP"}, "channel_not_supported"),
        ({"deliveryChannel": ""}, "channel_not_supported"),
        ({"deliveryChannel": "conference call"}, "channel_not_supported"),
        ({"phoneNumber": "+1202"}, "invalid_number"),
        ({"otpCode": "12"}, "invalid_code"),
        ({"otpExpires": "2025-12-31T23:59:59Z"}, "expired"),
        ({"phoneNumber": "+442079460101"}, "country_not_allowed"),
    ],
)
async def test_what_cannot_be_called_fails_at_once(
    served: Served, profile: dict[str, object], reason: str
) -> None:
    told = await answer(served, event(**profile))
    assert (told["status"], told["transactionMetadata"]) == ("FAILED", reason)
    assert served.bench.pbx.legs == []


async def test_it_fails_at_once_when_no_trunk_can_take_the_call(served: Served) -> None:
    served.bench.pbx.is_connected = False
    assert (await answer(served, event()))["transactionMetadata"] == "trunks_down"
    served.bench.pbx.is_connected = True
    served.bench.pbx.states = {"carrier": TrunkState.UNREACHABLE}
    assert (await answer(served, event("event-2")))["transactionMetadata"] == "trunks_down"
    assert served.bench.pbx.legs == []


async def test_the_pbx_is_not_asked_about_its_trunks_for_every_call(served: Served) -> None:
    for number in range(5):
        assert (await answer(served, event(f"event-{number}")))["status"] == "PENDING"
    assert served.bench.pbx.asked_states == 1


async def test_one_event_calls_once_however_often_it_comes(served: Served) -> None:
    told = await asyncio.gather(*(answer(served, event()) for _ in range(20)))
    assert len({value["transactionId"] for value in told}) == 1
    await served.bench.settled(told[0]["transactionId"])
    assert len(served.bench.pbx.legs) == 1
    assert (await answer(served, event()))["status"] == "SUCCESSFUL"


async def test_a_repeated_event_hears_that_its_call_failed(served: Served) -> None:
    async def busy(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(17, 486))

    served.bench.pbx.plots = [busy]
    told = await answer(served, event())
    await served.bench.settled(told["transactionId"])
    again = await answer(served, event())
    assert (again["status"], again["transactionId"]) == ("FAILED", told["transactionId"])


async def test_an_event_id_that_comes_with_another_number_fails(served: Served) -> None:
    await answer(served, event())
    assert (await answer(served, event(phoneNumber=OFFICE)))["transactionMetadata"] == "event_id_reused"


async def test_an_answer_that_would_be_late_says_failed_and_nobody_is_called(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = served.bench.store
    transact, stuck = store.transact, asyncio.Event()

    async def slowly(work: Any) -> Any:
        await stuck.wait()
        return await transact(work)

    monkeypatch.setattr(store, "transact", slowly)
    told = await answer(served, event())
    assert (told["status"], told["transactionMetadata"]) == ("FAILED", "too_slow")
    stuck.set()
    async with within(5):
        while not (calls := await store.recent_calls(1)) or calls[0].call.is_live:
            await asyncio.sleep(0.01)
    assert calls[0].outcome is not None
    assert calls[0].outcome.outcome == "canceled"
    assert served.bench.pbx.legs == []


async def test_what_comes_too_late_to_the_store_is_never_stored(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = served.bench.store
    transact, stuck, done = store.transact, asyncio.Event(), asyncio.Event()

    async def slowly(work: Any) -> Any:
        await stuck.wait()
        served.bench.clock.time += WITHIN * 2
        try:
            return await transact(work)
        finally:
            done.set()

    monkeypatch.setattr(store, "transact", slowly)
    assert (await answer(served, event()))["transactionMetadata"] == "too_slow"
    stuck.set()
    async with within(5):
        await done.wait()
    assert await store.recent_calls(1) == []
    assert await store.audit(1) == []


async def test_its_time_counts_while_nobody_looks(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Load, "came_at", lambda _: asyncio.get_running_loop().time() - 2 * WITHIN.total_seconds()
    )
    assert (await answer(served, event()))["status"] == "FAILED"
    store = served.bench.store
    assert await store.recent_calls(1) == []
    assert await store.audit(1) == []


async def test_a_first_requests_time_counts_from_its_connections_beginning(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _Arrival.connection_made

    def late(self: _Arrival, transport: asyncio.BaseTransport) -> None:
        self._accepted_at -= 2 * WITHIN.total_seconds()
        made(self, transport)

    monkeypatch.setattr(_Arrival, "connection_made", late)
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(served.path))) as http:
        first = await http.post(f"http://v{PATH}", json=event())
        assert b'"FAILED"' in first.content
        second = await http.post(f"http://v{PATH}", json=event())
        assert b'"PENDING"' in second.content


async def test_its_time_counts_from_the_requests_first_byte(served: Served) -> None:
    body = msgspec.json.encode(event())
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head + body[:-1])
    async with within(5):
        answered = await reader.read()
    writer.close()
    assert answered.startswith(b"HTTP/1.1 200")
    assert b'"status":"FAILED"' in answered
    assert b"body_timeout" in answered
    assert await served.bench.store.recent_calls(1) == []


async def test_when_there_is_too_much_it_fails_at_once_and_costs_the_store_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Load, client: str, **_: object) -> None:
        raise Refused(problems.OVERLOADED)

    monkeypatch.setattr(Load, "enter", full)
    told = await answer(served, event())
    assert (told["status"], told["transactionMetadata"]) == ("FAILED", "overloaded")
    assert await served.bench.store.audit(1) == []


async def test_nobody_is_called_and_the_call_ends_when_taking_it_back_fails(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = served.bench.store
    transact, stuck, failed = store.transact, asyncio.Event(), asyncio.Event()

    async def break_after_the_first(work: Any) -> Any:
        if stuck.is_set():
            failed.set()
            raise StoreError
        await stuck.wait()
        return await transact(work)

    with monkeypatch.context() as patch:
        patch.setattr(store, "transact", break_after_the_first)
        assert (await answer(served, event()))["transactionMetadata"] == "too_slow"
        stuck.set()
        async with within(5):
            await failed.wait()
            while (await store.recent_calls(1))[0].call.is_live:
                await asyncio.sleep(0.01)
    (call,) = await store.recent_calls(2)
    assert call.outcome is not None
    assert call.outcome.outcome == "canceled"
    assert served.bench.pbx.legs == []


async def test_nobody_is_called_for_whom_the_answer_did_not_reach(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = served.bench.store
    transact, stuck = store.transact, asyncio.Event()

    async def slowly(work: Any) -> Any:
        asked.set()
        await stuck.wait()
        return await transact(work)

    asked = asyncio.Event()
    monkeypatch.setattr(store, "transact", slowly)
    body = msgspec.json.encode(event())
    peer = socket.socket(socket.AF_UNIX)
    peer.setblocking(False)
    await asyncio.get_running_loop().sock_connect(peer, str(served.path))
    head = f"POST {PATH} HTTP/1.1\r\nHost: v\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    await asyncio.get_running_loop().sock_sendall(peer, head.encode() + b"\r\n\r\n" + body)
    await asked.wait()
    peer.close()
    # The server reads the end of the connection in its next turns.
    for _ in range(5):
        await asyncio.sleep(0.01)
    stuck.set()
    async with within(5):
        while not (calls := await store.recent_calls(1)) or calls[0].call.is_live:
            await asyncio.sleep(0.01)
    assert served.bench.pbx.legs == []


async def test_a_client_asks_by_basic_by_bearer_or_by_the_bare_key(served: Served) -> None:
    key = (await served.key(Scope.HOOKS, name="okta"))["Authorization"].removeprefix("Bearer ")
    pair = base64.b64encode(f"okta:{key}".encode()).decode()
    other = base64.b64encode(f"whoever:{key}".encode()).decode()
    for number, header in enumerate((f"Basic {pair}", f"Basic {other}", f"Bearer {key}", key)):
        response = await served.remote.post(
            PATH, json=event(f"event-{number}"), headers={"Authorization": header}
        )
        assert response.status_code == 200, header


async def test_without_a_key_or_its_scope_it_answers_in_oktas_words(served: Served) -> None:
    nobody = await served.remote.post(PATH, json=event())
    headers = await served.key(Scope.FACTORS)
    other = await served.remote.post(PATH, json=event(), headers=headers)
    assert (nobody.status_code, other.status_code) == (401, 403)
    (cause,) = other.json()["error"]["errorCauses"]
    assert (cause["reason"], cause["location"]) == ("scope_missing", PATH)
    assert served.bench.pbx.legs == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"eventId": "e", "eventType": "com.okta.telephony.provider"}', 422),
        (msgspec.json.encode(event() | {"eventType": "com.okta.other"}), 422),
        (msgspec.json.encode(event() | {"padding": "x" * 300_000}), 413),
        (msgspec.json.encode(event() | {"padding": "x" * 200_000}), 200),
    ],
)
async def test_a_body_that_is_no_such_event_is_refused(served: Served, body: bytes, status: int) -> None:
    response = await served.http.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    if status != 200:
        assert response.json()["error"]["errorCauses"]


@pytest.mark.parametrize(
    "channel", ["CALL", "call", "Voice", "VOICE", "voice call", "Voice Call", "VOICE_CALL", None]
)
async def test_a_channel_that_is_a_call_rings(served: Served, channel: str | None) -> None:
    assert (await answer(served, event(deliveryChannel=channel)))["status"] == "PENDING"


async def test_without_a_channel_it_is_a_call_and_a_slash_behind_the_path_is_borne(served: Served) -> None:
    body = event()
    del body["data"]["messageProfile"]["deliveryChannel"]
    response = await served.http.post(f"{PATH}/", json=body)
    assert response.json()["commands"][0]["value"][0]["status"] == "PENDING"
    nobody = await served.remote.post(f"{PATH}/", json=body)
    assert (nobody.status_code, set(nobody.json())) == (401, {"error"})
