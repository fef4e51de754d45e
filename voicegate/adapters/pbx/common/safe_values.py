"""The characters that an order's values may have, for any PBX: no PBX can misread what is allowed here.

How an order is written for a PBX is in its adapter. Pure.
"""

import re
from typing import Final

from voicegate.domain.errors import UnsafeValue
from voicegate.domain.routing import Trunk

NUMBER: Final = re.compile(r"\+?[0-9*#]{1,40}")
ENDPOINT: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
CALLER_NUMBER: Final = re.compile(r"\+?[0-9A-Za-z*#_.-]{0,40}")
_NUMBERS_URI: Final = re.compile(r"sip:\+?[0-9]{2,15}@[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_CALL_ID: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


def check(value: str, allowed: re.Pattern[str], what: str) -> str:
    """Return `value` if all of it is `allowed`; `what` is its name in the error.

    Raises:
        UnsafeValue: it has other characters.
    """
    # Refused rather than escaped: each parser of a PBX that a value passes through has escapes of its own.
    if not allowed.fullmatch(value):
        raise UnsafeValue(f"the {what} has characters that the PBX would misread: nothing was sent")
    return value


def check_call_id(call_id: str) -> str:
    """Return `call_id` if it can be the id of a channel.

    Raises:
        UnsafeValue: it has other characters than letters, digits and `_`.
    """
    return check(call_id, _CALL_ID, "call id")


def diversion_of(trunk: Trunk) -> str:
    """Return the value of the header Diversion (RFC 5806) that a trunk wants.

    Raises:
        UnsafeValue: its URI has other characters than a number's SIP URI needs.
    """
    return f"<{check(trunk.diversion, _NUMBERS_URI, 'diversion')}>;reason=unconditional"
