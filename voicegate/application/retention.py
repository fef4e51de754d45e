"""How long what is over is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Kept:
    """The times after which records are kept; what is older may be deleted."""

    calls: datetime
    """Challenges that ended after this time, with their calls and factors."""
    timelines: datetime
    """Steps of calls after this time."""
    audit: datetime
    """Audit entries after this time."""
    webhooks: datetime
    """Messages to webhooks that were composed after this time."""
    recent: datetime
    """Idempotency keys, wrong guesses, counts of calls, and holds of ranges that ended, after this time."""
    page_sessions: datetime
    """Page sessions, which hold what people agreed to, after this time."""
    numbers: datetime | None = None
    """Whole numbers of what was over after this time, else their beginning and end; None: all."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records are kept after their end."""

    calls: timedelta = timedelta(days=90)
    """Challenges with their calls, from the end of the challenge; factors, from their reset."""
    timelines: timedelta = timedelta(days=90)
    """Steps of calls."""
    audit: timedelta = timedelta(days=365)
    """Audit entries."""
    webhooks: timedelta = timedelta(days=30)
    """Messages to webhooks."""
    receipts: timedelta = timedelta(days=365)
    """Receipts."""
    page_sessions: timedelta = timedelta(days=365)
    """Page sessions."""
    numbers: timedelta | None = None
    """Whole numbers of calls and verifications that are over; None: as long as these."""
    recent: timedelta = timedelta(days=1)
    """As `Kept.recent`; longer than any window of policy."""

    def kept(self, now: datetime) -> Kept:
        """Return the times after which records are kept at `now`."""
        return Kept(
            calls=now - self.calls,
            timelines=now - self.timelines,
            audit=now - self.audit,
            webhooks=now - self.webhooks,
            recent=now - self.recent,
            page_sessions=now - self.page_sessions,
            numbers=None if self.numbers is None else now - self.numbers,
        )
