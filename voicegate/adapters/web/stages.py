"""Finds the page that a person is at, and what it shows of the call, from what is stored; pure.

The page depends on the page session, the factor and the challenge alone, so a second tab, the back button and
another controller all show the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from voicegate.application.page_queries import PageView
from voicegate.application.ports import CallRecord, ChallengeRecord
from voicegate.domain.call_outcome import Outcome
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.factor import FactorState
from voicegate.domain.page_session import PagePurpose, PageSession, PageState


class Stage(StrEnum):
    """A page, by its template's name."""

    SETUP = "setup"
    """The explanation why a telephone is needed."""
    NUMBER = "number"
    """Which one."""
    READY = "ready"
    """The telephone is known: should it be called?"""
    CALL = "call"
    """A call, and the field for its code."""
    SETTINGS = "settings"
    """The telephone, which can be replaced."""
    ACTIVE = "active"
    """There is no telephone to manage."""
    LOCKED = "locked"
    """The telephone is locked; only a reset helps."""
    DONE = "done"
    """The result."""


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the timeline."""

    text: str
    """The name of its text."""
    is_last: bool = False
    """Is it the present step?"""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a page's call."""

    steps: tuple[Step, ...]
    """What happened, oldest first."""
    is_live: bool
    """Is it in progress?"""
    is_speaking: bool
    """Is or was the code spoken, so that the person may know it?"""
    ended: str = ""
    """The name of the text that says how it ended; empty: it is in progress."""
    is_good: bool = False
    """Did it end well?"""


_STEPS: Final[Mapping[str, str]] = {
    "queued": "step_queued",
    "originated": "step_dialing",
    "rang": "step_ringing",
    "answered": "step_answered",
    "extension_started": "step_extension",
    "invited": "step_key",
    "key_pressed": "step_key_pressed",
    "reported": "step_reported",
    "reading_started": "step_speaking",
}
"""The texts of a call's events; other events mean nothing to a person."""
_OWN_WORDS: Final = frozenset(
    {
        Outcome.DELIVERED,
        Outcome.BUSY,
        Outcome.NO_ANSWER,
        Outcome.UNAVAILABLE,
        Outcome.REJECTED,
        Outcome.INVALID_NUMBER,
        Outcome.FORWARDED,
        Outcome.HUNG_UP,
        Outcome.NO_HUMAN,
        Outcome.REPORTED,
        Outcome.NO_MEDIA,
        Outcome.CANCELED,
    }
)
"""Outcomes with a text of their own; the others share a text about a technical problem."""


def stage_of(view: PageView, *, wants_number: bool) -> Stage:
    """Return the page that a person is at; `wants_number`: they chose to enter a number."""
    session, factor = view.session, view.record.factor if view.record else None
    if session.state in (PageState.COMPLETED, PageState.REDEEMED):
        return Stage.DONE
    setting_up = Stage.NUMBER if wants_number else Stage.SETUP
    if factor is None:
        return setting_up
    is_ours = factor.id == session.factor_id
    if session.purpose is PagePurpose.MANAGE and not (is_ours and factor.state is not FactorState.ACTIVE):
        return Stage.NUMBER if wants_number else Stage.SETTINGS
    if factor.state is FactorState.PENDING_ACTIVATION:
        return Stage.CALL if is_ours and not wants_number else setting_up
    if factor.state is FactorState.LOCKED and not _is_open(challenge_of(view)):
        return Stage.LOCKED
    if session.purpose is PagePurpose.ENROLL and factor.state is FactorState.ACTIVE:
        return Stage.ACTIVE
    return Stage.CALL if is_ours and session.challenge_id else Stage.READY


def challenge_of(view: PageView) -> ChallengeRecord | None:
    """Return the challenge that was called from this page session; None: none, or a newer one is "
    "another's."""
    newest = view.record.challenge if view.record else None
    return newest if newest is not None and newest.challenge.id == view.session.challenge_id else None


def progress_of(record: ChallengeRecord) -> Progress:
    """Return the state of a challenge's newest call."""
    call = record.calls[-1]
    texts = list(_texts_of(call))
    steps = tuple(Step(text, index == len(texts) - 1) for index, text in enumerate(texts))
    outcome = call.outcome.outcome if call.outcome else None
    return Progress(
        steps=steps,
        is_live=outcome is None,
        is_speaking=any(text.startswith("step_speaking") for text in texts),
        ended="" if outcome is None else ended_text(outcome),
        is_good=outcome is Outcome.DELIVERED,
    )


def was_spoken(record: ChallengeRecord | None) -> bool:
    """Return whether a person may know the code: whether any call began to speak it."""
    calls = record.calls if record is not None else ()
    return any(entry.event == "reading_started" for call in calls for entry in call.timeline)


def ended_text(outcome: Outcome) -> str:
    """Return the name of the text that tells a person how a call ended, and what to do."""
    return f"ended_{outcome}" if outcome in _OWN_WORDS else "ended_trouble"


def challenge_text(record: ChallengeRecord | None) -> str:
    """Return the name of the text that says why no code can be entered; empty: one can."""
    if record is None:
        return "error_expired"
    match record.challenge.state:
        case ChallengeState.LOCKED:
            return "error_locked"
        case ChallengeState.REPORTED:
            return "ended_reported"
        case ChallengeState.EXPIRED | ChallengeState.CANCELED | ChallengeState.VERIFIED:
            return "error_expired"
        case _:
            return ""


def call_again_at(
    session: PageSession, record: ChallengeRecord | None, spacing: timedelta
) -> datetime | None:
    """Return when a page may call again; None: at any time. The wait begins anew, with the first of the
    policy's waits, when a call ends."""
    again_at = session.call_again_at
    call = record.calls[-1].call if record is not None and record.calls else None
    if again_at is None or call is None or call.ended_at is None or again_at <= call.created_at:
        return again_at
    return max(again_at, call.ended_at + spacing)


def seconds_until(moment: datetime | None, now: datetime) -> int:
    """Return the whole seconds until then; 0: it is past, or never was."""
    return 0 if moment is None else max(0, -(-int((moment - now).total_seconds() * 1000) // 1000))


def _texts_of(call: CallRecord) -> Iterator[str]:
    yield _STEPS["queued"]
    for entry in call.timeline:
        text = _STEPS.get(entry.event)
        if entry.event == "reading_started" and entry.detail.get("reading") != 1:
            text = "step_speaking_again"
        if text is not None and entry.event != "queued":
            yield text
    if call.outcome is not None:
        yield "step_ended"


def _is_open(record: ChallengeRecord | None) -> bool:
    return record is not None and not challenge_text(record)
