"""Signs messages as Standard Webhooks has it (standardwebhooks.com, version 1).

HMAC-SHA256 over "id.timestamp.body", base64; one signature for each secret, apart by blanks, so that a
receiver takes messages by its old secret and by its new one while one follows the other.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from voicegate.domain.errors import ConfigError

_PREFIX: Final = "whsec_"
_MIN_BYTES: Final = 24
_MAX_SECRETS: Final = 2


def read_keys(file: Path) -> Sequence[bytes]:
    """Return the keys of the secrets in a file, one a line and two at most; blocks on the disk.

    Raises:
        ConfigError: it cannot be read, or a line is no secret; shows nothing of the secrets.
    """
    try:
        lines = file.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if not 1 <= len(lines) <= _MAX_SECRETS:
        raise ConfigError(f"{file}: must have one secret, or two while one follows the other, a line each")
    keys = [_key(line) for line in lines]
    if any(key is None for key in keys):
        fix = "`printf 'whsec_%s\\n' $(openssl rand -base64 32)` makes one"
        raise ConfigError(f"{file}: a secret is whsec_ and 24 or more bytes in base64: {fix}")
    return [key for key in keys if key is not None]


def sign(message_id: str, body: bytes, *, now: datetime, keys: Sequence[bytes]) -> Mapping[str, str]:
    """Return the headers that prove who sends a body, and when."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    each = (base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in each),
    }


def _key(secret: str) -> bytes | None:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return None
    return key if secret.startswith(_PREFIX) and len(key) >= _MIN_BYTES else None
