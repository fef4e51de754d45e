"""schemathesis asks the daemon what its OpenAPI documents allow, and what they do not, over TCP with a key.

Every answer must be one that the document has, and none a failure of ours. It asks once about things that
it thinks up, and once about an enrolled telephone, so that the use cases themselves are reached too.
"""

import asyncio
import base64
import json
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.acceptance.test_daemon import TEST_NUMBER, daemon, settings

__all__ = ["settings"]

NATIVE, OKTA = "/openapi.json", "/openapi/okta.json"
TWILIO, HOOK = "/openapi/twilio.json", "/openapi/okta-hook.json"
PROVIDERS = "/openapi/providers.json"
SERVICE = "VA00000000000000000000000000000001"
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
# From the list of clients it would take its own name, and have its own key rotated.
ANOTHER: Final = "another"
OF_A_FACTOR: Final = ("getFactor", "activateFactor", "callFactorAgain", "challengeFactor", "verifyFactor")
SCOPES: Final = ("verifications", "factors", "hooks", "admin")


@dataclass(frozen=True)
class Door:
    """A daemon on TCP, and a key to all of it."""

    url: str
    key: str
    folder: Path
    over: str
    """A verification that is over."""

    async def run(self, document: str, **values: str | float) -> None:
        """Have schemathesis ask what `document` has, with parameters that are not thought up."""
        config = self.folder / "schemathesis.toml"
        parameters = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        # A stream of events ends when its verification is over.
        over = (
            f'[[operations]]\ninclude-operation-id = "streamEvents"\nparameters = {{ id = "{self.over}" }}\n'
        )
        if "factorId" in values:
            # In their paths `id` is the factor's.
            over += "".join(
                f'[[operations]]\ninclude-operation-id = "{name}"\n'
                f'parameters = {{ id = "{values["factorId"]}" }}\n'
                for name in OF_A_FACTOR
            )
        config.write_text(f"[parameters]\n{parameters}{over if document == NATIVE else ''}")
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)]
        command += ["run", f"{self.url}{document}", "--header", f"Authorization: {self._key(document)}"]
        command += ["--checks", ",".join(CHECKS), "--generation-deterministic", "--max-examples", "15"]
        command += ["--continue-on-failure", "--suppress-health-check", "all"]
        if "factorId" in values:
            command += ["--exclude-method", "DELETE"]
        if "factorId" in values and document == OKTA:
            command += ["--exclude-operation-id", "resetFactors"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=self.folder
        )
        told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()
        assert b" passed" in told

    def _key(self, document: str) -> str:
        if document != TWILIO:
            return f"Bearer {self.key}"
        return f"Basic {base64.b64encode(f'schemathesis:{self.key}'.encode()).decode()}"

    async def enrolled(self) -> dict[str, str]:
        """The parameters of a telephone that was just enrolled."""
        headers = {"Authorization": f"SSWS {self.key}"}
        body = {"factorType": "call", "profile": {"phoneNumber": TEST_NUMBER}}
        async with httpx.AsyncClient(base_url=self.url, headers=headers) as client:
            answer = await client.post("/api/v1/users/alice/factors", json=body)
        factor = answer.json()
        challenge = factor["_embedded"]["verification"]["id"]
        return {"userId": "alice", "factorId": factor["id"], "transactionId": challenge, "id": challenge}


@pytest.fixture
async def door(settings: Path) -> AsyncIterator[Door]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more = f"[tcp]\nenabled = true\nport = {port}\n[test_numbers]\nenabled = true\npace = 0.02\n"
    more += f'[twilio.bank]\nsid = "{SERVICE}"\n'
    more += '[providers.some]\nnumber = "to"\ncode = ["data.code", "code"]\nlanguage = "language"\n'
    more += (
        '[providers.text]\nnumber = "to"\ncode = "text"\ncode_pattern = "([0-9]{4,10})"\nerrors = "text"\n'
    )
    settings.write_text(f"{settings.read_text()}\n{more}")
    async with daemon(settings) as (admin, _):
        given = await admin.add_client("schemathesis", SCOPES)
        await admin.add_client(ANOTHER, ["hooks"])
        over = await admin.create_verification(TEST_NUMBER)
        await admin.cancel(over.id)
        yield Door(f"http://127.0.0.1:{port}", given.key, settings.parent, over.id)
        # Had it ended its own key, most answers would have been refusals.
        (client,) = [one for one in await admin.clients() if one.name == "schemathesis"]
        assert (client.revoked_at, len(client.keys)) == (None, 1)


async def test_the_native_door_answers_as_its_document_says(door: Door) -> None:
    await door.run(NATIVE, wait_s=0.1, name=ANOTHER)


async def test_the_native_door_does_about_a_verification_that_there_is(door: Door) -> None:
    await door.run(NATIVE, wait_s=0.1, name=ANOTHER, **await door.enrolled())


async def test_the_okta_door_answers_as_its_document_says(door: Door) -> None:
    await door.run(OKTA)


async def test_the_okta_door_does_about_a_factor_that_there_is(door: Door) -> None:
    await door.run(OKTA, **await door.enrolled())


async def test_the_twilio_door_answers_as_its_document_says(door: Door) -> None:
    await door.run(TWILIO, service=SERVICE)


async def test_the_twilio_door_does_about_a_number_that_was_called(door: Door) -> None:
    form = {"To": TEST_NUMBER, "Channel": "call"}
    async with httpx.AsyncClient(base_url=door.url, auth=("schemathesis", door.key)) as client:
        called = await client.post(f"/v2/Services/{SERVICE}/Verifications", data=form)
    assert called.status_code == 201
    await door.run(TWILIO, service=SERVICE, sid=TEST_NUMBER)


async def test_the_okta_hook_answers_as_its_document_says(door: Door) -> None:
    await door.run(HOOK)


async def test_the_providers_doors_answer_as_their_document_says(door: Door) -> None:
    await door.run(PROVIDERS)
