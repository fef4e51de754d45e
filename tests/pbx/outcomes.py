"""What is asked of a verification once its calls are over."""

from voicegate.client import Call, Verification
from voicegate.lab.behaviour import Expected


def last_call(verification: Verification | None) -> Call:
    assert verification is not None
    assert verification.call is not None
    return verification.call


def outcome_of(verification: Verification | None) -> tuple[str | None, str, str | None]:
    return outcome_on(last_call(verification))


def outcome_on(call: Call) -> tuple[str | None, str, str | None]:
    return call.outcome, call.evidence.strongest, call.blame


def expected(row: Expected) -> tuple[str, str, str]:
    return row.outcome.value, row.evidence.name.lower(), row.blame.value


def events(verification: Verification) -> list[str]:
    return events_of(last_call(verification))


def events_of(call: Call) -> list[str]:
    return [step.event for step in call.timeline]


def readings(verification: Verification) -> list[bool | None]:
    """Whether each reading was proven."""
    steps = last_call(verification).timeline
    return [step.proven for step in steps if step.event == "reading_ended"]
