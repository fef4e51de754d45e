"""Controllers without a telephone: their PBX is the simulator, so that they can be loaded alone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.bench.lab import LIMITS, Controller
from voicegate.lab.config_templates import as_toml
from voicegate.lab.processes import Daemon

CALL_S: Final = 45.0
"""About how long a call of the simulator's lasts, with nobody asked for a key."""
_SETTINGS: Final = """
[storage]
database = "{database}"
key_file = "{key}"
state_folder = "{folder}"
[socket]
path = "{folder}/v.sock"
[audio]
folder = "{folder}/audio"
[policy]
allowed_countries = ["US"]
{policy}
[call]
drain_timeout_s = 0
{call}
[log]
format = "json"
[pbx.main]
kind = "simulator"
[trunks.carrier]
pbx = "main"
endpoint = "carrier"
caller_ids = [{{ number = "+12025550100" }}]
max_calls = 10000
{more}
"""


def simulated(
    folder: Path,
    *,
    database: str | None = None,
    key: Path | None = None,
    call: Mapping[str, object] | None = None,
    more: str = "",
) -> Controller:
    """Return a controller in `folder`, not started; several may share a database and a key file."""
    folder = folder.resolve()
    text = _SETTINGS.format(
        database=database or folder / "voicegate.db",
        key=key or folder / "key",
        folder=folder,
        policy=_section("policy", {}),
        call=_section("call", call or {}),
        more=more,
    )
    return Controller(folder, database or str(folder / "voicegate.db"), Daemon("controller", folder), text)


@asynccontextmanager
async def serving(controller: Controller) -> AsyncIterator[Controller]:
    """Start a controller, and stop it in the end."""
    await asyncio.to_thread(controller.start)
    try:
        yield controller
    finally:
        await asyncio.to_thread(controller.stop)


def _section(name: str, differing: Mapping[str, object]) -> str:
    common = {
        key.removeprefix(f"{name}."): value for key, value in LIMITS.items() if key.startswith(f"{name}.")
    }
    return "\n".join(f"{key} = {as_toml(value)}" for key, value in {**common, **differing}.items())
