"""The stages of a call, from its timeline: each a span of its trace. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from voicegate.application.ports import CallRecord, TimelineEntry


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage."""

    name: str
    """What happens in it."""
    began: datetime
    """When it began."""
    ended: datetime
    """When it ended."""
    attributes: Mapping[str, int | bool] = field(default_factory=dict)
    """What else is known of it."""


# By the step that begins it: its name, and the steps that end it, whichever comes first.
_STAGES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "originated": ("originate", frozenset({"progressed", "rang", "answered"})),
    "rang": ("ring", frozenset({"answered"})),
    "extension_started": ("extension", frozenset({"extension_sent"})),
    "invited": ("human check", frozenset({"key_pressed", "reported", "reading_started"})),
    "reading_started": ("reading", frozenset({"reading_ended"})),
}
_ONCE: Final = frozenset({"rang", "invited"})
"""Steps that a PBX may repeat, or that are repeated to ask again: the stage begins with the first."""


def stages_of(record: CallRecord) -> Iterator[Stage]:
    """Yield the stages of an ended call: queue, originate, ring, extension, human check, each reading."""
    call, timeline = record.call, list(record.timeline)
    over = call.ended_at or call.created_at
    originated = next((entry.at for entry in timeline if entry.event == "originated"), over)
    yield Stage("queue", call.created_at, originated)
    seen: set[str] = set()
    for index, entry in enumerate(timeline):
        if entry.event not in _STAGES or (entry.event in _ONCE and entry.event in seen):
            continue
        seen.add(entry.event)
        # A sign of ringing can come after the answer: it began nothing.
        if entry.event == "rang" and any(earlier.event == "answered" for earlier in timeline[:index]):
            continue
        name, ends = _STAGES[entry.event]
        end = next((later for later in timeline[index + 1 :] if later.event in ends), None)
        yield Stage(name, entry.at, end.at if end else over, _facts(entry, end))


def _facts(begin: TimelineEntry, end: TimelineEntry | None) -> Mapping[str, int | bool]:
    """Return the number of a reading, and whether it was proven; nothing of the other stages."""
    facts: dict[str, int | bool] = {}
    if isinstance(reading := begin.detail.get("reading"), int):
        facts["voicegate.reading"] = reading
        facts["voicegate.proven"] = bool(end and end.detail.get("proven"))
    return facts
