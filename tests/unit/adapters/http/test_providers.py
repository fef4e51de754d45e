"""The doors for identity providers: the examples that ship, with what those providers really send."""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.provider_bodies import (
    CODE,
    MESSAGES,
    NOT_SPOKEN,
    NUMBER,
    SECRETS,
    SIGNED,
    UNCLEAR,
    auth0,
    encoded,
    kratos,
    supabase,
    zitadel,
)
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.adapters.http.twilio.serving import rings
from tests.unit.application.conftest import ADMIN, Bench
from voicegate import config
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.http.providers import Providers, provider_doors
from voicegate.bootstrap.doors import providers
from voicegate.domain.announcement import Digit
from voicegate.domain.client import Scope
from voicegate.domain.errors import ConfigError
from voicegate.lab.deadlines import within

EXAMPLES = config.project_folder("config") / "providers"


def examples(folder: Path) -> dict[str, Mapped]:
    raw: dict[str, Any] = {}
    for file in EXAMPLES.glob("*.toml"):
        raw |= tomllib.loads(file.read_text("utf-8"))["providers"]
    for name, secret in SECRETS.items():
        file = folder / name
        file.write_text(f"{secret}\n")
        raw[name]["signature_secret_file"] = str(file)
    return dict(providers(config.parse({"providers": raw})))


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    known = examples(tmp_path)
    known["extended"] = replace(known["authentik"], extension="Ext", event="Id", is_told_in_text=False)
    doors = provider_doors(Providers(bench.sign_in, bench.clock, known))
    async with serving(bench, tmp_path, doors=doors) as server:
        yield server


