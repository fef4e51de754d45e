"""The door for identity providers that post a message to an HTTP service of one's own.

One path a configured provider, and which field of its JSON or form holds what is configured as well:
authentik, Ory Kratos, Auth0 and privacyIDEA stand as examples in `config/providers`. The answer is 200 once
the call is accepted, for some of them know no other success.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import problems, reading
from voicegate.adapters.http.answering import json_response, unknown
from voicegate.adapters.http.denials import refuse
from voicegate.adapters.http.doors import ASKER, Door, any_form
from voicegate.adapters.http.handed_codes import handed_over
from voicegate.adapters.http.operations import Operation, Success
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.application.proving import Wanted
from voicegate.application.sign_in import IssueRequest, KeyReused, SignIn
from voicegate.domain.client import Scope
from voicegate.domain.errors import InvalidExtension, InvalidNumber, InvalidPasscode
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination
from voicegate.domain.policy import Deny

PREFIX: Final = "/hooks/providers/"
_MAX_EVENT: Final = 200


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where a provider's message holds what; a dot leads into an object, a number into a list."""

    number: str
    """The field with the number."""
    code: str
    """The field with the code, or with a text that has it."""
    code_pattern: re.Pattern[str]
    """Finds the code in that field: its first group, or all of it."""
    language: str = ""
    """The field with the language tag; empty: none has it."""
    extension: str = ""
    """The field with the landline extension; empty: none has it."""
    event: str = ""
    """The field that is the same when a message is repeated; empty: none is."""


class Accepted(Struct, frozen=True, kw_only=True):
    """The call is about to be placed."""

    id: str
    status: str


class _Handlers:
    """The door's handlers."""

    def __init__(self, sign_in: SignIn, providers: Mapping[str, Mapped]) -> None:
        self._sign_in = sign_in
        self._providers = providers

    async def speak(self, request: web.Request) -> web.Response:
        """Speak the code of a provider's message."""
        name = request.match_info["provider"]
        mapped = self._providers.get(name)
        if mapped is None:
            raise unknown("[providers] entry", name)
        issued = await self._sign_in.issue(_read(request, mapped, await _message(request), name=name))
        if isinstance(issued, Deny):
            refuse(issued, field=mapped.number)
        if isinstance(issued, KeyReused):
            raise Refused(problems.KEY_REUSED, f"{mapped.event}: came before with another message")
        challenge = issued.record.challenge
        return json_response(Accepted(id=challenge.id, status=str(challenge.state)))


def providers_door(sign_in: SignIn, providers: Mapping[str, Mapped]) -> Door:
    """Return the door to the configured providers, by name."""
    operation = Operation(
        method="POST",
        path=f"{PREFIX}{{provider}}",
        name="speakForProvider",
        text="Speak a code that an identity provider made. Which fields of its JSON or form hold the number "
        "and the code is configured in `[providers]`.",
        handler=_Handlers(sign_in, providers).speak,
        success=Success(200, Accepted, "Accepted; the call is about to be placed."),
        refusals=(
            problems.BAD_REQUEST,
            problems.COUNTRY_NOT_ALLOWED,
            problems.NUMBER_TYPE_NOT_ALLOWED,
            problems.NOT_FOUND,
            problems.BODY_TIMEOUT,
            problems.KEY_REUSED,
            problems.TOO_LARGE,
            problems.UNSUPPORTED_TYPE,
            problems.INVALID,
            problems.NO_ROUTE,
            problems.INTERNAL,
            problems.STORE_UNAVAILABLE,
            problems.TRUNKS_DOWN,
        ),
        scope=Scope.HOOKS,
    )
    return Door((operation,), prefixes=(PREFIX,), read_key=any_form)


async def _message(request: web.Request) -> object:
    if request.content_type == "application/x-www-form-urlencoded":
        return await reading.read_form(request)
    return await reading.read_json(request)


def _read(request: web.Request, mapped: Mapped, message: object, *, name: str) -> IssueRequest:
    code = mapped.code_pattern.search(_field(message, mapped.code))
    if code is None:
        raise Refused(problems.INVALID, f"{mapped.code}: has no code in it", Facts(field=mapped.code))
    extension = _optional(message, mapped.extension)
    try:
        destination = Destination.parse(_field(message, mapped.number), extension)
        passcode = Passcode(code[1] if code.re.groups else code[0])
    except InvalidNumber as error:
        raise reading.wrong(mapped.number, error) from error
    except InvalidExtension as error:
        raise reading.wrong(mapped.extension, error) from error
    except InvalidPasscode as error:
        raise reading.wrong(mapped.code, error) from error
    event = _optional(message, mapped.event)
    if event is not None and len(event) > _MAX_EVENT:
        raise Refused(problems.INVALID, f"{mapped.event}: is too long", Facts(field=mapped.event))
    language = _optional(message, mapped.language)
    wanted = Wanted(destination, languages=(language,) if language else (), passcode=passcode)
    return handed_over(request[ASKER], wanted, None if event is None else f"{name}:{event}")


def _field(message: object, path: str) -> str:
    """Return a field's text.

    Raises:
        Refused: it is not there, or neither a text nor a whole number.
    """
    found = _optional(message, path)
    if found is None:
        raise Refused(problems.INVALID, f"{path}: is missing", Facts(field=path))
    return found


def _optional(message: object, path: str) -> str | None:
    if not path:
        return None
    found = message
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise Refused(problems.INVALID, f"{path}: is no text", Facts(field=path))
    return str(found)
