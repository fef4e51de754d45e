# Written by `make client`: change async_pages.py instead.
"""Pages for people, as part of the client.

The one for asyncio is the source; `make client` writes the blocking one from it.
"""

from typing import Unpack

from voicegate.client import page_models as requests
from voicegate.client.blocking_factors import Sender
from voicegate.client.page_models import PageOptions, PageOutcome, PageSession


class Pages:
    """Page sessions: a person's browser is sent to a page, and what came of it is redeemed."""

    def __init__(self, send: Sender) -> None:
        self._send = send

    def create(self, subscriber: str, purpose: str, **options: Unpack[PageOptions]) -> PageSession:
        """Make a page session; `purpose` is enroll, sign_in or manage."""
        return self._send(requests.create(subscriber, purpose, options))

    def redeem(self, result_code: str, state: str) -> PageOutcome:
        """Return once what came of it, by the code that the browser brought, and the `state`."""
        return self._send(requests.redeem(result_code, state))
