"""A call factor's whole life by `okta` 3.4.6, unmodified, against a daemon with `okta.sdk3_compat`.

Its models of a guess have no passCode, and drop one that is given: a caller must add it in a subclass.
"""

import asyncio
from typing import Any

from okta.client import Client
from okta.models import (
    ResendUserFactor,
    UserFactorActivateRequest,
    UserFactorCall,
    UserFactorCallProfile,
    UserFactorVerifyRequest,
)
from pydantic import Field
from talking import BUSY, EXTENSION, KEY, NUMBER, URL, USER, ask_code, refused, tell, told


class Activation(UserFactorActivateRequest):
    pass_code: str = Field(alias="passCode")


class Guess(UserFactorVerifyRequest):
    pass_code: str = Field(alias="passCode")


async def enroll(client: Client) -> Any:
    profile = UserFactorCallProfile(phoneNumber=NUMBER, phoneExtension=EXTENSION)
    wanted = UserFactorCall(factorType="call", provider="OKTA", profile=profile)
    factor = told(await client.enroll_factor(USER, wanted, token_lifetime_seconds=600))
    tell(
        "enroll",
        status=factor.status.value,
        number=factor.profile.phone_number,
        extension=factor.profile.phone_extension,
        resend=factor.links.resend is not None,
    )
    return factor


async def sign_in(client: Client, factor_id: str) -> None:
    challenge = told(await client.verify_factor(USER, factor_id))
    status = challenge.embedded["verification"]["status"]
    tell("challenge", result=challenge.factor_result.value, state=status)
    code = await ask_code()
    for name, guess in (("wrong", code.wrong), ("right", code.right), ("again", code.right)):
        answer = await client.verify_factor(USER, factor_id, body=Guess(passCode=guess))
        facts = refused(answer) if answer[-1] else {"result": answer[0].factor_result.value}
        tell(f"verify {name}", **facts)


async def live(client: Client) -> None:
    factor = await enroll(client)
    code = await ask_code()
    wrong = Activation(passCode=code.wrong)
    tell("activate wrong", **refused(await client.activate_factor(USER, factor.id, wrong)))
    told(await client.activate_factor(USER, factor.id, Activation(passCode=code.right)))
    active = told(await client.get_factor(USER, factor.id))
    call = active.embedded["call"]
    tell("activate", status=active.status.value, outcome=call["outcome"], evidence=call["evidence"])
    tell("list", ids=[found.id == factor.id for found in told(await client.list_factors(USER))])
    tell("get", status=told(await client.get_factor(USER, factor.id)).status.value)
    catalog = told(await client.list_supported_factors(USER))
    tell("catalog", kinds=[kind.factor_type.value for kind in catalog])
    await sign_in(client, factor.id)
    told(await client.reset_factors(USER))
    tell("reset", **refused(await client.get_factor(USER, factor.id)))
    another = await enroll(client)
    told(await client.unenroll_factor(USER, another.id))
    tell("delete", same=another.id == factor.id, left=len(told(await client.list_factors(USER))))


async def redial(client: Client) -> None:
    """Somebody whose telephone is busy is told so, and called again."""
    user = f"{USER}-busy"
    wanted = UserFactorCall(
        factorType="call", provider="OKTA", profile=UserFactorCallProfile(phoneNumber=BUSY)
    )
    factor = told(await client.enroll_factor(user, wanted))
    outcomes = [await outcome(client, user, factor.id)]
    # Refused with a 429, it waits by itself until the time in X-Rate-Limit-Reset, and asks again.
    told(await client.resend_enroll_factor(user, factor.id, ResendUserFactor(factorType="call")))
    outcomes.append(await outcome(client, user, factor.id))
    told(await client.unenroll_factor(user, factor.id))
    tell("redial", outcomes=outcomes)


async def outcome(client: Client, user: str, factor_id: str) -> str:
    """What the newest call came to, once it is over."""
    while True:
        call = told(await client.get_factor(user, factor_id)).embedded["call"]
        if call["outcome"] is not None:
            return str(call["outcome"])
        await asyncio.sleep(0.2)


async def main() -> None:
    client = Client({"orgUrl": URL, "token": KEY})
    await asyncio.gather(live(client), redial(client))


asyncio.run(main())
