"""Pages for people, as part of the client.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from typing import Unpack

from voicegate.client import page_models as requests
from voicegate.client.async_factors import AsyncSender
from voicegate.client.page_models import PageOptions, PageOutcome, PageSession


class AsyncPages:
    """Page sessions: a person's browser is sent to a page, and what came of it is redeemed."""

    def __init__(self, send: AsyncSender) -> None:
        self._send = send

    async def create(self, subscriber: str, purpose: str, **options: Unpack[PageOptions]) -> PageSession:
        """Make a page session; `purpose` is enroll, sign_in or manage."""
        return await self._send(requests.create(subscriber, purpose, options))

    async def redeem(self, result_code: str, state: str) -> PageOutcome:
        """Return once what came of it, by the code that the browser brought, and the `state`."""
        return await self._send(requests.redeem(result_code, state))
