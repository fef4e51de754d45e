"""What a controller does while it shares a database with others: it says that it lives, takes over the calls
of those that died, and hears of what changed through the others.

Signals only hasten: what one of them would tell is looked up at every beat too.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from voicegate.application.change_notifier import ChangeNotifier, Signal, SignalKind
from voicegate.application.controllers import BEAT, Controller, ControllerStore
from voicegate.application.takeover import Takeover
from voicegate.application.trunks import Trunks
from voicegate.domain.challenge import ChallengeState
from voicegate.domain.errors import ConfigError, StoreError

log = structlog.get_logger(__name__)

_LOOK_APART: Final = timedelta(milliseconds=50)
"""The shortest time between two looks at the lines of other controllers."""


class Sharing:
    """Keeps one controller in touch with the others."""

    def __init__(
        self,
        store: ControllerStore,
        *,
        describe: Callable[[], Controller],
        takeover: Takeover,
        notifier: ChangeNotifier,
        trunks: Trunks,
    ) -> None:
        """`describe`: who this is, with the keys that it has now."""
        self._store = store
        self._describe = describe
        self.takeover = takeover
        """What becomes of the calls of controllers that died."""
        self._delivery = takeover.delivery
        self._notifier = notifier
        self._trunks = trunks
        # Whether calls may have been taken over in a transaction whose answer was lost.
        self._is_unsure = False
        self._revisions: dict[str, int] = {}
        self._line_freed = asyncio.Event()
        self._drains_changed = asyncio.Event()

    async def enter(self) -> None:
        """Say for the first time that this controller lives.

        Raises:
            ConfigError: another one that lives has other keys.
            StoreError: the database cannot be used.
        """
        own = self._describe()
        attendance = await self._store.attend(own, is_first=True)
        for other in attendance.others:
            if not own.has_keys_of(other.controller):
                await self.leave()
                raise ConfigError(
                    f"storage.key_file: the controller {other.controller.name}, which uses this database too,"
                    " has other keys: all controllers need the same key file, with that of receipts beside"
                    " it, and a restart after it changed"
                )
        if attendance.others:
            names = [other.controller.name for other in attendance.others]
            log.info("database shared with other controllers", controllers=names)
        self.takeover.add(attendance.claimed)

    async def leave(self) -> None:
        """Say that this controller has stopped."""
        try:
            await self._store.leave(self._describe())
        except StoreError as error:
            # It is forgotten all the same, once it has been silent.
            log.warning("end of controller not stored", error=str(error))

    async def attend_for_ever(self) -> None:
        """Say again and again that this controller lives, until cancelled."""
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            try:
                await self.attend()
            except StoreError as error:
                log.warning("controller could not tell the database that it lives", error=str(error))
            except Exception:  # a task's root: the next round may fare better
                log.exception("controller could not look after others")

    async def attend(self) -> None:
        """Say that this controller lives, and catch up with what the others did."""
        may_claim = not self._delivery.stopping.is_on
        was_unsure, self._is_unsure = self._is_unsure, True
        attendance = await self._store.attend(self._describe(), may_claim=may_claim)
        self._is_unsure = was_unsure
        if attendance.has_returned:
            log.warning("controller was cut off from the database: others may have taken its calls")
            call_ids = list(self._delivery.in_progress.values())
            await self._delivery.interrupt(await self._store.taken(call_ids))
        self.takeover.add(attendance.claimed)
        if self._is_unsure:
            # What it took over then is known to nobody but the database.
            left = await self._store.left()
            own = self._delivery.delivered
            self.takeover.add([orphan for orphan in left if orphan.record.call.challenge_id not in own])
            self._is_unsure = False
        await self._catch_up()

    async def receive(self, signal: Signal) -> None:
        """Do what another controller's signal asks for."""
        match signal.kind:
            case SignalKind.CHANGED:
                self._notifier.wake(signal.challenge_id)
            case SignalKind.HANG_UP:
                await self._delivery.cancel(signal.challenge_id)
            case SignalKind.LINE_FREED:
                self._line_freed.set()
            case SignalKind.TRUNKS:
                self._drains_changed.set()

    async def watch_lines_for_ever(self) -> None:
        """Look how many lines other controllers use, while calls wait for one here; until cancelled."""
        queue = self._delivery.queue
        while True:
            await queue.is_waited_in.wait()
            self._line_freed.clear()
            try:
                queue.note_others(await self._store.lines())
            except StoreError as error:
                log.warning("lines of other controllers not known", error=str(error))
            await asyncio.sleep(_LOOK_APART.total_seconds())
            await _wait(self._line_freed)

    async def watch_drains_for_ever(self) -> None:
        """Learn which trunks are drained when that was changed through another controller; until
        cancelled."""
        while True:
            await _wait(self._drains_changed)
            self._drains_changed.clear()
            try:
                await self._trunks.load()
            except StoreError as error:
                log.warning("drained trunks not known", error=str(error))

    async def _catch_up(self) -> None:
        """Look for changes of which no signal came."""
        in_progress = self._delivery.in_progress
        watched = {*self._notifier.watched, *in_progress}
        pulses = await self._store.pulse(watched) if watched else {}
        for challenge_id, pulse in pulses.items():
            if self._revisions.get(challenge_id) != pulse.revision:
                self._notifier.wake(challenge_id)
            if challenge_id in in_progress and pulse.state is ChallengeState.CANCELED:
                await self._delivery.cancel(challenge_id)
        self._revisions = {challenge_id: pulse.revision for challenge_id, pulse in pulses.items()}


async def _wait(event: asyncio.Event) -> None:
    """Wait for an event, but no longer than a beat: a signal may be lost."""
    try:
        async with asyncio.timeout(BEAT.total_seconds()):
            await event.wait()
    except TimeoutError:
        return
