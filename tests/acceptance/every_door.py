"""A walk through every door of a running daemon: what each takes, what each refuses, and how calls go.

Whatever a request can make the daemon do for the first time shall have been done once when this is over.
"""

import asyncio
from typing import Any

import httpx

SETTINGS = """
[okta_hook.extensions]
"+12025550106" = "4321"
[providers.idp]
number = "To"
code = "Body"
event = "id"
language = "lang"
[twilio.bank]
sid = "VA00000000000000000000000000000001"
[internal.desks]
pbx = "main"
pattern = "4[0-9]{3}"
caller_id = { number = "4000" }
"""
"""What a daemon's settings must hold for it."""

_SERVICE = "/v2/Services/VA00000000000000000000000000000001"
_PEOPLE = "/api/v1/users/alice"
_OUTCOMES = 12
"""Numbers whose last two digits pick an outcome at the simulator."""


async def walk(http: httpx.AsyncClient, calls: int = _OUTCOMES) -> list[int]:
    """Knock at every door; return the statuses in order."""
    return [
        *await _native(http, calls),
        *await _factors(http),
        *await _native_factors(http),
        *await _twilio(http),
        *await _hooks(http),
        *await _refusals(http),
    ]


async def _native(http: httpx.AsyncClient, calls: int) -> list[int]:
    paths = ("/healthz", "/readyz", "/v1/trunks", "/v1/calls", "/v1/audit", "/v1/clients", "/openapi.json")
    statuses = [(await http.get(path)).status_code for path in paths]
    for index in range(1, calls + 1):
        body = {"destination": f"+120255501{index:02}", "extension": "w2" if index % 2 else None}
        created = await http.post("/v1/verifications", json=body | {"passcode": "471029"})
        statuses.append(created.status_code)
        statuses += await _followed(http, created.json())
    asked = await http.post("/v1/clients", json={"name": "web", "scopes": ["verifications"]})
    key = {"Authorization": f"Bearer {asked.json().get('key')}"}
    statuses += [asked.status_code, (await http.get("/v1/calls", headers=key)).status_code]
    rotated = await http.post("/v1/clients/web/keys", json={})
    return [*statuses, rotated.status_code, (await http.delete("/v1/clients/web")).status_code]


async def _followed(http: httpx.AsyncClient, created: dict[str, Any]) -> list[int]:
    path = f"/v1/verifications/{created.get('id')}"
    guesses = [await http.post(f"{path}/check", json={"passcode": code}) for code in ("000000", "471029")]
    answers = [
        await http.get(path, params={"wait_s": "0.1", "since": "0"}),
        *guesses,
        await http.post(f"{path}/calls"),
        await http.get(f"/v1/calls/{created.get('call', {}).get('id')}"),
        await http.delete(path),
        await http.get(f"{path}/events"),
    ]
    return [answer.status_code for answer in answers]


async def _factors(http: httpx.AsyncClient) -> list[int]:
    profile = {"factorType": "call", "provider": "OKTA", "profile": {"phoneNumber": "+12025550101"}}
    enrolled = await http.post(f"{_PEOPLE}/factors", json=profile)
    path = f"{_PEOPLE}/factors/{enrolled.json().get('id')}"
    vouched = await http.post("/api/v1/users/bob/factors", params={"activate": "true"}, json=profile)
    bobs = f"/api/v1/users/bob/factors/{vouched.json().get('id')}"
    answers = [
        enrolled,
        await http.get(f"{_PEOPLE}/factors"),
        await http.get(f"{_PEOPLE}/factors/catalog"),
        await http.get(path),
        await http.post(f"{path}/lifecycle/activate", json={"passCode": "000000"}),
        await http.post(f"{path}/resend", json=profile),
        vouched,
        challenged := await http.post(f"{bobs}/verify", json={}),
        await http.post(f"{bobs}/verify", json={"passCode": "000000"}),
    ]
    poll = challenged.json().get("_links", {}).get("poll", {}).get("href", f"{bobs}/transactions/none")
    answers += [
        await http.get(httpx.URL(poll).path),
        await http.delete(path),
        await http.post("/api/v1/users/bob/lifecycle/reset_factors"),
        await http.get("/openapi/okta.json"),
    ]
    return [answer.status_code for answer in answers]


