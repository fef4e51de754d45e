"""What the daemon answers about limits and costs."""

from datetime import datetime

from msgspec import Struct


class Limit(Struct, kw_only=True):
    """A limit in force, and how much of it is used."""

    rule: str
    value: float | list[float]
    unit: str
    counted_by: str
    window_s: float | None = None
    counter: str | None = None
    used: float | None = None
    is_reached: bool = False
    free_at: datetime | None = None


class LimitRefusal(Struct, kw_only=True):
    """Why a call would be refused."""

    reason: str
    rule: str
    retry_at: datetime | None = None


class Limits(Struct, kw_only=True):
    """The limits in force, at one moment."""

    at: datetime
    limits: list[Limit]
    refused: LimitRefusal | None = None


class Spent(Struct, kw_only=True):
    """What calls cost today that have something in common."""

    counted_by: str
    client: str
    counter: str
    minutes: float
    money: float
    minutes_cap: int | None = None
    money_cap: float | None = None


class SpentList(Struct, kw_only=True):
    """What calls cost today, the highest costs first."""

    spent: list[Spent]
