"""The Twilio door with two services, over the use cases' own bench."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from tests.unit.adapters.http.serving import NUMBER, Served
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedLeg
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.twilio.door import twilio_door
from voicegate.adapters.http.twilio.sids import id_of
from voicegate.adapters.http.twilio.verifications import TwilioDependencies, TwilioService
from voicegate.application.ports import ChallengeRecord
from voicegate.application.service_calls import ServiceCalls
from voicegate.domain.announcement import HumanCheck
from voicegate.domain.call import Rang
from voicegate.domain.call_outcome import Hangup

BANK, SHOP = "VA" + "b" * 32, "VA" + "5" * 32
BODY_TIMEOUT = timedelta(milliseconds=50)


def door_of(bench: Bench) -> Door:
    services = {
        BANK: TwilioService(BANK),
        SHOP: TwilioService(SHOP, "de", 4, HumanCheck.NONE, timedelta(minutes=1)),
    }
    dependencies = TwilioDependencies(
        bench.sign_in, bench.challenges, bench.clock, services, body_timeout=BODY_TIMEOUT
    )
    return twilio_door(dependencies, ServiceCalls(bench.store))


@dataclass
class Twilio:
    """Asks as Twilio's SDKs do."""

    served: Served
    service: str = BANK

    @property
    def bench(self) -> Bench:
        return self.served.bench

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.served.http.post(f"/v2/Services/{self.service}/{path}", data=form)

    async def get(self, path: str) -> httpx.Response:
        return await self.served.http.get(f"/v2/Services/{self.service}/{path}")

    async def ask(self, **form: str) -> httpx.Response:
        return await self.post("Verifications", **({"To": NUMBER, "Channel": "call"} | form))

    async def create(self, **form: str) -> dict[str, Any]:
        response = await self.ask(**form)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def ended(self, **form: str) -> dict[str, Any]:
        """A verification whose call is over."""
        created = await self.create(**form)
        await self.settled(created)
        return created

    async def settled(self, created: Mapping[str, Any]) -> ChallengeRecord:
        return await self.bench.settled(challenge_id(created))

    def code(self, created: Mapping[str, Any], length: int = 6) -> str:
        return self.bench.keyring.derive(challenge_id(created), length).digits

    async def list(self, **query: str) -> Any:
        response = await self.served.http.get("/v2/Attempts", params=query)
        assert response.status_code == 200, response.text
        return response.json()


def challenge_id(created: Mapping[str, Any]) -> str:
    found = id_of(created["sid"], "ver")
    assert found is not None
    return found


def wrong(code: str) -> str:
    """Another code of the same length."""
    return "".join(str((int(digit) + 1) % 10) for digit in code)


async def rings(leg: ScriptedLeg) -> None:
    leg.tell(Rang())


async def is_busy(leg: ScriptedLeg) -> None:
    leg.tell(Hangup(cause=17, sip_status=486))


def told(response: httpx.Response) -> tuple[int, int]:
    """Status and code of an error, which is whole."""
    error = response.json()
    assert set(error) == {"code", "message", "more_info", "status"}
    assert error["more_info"] == f"https://www.twilio.com/docs/errors/{error['code']}"
    assert error["status"] == response.status_code
    return response.status_code, error["code"]
