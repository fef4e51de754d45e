"""A person presses 9, and another one 0 twice, on calls of a running daemon: every door then spares them."""

from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.acceptance import every_door
from tests.faults.daemons import fast, running, write_settings
from voicegate.client import AsyncClient, Verification
from voicegate.lab.deadlines import at_most, within

REPORTS: Final = "+12025550113"
OPTS_OUT: Final = "+12025560114"
PRESSES: Final = "+12025570101"
_SERVICE: Final = "/v2/Services/VA00000000000000000000000000000001"


async def called(client: AsyncClient, number: str) -> Verification:
    """Call a telephone and wait for the end of the call."""
    created = await client.create_verification(number)
    async with within(60):
        _ = [step async for step in client.watch(created.id)]
    return await client.verification(created.id)


async def refusals(http: httpx.AsyncClient, number: str) -> dict[str, tuple[int, Any]]:
    """What each door says to a request for a call to a number: its status, and its own word for it."""
    profile = {"factorType": "call", "provider": "OKTA", "profile": {"phoneNumber": number}}
    message = {"phoneNumber": number, "otpCode": "110471", "deliveryChannel": "voice call"}
    message |= {
        "otpExpires": "2099-01-01T00:04:00.321Z",
        "locale": "EN-US",
        "msgTemplate": "Your code is 110471",
    }
    hook = {
        "eventId": number,
        "eventType": "com.okta.telephony.provider",
        "data": {"messageProfile": message},
    }
    native = await http.post("/v1/verifications", json={"destination": number})
    factor = await http.post("/v1/factors", json={"subscriber": "carol", "destination": number})
    okta = await http.post("/api/v1/users/dave/factors", json=profile)
    twilio = await http.post(f"{_SERVICE}/Verifications", data={"To": number, "Channel": "call"})
    told = await http.post("/hooks/okta/telephony", json=hook)
    provider = await http.post("/hooks/providers/idp", json={"To": number, "Body": "4711", "id": number})
    command = told.json()["commands"][0]["value"][0]
    return {
        "native": (native.status_code, native.json()["type"].rpartition(":")[2]),
        "factors": (factor.status_code, factor.json()["type"].rpartition(":")[2]),
        "okta": (okta.status_code, okta.json()["errorCode"]),
        "twilio": (twilio.status_code, twilio.json()["code"]),
        "hook": (told.status_code, (command["status"], command["transactionMetadata"])),
        "provider": (provider.status_code, provider.json()["type"].rpartition(":")[2]),
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (
            REPORTS,
            {
                "native": (403, "call_reported"),
                "factors": (403, "call_reported"),
                "okta": (429, "E0000205"),
                "twilio": (403, 60410),
                "hook": (200, ("FAILED", "call_reported")),
                "provider": (403, "call_reported"),
            },
        ),
        (
            OPTS_OUT,
            {
                "native": (403, "do_not_call"),
                "factors": (403, "do_not_call"),
                "okta": (400, "E0000140"),
                "twilio": (403, 60410),
                "hook": (200, ("FAILED", "do_not_call")),
                "provider": (403, "do_not_call"),
            },
        ),
    ],
)
async def test_after_a_key_pressed_on_a_call_every_door_refuses_the_number_by_its_own_error(
    tmp_path: Path, number: str, expected: dict[str, tuple[int, Any]]
) -> None:
    settings = write_settings(tmp_path, every_door.SETTINGS)
    async with running(settings, fast(tmp_path)) as (client, _):
        reported = await called(client, number)
        assert (reported.status, reported.calls[0].outcome) == ("reported", "reported")
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "voicegate.sock"))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://voicegate", timeout=at_most(30)
        ) as http:
            assert await refusals(http, number) == expected
        # Nobody rang there again, and others are called as before.
        assert len(await client.calls(10)) == 1
        assert (await called(client, PRESSES)).status == "delivered"
