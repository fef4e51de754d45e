"""Codes that an identity provider made and hands over to be spoken: what its doors share.

Which fields hold what is each door's affair. Languages without prompts are spoken to in the default one:
a call in another language is better than none.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from voicegate.application.ports import IdempotencyKey
from voicegate.application.sign_in import Issued, IssueRequest, KeyReused, SignIn
from voicegate.domain.client import Asker
from voicegate.domain.errors import UnknownLanguage
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny


@dataclass(frozen=True, slots=True)
class HandedCode:
    """A code to speak."""

    asker: Asker
    """Who handed it over."""
    destination: Destination
    """Whom to call."""
    passcode: Passcode
    """The code."""
    language: str | None = None
    """Language tag such as `en` or `EN-US`; None: the default."""
    lifetime: timedelta | None = None
    """How long it counts; None: the default."""
    event: str | None = None
    """The provider's word for this request, by which a repeat is known; None: it has none."""
    is_held: bool = False
    """Does the call wait for `SignIn.release`?"""


async def issue(sign_in: SignIn, handed: HandedCode) -> Issued | KeyReused | Deny:
    """Accept a code if a trunk can take the call now.

    Raises:
        StoreError: nothing was stored, nobody is called.
    """
    try:
        return await sign_in.issue(_request(handed, handed.language))
    except UnknownLanguage:
        return await sign_in.issue(_request(handed, None))


def _request(handed: HandedCode, language: str | None) -> IssueRequest:
    return IssueRequest(
        asker=handed.asker,
        destination=handed.destination,
        language=language,
        passcode=handed.passcode,
        lifetime=handed.lifetime,
        idempotency=None if handed.event is None else _promise(handed, handed.event),
        needs_way=True,
        is_held=handed.is_held,
    )


def _promise(handed: HandedCode, event: str) -> IdempotencyKey:
    # Never of the code: so few digits would give themselves away.
    whom = f"{handed.destination.number} {handed.destination.extension or ''}"
    return IdempotencyKey(handed.asker.name, event, hashlib.sha256(whom.encode()).digest())
