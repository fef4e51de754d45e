"""Codes that an identity provider made and passes on to be spoken: what the doors for them share.

Each door knows which fields hold what.
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
    """Return the request to speak a code, which is refused if no trunk can take the call now.

    `event` is the sender's id of its message, by which a repetition is recognised; None: it has no id. While
    its call is in progress, the same code for the same telephone from the same sender is one message too.
    """
    promise = None if event is None else _promise(principal, spec.destination, f"{sender}:{event}")
    sent = replace(spec, reference=sender)
    return IssueRequest(principal, sent, promise, needs_way=True, is_held=is_held, is_repeatable=True)


def _promise(principal: Principal, destination: Destination, event: str) -> IdempotencyKey:
    # Never of the code: a digest of so few digits would reveal them.
    whom = f"{destination.number} {destination.extension or ''}"
    return IdempotencyKey(principal.name, event, hashlib.sha256(whom.encode()).digest())
