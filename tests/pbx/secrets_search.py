"""What a leak looks like: a code, a sealed code or a number in any form that bytes may have it.

Only the looking is here; where to look is `eavesdropping`'s. One search serves the calls that must not leak
and the one that does so on purpose.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Traces = Mapping[str, bytes]
"""Where something was written or sent, and all of it."""

# A digit's own sound: `digits/4`, `digit_4.wav`, `/sounds/4.gsm`, also percent-encoded.
_DIGIT_FILE = re.compile(
    rb"digits?(?:[/_\\-]|%2[fF])(\d)(?!\d)|/(\d)(?:\.(?:wav|wav16|ulaw|alaw|gsm|g722|sln\d*)\b|['\"])"
)


@dataclass(frozen=True)
class Secret:
    """What must not be found, and all its forms."""

    name: str
    forms: Mapping[str, Callable[[bytes], bool]]

    def found_in(self, traces: Traces) -> dict[str, list[str]]:
        """Return where it is and in which forms; never the secret itself."""
        found = {
            place: [form for form, is_in in self.forms.items() if is_in(text)]
            for place, text in traces.items()
        }
        return {place: forms for place, forms in found.items() if forms}


def code(name: str, digits: str) -> Secret:
    """A one-time code: digits together or apart, encoded, hashed without a key, or as names of sounds."""
    return Secret(
        name,
        {
            "digits": _contains(digits.encode()),
            "spelled": _spelled(digits),
            "sounds in order": lambda text: _is_within(digits, named_digits(text)),
            **_encoded(digits.encode()),
            **_hashed(digits.encode()),
        },
    )


def sealed(name: str, ciphertext: bytes) -> Secret:
    """A code's ciphertext, raw or encoded."""
    return Secret(name, {"raw": _contains(ciphertext), **_encoded(ciphertext)})


def number(name: str, e164: str) -> Secret:
    """A whole telephone number, with its plus or without."""
    return Secret(name, {"digits": _contains(e164.removeprefix("+").encode())})


def named_digits(text: bytes) -> str:
    """Return the digits whose own sound files a text names, in its order."""
    return "".join((found[1] or found[2]).decode() for found in _DIGIT_FILE.finditer(text))


def _contains(*needles: bytes) -> Callable[[bytes], bool]:
    return lambda text: any(needle in text for needle in needles)


def _spelled(digits: str) -> Callable[[bytes], bool]:
    """Digits with the same few characters between any two: `8 3 0`, `"8", "3", "0"`, `8w3w0`."""
    first, second, others = digits[0], digits[1], digits[2:]
    pattern = f"{first}(?P<gap>[^0-9]{{1,4}}){second}" + "".join(f"(?P=gap){digit}" for digit in others)
    compiled = re.compile(pattern.encode())
    return lambda text: compiled.search(text) is not None


def _encoded(secret: bytes) -> dict[str, Callable[[bytes], bool]]:
    # At any of the three places that a byte can have in base64; its ends depend on the neighbours.
    shifted = {base64.b64encode(b"\0" * shift + secret)[shift and shift + 1 :][:-4] for shift in range(3)}
    urls = {needle.replace(b"+", b"-").replace(b"/", b"_") for needle in shifted}
    return {
        "hexadecimal": _contains(secret.hex().encode(), secret.hex().upper().encode()),
        "base64": _contains(*shifted, *urls),
        "UTF-16": _contains(secret.decode("latin-1").encode("utf-16-le")),
    }


def _hashed(secret: bytes) -> dict[str, Callable[[bytes], bool]]:
    digests = [hashlib.new(kind, secret) for kind in ("md5", "sha1", "sha256")]
    texts = (digest.hexdigest().encode() for digest in digests)
    return {"hash": _contains(*texts, *(digest.digest() for digest in digests))}


def _is_within(digits: str, heard: Iterable[str]) -> bool:
    """Are the digits in what was heard, in order? Each may be named many times, and others between."""
    rest = iter(heard)
    return all(digit in rest for digit in digits)
