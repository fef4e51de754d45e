"""What a reload of the settings did. Which settings can be taken while calls go on, `bootstrap` knows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from voicegate.application.unit_of_work import ALLOWED, UnitOfWork, UnitsOfWork
from voicegate.domain.client import Principal


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A setting that stays as it was."""

    setting: str
    """Its name, as in `call.max_queued`."""
    why: str
    """Why, and what to do."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The settings were read again."""

    taken: tuple[str, ...] = ()
    """Settings whose new values are in force now."""
    read_again: tuple[str, ...] = ()
    """Settings that name files whose present contents are in force now."""
    not_taken: tuple[NotTaken, ...] = ()
    """Changed settings, and files, that are not in force."""
    decision: ClassVar[str] = ALLOWED
    """The decision in the audit."""


@dataclass(frozen=True, slots=True)
class NotReloaded:
    """The configuration file cannot be used; everything is as it was."""

    error: str
    """What is wrong, with the setting."""
    decision: ClassVar[str] = "configuration_wrong"
    """The decision in the audit."""


Reload = Callable[[], Awaitable[Reloaded | NotReloaded]]
"""Reads the settings again and takes what can be taken; never raises."""


async def reload_for(principal: Principal, reload: Reload, units: UnitsOfWork) -> Reloaded | NotReloaded:
    """Reload the settings because an admin asks for it; the audit has who, and what came of it."""
    done = await reload()

    def enter(_unit: UnitOfWork) -> Reloaded | NotReloaded:
        return done

    return await units.do(principal, "settings.reload", enter)


async def nothing_reloaded() -> Reloaded:
    """Reload nothing, where no configuration file is behind the daemon."""
    return Reloaded()
