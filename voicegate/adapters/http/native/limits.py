"""The native door's handlers for limits: which are in force, how much is used, and what was spent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from voicegate.adapters.http import fields, problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.responses import json_response
from voicegate.application.limits import LimitInForce, LimitQueries, LimitQuestion
from voicegate.domain.client import Scope
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Caller, Deny
from voicegate.domain.policy.spend import MICROS, Account, Cap, Cost, SpendKind


class LimitsQuery(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """For whom the limits are looked up."""

    number: (
        Annotated[str, Meta(max_length=32, description="The destination, written in full; absent: none.")]
        | None
    ) = None
    client: (
        Annotated[str, Meta(max_length=64, description="The client that would ask; absent: you.")] | None
    ) = None
    subscriber: (
        Annotated[str, Meta(max_length=255, description="The subscriber whose factor is called.")] | None
    ) = None
    end_user_ip: (
        Annotated[str, Meta(max_length=45, description="The address of the person who signs in.")] | None
    ) = None


class LimitView(Struct, kw_only=True, frozen=True):
    """A limit in force, and how much of it is used."""

    rule: Annotated[
        str,
        Meta(
            description="The setting that has it, or a rule that is always in force.",
            examples=["policy.calls_per_prefix"],
        ),
    ]
    value: Annotated[
        float | list[float],
        Meta(description="What it allows; a list: the waits after the first call, the second, and so on."),
    ]
    unit: Annotated[str, Meta(description="What is counted.", examples=["calls"])]
    counted_by: Annotated[str, Meta(description="What is counted together.", examples=["client and prefix"])]
    window_s: Annotated[float, Meta(description="Seconds that each counts; null: while it lasts.")] | None
    counter: (
        Annotated[
            str, Meta(description="Of what the use is; null: the query names nothing that it counts by.")
        ]
        | None
    )
    used: Annotated[float, Meta(description="How much is used; null: not counted.")] | None
    is_reached: Annotated[bool, Meta(description="Is another call refused by it, or made to wait?")]
    free_at: (
        Annotated[
            datetime, Meta(description="When it is not reached any more; null: it is not, or not by waiting.")
        ]
        | None
    )


class RefusalView(Struct, kw_only=True, frozen=True):
    """Why a call would be refused."""

    reason: str
    rule: str
    retry_at: Annotated[datetime, Meta(description="When asking again may help; null: it will not.")] | None


class LimitList(Struct, kw_only=True, frozen=True):
    """The limits in force, at one moment."""

    at: datetime
    limits: list[LimitView]
    refused: (
        Annotated[
            RefusalView,
            Meta(description="The first rule that refuses a call to the number; null: none does."),
        ]
        | None
    )


class SpentView(Struct, kw_only=True, frozen=True):
    """What calls cost today that have something in common."""

    counted_by: Annotated[str, Meta(description="trunk, country, prefix, client or subscriber.")]
    client: Annotated[str, Meta(description="The client; empty: all clients.")]
    counter: Annotated[str, Meta(description="The trunk, country, prefix or subscriber.")]
    minutes: Annotated[float, Meta(description="Billed minutes, those of calls in progress at their most.")]
    money: Annotated[float, Meta(description="In the currency of the rates, likewise.")]
    minutes_cap: Annotated[int, Meta(description="The cap of minutes a day; null: none.")] | None
    money_cap: Annotated[float, Meta(description="The cap of money a day; null: none.")] | None


class SpentList(Struct, kw_only=True, frozen=True):
    """What calls cost today, the highest costs first, at most a thousand."""

    spent: list[SpentView]


class LimitsDoor:
    """The handlers for limits."""

    def __init__(self, limits: LimitQueries) -> None:
        self._limits = limits

    @Operation(
        method="GET",
        path="/v1/limits",
        name="listLimits",
        scope=Scope.ADMIN,
        text="List the limits in force; for a number, a subscriber or a client, how much of each is used.",
        query=LimitsQuery,
        success=Success(200, LimitList, "Every limit, once for each counter that the query names."),
        refusals=(problems.INVALID, *problems.STORED),
    )
    async def list(self, request: web.Request) -> web.Response:
        """List the limits."""
        query = request_parsing.read_query(request, LimitsQuery)
        number = fields.read_number(query.number)
        principal = replace(request[PRINCIPAL], name=query.client or request[PRINCIPAL].name)
        principal = fields.asking_for(principal, query.end_user_ip)
        caller = Caller(principal.name, query.subscriber, principal.end_user_ip)
        destination = None if number is None else Destination(number)
        answer = await self._limits.look(LimitQuestion(caller, destination))
        refused = answer.refused
        return json_response(
            LimitList(
                at=answer.at,
                limits=[_limit(one, answer.at) for one in answer.limits],
                refused=None if refused is None else _refusal(refused, answer.at),
            )
        )

    @Operation(
        method="GET",
        path="/v1/spend",
        name="listSpend",
        scope=Scope.ADMIN,
        text="List what today's calls cost, by account. A day is of UTC.",
        success=Success(200, SpentList, "The highest costs first, at most a thousand."),
        refusals=problems.STORED,
    )
    async def spent(self, _request: web.Request) -> web.Response:
        """List what calls cost today."""
        caps = self._limits.caps
        return json_response(
            SpentList(spent=[_spent(one, cost, caps) for one, cost in await self._limits.spent()])
        )


def _limit(one: LimitInForce, at: datetime) -> LimitView:
    limit, use = one.limit, one.use
    is_reached = use is not None and use.is_reached
    waits = use.free_in if use is not None and is_reached else None
    return LimitView(
        rule=limit.rule,
        value=list(limit.value) if isinstance(limit.value, tuple) else limit.value,
        unit=limit.unit,
        counted_by=limit.counted_by,
        window_s=None if limit.window is None else limit.window.total_seconds(),
        counter=None if use is None else use.counter,
        used=None if use is None else use.used,
        is_reached=is_reached,
        free_at=None if waits is None else at + waits,
    )


def _refusal(refused: Deny, at: datetime) -> RefusalView:
    wait = refused.retry_after
    return RefusalView(
        reason=str(refused.reason), rule=refused.rule, retry_at=None if wait is None else at + wait
    )


def _spent(account: Account, cost: Cost, caps: Mapping[SpendKind, Cap]) -> SpentView:
    cap = caps.get(account.kind, Cap())
    return SpentView(
        counted_by=str(account.kind),
        client=account.client,
        counter=account.key,
        minutes=round(cost.seconds / 60, 2),
        money=round(cost.micros / MICROS, 6),
        minutes_cap=cap.minutes or None,
        money_cap=cap.micros / MICROS or None,
    )
