"""A call factor's whole life by `okta` 2.9.13, unmodified: every call-factor operation it has."""

import asyncio
from typing import Any

from okta.client import Client
from okta.models import ActivateFactorRequest, CallUserFactor, CallUserFactorProfile, VerifyFactorRequest
from talking import EXTENSION, FORMATTED, KEY, URL, USER, ask_code, refused, tell, told


async def enroll(client: Client, **query: object) -> Any:
    profile = CallUserFactorProfile({"phoneNumber": FORMATTED, "phoneExtension": EXTENSION})
    wanted = CallUserFactor({"factorType": "call", "provider": "OKTA", "profile": profile})
    factor = told(await client.enroll_factor(USER, wanted, query))
    tell(
        "enroll",
        status=factor.status.value,
        number=factor.profile.phone_number,
        extension=factor.profile.phone_extension,
        links=sorted(factor.links),
    )
    return factor


async def sign_in(client: Client, factor_id: str) -> None:
    challenge = told(await client.verify_factor(USER, factor_id, VerifyFactorRequest({})))
    tell("challenge", result=challenge.factor_result, state=challenge.embedded["verification"]["status"])
    code = await ask_code()
    for name, guess in (("wrong", code.wrong), ("right", code.right), ("again", code.right)):
        answer = await client.verify_factor(USER, factor_id, VerifyFactorRequest({"passCode": guess}))
        facts = refused(answer) if answer[-1] else {"result": answer[0].factor_result}
        tell(f"verify {name}", **facts)


async def live(client: Client) -> None:
    factor = await enroll(client, tokenLifetimeSeconds=600)
    code = await ask_code()
    wrong = ActivateFactorRequest({"passCode": code.wrong})
    tell("activate wrong", **refused(await client.activate_factor(USER, factor.id, wrong)))
    right = ActivateFactorRequest({"passCode": code.right})
    active = told(await client.activate_factor(USER, factor.id, right))
    call = active.embedded["call"]
    tell("activate", status=active.status.value, outcome=call["outcome"], evidence=call["evidence"])
    tell("list", ids=[found.id == factor.id for found in told(await client.list_factors(USER))])
    tell("get", status=told(await client.get_factor(USER, factor.id)).status.value)
    catalog = told(await client.list_supported_factors(USER))
    tell("catalog", kinds=[kind.factor_type for kind in catalog])
    await sign_in(client, factor.id)
    told(await client.reset_factors(USER))
    tell("reset", **refused(await client.get_factor(USER, factor.id)))
    another = await enroll(client)
    told(await client.delete_factor(USER, another.id))
    tell("delete", same=another.id == factor.id, left=len(told(await client.list_factors(USER))))


asyncio.run(live(Client({"orgUrl": URL, "token": KEY})))
