"""The audit: who asked for what, and what was decided. It has no codes, and numbers are masked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from voicegate.application.audit_entry import AuditEntry
from voicegate.application.listing import ALL_ENTRIES, AuditFilter
from voicegate.application.ports import Keyring
from voicegate.application.store_port import Store
from voicegate.domain.client import Principal
from voicegate.domain.phone_number import Destination


class Audit:
    """Creates audit entries and finds them."""

    def __init__(self, *, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def digests(self, number: str) -> Sequence[bytes]:
        """Return the digests by which a number is found, the newest key's first."""
        return self._keyring.number_digests(number)

    def entry(
        self, principal: Principal, now: datetime, *, action: str, decision: str, about: Destination | None
    ) -> AuditEntry:
        """Return an entry that is not stored yet; `about` is the telephone that the request is about."""
        return AuditEntry(
            at=now,
            client=principal.name,
            request_id=principal.request_id,
            action=action,
            decision=decision,
            number=None if about is None else about.masked,
            number_digest=None if about is None else self._keyring.number_digests(about.number)[0],
        )

    async def entries(
        self, limit: int, fitting: AuditFilter = ALL_ENTRIES, *, number: str | None = None
    ) -> Sequence[AuditEntry]:
        """Return the entries that match, newest first, at most `limit`; with `number`, only those about that
        number."""
        if number is not None:
            fitting = replace(fitting, number_digests=self._keyring.number_digests(number))
        return await self._store.audit(limit, fitting)
