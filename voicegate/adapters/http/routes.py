"""The native door's operations: every path, and every answer it can give."""

from typing import Final

from voicegate import __version__
from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.admin import AdminDoor, admin_operations
from voicegate.adapters.http.doors import Door
from voicegate.adapters.http.native import ApiDependencies, NativeDoor
from voicegate.adapters.http.openapi import Description
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.page_sessions import PageSessionsDoor, page_session_operations
from voicegate.adapters.http.problems import Kind
from voicegate.adapters.http.schemas import (
    CallList,
    CallsQuery,
    CallView,
    CreatedVerification,
    EventsQuery,
    Guess,
    Health,
    Judgement,
    LookQuery,
    NewVerification,
    Readiness,
    Redialed,
    StatusEvent,
    StepEvent,
    TrunkList,
    VerificationView,
)
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.domain.client import Scope

_STORED: Final[tuple[Kind, ...]] = (problems.INTERNAL, problems.STORE_UNAVAILABLE)


def native_door(house: ApiDependencies, waiting: WaitingLimits | None = None) -> Door:
    """Return the native door: every path that is no other door's, and its own description."""
    door, description = NativeDoor(house, waiting), Description()
    admin = AdminDoor(house.clients, house.audit, house.body_timeout)
    pages = page_session_operations(PageSessionsDoor(house.pages, house.pages_url, house.body_timeout))
    offered = (*operations(door), *pages, *admin_operations(admin), description.operation())
    description.write(offered, __version__)
    return Door(offered, close=door.waiters.close)


def operations(door: NativeDoor) -> tuple[Operation, ...]:
    """Return all that clients can ask of the native door."""
    return (*_verifications(door), *_calls(door), *_house(door))


def _verifications(door: NativeDoor) -> tuple[Operation, ...]:
    path = "/v1/verifications/{id}"
    return (
        _create(door),
        _look(door, path),
        _events(door, path),
        _check(door, path),
        _redial(door, path),
        _cancel(door, path),
    )


def _create(door: NativeDoor) -> Operation:
    return Operation(
        method="POST",
        path="/v1/verifications",
        name="createVerification",
        scope=Scope.VERIFICATIONS,
        text="Call a telephone and speak a code. The answer does not wait for the call: look at the "
        "verification to see how it goes. With an Idempotency-Key, a repeated request is answered with "
        "the verification that the first one made, and nobody is called again.",
        handler=door.create,
        body=NewVerification,
        headers={
            "Idempotency-Key": "The caller's word for this request, 1-255 visible ASCII characters; "
            "each client has its own words."
        },
        success=Success(
            202,
            CreatedVerification,
            "Accepted; the call is about to be placed.",
            {
                "Location": "Path of the verification.",
                "Idempotent-Replayed": '"true" when an earlier request made it; its status is today\'s.',
            },
        ),
        refusals=(
            *request_parsing.REFUSALS,
            problems.COUNTRY_NOT_ALLOWED,
            problems.NUMBER_TYPE_NOT_ALLOWED,
            problems.KEY_REUSED,
            problems.NO_ROUTE,
            problems.CALL_IN_PROGRESS,
            problems.TOO_SOON,
            problems.TOO_MANY_GUESSES,
            problems.QUEUE_FULL,
            *_STORED,
        ),
    )


def _look(door: NativeDoor, path: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        name="getVerification",
        scope=Scope.VERIFICATIONS,
        text="Show a verification with its calls and their timelines. With `wait_s`, wait until its "
        "revision passes `since`; a verification that is over is shown at once.",
        handler=door.look,
        query=LookQuery,
        success=Success(200, VerificationView, "The verification's present state."),
        refusals=(problems.NOT_FOUND, problems.INVALID, problems.TOO_MANY_WAITING, *_STORED),
    )


