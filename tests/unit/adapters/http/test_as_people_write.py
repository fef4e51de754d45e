"""Numbers, extensions and codes as people write and type them, through every door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.unit.adapters.http.serving import NUMBER, Served, serving
from tests.unit.adapters.http.twilio.serving import BANK, door_of
from tests.unit.application.conftest import Bench
from voicegate.adapters.http.okta.door import okta_door
from voicegate.adapters.http.okta.factors import OktaDependencies
from voicegate.adapters.http.okta_hook import PATH, OktaHook, okta_hook_door
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.http.providers import Providers, provider_doors
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import CallPolicy
from voicegate.lab.deadlines import within

Ask = Callable[[Served, str, str | None], Awaitable[httpx.Response]]
Guess = Callable[[Served, str], Awaitable[bool]]

PROVIDER: Final = Mapped(number=("to",), code=("code",), extension="extension")


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    doors = [
        okta_door(OktaDependencies(bench.enrollment, bench.factors)),
        # That it answers in time is not the matter here.
        okta_hook_door(OktaHook(bench.sign_in, bench.clock, answer_within=timedelta(seconds=30))),
        *provider_doors(Providers(bench.sign_in, bench.clock, {"some": PROVIDER})),
        door_of(bench),
    ]
    async with serving(bench, tmp_path, doors=doors) as server:
        yield server


async def native(served: Served, number: str, extension: str | None) -> httpx.Response:
    body = {"destination": number, "extension": extension}
    return await served.http.post("/v1/verifications", json=body)


async def okta(served: Served, number: str, extension: str | None) -> httpx.Response:
    profile = {"phoneNumber": number, "phoneExtension": extension}
    body = {"factorType": "call", "provider": "OKTA", "profile": profile}
    return await served.http.post("/api/v1/users/alice/factors", json=body)


async def twilio(served: Served, number: str, extension: str | None) -> httpx.Response:
    form = {"To": number, "Channel": "call"} | ({} if extension is None else {"SendDigits": extension})
    return await served.http.post(f"/v2/Services/{BANK}/Verifications", data=form)


async def provider(served: Served, number: str, extension: str | None) -> httpx.Response:
    body = {"to": number, "code": "471029", "extension": extension}
    return await served.http.post("/hooks/providers/some", json=body)


async def hook(served: Served, number: str, extension: str | None) -> httpx.Response:
    assert extension is None  # it has no field for one
    profile = {"phoneNumber": number, "otpCode": "471029", "deliveryChannel": "CALL"}
    body = {"eventId": "e", "eventType": "com.okta.telephony.provider", "data": {"messageProfile": profile}}
    return await served.http.post(PATH, json=body)


DOORS: Final[dict[str, Ask]] = {"native": native, "okta": okta, "twilio": twilio, "provider": provider}
DOORS_AND_HOOK: Final[dict[str, Ask]] = DOORS | {"hook": hook}


async def called(served: Served) -> Destination:
    """Whom the newest call was for."""
    async with within(5):
        while not (calls := await served.bench.store.recent_calls(1)):
            await asyncio.sleep(0.01)
    return calls[0].call.destination


@pytest.mark.parametrize("door", DOORS_AND_HOOK)
@pytest.mark.parametrize(
    "written",
    [
        " +1 202 555 0101",
        "+1\u00a0202\u00a0555\u20110101",
        "\u202a+1202\u20095550101\u202c",
        "＋１２０２５５５０１０１",
        "+١٢٠٢٥٥٥٠١٠١",
        "+1 202/555-0101",
        "tel:+1-202-555-0101",
    ],
)
async def test_a_number_is_taken_as_people_write_it(served: Served, door: str, written: str) -> None:
    response = await DOORS_AND_HOOK[door](served, written, None)
    assert response.is_success, response.text
    assert await called(served) == Destination(NUMBER)


@pytest.mark.parametrize("door", DOORS_AND_HOOK)
@pytest.mark.parametrize(
    ("behind", "extension"),
    [(";ext=204", "204"), ("x204", "204"), (" ext. 204", "204"), (",,204", "WWWW204")],
)
async def test_an_extension_behind_the_number_is_sent(
    served: Served, door: str, behind: str, extension: str
) -> None:
    response = await DOORS_AND_HOOK[door](served, f"{NUMBER}{behind}", None)
    assert response.is_success, response.text
    assert await called(served) == Destination(NUMBER, extension)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("written", "extension"),
    [("", None), (" ", None), (",204", "WW204"), ("２０４", "204"), ("x 2-04", "204")],
)
async def test_an_extension_is_taken_as_people_write_it(
    served: Served, door: str, written: str, extension: str | None
) -> None:
    response = await DOORS[door](served, NUMBER, written)
    assert response.is_success, response.text
    assert await called(served) == Destination(NUMBER, extension)


def told(door: str, response: httpx.Response) -> str:
    """What a door says of a number that it will not call, of which it repeats no digit."""
    answer: Any = response.json()
    if door == "hook":
        return str(answer["commands"][0]["value"][0]["transactionMetadata"])
    assert response.status_code in (400, 422), response.text
    match door:
        case "okta":
            return str(answer["errorCauses"][0]["errorSummary"])
        case "twilio":
            assert "To" in answer["message"]
            return str(answer["message"])
        case _:
            assert answer["field"] == ("destination" if door == "native" else "to")
            return str(answer["detail"])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("2025550101", "plus sign"),
        ("12025550101", "plus sign"),
        (" 12025550101", "%2B"),
        ("+1202555010", "too short"),
        ("+15554151337", "policy.number_check"),
        ("+1 202 555 0101 at home", "LATIN SMALL LETTER A"),
        ("+1 202 555 0101 at home", ";ext=204"),
    ],
)
async def test_a_number_that_is_none_is_told_why(served: Served, door: str, number: str, says: str) -> None:
    served.bench.challenge_service.policy = CallPolicy(frozenset({"US", "GB"}))
    assert says in told(door, await DOORS[door](served, number, None))
    assert served.bench.pbx.legs == []


async def test_an_unassigned_number_names_the_setting_that_lets_it_pass(served: Served) -> None:
    served.bench.challenge_service.policy = CallPolicy(frozenset({"GB"}))
    answer = (await native(served, "+44 1632 960961", None)).json()
    assert "policy.number_check" in answer["detail"]
    assert "E.164" not in answer["detail"]


@pytest.mark.parametrize("number", ["4021", "+1202", "hello", ""])
async def test_oktas_hook_calls_no_extension_of_the_pbx(served: Served, number: str) -> None:
    assert told("hook", await hook(served, number, None)) == "invalid_number"
    assert served.bench.pbx.legs == []


TYPED: Final = [
    "{0}{1}{2} {3}{4}{5}",
    "{0}{1}{2}-{3}{4}{5}",
    "  {0}{1}{2}{3}{4}{5}\n",
    "{0}{1}{2}\u00a0\u2013 {3}{4}{5}",
]


def typed(code: str) -> list[str]:
    """A code as people type it."""
    full_width = code.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    arabic = code.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})
    return [form.format(*code) for form in TYPED] + [full_width, arabic, f"\u2066{code}\u2069"]


@pytest.mark.parametrize("form", range(len(typed("471029"))))
async def test_a_code_is_judged_as_people_type_it(served: Served, form: int) -> None:
    created = await served.create()
    await served.settled(created["id"])
    code = typed(served.bench.code(created["id"]))[form]
    answer = await served.http.post(f"/v1/verifications/{created['id']}/check", json={"passcode": code})
    assert answer.json()["status"] == "verified"


@pytest.mark.parametrize("form", range(len(typed("471029"))))
async def test_twilio_judges_a_code_as_people_type_it(served: Served, form: int) -> None:
    created = await twilio(served, NUMBER, None)
    call = (await served.bench.store.recent_calls(1))[0].call
    await served.bench.settled(call.challenge_id)
    body = {"To": NUMBER, "Code": typed(served.bench.code(call.challenge_id))[form]}
    answer = await served.http.post(f"/v2/Services/{BANK}/VerificationCheck", data=body)
    assert (created.status_code, answer.json()["status"]) == (201, "approved")


@pytest.mark.parametrize("form", range(len(typed("471029"))))
async def test_okta_judges_a_code_as_people_type_it(served: Served, form: int) -> None:
    factor = (await okta(served, NUMBER, None)).json()
    challenge = factor["_embedded"]["verification"]["id"]
    await served.bench.settled(challenge)
    path = f"/api/v1/users/alice/factors/{factor['id']}/lifecycle/activate"
    answer = await served.http.post(path, json={"passCode": typed(served.bench.code(challenge))[form]})
    assert (answer.status_code, answer.json()["status"]) == (200, "ACTIVE")


@pytest.mark.parametrize("code", typed("471029"))
@pytest.mark.parametrize("door", ["native", "twilio", "provider", "hook"])
async def test_a_code_of_the_callers_own_is_spoken_however_it_is_sent(
    served: Served, door: str, code: str
) -> None:
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "native": ("/v1/verifications", {"json": {"destination": NUMBER, "passcode": code}}),
        "twilio": (
            f"/v2/Services/{BANK}/Verifications",
            {"data": {"To": NUMBER, "Channel": "call", "CustomCode": code}},
        ),
        "provider": ("/hooks/providers/some", {"json": {"to": NUMBER, "code": code}}),
        "hook": (
            PATH,
            {
                "json": {
                    "eventId": "e",
                    "eventType": "com.okta.telephony.provider",
                    "data": {"messageProfile": {"phoneNumber": NUMBER, "otpCode": code}},
                }
            },
        ),
    }
    path, more = bodies[door]
    assert (await served.http.post(path, **more)).is_success
    call = (await served.bench.store.recent_calls(1))[0].call
    record = await served.bench.settled(call.challenge_id)
    assert served.bench.keyring.matches(call.challenge_id, record.challenge.digest, Passcode("471029"))


@pytest.mark.parametrize("code", ["", " ", "12", "47 10 29 47 10 29", "4710 2a", "hello"])
async def test_a_code_that_is_none_costs_no_guess(served: Served, code: str) -> None:
    created = await served.create()
    path = f"/v1/verifications/{created['id']}/check"
    for _ in range(6):
        answer = await served.http.post(path, json={"passcode": code})
        assert (answer.status_code, answer.json()["field"]) == (422, "passcode")
    await served.settled(created["id"])
    right = await served.http.post(path, json={"passcode": served.bench.code(created["id"])})
    assert right.json() | {"attempts_left": 5} == right.json()
    assert right.json()["status"] == "verified"


TWICE: Final = {
    "/v1/verifications": '{"destination": "+12025550101", "destination": "+12025550102"}',
    "/v1/verifications/ver_x/check": '{"passcode": "471029", "passcode": "471028"}',
    "/v1/clients": '{"name": "a", "scopes": ["hooks"], "name": "b"}',
    "/hooks/providers/some": '{"to": "+12025550101", "code": "471029", "\\u0063ode": "471028"}',
    "/api/v1/users/alice/factors": '{"factorType": "call", "profile": {"phoneNumber": "+12025550101", '
    '"phoneNumber": "+12025550102"}}',
    PATH: '{"eventId": "e", "eventType": "com.okta.telephony.provider", "data": {"messageProfile": '
    '{"phoneNumber": "+12025550101", "otpCode": "471029", "otpCode": "471028"}}}',
}


@pytest.mark.parametrize("path", TWICE)
async def test_a_key_that_comes_twice_in_json_is_refused(served: Served, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = await served.http.post(path, content=TWICE[path], headers=headers)
    assert response.status_code in (400, 422)
    assert "more than once" in response.text
    assert served.bench.pbx.legs == []


async def test_a_parameter_that_comes_twice_in_a_form_is_refused(served: Served) -> None:
    body = "To=%2B12025550101&Channel=call&To=%2B12025550102"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/v2/Services/{BANK}/Verifications"
    assert (await served.http.post(path, content=body, headers=headers)).status_code == 400
    assert served.bench.pbx.legs == []
