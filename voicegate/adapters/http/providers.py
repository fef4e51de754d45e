"""The doors for identity providers that post a message to an HTTP service: one path for each provider.

The settings say which field of the JSON or form holds what; `config/providers` has examples. The answer is
200 if the call is accepted, and also if the message asks for no call: some providers accept no other success
and send it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final, assert_never

import structlog
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from voicegate import __version__
from voicegate.adapters.http import problems, request_parsing
from voicegate.adapters.http.doors import PRINCIPAL, Credentials, Door, any_form, with_id
from voicegate.adapters.http.external_codes import handed_over
from voicegate.adapters.http.openapi import BASIC, BEARER, NATIVE, Description
from voicegate.adapters.http.operations import Operation, Route, Success, routes_of
from voicegate.adapters.http.policy_errors import refusal
from voicegate.adapters.http.problems import Refused, problem_response
from voicegate.adapters.http.provider_messages import Mapped, NotSpoken, read_message
from voicegate.adapters.http.responses import json_response, unknown
from voicegate.application.ports import Clock
from voicegate.application.sign_in import Issued, SignIn
from voicegate.application.unit_of_work import KeyReused
from voicegate.domain.client import Scope
from voicegate.domain.policy import Deny

log = structlog.get_logger(__name__)

PREFIX: Final = "/hooks/providers/"


ERROR_FORMAT: Final = replace(
    NATIVE,
    path="/openapi/providers.json",
    about="""The doors of identity providers that make a code and post it to a service of one's own.

A path for each `[providers.NAME]`. Other fields than those that its mapping names are not read. On TCP the
client's key comes after `Bearer`, as the password of `Basic`, or bare; a provider that signs its messages
needs none where `client` names who asks.""",
    title="Voicegate for identity providers",
    schemes={"key": BEARER, "password": BASIC},
    tags={"providers": "Identity providers.", "service": "This description."},
)
"""The doors' title and description."""


class Accepted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a message."""

    status: Annotated[str, Meta(description="The verification's status, or `not_spoken`.")]
    id: Annotated[str, Meta(description="The verification; absent where nobody is called.")] | UnsetType = (
        UNSET
    )
    detail: Annotated[str, Meta(description="Why nobody is called.")] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Providers:
    """What the doors need."""

    sign_in: SignIn
    """The use cases around a challenge."""
    clock: Clock
    """The clock by which a signature's time is judged."""
    mapped: Mapping[str, Mapped]
    """The providers, by name; looked up for each message."""


class _Handler:
    """The handler of one provider."""

    def __init__(self, providers: Providers, name: str) -> None:
        self._providers = providers
        self._name = name

    async def speak(self, request: web.Request) -> web.Response:
        """Speak the code of a provider's message."""
        try:
            return await self._speak(request)
        except Refused as refused:
            problem = refused.kind.name
            log.warning("message not spoken", provider=self._name, problem=problem, why=refused.detail)
            raise

    async def _speak(self, request: web.Request) -> web.Response:
        # Looked up each time: a reload changes it, or takes it away.
        mapped = self._providers.mapped.get(self._name)
        if mapped is None:
            raise unknown("[providers] entry", self._name)
        if mapped.signature is not None:
            body = await request_parsing.read_bytes(request)
            if not mapped.signature.is_good(body, request.headers, self._providers.clock.now()):
                raise Refused(problems.SIGNATURE_WRONG)
        message = read_message(mapped, await _decoded(request))
        if isinstance(message, NotSpoken):
            log.info("message not spoken", provider=self._name, why=message.why)
            return json_response(Accepted(status="not_spoken", detail=message.why))
        handed = handed_over(request[PRINCIPAL], message.spec, message.event, sender=self._name)
        issued = await self._providers.sign_in.issue(handed)
        match issued:
            case Deny():
                raise refusal(issued, field=message.number_field)
            case KeyReused():
                raise Refused(problems.KEY_REUSED, f"{mapped.event}: was used before with another message")
            case Issued(record):
                challenge = record.challenge
                return json_response(Accepted(id=challenge.id, status=str(challenge.state)))
            case _:
                assert_never(issued)


def provider_doors(providers: Providers) -> Sequence[Door]:
    """Return a door for each configured provider, and one that refuses all others."""
    doors = [_door(providers, name) for name in providers.mapped]
    routes = [route for door in doors for route in door.routes]
    *_, description = Description(ERROR_FORMAT).complete(routes, __version__)
    nobodys = (*routes_of(_Nobody()), description)
    return (*doors, Door(nobodys, prefixes=(PREFIX, ERROR_FORMAT.path), read_key=any_form))


