"""How long the fuzzers try: shortly in every run; for hours where VOICEGATE_FUZZ_EXAMPLES says so.

`VOICEGATE_FUZZ_EXAMPLES=100000 pytest --timeout 0 -k hostile` is the hostile half hour.
"""

import os
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_EXAMPLES: Final = int(os.environ.get("VOICEGATE_FUZZ_EXAMPLES", "0"))


def hostile(examples: int) -> settings:
    """Try so many examples, or as many as the environment says."""
    return settings(
        max_examples=_EXAMPLES or examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def chunks_of(pieces: st.SearchStrategy[bytes], most: int = 12) -> st.SearchStrategy[list[bytes]]:
    """Bytes made of likely pieces and of noise, cut anywhere."""
    noise = st.binary(max_size=40)
    return st.lists(st.one_of(pieces, pieces, pieces, noise), max_size=most)


def cut(data: bytes, draw: Any) -> list[bytes]:
    """Return `data` in pieces of any size, as TCP may bring it."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
