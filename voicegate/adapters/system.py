"""The machine's own clock and random numbers: fill the `Clock` and `Entropy` ports."""

import secrets
import string
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_lowercase
# 36 to the power of 20 is more than 2 to the power of 103.
_ID_LENGTH: Final = 20
# And to the power of 50 more than 2 to the power of 258.
_SECRET_LENGTH: Final = 50


class SystemClock:
    """The time of day, as the operating system has it."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)


class SystemEntropy:
    """Unpredictable choices, from the operating system's generator."""

    def new_id(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 103 random bits as digits and small letters."""
        return f"{prefix}_{_letters(_ID_LENGTH)}"

    def secret(self) -> str:
        """Return 258 random bits as digits and small letters."""
        return _letters(_SECRET_LENGTH)

    def key_press(self, keys: str) -> str:
        """Return one of the telephone keys in `keys`, each as likely."""
        return secrets.choice(keys)


def _letters(length: int) -> str:
    # All from one number: the operating system is asked once, not for each letter.
    left, letters = secrets.randbelow(len(_ALPHABET) ** length), []
    for _ in range(length):
        left, index = divmod(left, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
