"""A verification's changes as server-sent events: those after a given id, then each new one.

An event's id is a cursor: number of the call, position of the step, status. The events after it are found in
the store, so nothing is kept for a reader that disconnected. A slow reader gets the present state when there
is room again. Source: HTML Living Standard, 9.2.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final, Self

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

from voicegate.adapters.http import views
from voicegate.adapters.http.problems import Refused
from voicegate.adapters.http.schemas import StatusEvent, StepEvent, VerificationView
from voicegate.adapters.http.waiting import Waiters, WaitSlot
from voicegate.application.ports import ChallengeRecord
from voicegate.domain.errors import StoreError

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT: Final = timedelta(seconds=15)
_STUCK: Final = timedelta(seconds=30)
_ID: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.([a-z_]{0,32})", re.ASCII)
_COMMENT: Final = b":\n\n"

Look = Callable[[int | None, timedelta], Awaitable[ChallengeRecord]]
"""Return a verification once its revision is above the first argument, or the time in the second is over."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a reader."""

    call: int = 0
    """The number of the newest call seen, from 1; 0: no call."""
    seq: int = 0
    """The newest step seen of that call."""
    status: str = ""
    """The verification's status."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the cursor in an event's id; None: it is not an event's id."""
        found = _ID.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.call}.{self.seq}.{self.status}"


class Streams:
    """Sends events to the readers that are connected."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters

    async def tell(
        self, request: web.Request, look: Look, *, after: Cursor, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Send a verification's events after a cursor until it is over.

        Raises:
            Refused: there is no such verification, or too many requests wait.
        """
        with self._waiters.place(request) as place:
            record = await look(None, timedelta())
            response = web.StreamResponse(headers={"Cache-Control": "no-store", **headers})
            response.content_type = MEDIA_TYPE
            await response.prepare(request)
            if request.method != "HEAD":
                await self._stream(response, record, look=look, after=after, place=place)
            return response

    async def _stream(
        self,
        response: web.StreamResponse,
        record: ChallengeRecord,
        *,
        look: Look,
        after: Cursor,
        place: WaitSlot,
    ) -> None:
        cursor = after
        try:
            while True:
                view, chunks = views.verification(record), [_COMMENT]
                for cursor, data in news_of(view, cursor):  # noqa: B020  # its id is what is seen next
                    chunks.append(encode(cursor, data))
                async with asyncio.timeout(_STUCK.total_seconds()):
                    await response.write(b"".join(chunks))
                if record.is_settled or self._waiters.is_closed:
                    return
                record = await self._waiters.news(place, partial(look, record.revision), HEARTBEAT)
        except Refused as refused:
            # The head is sent: all that is left is to end, and to let the reader hear why when it asks again.
            log.info("stream ended", reason=refused.kind.name)
        except StoreError as error:
            log.error("stream ended", error=str(error))
        except TimeoutError as error:
            raise ConnectionResetError("the reader does not read") from error


def news_of(view: VerificationView, after: Cursor) -> Iterator[tuple[Cursor, Struct]]:
    """Yield each event after a cursor, with its own cursor; steps first, then a new status."""
    for number, call in enumerate(view.calls, start=1):
        for step in call.timeline:
            if after.call < number or (after.call == number and after.seq < step.seq):
                after = replace(after, call=number, seq=step.seq)
                yield after, StepEvent(call_id=call.id, **msgspec.structs.asdict(step))
    if view.status != after.status:
        after = replace(after, status=view.status.value)
        yield after, StatusEvent(status=view.status, attempts_left=view.attempts_left)


def encode(cursor: Cursor, data: Struct) -> bytes:
    """Return an event in its wire format."""
    name = "status" if isinstance(data, StatusEvent) else "step"
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        str(cursor).encode(),
        name.encode(),
        msgspec.json.encode(data),
    )
