"""What becomes of a challenge when its call has ended."""

from voicegate.domain import challenge as challenges
from voicegate.domain.call_outcome import CallOutcome, Outcome
from voicegate.domain.challenge import OPEN_STATES, Challenge, ChallengeEvent, ChallengeState


def settle(challenge: Challenge, outcome: CallOutcome) -> Challenge:
    """Return `challenge` as it is after the outcome of its last call."""
    if outcome.outcome is Outcome.REPORTED and challenge.state in OPEN_STATES:
        # It has been reported already, unless that could not be stored in time.
        return challenges.step(challenge, ChallengeEvent.REPORTED)
    if challenge.state is not ChallengeState.DELIVERING:
        return challenge  # verified, canceled or expired meanwhile: how the call ended changes nothing
    is_delivered = outcome.outcome is Outcome.DELIVERED
    event = ChallengeEvent.CALL_DELIVERED if is_delivered else ChallengeEvent.CALL_FAILED
    return challenges.step(challenge, event)
