"""Ranges of numbers that are denied, whatever their country and type.

International revenue share fraud uses numbers that libphonenumber takes for ordinary lines or does not know:
the holder of the range is paid for each minute. The ranges are data; here numbers are only compared with
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeniedPrefix:
    """A prefix that denies a number."""

    prefix: str
    """How the number begins, as E.164 with its plus sign."""
    why: str
    """Why it is denied, for people."""


@dataclass(frozen=True, slots=True)
class PrefixRules:
    """Which prefixes are denied, and which longer ones are allowed."""

    denied: Mapping[str, str] = field(default_factory=dict)
    """Each denied prefix with the reason."""
    allowed: frozenset[str] = frozenset()
    """Prefixes that are allowed although a shorter one is denied."""

    def find(self, number: str) -> DeniedPrefix | None:
        """Return the prefix that denies an E.164 number; None: none does.

        The longest prefix counts; of two equal ones, the one that allows.
        """
        for length in range(len(number), 1, -1):
            prefix = number[:length]
            if prefix in self.allowed:
                return None
            if prefix in self.denied:
                return DeniedPrefix(prefix, self.denied[prefix])
        return None
