"""What requests may say beside what they are about: filters of lists, and terms of calls."""

from datetime import datetime
from typing import TypedDict


class CallFilter(TypedDict, total=False):
    """Which calls to list; absent or None: all."""

    number: str | None
    outcome: str | None
    trunk: str | None
    client: str | None
    subscriber: str | None
    reference: str | None
    after: datetime | None


class AuditFilter(TypedDict, total=False):
    """Which audit entries to list; absent or None: all. `since` counts, `until` does not."""

    number: str | None
    client: str | None
    action: str | None
    decision: str | None
    subject: str | None
    subscriber: str | None
    reference: str | None
    trunk: str | None
    since: datetime | None
    until: datetime | None


class LimitFilter(TypedDict, total=False):
    """For whom limits are looked up; absent or None: for nobody in particular, the client is the one that
    asks."""

    number: str | None
    client: str | None
    subscriber: str | None
    end_user_ip: str | None


class Terms(TypedDict, total=False):
    """What a request allows its call; absent or None: as the daemon allows."""

    max_price: float | None
    ttl_s: float | None
