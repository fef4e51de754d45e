"""What the Twilio door refuses, in Twilio's words; who may ask."""

import base64

import pytest

from tests.unit.adapters.http.serving import NUMBER
from tests.unit.adapters.http.twilio.serving import BANK, Twilio, told
from voicegate.adapters.http.twilio.errors import error_response, refusal
from voicegate.adapters.http.twilio.sids import id_of, sid_of
from voicegate.domain.client import Scope
from voicegate.domain.policy import Deny, DenyReason

ACCOUNT = "AC" + "0" * 32
NO_SUCH = "Service does not support this feature"
NOBODYS = "VE" + "0" * 32


@pytest.mark.parametrize(
    ("form", "status", "code", "message"),
    [
        ({"To": "12025550101"}, 400, 60200, "Invalid parameter: To"),
        ({"To": ""}, 400, 60200, "Invalid parameter: To"),
        ({"To": "+12025550"}, 400, 60200, "Invalid parameter: To"),
        ({"To": "someone@example.com"}, 400, 60200, "Invalid parameter: To"),
        ({"To": "4999"}, 400, 60200, "Invalid parameter: To"),
        ({"To": "+442079460101"}, 403, 60605, "Verification delivery attempt blocked"),
        ({"To": "+19005550199"}, 403, 60605, "Verification delivery attempt blocked"),
        ({"Channel": ""}, 400, 60200, "Invalid parameter: Channel"),
        ({"Channel": "pigeon"}, 400, 60200, "Invalid parameter: Channel"),
        ({"Channel": "sms"}, 400, 60223, "Delivery channel disabled"),
        ({"Channel": "email"}, 400, 60223, "Delivery channel disabled"),
        ({"Channel": "auto"}, 400, 60223, "Delivery channel disabled"),
        ({"SendDigits": "43/21"}, 400, 60200, "Invalid parameter: SendDigits"),
        ({"CustomCode": "123"}, 400, 60200, "Invalid parameter: CustomCode"),
        ({"CustomCode": "12345678901"}, 400, 60200, "Invalid parameter: CustomCode"),
        ({"CustomCode": "12a4"}, 400, 60200, "Invalid parameter: CustomCode"),
        ({"Amount": "39.99"}, 403, 60204, f"{NO_SUCH}: Amount"),
        (
            {"CustomFriendlyName": "x"},
            403,
            60204,
            f"{NO_SUCH}: CustomFriendlyName",
        ),
        ({"RateLimits": "{}"}, 403, 60204, f"{NO_SUCH}: RateLimits"),
    ],
)
async def test_what_cannot_be_asked_is_refused_and_nobody_called(
    twilio: Twilio, form: dict[str, str], status: int, code: int, message: str
) -> None:
    response = await twilio.ask(**form)
    assert told(response) == (status, code)
    told_is = response.json()["message"]
    assert told_is == message or told_is.startswith(f"{message}: ")
    assert twilio.bench.pbx.legs == []


async def test_a_code_of_its_own_that_the_profile_finds_too_short_is_refused(twilio: Twilio) -> None:
    twilio.bench.challenge_service.min_own_digits = 6
    response = await twilio.ask(CustomCode="12345")
    assert told(response) == (400, 60200)
    assert response.json()["message"].startswith("Invalid parameter: CustomCode")
    await twilio.create(CustomCode="123456")


async def test_what_only_describes_is_ignored(twilio: Twilio) -> None:
    await twilio.create(DeviceIp="192.0.2.1", RiskCheck="enable", Tags='{"a": "b"}', AppHash="x", Unknown="y")


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"To": NUMBER}, 400, 60200),
        ({"To": NUMBER, "Code": ""}, 400, 60200),
        ({"To": NUMBER, "Code": "123"}, 400, 60200),
        ({"To": NUMBER, "Code": "abcdef"}, 400, 60200),
        ({"Code": "123456"}, 400, 60221),
        ({"To": "+1202", "Code": "123456"}, 400, 60200),
        ({"To": NUMBER, "Code": "123456"}, 404, 20404),
        ({"VerificationSid": NOBODYS, "Code": "123456"}, 404, 20404),
        ({"VerificationSid": "VE1", "Code": "123456"}, 404, 20404),
    ],
)
async def test_a_guess_at_nothing_is_refused(
    twilio: Twilio, form: dict[str, str], status: int, code: int
) -> None:
    assert told(await twilio.post("VerificationCheck", **form)) == (status, code)


@pytest.mark.parametrize("status", ["", "pending", "Canceled"])
async def test_only_canceled_and_approved_can_be_set(twilio: Twilio, status: str) -> None:
    created = await twilio.create()
    response = await twilio.post(f"Verifications/{created['sid']}", Status=status)
    assert told(response) == (400, 60200)
    assert response.json()["message"] == "Invalid parameter: Status"


async def test_the_unknown_is_not_found(twilio: Twilio) -> None:
    created = await twilio.create()
    assert told(await twilio.get(f"Verifications/{NOBODYS}")) == (404, 20404)
    assert told(await twilio.get("Verifications/VE%00")) == (404, 20404)
    assert told(await twilio.get("Nothing")) == (404, 20404)
    stranger = Twilio(twilio.served, "VA" + "0" * 32)
    assert told(await stranger.ask()) == (404, 20404)
    assert told(await stranger.get(f"Verifications/{created['sid']}")) == (404, 20404)
    wrong_way = await twilio.served.http.delete(f"/v2/Services/{BANK}/Verifications")
    assert told(wrong_way) == (405, 20004)
    assert wrong_way.headers["Allow"] == "POST"