def _door(providers: Providers, name: str) -> Door:
    path, mapped = f"{PREFIX}{name}", providers.mapped[name]
    operation = Operation(
        method="POST",
        path=path,
        body_types=("application/json", "application/x-www-form-urlencoded"),
        body_schema=_schema(mapped),
        is_refused_in_text=mapped.is_told_in_text,
        name=f"speakFor_{name}",
        text=f"Speak a code that the identity provider `{name}` made. Which fields of its JSON or form hold "
        f"number and code is configured in `[providers.{name}]`.",
        success=Success(200, Accepted, "The call is about to be placed, or the message asks for none."),
        refusals=_REFUSALS,
        scope=Scope.HOOKS,
    )
    return Door(
        (Route(operation, _Handler(providers, name).speak),),
        prefixes=(path,),
        read_key=partial(_read_key, providers=providers, name=name),
        answer=with_id(_tell if mapped.is_told_in_text else problem_response),
    )


def _schema(mapped: Mapped) -> Mapping[str, object]:
    """Return the JSON schema of a provider's message: the fields that are read; any others are allowed."""
    fields = dict.fromkeys(mapped.number, "The number.") | dict.fromkeys(mapped.code, "The code.")
    fields |= {
        path: f"A call is placed for {', '.join(values)}." for path, values in mapped.only_when.items()
    }
    for path, about in (
        (mapped.language, "The language tag."),
        (mapped.extension, "The landline extension."),
    ):
        fields |= {path: about} if path else {}
    root: dict[str, Any] = {"type": "object", "properties": {}}
    for path, about in fields.items():
        *folders, name = path.split(".")
        inner = root
        for folder in folders:
            inner = inner["properties"].setdefault(folder, {"type": "object", "properties": {}})
        inner["properties"][name] = {"description": about}
    return root


class _Nobody:
    """The handler of a provider that is not configured."""

    @Operation(
        method="POST",
        path=f"{PREFIX}{{provider}}",
        name="speakForNobody",
        text="A provider that is not configured.",
        success=Success(200, None, "Never."),
        refusals=(problems.NOT_FOUND,),
        scope=Scope.HOOKS,
    )
    async def refuse(self, request: web.Request) -> web.Response:
        """Answer that there is no such provider."""
        raise unknown("[providers] entry", request.match_info["provider"])


_REFUSALS: Final = (
    problems.BAD_REQUEST,
    problems.SIGNATURE_WRONG,
    problems.COUNTRY_NOT_ALLOWED,
    problems.NUMBER_TYPE_NOT_ALLOWED,
    problems.BODY_TIMEOUT,
    problems.KEY_REUSED,
    problems.CALL_IN_PROGRESS,
    problems.TOO_SOON,
    problems.TOO_MANY_GUESSES,
    problems.RATE_LIMITED,
    problems.PREFIX_HELD,
    problems.SPEND_LIMITED,
    problems.PRICE_TOO_HIGH,
    problems.TOO_LARGE,
    problems.UNSUPPORTED_TYPE,
    problems.INVALID,
    problems.NO_ROUTE,
    problems.INTERNAL,
    problems.STORE_UNAVAILABLE,
    problems.TRUNKS_DOWN,
    problems.QUEUE_FULL,
    problems.STOPPING,
)


def _read_key(request: web.BaseRequest, providers: Providers, name: str) -> Credentials | None:
    sent, mapped = any_form(request), providers.mapped.get(name)
    if sent is not None or mapped is None:
        return sent
    if mapped.client and mapped.signature and mapped.signature.is_there(request.headers):
        # For now: the handler looks at the signature before it does anything, for it needs the body.
        return Credentials("", mapped.client, is_signed=True)
    return sent


async def _decoded(request: web.Request) -> object:
    if request.content_type == "application/x-www-form-urlencoded":
        return await request_parsing.read_form(request)
    return await request_parsing.read_json(request)


def _tell(refused: Refused, request_id: str) -> web.Response:
    """Answer a refusal as a sentence; the provider shows it to the person as it is."""
    kind = refused.kind
    told = refused.detail.partition(": ")[2] if kind is problems.INVALID else ""
    wait = problem_response(refused, request_id).headers.get("Retry-After")
    words = f"{told or kind.title}{f' Please try again in {wait} seconds.' if wait else ''}"
    headers = {**refused.facts.headers, "X-Request-Id": request_id, **({"Retry-After": wait} if wait else {})}
    return web.Response(text=words[:1].upper() + words[1:], status=kind.status, headers=headers)
