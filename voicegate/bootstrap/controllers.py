"""One of several controllers on a PostgreSQL database: who it is, and how it stays in touch with others."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from voicegate import __version__
from voicegate.adapters.storage import engines
from voicegate.adapters.storage.signals import Signals
from voicegate.adapters.storage.store import SqlStore
from voicegate.adapters.system import SystemEntropy
from voicegate.application.controllers import RECEIPTS, Controller
from voicegate.application.ports import Keyring
from voicegate.application.route_choice import RouteChooser
from voicegate.application.sharing import Sharing
from voicegate.application.takeover import Takeover
from voicegate.bootstrap.app import App
from voicegate.config import Settings

_PREFIX: Final = "ctl"


def new_controller_id(settings: Settings) -> str | None:
    """Return an id for this run of the daemon; None: its database is a file, which it has for itself."""
    if engines.is_sqlite(engines.locate(settings.storage.database)):
        return None
    return SystemEntropy().new_id(_PREFIX)


async def join(
    stack: AsyncExitStack, settings: Settings, *, app: App, store: SqlStore, keyring: Keyring
) -> Sharing:
    """Join the other controllers of the database, until `stack` is left.

    Raises:
        ConfigError: they have another key file.
        StoreError: the database cannot be used.
    """
    controller_id = store.controller or ""

    def describe() -> Controller:
        name = f"{socket.gethostname()}:{settings.socket.path}"
        chain = [RECEIPTS + app.receipts.chain] if app.receipts else []
        key_ids = (*keyring.ids, *chain)
        return Controller(id=controller_id, name=name, version=__version__, key_ids=key_ids)

    takeover = Takeover(
        store=store,
        clock=app.clock,
        calls=app.calls,
        delivery=app.delivery,
        route_chooser=RouteChooser(app.trunks.routes, app.standings, pbxs=app.pbxs),
    )
    sharing = Sharing(
        store.controllers,
        describe=describe,
        takeover=takeover,
        notifier=app.units.notifier,
        trunks=app.trunks,
    )
    await sharing.enter()
    stack.push_async_callback(sharing.leave)
    signals = Signals(settings.storage.database, controller_id)
    app.units.notifier.connect(signals.tell)
    await stack.enter_async_context(signals.running(sharing.receive))
    for work in (sharing.attend_for_ever, sharing.watch_lines_for_ever, sharing.watch_drains_for_ever):
        _run(stack, work)
    return sharing


async def take_over(stack: AsyncExitStack, sharing: Sharing) -> None:
    """Place or end the calls that an earlier run left, and those of controllers that die from now on, until
    `stack` is left.

    Raises:
        StoreError: the database cannot be used.
    """
    await sharing.takeover.work()
    _run(stack, sharing.takeover.work_for_ever)


def _run(stack: AsyncExitStack, work: Callable[[], Awaitable[None]]) -> None:
    async def task() -> None:
        await work()

    stack.callback(asyncio.create_task(task(), name=work.__name__).cancel)
