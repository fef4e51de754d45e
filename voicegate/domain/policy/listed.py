"""Numbers on a list: what an admin, or the called person, said about one number.

A trusted number is one that many people share, as a reception or a ward telephone: its per-number limits are
raised, and nothing else. Blocked numbers and those whose person wants no calls are never called. A number
whose person reported a call is not called for the client that asked for it, for a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from voicegate.domain.policy.decisions import Allow, Deny, DenyReason
from voicegate.domain.policy.destinations import RuleResult
from voicegate.domain.policy.rules import CallPolicy


class NumberList(StrEnum):
    """What is said of the numbers on a list."""

    TRUSTED = "trusted"
    """Trusted by the organisation: the per-number limits are higher."""
    BLOCKED = "blocked"
    """Never called, by an admin's decision."""
    DO_NOT_CALL = "do_not_call"
    """The person wants no calls."""
    REPORTED = "reported"
    """The person did not ask for a client's call; it counts for that client only."""


@dataclass(frozen=True, slots=True)
class ListedNumber:
    """A number on a list."""

    list: NumberList
    """The list."""
    number: str
    """The number, masked."""
    digest: bytes = field(repr=False)
    """Its keyed digest, by which it is found."""
    reason: str
    """Why it is on the list, in the words of whoever put it there."""
    listed_by: str
    """Who put it there: a client or a Unix user."""
    listed_at: datetime
    """When."""
    expires_at: datetime | None = None
    """From this time on it no longer counts; None: until it is removed."""
    client: str = ""
    """The client that it counts for; empty: all clients."""

    def counts(self, client: str, now: datetime) -> bool:
        """Return whether it counts for a client's calls at `now`."""
        return self.client in ("", client) and (self.expires_at is None or now < self.expires_at)


_REASONS: Final = {
    NumberList.DO_NOT_CALL: DenyReason.DO_NOT_CALL,
    NumberList.BLOCKED: DenyReason.NUMBER_BLOCKED,
    NumberList.REPORTED: DenyReason.CALL_REPORTED,
}
"""Why a number on a list is not called, in the order in which the lists are applied."""


def apply_list_rules(listed: Sequence[ListedNumber], client: str, now: datetime) -> Iterator[RuleResult]:
    """Yield what each list that a number is on says about a client's call to it."""
    counting = [one for one in listed if one.counts(client, now)]
    for kind, reason in _REASONS.items():
        for one in counting:
            if one.list is kind:
                wait = None if one.expires_at is None else one.expires_at - now
                yield RuleResult(f"numbers {kind}", Deny(reason, wait), one.reason)
    for one in counting:
        if one.list is NumberList.TRUSTED:
            yield RuleResult("numbers trusted", Allow(), one.reason)


def policy_for(
    policy: CallPolicy, listed: Sequence[ListedNumber], *, client: str, now: datetime
) -> CallPolicy | Deny:
    """Return the policy for a number that is on these lists: with higher per-number limits if it is trusted;
    or why it is not called."""
    for judgement in apply_list_rules(listed, client, now):
        if isinstance(judgement.decision, Deny):
            return judgement.decision
        guesses = max(policy.guesses.per_destination, policy.trusted_guesses_per_destination)
        return replace(
            policy,
            calls_per_number=max(policy.calls_per_number, policy.trusted_calls_per_number),
            guesses=replace(policy.guesses, per_destination=guesses),
        )
    return policy
