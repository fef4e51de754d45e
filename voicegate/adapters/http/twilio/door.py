"""The Twilio door as a whole: its paths, how API keys are sent, and its OpenAPI document."""

import re
from typing import Final

from aiohttp import web

from voicegate import __version__
from voicegate.adapters.http.doors import Credentials, Door, basic, with_id
from voicegate.adapters.http.openapi import BASIC, Description, ErrorFormat
from voicegate.adapters.http.operations import routes_of
from voicegate.adapters.http.twilio import errors
from voicegate.adapters.http.twilio.attempts import AttemptsDoor
from voicegate.adapters.http.twilio.verifications import TwilioDependencies, VerificationsDoor
from voicegate.application.service_calls import ServiceCalls

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
"""The door's title and description."""

# An account, or an API key of one: names only. The key itself is the password.
_ACCOUNT: Final = re.compile(r"(AC|SK)[0-9a-fA-F]{32}", re.ASCII)


def twilio_door(dependencies: TwilioDependencies, service_calls: ServiceCalls) -> Door:
    """Return the Twilio door with its own description."""
    routes = (*routes_of(VerificationsDoor(dependencies)), *routes_of(AttemptsDoor(service_calls)))
    return Door(
        Description(ERROR_FORMAT).complete(routes, __version__),
        prefixes=("/v2/", ERROR_FORMAT.path),
        read_key=read_key,
        scheme='Basic realm="Voicegate"',
        answer=with_id(errors.error_response),
    )


def read_key(request: web.BaseRequest) -> Credentials | None:
    """Return the key sent as an auth token. Any account SID may be sent with it, because it proves
    nothing."""
    sent = basic(request)
    if sent is not None and sent.client is not None and _ACCOUNT.fullmatch(sent.client):
        return Credentials(sent.key)
    return sent