async def _native_factors(http: httpx.AsyncClient) -> list[int]:
    body = {"subscriber": "carol", "destination": "+12025550115"}
    enrolled = await http.post("/v1/factors", json=body, headers={"Idempotency-Key": "carol"})
    path = f"/v1/factors/{enrolled.json().get('id')}"
    proven = await http.post("/v1/factors", json=body | {"subscriber": "dave", "is_activated": True})
    daves = f"/v1/factors/{proven.json().get('id')}"
    answers = [
        enrolled,
        await http.get("/v1/factors", params={"subscriber": "carol"}),
        await http.get(path),
        await http.post(f"{path}/activate", json={"passcode": "000000"}),
        await http.post(f"{path}/calls"),
        proven,
        await http.post(f"{daves}/challenges"),
        await http.post(f"{daves}/verify", json={"passcode": "000000"}),
        await http.delete(path),
        await http.delete("/v1/factors", params={"subscriber": "dave"}),
    ]
    return [answer.status_code for answer in answers]


async def _twilio(http: httpx.AsyncClient) -> list[int]:
    to = {"To": "+12025550101"}
    created = await http.post(f"{_SERVICE}/Verifications", data=to | {"Channel": "call", "Locale": "de"})
    path = f"{_SERVICE}/Verifications/{created.json().get('sid')}"
    answers = [
        created,
        await http.get(path),
        await http.post(f"{_SERVICE}/VerificationCheck", data=to | {"Code": "000000"}),
        await http.post(f"{_SERVICE}/Verifications", data=to | {"Channel": "call"}),
        await http.post(path, data={"Status": "canceled"}),
        listed := await http.get("/v2/Attempts"),
        await http.get("/v2/Attempts/Summary"),
    ]
    attempts = listed.json().get("attempts") or [{}]
    answers.append(await http.get(f"/v2/Attempts/{attempts[0].get('sid')}"))
    return [answer.status_code for answer in answers]


async def _hooks(http: httpx.AsyncClient) -> list[int]:
    message = {"phoneNumber": "+12025550106", "otpCode": "110471", "deliveryChannel": "voice call"}
    message |= {
        "otpExpires": "2099-01-01T00:04:00.321Z",
        "locale": "EN-US",
        "msgTemplate": "Your code is 11111",
    }
    hook = {"eventId": "e1", "eventType": "com.okta.telephony.provider", "data": {"messageProfile": message}}
    text = {"To": "+12025550107", "Body": "4711", "id": "m1", "lang": "es"}
    answers = [
        await http.post("/hooks/okta/telephony", json=hook),
        await http.post("/hooks/providers/idp", json=text),
        await http.post("/hooks/providers/idp", data=text | {"id": "m2"}),
        await http.post("/hooks/providers/none", json=text),
    ]
    return [answer.status_code for answer in answers]


async def _refusals(http: httpx.AsyncClient) -> list[int]:
    create = "/v1/verifications"
    answers = [
        await http.get("/nowhere"),
        await http.put(create),
        await http.post(create, content=b"{", headers={"Content-Type": "application/json"}),
        await http.post(
            create, content=b"\xff\xfe", headers={"Content-Type": "application/json; charset=utf-16"}
        ),
        await http.post(create, content=b"x", headers={"Content-Type": "text/plain"}),
        await http.post(create, content=b"x" * 2_000_000, headers={"Content-Type": "application/json"}),
        await http.post(create, json={"destination": "+441632960961"}),
        await http.post(create, json={"destination": "+88212345678"}),
        await http.post(create, json={"destination": "4001", "language": "de"}),
        await http.get("/v1/calls", headers={"Authorization": "Basic bm9ib2R5Omtl"}),
        await http.get("/v1/calls", headers={"Authorization": "Bearer vgk_0"}),
    ]
    answers += await asyncio.gather(*(http.get("/v1/calls") for _ in range(8)))
    return [answer.status_code for answer in answers]
