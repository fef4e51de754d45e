"""The Okta door as a whole: its paths, how API keys are sent, and its OpenAPI document."""

from typing import Final

from voicegate import __version__
from voicegate.adapters.http.doors import Door, bearer, with_id
from voicegate.adapters.http.okta import errors
from voicegate.adapters.http.okta.factors import FactorsDoor, OktaDependencies
from voicegate.adapters.http.okta.schemas import OktaError
from voicegate.adapters.http.openapi import BEARER, Description, ErrorFormat
from voicegate.adapters.http.operations import routes_of

ERROR_FORMAT: Final = ErrorFormat(
    path="/openapi/okta.json",
    about="""Okta's Factors API for the `call` factor, over the company's own PBX.

Paths, bodies and error codes are Okta's, so that its clients work unchanged; what really happened on a call
is in `_embedded`. Served on a Unix socket, where the operating system says which user asks, and on TCP,
where a client's key does (`Authorization: SSWS`, or `Bearer`). Trailing slashes are accepted. Every answer
carries `X-Okta-Request-Id`. An answer that had a telephone called, and a 429, say in `X-Rate-Limit-Reset`
when the next call is due: clients that try again by themselves then do place that call.""",
    refusal=OktaError,
    media_type="application/json",
    name_of=lambda kind: kind.name,
    always=(errors.INVALID_TOKEN, errors.ACCESS_DENIED),
    scoped=(),
    title="Voicegate for Okta's clients",
    schemes={
        "ssws": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`SSWS ` and a client's key: `voicegate clients add`.",
        },
        "key": BEARER,
    },
    tags={
        "factors": "Telephones to sign in with.",
        "lifecycle": "All factors of a user at once.",
        "service": "This description.",
    },
)
"""The door's title and description."""


def okta_door(dependencies: OktaDependencies) -> Door:
    """Return the Okta door with its own description."""
    return Door(
        Description(ERROR_FORMAT).complete(routes_of(FactorsDoor(dependencies)), __version__),
        prefixes=("/api/v1/", ERROR_FORMAT.path),
        read_key=lambda request: bearer(request, "SSWS") or bearer(request, "Bearer"),
        scheme="SSWS",
        answer=with_id(errors.error_response),
    )
