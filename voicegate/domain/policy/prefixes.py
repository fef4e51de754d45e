"""Ranges of numbers that are denied, whatever their country and type are.

International revenue share fraud calls numbers that libphonenumber takes for ordinary lines or does not know:
who holds the range is paid for each minute. Which ranges those are is data; here it is only matched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeniedPrefix:
    """A prefix that denies a number."""

    prefix: str
    """What the number begins with, as E.164 with its plus sign."""
    why: str
    """Why it is denied, for people."""


@dataclass(frozen=True, slots=True)
class PrefixRules:
    """What is denied, and what is allowed within it."""

    denied: Mapping[str, str] = field(default_factory=dict)
    """Why each prefix is denied."""
    allowed: frozenset[str] = frozenset()
    """Prefixes that are allowed all the same."""

    def find(self, number: str) -> DeniedPrefix | None:
        """Return the prefix that denies an E.164 number; None: none does. The longest one counts, and of two
        equal ones the one that allows."""
        for length in range(len(number), 1, -1):
            prefix = number[:length]
            if prefix in self.allowed:
                return None
            if prefix in self.denied:
                return DeniedPrefix(prefix, self.denied[prefix])
        return None
