"""All that the daemon knows of a call, as lines for people: nothing that JSON has is left out."""

from collections.abc import Sequence

from voicegate.cli.advice import look_first
from voicegate.cli.printing import clock, describe_end, describe_media, describe_quality, labels_of
from voicegate.client import Call, Evidence, Step


def describe_call(call: Call) -> Sequence[str]:
    """Return the lines that tell of a call."""
    test = ", a test number" if call.is_test else ""
    facts = [
        describe_end(call),
        *_redirection(call.timeline),
        _evidence(call.evidence),
        describe_media(call),
        "" if call.quality is None else describe_quality(call.quality),
        _retry(call),
    ]
    if advice := look_first(call.outcome):
        facts.append(f"look first at: {advice}")
    return [
        f"{call.id} to {call.destination}{test} at {clock(call.created_at)}, of {call.verification_id}",
        *(
            f"{(step.at - call.created_at).total_seconds():6.1f} s  {label}"
            for step, label in labels_of(call.timeline)
        ),
        *filter(None, facts),
    ]


def _evidence(evidence: Evidence) -> str:
    shown = {
        "answered": evidence.answered,
        "media came back": evidence.media,
        "extension sent": evidence.extension_sent,
        "a person pressed the key": evidence.human,
        "code announced": evidence.announced > 0,
    }
    return f"shown: {', '.join(name for name, is_shown in shown.items() if is_shown) or 'nothing'}"


def _redirection(steps: Sequence[Step]) -> Sequence[str]:
    sent = [step for step in steps if step.forwarded_to is not None]
    return [
        f"redirected to {step.forwarded_to}" + (f", refused: {step.refused}" if step.refused else "")
        for step in sent
    ]


def _retry(call: Call) -> str:
    if call.retry_safe is None:
        return ""
    safe = "safe" if call.retry_safe else "not safe yet: the telephone may still ring"
    return f"another call at once is {safe}"
