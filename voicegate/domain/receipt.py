"""Receipts: a signed record of each call's end, chained so that none can be changed, added or taken out.

A receipt's body is canonical JSON (RFC 8785 for what it holds: sorted names, no blanks, whole numbers); it
has the SHA-256 digest of the body before it, and is signed with Ed25519 (RFC 8032). Where old receipts were
deleted, a signed checkpoint says up to which one.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

ORIGIN: Final = "0" * 64
"""What the first receipt of a chain has in place of a digest before it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A body with its signature: a receipt, or a checkpoint."""

    body: bytes
    """Canonical JSON."""
    signature: bytes = field(repr=False)
    """Ed25519, over the body."""

    @property
    def digest(self) -> str:
        """SHA-256 of the body, hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain."""

    seq: int = 0
    """The newest receipt's number, counted from 1; 0: there is none."""
    digest: str = ORIGIN
    """Its digest."""


@dataclass(frozen=True, slots=True)
class ChainResult:
    """What was found of a chain."""

    receipts: int
    """How many receipts were proven."""
    head: Head
    """The newest proven one."""
    fault: str | None = None
    """What is wrong with the next one; None: nothing."""


Proves = Callable[[str, Sealed], bool]
"""Is this body signed by the key with that id?"""


def write_body(facts: Mapping[str, object]) -> bytes:
    """Return facts as the bytes that are signed; times as text, no fractions."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def verify_chain(
    checkpoint: Sealed | None, receipts: Iterable[Sealed], *, chain: str, proves: Proves
) -> ChainResult:
    """Prove a chain, the oldest receipt first, up to the first fault."""
    head = Head()
    if checkpoint is not None:
        cut = _read(checkpoint, "checkpoint", chain=chain, proves=proves)
        if isinstance(cut, str):
            return ChainResult(0, head, f"the checkpoint {cut}")
        head = Head(int(str(cut["seq"])), str(cut["digest"]))
    proven = 0
    for receipt in receipts:
        facts = _read(receipt, "receipt", chain=chain, proves=proves)
        if isinstance(facts, str):
            return ChainResult(proven, head, f"the receipt after {head.seq} {facts}")
        if facts.get("seq") != head.seq + 1 or facts.get("before") != head.digest:
            fault = f"the receipt after {head.seq} does not follow it: it says that it is {facts.get('seq')}"
            return ChainResult(proven, head, fault)
        head = Head(head.seq + 1, receipt.digest)
        proven += 1
    return ChainResult(proven, head)


def _read(sealed: Sealed, kind: str, *, chain: str, proves: Proves) -> dict[str, object] | str:
    """Return what a body says, or what is wrong with it."""
    try:
        facts = json.loads(sealed.body)
    except ValueError:
        return "is no JSON"
    if not isinstance(facts, dict) or facts.get("kind") != kind or facts.get("chain") != chain:
        return f"is no {kind} of the chain {chain}"
    if not proves(str(facts.get("key")), sealed):
        return f"is not signed by the key {facts.get('key')}"
    return facts
