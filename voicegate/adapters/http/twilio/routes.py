"""The Twilio door's operations: every path, and every answer it can give."""

import re
from typing import Final

from aiohttp import web

from voicegate import __version__
from voicegate.adapters.http.doors import Credentials, Door, basic
from voicegate.adapters.http.openapi import BASIC, Description, ErrorFormat
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Kind
from voicegate.adapters.http.twilio import errors
from voicegate.adapters.http.twilio.attempts import AttemptsDoor
from voicegate.adapters.http.twilio.door import TwilioDependencies, TwilioDoor
from voicegate.adapters.http.twilio.schemas import (
    AttemptPage,
    AttemptsQuery,
    AttemptView,
    CheckForm,
    CheckView,
    SummaryQuery,
    SummaryView,
    UpdateForm,
    VerificationForm,
    VerificationView,
)
from voicegate.application.attempts import Attempts
from voicegate.domain.client import Scope

ERROR_FORMAT: Final = ErrorFormat(
    path="/openapi/twilio.json",
    about="""Twilio's Verify v2 for the channel `call`, over the company's own PBX.

Paths, parameters and error codes are Twilio's, so that its clients work unchanged. On TCP a client's key is
the auth token, beside any account SID; on the Unix socket none is needed. Each service is one of
`[twilio.NAME]`.""",
    refusal=errors.TwilioError,
    media_type="application/json",
    name_of=lambda kind: kind.name,
    always=(errors.AUTHENTICATE, errors.DENIED),
    scoped=(),
    title="Voicegate for Twilio's clients",
    schemes={"token": BASIC},
    tags={
        "verifications": "Codes that are spoken.",
        "verificationcheck": "Guesses at them.",
        "attempts": "Calls, and how many were successful.",
        "service": "This description.",
    },
)
"""How the door introduces itself."""

_SERVICE: Final = "/v2/Services/{service}"
_VERIFICATION: Final = f"{_SERVICE}/Verifications/{{sid}}"
_STORED: Final[tuple[Kind, ...]] = (errors.INTERNAL, errors.UNAVAILABLE)
# An account, or an API key of one: names only. The key itself is the password.
_FORM: Final = ("application/x-www-form-urlencoded",)
_ACCOUNT: Final = re.compile(r"(AC|SK)[0-9a-fA-F]{32}", re.ASCII)


def twilio_door(house: TwilioDependencies, attempts: Attempts) -> Door:
    """Return the Twilio door with its own description."""
    offered, description = operations(TwilioDoor(house), AttemptsDoor(attempts)), Description(ERROR_FORMAT)
    described = (*offered, description.operation())
    description.write(described, __version__)
    return Door(
        operations=described,
        prefixes=("/v2/", ERROR_FORMAT.path),
        read_key=read_key,
        scheme='Basic realm="Voicegate"',
        answer=errors.error_response,
    )


def operations(door: TwilioDoor, attempts: AttemptsDoor) -> tuple[Operation, ...]:
    """Return all that can be asked of the Twilio door, its description aside."""
    return (*_verifications(door), *_attempts(attempts))


def read_key(request: web.BaseRequest) -> Credentials | None:
    """Return the key sent as an auth token. Any account SID may stand beside it: it proves nothing."""
    sent = basic(request)
    if sent is not None and sent.client is not None and _ACCOUNT.fullmatch(sent.client):
        return Credentials(sent.key)
    return sent


def _verifications(door: TwilioDoor) -> tuple[Operation, ...]:
    return (_create(door), _fetch(door), _update(door), _check(door))


def _create(door: TwilioDoor) -> Operation:
    return Operation(
        method="POST",
        path=f"{_SERVICE}/Verifications",
        name="CreateVerification",
        scope=Scope.VERIFICATIONS,
        text="Call a number with a code; while one is pending for it, call again with the same code.",
        handler=door.create,
        body=VerificationForm,
        body_types=_FORM,
        success=Success(201, VerificationView, "The verification; a call is about to be placed."),
        refusals=(
            errors.INVALID_PARAMETER,
            errors.NOT_SUPPORTED,
            errors.CHANNEL_DISABLED,
            errors.BLOCKED,
            errors.NOT_FOUND,
            errors.TOO_MANY,
            errors.MAX_SENDS,
            errors.MAX_CHECKS,
            *_STORED,
        ),
    )


def _fetch(door: TwilioDoor) -> Operation:
    return Operation(
        method="GET",
        path=_VERIFICATION,
        name="FetchVerification",
        scope=Scope.VERIFICATIONS,
        text="Show a verification that is not gone.",
        handler=door.fetch,
        success=Success(200, VerificationView, "The verification."),
        refusals=(errors.NOT_FOUND, *_STORED),
    )


def _update(door: TwilioDoor) -> Operation:
    return Operation(
        method="POST",
        path=_VERIFICATION,
        name="UpdateVerification",
        scope=Scope.VERIFICATIONS,
        text="Cancel a verification, or approve it. Its call is hung up.",
        handler=door.update,
        body=UpdateForm,
        body_types=_FORM,
        success=Success(200, VerificationView, "The verification as it is now."),
        refusals=(errors.INVALID_PARAMETER, errors.NOT_FOUND, *_STORED),
    )


def _check(door: TwilioDoor) -> Operation:
    return Operation(
        method="POST",
        path=f"{_SERVICE}/VerificationCheck",
        name="CreateVerificationCheck",
        scope=Scope.VERIFICATIONS,
        text="Judge a guess. A wrong one is answered with `valid` false.",
        handler=door.check,
        body=CheckForm,
        body_types=_FORM,
        success=Success(200, CheckView, "What the guess came to."),
        refusals=(
            errors.INVALID_PARAMETER,
            errors.NO_TARGET,
            errors.NOT_FOUND,
            errors.MAX_CHECKS,
            *_STORED,
        ),
    )


def _attempts(door: AttemptsDoor) -> tuple[Operation, ...]:
    return (
        Operation(
            method="GET",
            path="/v2/Attempts",
            name="ListVerificationAttempt",
            scope=Scope.VERIFICATIONS,
            text="List the calls of services' verifications, newest first.",
            handler=door.list,
            query=AttemptsQuery,
            success=Success(200, AttemptPage, "A page of attempts."),
            refusals=(errors.INVALID_PARAMETER, *_STORED),
        ),
        Operation(
            method="GET",
            path="/v2/Attempts/Summary",
            name="FetchVerificationAttemptsSummary",
            scope=Scope.VERIFICATIONS,
            text="Count the calls of services' verifications, and those whose code was entered.",
            handler=door.summarise,
            query=SummaryQuery,
            success=Success(200, SummaryView, "The counts."),
            refusals=(errors.INVALID_PARAMETER, *_STORED),
        ),
        Operation(
            method="GET",
            path="/v2/Attempts/{sid}",
            name="FetchVerificationAttempt",
            scope=Scope.VERIFICATIONS,
            text="Show one call.",
            handler=door.fetch,
            success=Success(200, AttemptView, "The attempt."),
            refusals=(errors.NOT_FOUND, *_STORED),
        ),
    )
