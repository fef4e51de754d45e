"""Which channel is the call's own, if an extension has several telephones that ring together or in turn.
Pure.

A trunk's call has one channel, whose id is the call's. An extension's dial string may name any number of
telephones. FreeSWITCH 1.10.12 creates a channel for each, but cannot give two of them the same id. So
FreeSWITCH makes their ids, and a variable says to which call they belong. The first telephone that answers is
parked, and the others are hung up (LOSE_RACE). If nobody answers, the call is over when the originate's job
is done.
"""

from collections.abc import Iterator

from voicegate.adapters.pbx.freeswitch.esl_events import Ended, EslEvent, JobDone, Moved, Step


class Branches:
    """The channels of one call."""

    def __init__(self, call_id: str, *, is_desk: bool) -> None:
        self._is_desk = is_desk
        self._live: dict[str, None] = {} if is_desk else {call_id: None}
        self._ended: list[Ended] = []
        self._is_won = not is_desk
        self._has_failed = False

    @property
    def live(self) -> tuple[str, ...]:
        """The channels that may exist: all that ring, or the one that was answered."""
        return tuple(self._live)

    @property
    def is_answered_desk(self) -> bool:
        """Return whether the call's channel has another id than the call."""
        return self._is_desk and self._is_won

    def take(self, event: EslEvent) -> Iterator[EslEvent]:
        """Yield what an event of one channel means for the call."""
        match event:
            case _ if not self._is_desk:
                yield event
            case Moved(step=step, channel=channel):
                if step is Step.PARKED:
                    self._win(channel)
                # Those that lose the race still tell of themselves after it.
                elif not self._is_won:
                    self._live[channel] = None
                yield event
            case Ended():
                yield from self._take_end(event)
            case JobDone(is_ok=False):
                # Channels may still end after the job: which of their ends says most is known once all are
                # in.
                self._has_failed = True
                yield from self.last_words()
                yield event
            case _:
                yield event

    def find(self, channel: str, step: Step) -> None:
        """Record that the PBX was asked and knows the channel, and its step."""
        if self._is_desk and step is Step.PARKED:
            self._win(channel)

    def last_words(self, *, is_over: bool = False) -> Iterator[Ended]:
        """Yield the end that says most, when the call is over: no channel exists and none will come."""
        if self._is_won or self._live or not (self._has_failed or is_over):
            return
        if self._ended:
            # A telephone's own answer says more than a timeout of ours, and the latest most.
            yield max(self._ended, key=lambda ended: not ended.is_by_pbx)
            self._ended.clear()

    def _win(self, channel: str) -> None:
        self._is_won, self._live = True, {channel: None}

    def _take_end(self, ended: Ended) -> Iterator[EslEvent]:
        if self._is_won:
            if ended.channel in self._live:
                del self._live[ended.channel]
                yield ended
            return
        self._live.pop(ended.channel, None)
        self._ended.insert(0, ended)
        yield from self.last_words()
