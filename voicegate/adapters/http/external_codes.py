"""Codes that an identity provider made and hands over to be spoken: what its doors share.

Which fields hold what is each door's affair.
"""

import hashlib
from dataclasses import replace

from voicegate.application.challenges import ChallengeSpec
from voicegate.application.ports import IdempotencyKey
from voicegate.application.sign_in import IssueRequest
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination


def handed_over(
    principal: Principal,
    spec: ChallengeSpec,
    event: str | None = None,
    *,
    sender: str,
    is_held: bool = False,
) -> IssueRequest:
    """Return the request to speak a code if a trunk can take the call now.

    `event` is the sender's word for its message, by which a repeat is known; None: it has none. The same code
    for the same telephone from the same sender is one message too, while its call is in progress.
    """
    promise = None if event is None else _promise(principal, spec.destination, f"{sender}:{event}")
    sent = replace(spec, reference=sender)
    return IssueRequest(principal, sent, promise, needs_way=True, is_held=is_held, is_repeatable=True)


def _promise(principal: Principal, destination: Destination, event: str) -> IdempotencyKey:
    # Never of the code: so few digits would give themselves away.
    whom = f"{destination.number} {destination.extension or ''}"
    return IdempotencyKey(principal.name, event, hashlib.sha256(whom.encode()).digest())
