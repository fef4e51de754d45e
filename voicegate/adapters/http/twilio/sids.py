"""Twilio's SIDs for Voicegate's ids; pure.

Ours end in a number to the base of 36 (`Entropy.new_id`), a SID in one to the base of 16: the same number,
so that nothing has to be kept to find one from the other. An account's SID is made from the client's name.
"""

import hashlib
import re
import string
from typing import Final

_HEX: Final = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_LETTERS: Final = string.digits + string.ascii_lowercase
_LENGTH: Final = 20
_PREFIXES: Final = {"ver": "VE", "call": "VL"}


def sid_of(thing_id: str) -> str:
    """Return the SID of a challenge or a call."""
    kind, _, number = thing_id.partition("_")
    return f"{_PREFIXES[kind]}{int(number, len(_LETTERS)):032x}"


def id_of(sid: str, kind: str) -> str | None:
    """Return the id of the `ver` or `call` with a SID; None: it is not a SID."""
    if sid[:2] != _PREFIXES[kind] or not _HEX.fullmatch(sid[2:]):
        return None
    number, letters = int(sid[2:], 16), ""
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        letters = _LETTERS[digit] + letters
    return f"{kind}_{letters}" if number == 0 else None


def account_of(client: str) -> str:
    """Return the SID of a client's account."""
    return f"AC{hashlib.sha256(client.encode()).hexdigest()[:32]}"
