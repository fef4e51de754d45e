"""`voicegate webhooks`: each command and example of its page, as an admin types it."""

import shlex
import subprocess
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.pages import ROOT, blocks
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench
from tests.unit.application.scripted import ScriptedReceiver
from tests.unit.cli.conftest import Run
from voicegate import config
from voicegate.adapters.webhooks.signing import read_keys
from voicegate.application.outbox import SendResult
from voicegate.bootstrap.webhooks import check_webhooks
from voicegate.domain.errors import ConfigError
from voicegate.domain.webhook import EventType, Webhook

PAGE = ROOT / "docs/backends/webhooks.md"


def commands(program: str) -> list[str]:
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(program)]


@pytest.fixture
async def served(bench: Bench, tmp_path: Path) -> AsyncIterator[Served]:
    again = bench.rebuilt(webhooks=(Webhook("web"),))
    with capture_logs():
        async with again.app.delivery, serving(again, tmp_path) as server:
            yield server


async def test_every_command_of_the_page_does_what_it_says(served: Served, voicegate: Run) -> None:
    await served.settled((await served.create())["id"])
    said = []
    for line in commands("voicegate "):
        result = await voicegate(*shlex.split(line, comments=True)[1:])
        assert result.exit_code == 0, result.output
        said.append(result.stdout)
    listed, tested, given_up, replayed = said
    assert listed.splitlines()[1].split()[:5] == ["web", "all", "1", "0", "0"]
    assert tested == "web: taken\n"
    assert len(given_up.splitlines()) == 1
    assert replayed == "web: 0 messages are sent again\n"
    pending = await voicegate("webhooks", "messages", "--state", "pending")
    assert "call.ended" in pending.stdout


async def test_a_test_that_is_not_taken_says_why_and_exits_with_1(served: Served, voicegate: Run) -> None:
    receiver = served.bench.adapters.webhook_sender
    assert isinstance(receiver, ScriptedReceiver)
    receiver.answers = [SendResult(500, "answered with status 500")]
    result = await voicegate("webhooks", "test", "web")
    assert (result.exit_code, result.stdout) == (1, "web: answered with status 500\n")
    assert (await voicegate("webhooks", "test", "other")).exit_code == 4
    assert (await voicegate("webhooks", "replay", "other")).exit_code == 4


def test_the_pages_settings_and_secret_are_taken(tmp_path: Path) -> None:
    (written,) = blocks(PAGE, "toml")
    secret = tmp_path / "webhook-secret"
    for line in (*commands("printf"), *commands("chmod")):
        subprocess.run(line.replace("/etc/voicegate/webhook-secret", str(secret)), shell=True, check=True)
    assert len(read_keys(secret)[0]) == 32
    raw = tomllib.loads(written.replace("/etc/voicegate/webhook-secret", str(secret)))
    check_webhooks(config.parse(raw))
    raw["webhooks"]["web"]["url"] = "http://127.0.0.1/"
    with pytest.raises(ConfigError, match=r"webhooks\.web\.url"):
        check_webhooks(config.parse(raw))
    check_webhooks(config.parse(raw | {"webhook_delivery": {"http_on_loopback": True}}))
    secret.write_text("secret")
    with pytest.raises(ConfigError, match=r"webhooks\.web\.secret_file"):
        check_webhooks(config.parse(raw | {"webhook_delivery": {"http_on_loopback": True}}))


def test_the_page_names_every_event() -> None:
    text = PAGE.read_text("utf-8")
    assert [event for event in EventType if f"`{event}`" not in text] == []
