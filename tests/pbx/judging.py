"""What a verification came to, in the words of the lab's table."""

from voicegate.client import Call, Verification
from voicegate.lab.behaviour import Expected


def last_call(verification: Verification | None) -> Call:
    assert verification is not None
    assert verification.call is not None
    return verification.call


def verdict(verification: Verification | None) -> tuple[str | None, str, str | None]:
    call = last_call(verification)
    return call.outcome, call.evidence.strongest, call.blame


def expected(row: Expected) -> tuple[str, str, str]:
    return row.outcome.value, row.evidence.name.lower(), row.blame.value
