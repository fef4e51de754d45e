"""What is found of the FastAGI port where no trial call can be placed."""

import asyncio

import pytest

from tests.unit.adapters.pbx.asterisk.scripted import ScriptedAsterisk
from tests.unit.adapters.pbx.asterisk.test_asterisk_checks import exchange, findings
from voicegate.application.diagnostics import Level

__all__ = ["exchange"]


async def another_program(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("fault", ["no AMI", "log-in refused", "no rights", "no dialplan"])
async def test_a_stranger_at_our_port_is_told_of_where_no_trial_call_can_be_placed(
    exchange: ScriptedAsterisk, fault: str
) -> None:
    match fault:
        case "log-in refused":
            exchange.answers["Login"] = lambda peer, asked: "Response: Error\r\nMessage: no"
        case "no rights":
            del exchange.actions["Originate"]
        case "no dialplan":
            exchange.values["DIALPLAN_EXISTS(voicegate-answered,s,1)"] = "0"
    async with await asyncio.start_server(another_program, "127.0.0.1", 0) as stranger:
        changes: dict[str, object] = {"agi_port": stranger.sockets[0].getsockname()[1]}
        if fault == "no AMI":
            changes["ami_port"] = 1
        found = await findings(exchange, **changes)
    (told,) = [one for one in found if "another program's" in one.text]
    assert (told.level, told.about) == (Level.ERROR, "FastAGI")
    assert "pbx.lab.agi_port" in told.fix
