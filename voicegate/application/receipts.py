"""Composes receipts of ended calls, and cuts old ones off; `domain.receipt` says what a chain is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from voicegate.application.ports import CallRecord
from voicegate.domain.challenge import Challenge
from voicegate.domain.receipt import Head, Sealed, write_body

MakeReceipt = Callable[[Head], Sealed]
"""Makes what follows the end of the chain: a receipt, or the checkpoint of a cut."""

_COUNTS: Final = {"received": "received", "sent": "sent", "rtcp": "reports_back"}


class ReceiptSigner(Protocol):
    """Signs receipts; the keys never leave it."""

    @property
    def chain(self) -> str:
        """The id of this controller's chain."""
        ...

    @property
    def key_id(self) -> str:
        """The id of the key that signs now."""
        ...

    def sign(self, body: bytes) -> Sealed:
        """Return a body with its signature."""
        ...

    def number_digest(self, number: str) -> str:
        """Return a number's digest by the chain's own key, hexadecimal: always the same for the same
        number."""
        ...


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A receipt that is made in the transaction that stores it, for it follows the newest one then."""

    chain: str
    """The chain that it joins."""
    call_id: str
    """Its call; a call that has a receipt gets no second one."""
    at: datetime
    """When it is made."""
    make: MakeReceipt = field(repr=False)
    """Makes it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which receipts are deleted."""

    chain: str
    """The chain."""
    before: datetime
    """The oldest, up to the first that was made at this time or later."""
    limit: int
    """How many at most."""
    make: MakeReceipt = field(repr=False)
    """Makes the checkpoint that says up to which one."""


class ReceiptRows(Protocol):
    """What a transaction does with receipts."""

    def cut_receipts(self, cut: Cut) -> int:
        """Delete the oldest receipts, and store the checkpoint that says so; return how many."""
        ...


class Receipts:
    """Composes receipts and checkpoints."""

    def __init__(self, signer: ReceiptSigner) -> None:
        self._signer = signer

    @property
    def chain(self) -> str:
        """The id of this controller's chain."""
        return self._signer.chain

    def take_signer(self, signer: ReceiptSigner) -> None:
        """Sign by a newer key of the same chain from now on; another chain's is not taken."""
        if signer.chain == self.chain:
            self._signer = signer

    def of_end(self, record: CallRecord, challenge: Challenge, at: datetime) -> NewReceipt:
        """Return the receipt of an ended call."""
        make = partial(self._receipt, facts=_facts(record, challenge) | self._facts(record), at=at)
        return NewReceipt(self.chain, record.call.id, at, make)

    def cut(self, before: datetime, now: datetime, limit: int) -> Cut:
        """Return what deletes receipts made before a time."""
        return Cut(self.chain, before, limit, partial(self._checkpoint, at=now))

    def _facts(self, record: CallRecord) -> dict[str, object]:
        return {"number_digest": self._signer.number_digest(record.call.destination.number)}

    def _receipt(self, head: Head, *, facts: dict[str, object], at: datetime) -> Sealed:
        own = {
            "kind": "receipt",
            "chain": self.chain,
            "key": self._signer.key_id,
            "seq": head.seq + 1,
            "before": head.digest,
            "at": _written(at),
        }
        return self._signer.sign(write_body(facts | own))

    def _checkpoint(self, head: Head, *, at: datetime) -> Sealed:
        own = {
            "kind": "checkpoint",
            "chain": self.chain,
            "key": self._signer.key_id,
            "seq": head.seq,
            "digest": head.digest,
            "at": _written(at),
        }
        return self._signer.sign(write_body(own))


def _facts(record: CallRecord, challenge: Challenge) -> dict[str, object]:
    call, outcome, hangup = record.call, record.outcome, record.hangup
    evidence = call.evidence
    return {
        "call": call.id,
        "verification": challenge.id,
        "factor": challenge.factor_id,
        "client": challenge.client,
        "trunk": call.trunk,
        "caller_id": call.caller_id,
        "queued_at": _written(call.created_at),
        "answered_at": _written(call.answered_at) if call.answered_at else None,
        "ended_at": _written(call.ended_at) if call.ended_at else None,
        "outcome": str(outcome.outcome) if outcome else None,
        "blame": str(outcome.blame) if outcome else None,
        "cause": hangup.cause if hangup else None,
        "sip_status": hangup.sip_status if hangup else None,
        "gave_up": str(hangup.gave_up) if hangup and hangup.gave_up else None,
        "rtp": _counted(record),
        "sip_call_id": hangup.quality.sip_call_id if hangup and hangup.quality else None,
        "evidence": {
            "answered": evidence.answered,
            "media": evidence.media,
            "extension_sent": evidence.extension_sent,
            "human": evidence.human,
            "announced": evidence.announced,
        },
    }


def _counted(record: CallRecord) -> dict[str, object] | None:
    """Return the newest packet counts of a call; None: nothing was counted."""
    counted = [entry.detail["media"] for entry in record.timeline if "media" in entry.detail]
    if not counted or not isinstance(counted[-1], Mapping):
        return None
    return {name: counted[-1].get(key) for name, key in _COUNTS.items()}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
