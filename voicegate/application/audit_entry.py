"""An entry of the audit, as it is stored."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who asked for what, and what was decided; never a code or a whole number."""

    at: datetime
    """When it was decided."""
    client: str
    """Who asked."""
    request_id: str
    """The id of the request."""
    action: str
    """What was asked for, such as `factor.enroll`."""
    decision: str
    """`allowed`, the result of a guess, or the reason of a refusal."""
    subject: str | None = None
    """The id of the challenge, factor or client that it is about; None: it has none yet."""
    number: str | None = None
    """The masked number that it is about."""
    number_digest: bytes | None = field(default=None, repr=False)
    """The keyed digest of that number, to search for it."""
    rule: str | None = None
    """The rule that refused it, by the setting that holds it; None: allowed, or the decision says as much."""
    reason: str | None = None
    """Why it was asked for, in the words of whoever asked; None: no reason was given."""
    subscriber: str | None = None
    """The subscriber that it is about; None: it is about none."""
    reference: str | None = None
    """The client's own note; None: it gave none."""
    trunk: str | None = None
    """The trunk that it is about, or by which a call was to begin; None: none."""
    id: int = 0
    """Its number in the table, given by the store."""