async def post(served: Served, name: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Send a message as its provider does; one that signs has its client."""
    content, kind = encoded(name, body)
    signature = {}
    if name in SIGNED:
        await served.bench.clients.add(ADMIN, name, frozenset({Scope.HOOKS}))
        signature = SIGNED[name](content, served.bench.clock.now())
    headers = {"Content-Type": kind} | signature | headers
    return await served.http.post(f"/hooks/providers/{name}", content=content, headers=headers)


def code_of(served: Served) -> str:
    _, reading = served.bench.speech.said[-1]
    return "".join(part.value for part in reading if isinstance(part, Digit))


def test_there_is_an_example_of_each(tmp_path: Path) -> None:
    assert set(examples(tmp_path)) == {name for name, _ in MESSAGES}


@pytest.mark.parametrize(("name", "body"), MESSAGES)
async def test_a_providers_message_is_spoken(served: Served, name: str, body: dict[str, Any]) -> None:
    response = await post(served, name, body)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "delivering"
    record = await served.bench.settled(response.json()["id"])
    assert record.challenge.destination.number == NUMBER
    assert code_of(served) == CODE


@pytest.mark.parametrize(("name", "body"), NOT_SPOKEN)
async def test_a_message_that_asks_for_no_call_is_answered_and_not_spoken(
    served: Served, name: str, body: dict[str, Any]
) -> None:
    response = await post(served, name, body)
    assert (response.status_code, response.json()["status"]) == (200, "not_spoken")
    assert "id" not in response.json()
    assert served.bench.pbx.legs == []


@pytest.mark.parametrize(("name", "body"), UNCLEAR)
async def test_a_code_that_would_have_to_be_chosen_is_refused(
    served: Served, name: str, body: dict[str, Any]
) -> None:
    with capture_logs() as logs:
        response = await post(served, name, body)
    assert response.status_code == 422
    (told,) = [entry for entry in logs if entry["event"] == "message not spoken"]
    assert told["why"]
    assert not re.search(r"\d{4}", response.text.replace(response.headers["X-Request-Id"], "") + told["why"])
    assert served.bench.pbx.legs == []


async def test_an_absent_condition_says_nothing_against_a_call(served: Served) -> None:
    message = auth0()
    del message["delivery_method"], message["message_type"]
    assert (await post(served, "auth0", message)).json()["status"] == "delivering"


async def test_kratos_may_send_all_it_knows(served: Served) -> None:
    more = {"subject": "", "body": f"Acme 365000: your code is {CODE}", "message_type": "sms"}
    data = {"login_code": CODE, "expires_in_minutes": 15, "to": NUMBER}
    response = await post(served, "kratos", kratos("login_code_valid", **data) | more)
    await served.bench.settled(response.json()["id"])
    assert code_of(served) == CODE


@pytest.mark.parametrize("name", ["auth0", "kratos", "logto"])
async def test_a_message_without_its_code_names_the_field(served: Served, name: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "auth0": auth0(code=None),
        "kratos": kratos("login_code_valid"),
        "logto": {"to": "12025550101", "type": "SignIn", "payload": {}},
    }
    response = await post(served, name, bodies[name])
    assert (response.status_code, "code" in response.json()["field"]) == (422, True)


async def test_an_extension_and_a_repeat_are_known_where_they_are_mapped(served: Served) -> None:
    message = {"To": NUMBER, "Body": "110471", "Ext": "204", "Id": 7}
    first = await served.http.post("/hooks/providers/extended", json=message)
    again = await served.http.post("/hooks/providers/extended/", json=message)
    assert first.json()["id"] == again.json()["id"]
    await served.bench.settled(first.json()["id"])
    (leg,) = served.bench.pbx.legs
    assert "send 204" in leg.done
    other = await served.http.post("/hooks/providers/extended", json=message | {"Body": "110472"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:voicegate:problem:idempotency_key_reused")


async def test_supabases_retries_call_once_though_each_has_another_id(served: Served) -> None:
    message = supabase()
    told = [(await post(served, "supabase", message)).json()["id"] for _ in range(3)]
    assert len(set(told)) == 1
    await served.bench.settled(told[0])
    assert len(served.bench.pbx.legs) == 1
    assert (await post(served, "supabase", supabase())).json()["id"] != told[0]


@pytest.mark.parametrize("name", sorted({name for name, _ in MESSAGES}))
async def test_a_message_that_is_sent_again_while_its_call_lives_calls_once(
    served: Served, name: str
) -> None:
    served.bench.pbx.plots = [rings]
    message = next(body for known, body in MESSAGES if known == name)
    told = [(await post(served, name, message)).json() for _ in range(3)]
    assert [one["status"] for one in told] == ["delivering"] * 3
    assert len({one["id"] for one in told}) == 1
    async with within(5):
        while not served.bench.pbx.legs:
            await asyncio.sleep(0.01)
    assert len(served.bench.pbx.legs) == 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"Body": "110471"}, "To"),
        ({"To": NUMBER}, "Body"),
        ({"To": NUMBER, "Body": "hello"}, "Body"),
        ({"To": "hello", "Body": "110471"}, "To"),
        ({"To": [NUMBER], "Body": "110471"}, "To"),
        ({"To": True, "Body": "110471"}, "To"),
        ({"To": NUMBER, "Body": "110471", "Ext": "z"}, "Ext"),
        ({"To": NUMBER, "Body": "110471", "Id": "x" * 201}, "Id"),
    ],
)
async def test_a_message_without_what_is_needed_names_the_field(
    served: Served, message: dict[str, object], field: str
) -> None:
    response = await served.http.post("/hooks/providers/extended", json=message)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert served.bench.pbx.legs == []


@pytest.mark.parametrize(
    ("name", "number", "called"),
    [
        ("logto", 12025550101, NUMBER),
        ("logto", "12025550101", NUMBER),
        ("logto", NUMBER, NUMBER),
        ("keycloak", "12025550101", NUMBER),
        ("keycloak", "2025550101", NUMBER),
        ("keycloak", NUMBER, NUMBER),
    ],
)
async def test_a_number_without_plus_is_read_where_the_mapping_says_how(
    served: Served, name: str, number: str | int, called: str
) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "logto": {"to": number, "type": "SignIn", "payload": {"code": CODE}},
        "keycloak": {"text": CODE, "to": number, "from": "Keycloak"},
    }
    record = await served.bench.settled((await post(served, name, bodies[name])).json()["id"])
    assert record.challenge.destination.number == called


async def test_a_call_that_no_trunk_could_take_is_not_accepted(served: Served) -> None:
    served.bench.pbx.is_connected = False
    response = await post(served, "auth0", auth0())
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:trunks_down")


@pytest.mark.parametrize(
    ("message", "status", "told"),
    [
        ({"To": "+442079460101", "Body": CODE}, 403, "Calls to this country are not allowed."),
        ({"To": "+1202555", "Body": CODE}, 422, "It is too short for a number of its country."),
        ({"To": NUMBER, "Body": ""}, 422, "Is missing"),
    ],
)
async def test_authentiks_user_is_shown_a_sentence(
    served: Served, message: dict[str, str], status: int, told: str
) -> None:
    response = await served.http.post("/hooks/providers/authentik", json=message)
    assert (response.status_code, response.text) == (status, told)
    assert response.headers["Content-Type"].startswith("text/plain")
    nobody = await served.remote.post("/hooks/providers/authentik", json=message)
    assert (nobody.status_code, nobody.text) == (401, "An API key is required.")


async def test_a_form_that_is_none_is_refused(served: Served) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, status in ((b"\xff=1", 400), (b"phone=%ff", 400), (b"phone=1&phone=2", 422)):
        response = await served.http.post("/hooks/providers/privacyidea", content=body, headers=headers)
        assert response.status_code == status, body


@pytest.mark.parametrize("name", ["nobody", "auth0x", "auth0/x"])
async def test_a_provider_that_nobody_configured_is_not_found(served: Served, name: str) -> None:
    assert (await served.http.post(f"/hooks/providers/{name}", json={})).status_code == 404


async def test_it_needs_the_scope_hooks(served: Served) -> None:
    headers = await served.key(Scope.VERIFICATIONS)
    response = await served.remote.post("/hooks/providers/auth0", headers=headers, json=auth0())
    assert response.status_code == 403


async def test_the_name_beside_a_key_does_not_matter(served: Served) -> None:
    key = (await served.key(Scope.HOOKS, name="idp"))["Authorization"].removeprefix("Bearer ")
    for pair in (("idp", key), ("whoever", key), ("", key), (key, "")):
        response = await served.remote.post("/hooks/providers/auth0", json=auth0(), auth=pair)
        assert response.status_code == 200, pair


MESSAGE_OF = {"supabase": supabase(), "zitadel": zitadel(oTP=CODE)}


@pytest.mark.parametrize("name", SIGNED)
class TestSignedMessages:
    """Providers that send a signature and no key."""

    async def ask(self, served: Served, name: str, **headers: str) -> httpx.Response:
        """From elsewhere, as the provider does."""
        content, kind = encoded(name, MESSAGE_OF[name])
        signed = SIGNED[name](content, served.bench.clock.now())
        return await served.remote.post(
            f"/hooks/providers/{name}", content=content, headers={"Content-Type": kind} | signed | headers
        )

    async def test_it_stands_for_the_client_that_the_mapping_names(self, served: Served, name: str) -> None:
        assert (await self.ask(served, name)).status_code == 401
        await served.key(Scope.HOOKS, name=name)
        response = await self.ask(served, name)
        assert response.status_code == 200, response.text
        record = await served.bench.settled(response.json()["id"])
        assert record.challenge.client == name

    async def test_a_client_without_the_scope_or_that_is_revoked_may_not(
        self, served: Served, name: str
    ) -> None:
        await served.key(Scope.VERIFICATIONS, name=name)
        assert (await self.ask(served, name)).status_code == 403

    async def test_a_signature_must_be_of_this_body_and_of_now(self, served: Served, name: str) -> None:
        await served.key(Scope.HOOKS, name=name)
        content, kind = encoded(name, MESSAGE_OF[name])
        now = served.bench.clock.now()
        old, new = (SIGNED[name](content, now + timedelta(minutes=by)) for by in (-6, 6))
        other = SIGNED[name](content + b" ", now)
        cut = {key: value[:-2] for key, value in SIGNED[name](content, now).items()}
        for headers in (old, new, other, cut, {}):
            response = await served.remote.post(
                f"/hooks/providers/{name}", content=content, headers={"Content-Type": kind} | headers
            )
            assert response.status_code == 401, headers
        assert served.bench.pbx.legs == []

    async def test_a_key_does_not_stand_for_the_signature(self, served: Served, name: str) -> None:
        headers = await served.key(Scope.HOOKS, name=name)
        content, kind = encoded(name, MESSAGE_OF[name])
        response = await served.remote.post(
            f"/hooks/providers/{name}", content=content, headers={"Content-Type": kind} | headers
        )
        assert response.status_code == 401
        assert response.json()["type"] == "urn:voicegate:problem:signature_wrong"

    async def test_a_signature_opens_no_other_door(self, served: Served, name: str) -> None:
        await served.key(Scope.HOOKS, Scope.VERIFICATIONS, name=name)
        content, kind = encoded(name, MESSAGE_OF[name])
        headers = {"Content-Type": kind} | SIGNED[name](content, served.bench.clock.now())
        for path in ("/hooks/providers/auth0", "/hooks/providers/logto", "/v1/verifications"):
            assert (await served.remote.post(path, content=content, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"code_pattern": "("}, "providers.x.code_pattern: not a regular expression"),
        ({"country": "UK"}, "providers.x.country: UK is not the ISO 3166 code of a country"),
        ({"client": "c"}, "providers.x.signature: is missing"),
        ({"signature": "zitadel"}, "providers.x.signature_secret_file: no file is set"),
        ({"code": []}, "providers.x.code"),
    ],
)
def test_a_setting_that_is_wrong_is_named(entry: dict[str, Any], told: str) -> None:
    raw = {"providers": {"x": {"number": "To", "code": "Body"} | entry}}
    with pytest.raises(ConfigError, match=re.escape(told)):
        providers(config.parse(raw))


def test_a_secret_that_is_none_names_its_setting(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("whsec_???")
    entry = {"signature": "standard_webhooks", "signature_secret_file": str(file)}
    raw = {"providers": {"x": {"number": "To", "code": "Body"} | entry}}
    with pytest.raises(ConfigError, match=re.escape("providers.x.signature_secret_file: a secret is whsec_")):
        providers(config.parse(raw))
