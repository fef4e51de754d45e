"""How a flow talks with its test: lines of JSON out, one code a line in; and what both SDKs share."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

URL, KEY = os.environ["VOICEGATE_URL"], os.environ["VOICEGATE_KEY"]
USER, NUMBER, EXTENSION = os.environ["FLOW_USER"], os.environ["FLOW_NUMBER"], os.environ["FLOW_EXTENSION"]
BUSY = os.environ["FLOW_BUSY"]
FORMATTED = f"{NUMBER[:2]}-{NUMBER[2:5]}-{NUMBER[5:8]}-{NUMBER[8:]}"
"""The number as people write it."""


@dataclass(frozen=True)
class Heard:
    """A code that the person at the telephone understood."""

    right: str

    @property
    def wrong(self) -> str:
        """Another one."""
        return f"{(int(self.right) + 1) % 10 ** len(self.right):0{len(self.right)}}"


def tell(step: str, **facts: object) -> None:
    """Say what a step came to."""
    print(json.dumps({"step": step} | facts), flush=True)


async def ask_code() -> Heard:
    """Wait for the code of the call that was just asked for."""
    print(json.dumps({"needs": "code"}), flush=True)
    return Heard((await asyncio.to_thread(sys.stdin.readline)).strip())


def told(answer: tuple[Any, ...]) -> Any:
    """The result of an operation; its error must be None."""
    *rest, error = answer
    assert error is None, error
    return rest[0]


def refused(answer: tuple[Any, ...]) -> dict[str, object]:
    """What an operation's error says."""
    error = answer[-1]
    cause = error.error_causes[0]["errorSummary"]
    return {"status": error.status, "code": error.error_code, "cause": cause}
