"""The door for identity providers: the examples that ship, in the words those providers use."""

import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench
from voicegate import config
from voicegate.adapters.http.providers import Mapped, providers_door
from voicegate.bootstrap.doors import providers
from voicegate.domain.announcement import Digit
from voicegate.domain.client import Scope
from voicegate.domain.errors import ConfigError

EXAMPLES = config.project_folder("config") / "providers"
NUMBER = "+12025550101"


def examples() -> dict[str, Mapped]:
    raw: dict[str, Any] = {}
    for file in EXAMPLES.glob("*.toml"):
        raw |= tomllib.loads(file.read_text("utf-8"))["providers"]
    return dict(providers(config.parse({"providers": raw})))


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    known = examples()
    known["extended"] = replace(known["authentik"], extension="Ext", event="Id")
    async with serving(bench, tmp_path, doors=[providers_door(bench.sign_in, known)]) as server:
        yield server


MESSAGES: dict[str, dict[str, Any]] = {
    "authentik": {"json": {"From": "+1", "To": NUMBER, "Body": "110471", "Message": "Use this code: 110471"}},
    "kratos": {
        "json": {
            "to": NUMBER,
            "text": "Your login code is: 110471\n\nIt expires in 15 minutes.",
            "language": "en",
            "id": "m1",
        }
    },
    "auth0": {"json": {"recipient": NUMBER, "code": "110471", "locale": "en", "delivery_method": "voice"}},
    "privacyidea": {"data": {"phone": NUMBER, "text": "110471"}},
}


def code_of(served: Served) -> str:
    _, reading = served.bench.speech.said[-1]
    return "".join(part.value for part in reading if isinstance(part, Digit))


def test_there_is_an_example_of_each() -> None:
    assert set(examples()) == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_providers_message_is_spoken(served: Served, name: str) -> None:
    response = await served.http.post(f"/hooks/providers/{name}", **MESSAGES[name])
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "delivering"
    record = await served.bench.settled(response.json()["id"])
    assert record.challenge.destination.number == NUMBER
    assert code_of(served) == "110471"


async def test_an_extension_and_a_repeat_are_known_where_they_are_mapped(served: Served) -> None:
    message = {"To": NUMBER, "Body": "110471", "Ext": "204", "Id": 7}
    first = await served.http.post("/hooks/providers/extended", json=message)
    again = await served.http.post("/hooks/providers/extended", json=message)
    assert first.json()["id"] == again.json()["id"]
    await served.bench.settled(first.json()["id"])
    (leg,) = served.bench.pbx.legs
    assert "send 204" in leg.done
    other = await served.http.post("/hooks/providers/extended", json=message | {"Body": "110472"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:voicegate:problem:idempotency_key_reused")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"Body": "110471"}, "To"),
        ({"To": NUMBER}, "Body"),
        ({"To": NUMBER, "Body": "hello"}, "Body"),
        ({"To": "hello", "Body": "110471"}, "To"),
        ({"To": [NUMBER], "Body": "110471"}, "To"),
        ({"To": True, "Body": "110471"}, "To"),
        ({"To": NUMBER, "Body": "110471", "Ext": "x"}, "Ext"),
        ({"To": NUMBER, "Body": "110471", "Id": "x" * 201}, "Id"),
    ],
)
async def test_a_message_without_what_is_needed_names_the_field(
    served: Served, message: dict[str, object], field: str
) -> None:
    response = await served.http.post("/hooks/providers/extended", json=message)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert served.bench.pbx.legs == []


async def test_a_call_that_no_trunk_could_take_is_not_accepted(served: Served) -> None:
    served.bench.pbx.is_connected = False
    response = await served.http.post("/hooks/providers/authentik", **MESSAGES["authentik"])
    assert (response.status_code, response.json()["type"]) == (503, "urn:voicegate:problem:trunks_down")


async def test_a_form_that_is_none_is_refused(served: Served) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, status in ((b"\xff=1", 400), (b"phone=%ff", 400), (b"phone=1&phone=2", 422)):
        response = await served.http.post("/hooks/providers/privacyidea", content=body, headers=headers)
        assert response.status_code == status, body


async def test_a_provider_that_nobody_configured_is_not_found(served: Served) -> None:
    assert (await served.http.post("/hooks/providers/nobody", json={})).status_code == 404


async def test_it_needs_the_scope_hooks(served: Served) -> None:
    headers = await served.key(Scope.VERIFICATIONS)
    response = await served.remote.post(
        "/hooks/providers/authentik", headers=headers, **MESSAGES["authentik"]
    )
    assert response.status_code == 403


def test_a_pattern_that_is_none_names_its_setting() -> None:
    raw = {"providers": {"x": {"number": "To", "code": "Body", "code_pattern": "("}}}
    with pytest.raises(ConfigError, match=re.escape("providers.x.code_pattern: not a regular expression")):
        providers(config.parse(raw))
