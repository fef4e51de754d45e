"""An order that follows from a key, by weights: the same key always gives the same order.

Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): when a choice is removed, only the keys that
had it get another one.
"""

import hashlib
import math
from typing import Final

_HASH_BYTES: Final = 8
_RANGE: Final = 256**_HASH_BYTES


def rank(key: str, name: str, weight: int) -> float:
    """Return the place of a choice for a key: the lowest comes first, `weight` times as often as a choice of
    weight 1."""
    digest = hashlib.blake2b(f"{key}\0{name}".encode(), digest_size=_HASH_BYTES).digest()
    # Never 0 nor 1, of which there is no logarithm, or none that tells two apart.
    drawn = (int.from_bytes(digest, "big") + 0.5) / _RANGE
    return -math.log(drawn) / weight
