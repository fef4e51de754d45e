"""Signed messages: was the body sent by the holder of the secret, and recently?

Standard Webhooks (standardwebhooks.com, version 1): HMAC-SHA256 over "id.timestamp.body", base64, several
apart by blanks. Supabase signs so, and writes a comma between several; the scheme's own Python package fails
on that. ZITADEL: `ZITADEL-Signature: t=…,v1=…`, HMAC-SHA256 over "t.body", hexadecimal (its `pkg/actions`).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
"""How far a signature's time may be from ours, in both schemes."""

_BASE64: Final = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")
_HEX: Final = re.compile(r"v1=([0-9a-fA-F]{64})")
_ZITADEL_TIME: Final = re.compile(r"t=([0-9]{1,12})(?:,|$)")
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class Scheme(StrEnum):
    """How a message is signed."""

    STANDARD_WEBHOOKS = "standard_webhooks"
    """Three headers: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""
    ZITADEL = "zitadel"
    """One header: `ZITADEL-Signature`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How a provider signs its messages, and with what."""

    scheme: Scheme
    """How."""
    keys: Sequence[bytes] = field(repr=False)
    """The secrets, each of which is valid; there are several while one replaces another."""

    @classmethod
    def of(cls, scheme: Scheme, secrets: str) -> "Signature":
        """Return a signature with its secrets as the provider shows them, separated by spaces, lines or "|".

        Raises:
            ValueError: one is not a secret of that scheme.
        """
        written = [secret for secret in re.split(r"[\s|]+", secrets) if secret]
        read = _webhook_key if scheme is Scheme.STANDARD_WEBHOOKS else str.encode
        return cls(scheme, [read(secret) for secret in written])

    def is_there(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has a recent signature; whether that is valid, only its body shows."""
        name = "webhook-signature" if self.scheme is Scheme.STANDARD_WEBHOOKS else "ZITADEL-Signature"
        return name in headers

    def is_good(self, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
        """Return whether a body was signed with one of the secrets, at most five minutes before or after
        `now`."""
        if self.scheme is Scheme.STANDARD_WEBHOOKS:
            time = headers.get("webhook-timestamp", "")
            signed = b".".join([headers.get("webhook-id", "").encode(), time.encode(), body])
            found = _BASE64.findall(headers.get("webhook-signature", ""))
            given = [base64.b64decode(one) for one in found]
        else:
            header = headers.get("ZITADEL-Signature", "")
            match = _ZITADEL_TIME.search(header)
            time = match[1] if match else ""
            signed = time.encode() + b"." + body
            given = [bytes.fromhex(one) for one in _HEX.findall(header)]
        return _is_recent(time, now) and self._is_any(signed, given)

    def _is_any(self, signed: bytes, given: Sequence[bytes]) -> bool:
        expected = [hmac.new(key, signed, sha256).digest() for key in self.keys]
        return any(hmac.compare_digest(one, other) for one in expected for other in given)


def _webhook_key(secret: str) -> bytes:
    encoded = secret.removeprefix("v1,").removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("a secret is whsec_ and base64") from error
    if not key:
        raise ValueError("a secret is whsec_ and base64")
    return key


def _is_recent(time: str, now: datetime) -> bool:
    if not _SECONDS.fullmatch(time):
        return False
    try:
        moment = datetime.fromtimestamp(int(time), UTC)
    except (OverflowError, ValueError, OSError):
        return False
    return abs(now - moment) <= TOLERANCE