async def test_what_is_no_form_is_refused(twilio: Twilio) -> None:
    http, path = twilio.served.http, f"/v2/Services/{BANK}/Verifications"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert told(await http.post(path, json={"To": NUMBER, "Channel": "call"})) == (400, 60200)
    assert told(await http.post(path, content=b"To=%ff", headers=form)) == (400, 60200)
    assert told(await http.post(path, content=b"To=1&To=2", headers=form)) == (400, 60200)
    assert told(await http.post(path, content=b"To=" + b"1" * 70_000, headers=form)) == (400, 60200)


async def test_on_tcp_the_auth_token_is_a_clients_key(twilio: Twilio) -> None:
    key = (await twilio.served.key(Scope.VERIFICATIONS))["Authorization"].removeprefix("Bearer ")
    remote, path = twilio.served.remote, f"/v2/Services/{BANK}/Verifications"
    for user in (ACCOUNT, "SK" + "a" * 32, "backend"):
        response = await remote.get("/v2/Attempts/Summary", auth=(user, key))
        assert response.status_code == 200, user
    created = await remote.post(path, data={"To": NUMBER, "Channel": "call"}, auth=(ACCOUNT, key))
    assert created.json()["account_sid"] == ACCOUNT
    assert created.json()["url"].startswith(f"http://{remote.base_url.netloc.decode()}/v2/")
    for user, token in (("another", key), ("AC1", key), (ACCOUNT, key[:-1]), (ACCOUNT, "")):
        refused = await remote.get("/v2/Attempts/Summary", auth=(user, token))
        assert told(refused) == (401, 20003)
        assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert told(await remote.get("/v2/Attempts/Summary")) == (401, 20003)
    garbled = {"Authorization": "Basic " + base64.b64encode(b"\xff").decode()}
    assert told(await remote.get("/v2/Attempts/Summary", headers=garbled)) == (401, 20003)


async def test_a_client_needs_the_scope_and_sees_its_own_only(twilio: Twilio) -> None:
    remote, path = twilio.served.remote, f"/v2/Services/{BANK}/Verifications"
    keys = {
        name: (await twilio.served.key(scope, name=name))["Authorization"].removeprefix("Bearer ")
        for name, scope in (
            ("one", Scope.VERIFICATIONS),
            ("two", Scope.VERIFICATIONS),
            ("three", Scope.HOOKS),
        )
    }
    form = {"To": NUMBER, "Channel": "call"}
    assert told(await remote.post(path, data=form, auth=(ACCOUNT, keys["three"]))) == (403, 20003)
    created = (await remote.post(path, data=form, auth=(ACCOUNT, keys["one"]))).json()
    theirs = await remote.get(f"{path}/{created['sid']}", auth=(ACCOUNT, keys["two"]))
    assert told(theirs) == (404, 20404)
    attempt = created["send_code_attempts"][0]["attempt_sid"]
    assert told(await remote.get(f"/v2/Attempts/{attempt}", auth=(ACCOUNT, keys["two"]))) == (404, 20404)
    listed = await remote.get("/v2/Attempts", auth=(ACCOUNT, keys["two"]))
    assert listed.json()["attempts"] == []
    await twilio.settled(created)
    # Twilio's `To` is the asker's own, too: another client's code is neither called again nor guessed at.
    own = (await remote.post(path, data=form, auth=(ACCOUNT, keys["two"]))).json()
    assert own["sid"] != created["sid"]


@pytest.mark.parametrize("reason", DenyReason)
def test_every_refusal_of_a_verification_has_its_error_and_a_429_its_wait(reason: DenyReason) -> None:
    response = error_response(refusal(Deny(reason)), "req_1")
    assert ("Retry-After" in response.headers) is (response.status == 429)


def test_sids_are_ids_written_otherwise() -> None:
    for number in ("0" * 20, "z" * 20, "0123456789abcdefghij"):
        sid = sid_of(f"ver_{number}")
        assert id_of(sid, "ver") == f"ver_{number}"
        assert id_of(sid, "call") is None
        assert id_of(sid.replace("VE", "VL"), "call") == f"call_{number}"
    for sid in (
        "",
        "VE",
        "VE" + "f" * 32,
        "VE" + "g" * 32,
        "VE" + "0" * 31,
        "VE" + "0" * 33,
        "ve" + "0" * 32,
    ):
        assert id_of(sid, "ver") is None


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("GET /v2/Attempts?Country=%ff&Page=1&ChannelData.To=%2B12025550101", "voicegate"),
        ("GET /v2/Attempts?PageSize=1&x=%ed%a0%80", "voicegate"),
        ("GET /v2/Attempts/Summary?DestinationPrefix=%00%ff", "voicegate"),
        ("GET /v2/Attempts/Summary?VerifyServiceSid=%ff", "\xff[::"),
        ("GET /v2/Attempts", "evil.example"),
        ("GET /v2/Attempts/VL%ff", "voicegate"),
        ("GET /v2/%ed%a0%80", "voicegate"),
    ],
)
async def test_odd_bytes_are_answered_like_any_others(twilio: Twilio, line: str, host: str) -> None:
    created = await twilio.ended()
    await twilio.post("VerificationCheck", To=NUMBER, Code=twilio.code(created))
    sent = f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    answer = await twilio.served.raw(sent)
    assert answer.status in (200, 400, 404), answer.body
    assert b"evil" not in answer.body
