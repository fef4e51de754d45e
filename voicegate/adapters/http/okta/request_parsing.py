"""Reads the Okta door's requests: the user, the telephone, the guess."""

from datetime import timedelta
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from voicegate.adapters.http import fields, request_parsing
from voicegate.adapters.http.fields import DestinationFields
from voicegate.adapters.http.okta import errors
from voicegate.adapters.http.okta.schemas import MAX_EXTENSION, PassCode, PhoneProfile
from voicegate.adapters.http.problems import Facts, Refused
from voicegate.domain.errors import InvalidExtension
from voicegate.domain.passcode import Passcode
from voicegate.domain.phone_number import Destination

_LONGEST_USER: Final = 255
# "/", "api", "v1", "users", and the user.
_USER_PART: Final = 4
_FIELDS: Final = DestinationFields("phoneNumber", "phoneExtension")


def read_user(request: web.Request) -> str:
    """Return the subscriber, which is a *user* in this door, as in Okta's API.

    Raises:
        Refused: it is not a user's name.
    """
    try:
        # From the path as it was sent: decoded, bytes that are no UTF-8 would be another user's name.
        user = unquote_to_bytes(request.rel_url.raw_parts[_USER_PART]).decode("utf-8")
    except UnicodeDecodeError:
        user = ""
    if not user or len(user) > _LONGEST_USER or request_parsing.has_controls(user):
        raise Refused(errors.NOT_FOUND, "A user's name has 1 to 255 characters in UTF-8.")
    return user


def read_destination(profile: PhoneProfile) -> Destination:
    """Return the telephone in a profile.

    Raises:
        Refused: it has no valid telephone.
    """
    extension = profile.phone_extension
    if extension is not None and len(extension) > MAX_EXTENSION:
        too_long = f"An extension has at most {MAX_EXTENSION} characters."
        raise errors.wrong(_FIELDS.extension, InvalidExtension(too_long))
    return fields.read_destination(profile.phone_number, extension, fields=_FIELDS, refuse=errors.wrong)


async def read_guess(request: web.Request, within: timedelta) -> Passcode | None:
    """Return the guess in a request; None: there is none.

    Raises:
        Refused: it is not a code, or the body cannot be read.
    """
    body = await request_parsing.read_optional_body(request, PassCode, within)
    if body is None or not body.pass_code:
        return None
    return fields.read_passcode(body.pass_code, "passCode", refuse=errors.wrong)


def factor_id(request: web.Request) -> str:
    """Return the key of the factor."""
    return request.match_info["factorId"]


def invalid(field: str, what: str) -> Refused:
    """Return the refusal of a field."""
    return Refused(errors.VALIDATION, f"{field}: {what}", Facts(field=field))