def _events(door: NativeDoor, path: str) -> Operation:
    return Operation(
        method="GET",
        path=f"{path}/events",
        name="streamEvents",
        scope=Scope.VERIFICATIONS,
        text="Tell what happens to a verification as server-sent events, from the beginning or after the "
        "event whose id is given: `step` for each step of a call (data: StepEvent), `status` for each new "
        "status (data: StatusEvent). A comment every 15 seconds shows that the stream lives. It ends when "
        "the verification is over, and when the daemon stops.",
        handler=door.events,
        query=EventsQuery,
        headers={"Last-Event-ID": "The id of the last event seen, as browsers send it; before `after`."},
        success=Success(200, None, "The events.", events=(StepEvent, StatusEvent)),
        refusals=(problems.NOT_FOUND, problems.INVALID, problems.TOO_MANY_WAITING, *_STORED),
    )


def _check(door: NativeDoor, path: str) -> Operation:
    return Operation(
        method="POST",
        path=f"{path}/check",
        name="checkPasscode",
        scope=Scope.VERIFICATIONS,
        text="Judge one guess at the code. `status` is `verified` or `denied`, and nothing else; a "
        "verification that is over (used, locked, expired, canceled) denies every guess, with the reason. "
        "A guess that is not 4-10 digits is refused and costs no attempt.",
        handler=door.check,
        body=Guess,
        success=Success(200, Judgement, "Whether the guess proves it."),
        refusals=(*request_parsing.REFUSALS, problems.NOT_FOUND, *_STORED),
    )


def _redial(door: NativeDoor, path: str) -> Operation:
    return Operation(
        method="POST",
        path=f"{path}/calls",
        name="redial",
        scope=Scope.VERIFICATIONS,
        text="Call again with the same code. Takes no body.",
        handler=door.redial,
        success=Success(
            202, Redialed, "Accepted; the call is about to be placed.", {"Location": "Path of the call."}
        ),
        refusals=(
            problems.COUNTRY_NOT_ALLOWED,
            problems.NUMBER_TYPE_NOT_ALLOWED,
            problems.NOT_FOUND,
            problems.CALL_IN_PROGRESS,
            problems.NOT_OPEN,
            problems.INVALID,
            problems.NO_ROUTE,
            problems.QUEUE_FULL,
            problems.TOO_MANY_CALLS,
            problems.TOO_SOON,
            *_STORED,
        ),
    )


def _cancel(door: NativeDoor, path: str) -> Operation:
    return Operation(
        method="DELETE",
        path=path,
        name="cancelVerification",
        scope=Scope.VERIFICATIONS,
        text="Cancel a verification and hang up its call. Canceling twice, or one that has ended, "
        "changes nothing.",
        handler=door.cancel,
        success=Success(200, VerificationView, "The verification; its call may take a moment to end."),
        refusals=(problems.NOT_FOUND, *_STORED),
    )


def _calls(door: NativeDoor) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path="/v1/calls",
            name="listCalls",
            scope=Scope.VERIFICATIONS,
            text="List calls, newest first, without timelines.",
            handler=door.calls,
            query=CallsQuery,
            success=Success(200, CallList, "A page of calls."),
            refusals=(problems.INVALID, *_STORED),
        ),
        Operation(
            method="GET",
            path="/v1/calls/{id}",
            name="getCall",
            scope=Scope.VERIFICATIONS,
            text="Show a call with its timeline.",
            handler=door.call,
            success=Success(200, CallView, "The call."),
            refusals=(problems.NOT_FOUND, *_STORED),
        ),
        Operation(
            method="GET",
            path="/v1/trunks",
            name="listTrunks",
            text="Show the trunks as their PBXs see them.",
            handler=door.trunks,
            success=Success(200, TrunkList, "The trunks, in the order they are tried."),
            refusals=(problems.INTERNAL,),
        ),
    )


def _house(door: NativeDoor) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path="/healthz",
            name="getHealth",
            is_open=True,
            text="Is the process alive? Asks nothing else.",
            handler=door.health,
            success=Success(200, Health, "Alive."),
            refusals=(),
        ),
        Operation(
            method="GET",
            path="/readyz",
            name="getReadiness",
            is_open=True,
            text="Can calls be placed: does the database store what it is given, and is a PBX connected? "
            "Answered within some three seconds, whatever hangs; `failing` says what is wrong.",
            handler=door.ready,
            success=Success(200, Readiness, "Ready."),
            refusals=(problems.NOT_READY,),
        ),
    )
