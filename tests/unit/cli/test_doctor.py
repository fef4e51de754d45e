"""`voicegate doctor`: what it prints, and its exit codes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.unit.adapters.http.serving import Served
from tests.unit.application.scripted import ScriptedLeg
from tests.unit.cli.conftest import run
from tests.unit.cli.test_main import right_configuration
from voicegate.application.diagnostics import Check, Finding, doubtful, failed, passed
from voicegate.cli.exits import Exit
from voicegate.domain.call_outcome import Hangup


class Scripted:
    subject = "the lab"

    def __init__(self, *found: Finding) -> None:
        self.found = found

    async def run(self) -> AsyncIterator[Finding]:
        for finding in self.found:
            yield finding


def given(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    checks: Sequence[Check] = (Scripted(*found),)
    monkeypatch.setattr("voicegate.bootstrap.checks.checks", lambda _: checks)


def test_each_finding_is_a_line_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, passed("clock", "right"), failed("dialplan", "not loaded", "copy it"))
    result = run("--config", str(right_configuration(tmp_path)), "doctor")
    assert result.exit_code == Exit.NO
    lines = result.stdout.splitlines()
    assert lines[0].startswith("warning  daemon: nothing answers at")
    assert lines[2:] == [
        "ok       clock: right",
        "error    dialplan: not loaded",
        "         fix: copy it",
        "1 errors, 1 warnings, 1 well",
    ]


def test_json_is_a_list_of_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, passed("clock", "right"))
    result = run("--config", str(right_configuration(tmp_path)), "doctor", "--json")
    assert result.exit_code == 0
    # `cure` is what `fix` was called, for one release more.
    found = {"level": "ok", "about": "clock", "text": "right", "fix": "", "cure": ""}
    assert json.loads(result.stdout)[1] == found


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), Exit.NO)])
def test_warnings_count_only_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int
) -> None:
    given(monkeypatch, doubtful("clock", "slow", "wind it"))
    assert run("--config", str(right_configuration(tmp_path)), "doctor", *options).exit_code == code


async def test_a_daemon_is_looked_at_too(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch)
    file = right_configuration(tmp_path)
    file.write_text(file.read_text().replace(f"{tmp_path}/api.sock", str(served.path)))
    result = await asyncio.to_thread(run, "--config", str(file), "doctor", "--strict")
    assert (result.exit_code, result.stdout.splitlines()[0].endswith("can place calls")) == (0, True)
    served.bench.pbx.is_connected = False
    result = await asyncio.to_thread(run, "--config", str(file), "doctor", "--strict")
    assert (result.exit_code, "cannot place calls" in result.stdout) == (Exit.NO, True)
    assert "see its log" in result.stdout


async def test_a_daemon_that_cannot_place_calls_is_told_of_after_what_explains_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, failed("ESL", "no event socket", "start it"))
    file = right_configuration(tmp_path)
    file.write_text(file.read_text().replace(f"{tmp_path}/api.sock", str(served.path)))
    served.bench.pbx.is_connected = False
    result = await asyncio.to_thread(run, "--config", str(file), "doctor")
    assert [line.split(":")[0].split()[-1] for line in result.stdout.splitlines()[:4]] == [
        "ESL",
        "fix",
        "daemon",
        "fix",
    ]
    assert result.stdout.splitlines()[3].endswith("fix the errors above")


async def test_a_daemon_that_has_its_pbx_back_meanwhile_is_well(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Restoring(Scripted):
        async def run(self) -> AsyncIterator[Finding]:
            served.bench.pbx.is_connected = True
            yield passed("ESL", "logged in")

    monkeypatch.setattr("voicegate.bootstrap.checks.checks", lambda _: (Restoring(),))
    file = right_configuration(tmp_path)
    file.write_text(file.read_text().replace(f"{tmp_path}/api.sock", str(served.path)))
    served.bench.pbx.is_connected = False
    result = await asyncio.to_thread(run, "--config", str(file), "doctor", "--strict")
    assert (result.exit_code, result.stdout.splitlines()[1].endswith("can place calls again")) == (0, True)


async def test_a_real_test_call_is_told_with_its_end_and_its_code_is_void(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch)
    file = right_configuration(tmp_path)
    file.write_text(file.read_text().replace(f"{tmp_path}/api.sock", str(served.path)))

    async def asked(number: str) -> tuple[int, str]:
        result = await asyncio.to_thread(run, "--config", str(file), "doctor", "--call", number)
        return result.exit_code, result.stdout

    code, told = await asked("+12025550101")
    assert (code, "ok       test call: delivered: blame" in told) == (0, True), told
    (call,) = (await served.http.get("/v1/calls")).json()["calls"]
    verification = (await served.http.get(f"/v1/verifications/{call['verification_id']}")).json()
    assert (verification["status"], verification["reference"]) == ("canceled", "voicegate doctor")

    async def is_busy(leg: ScriptedLeg) -> None:
        leg.tell(Hangup(17, sip_status=486))

    served.bench.pbx.plots = [is_busy]
    code, told = await asked("+13105550101")
    assert (code, "error    test call: busy" in told, "fix: voicegate calls show call_" in told) == (
        1,
        True,
        True,
    )
    code, told = await asked("+33140000000")
    assert (code, "test call: refused:" in told, "voicegate policy explain" in told) == (1, True, True)


async def test_a_test_call_needs_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)
    words = ("--config", str(right_configuration(tmp_path)), "doctor", "--call", "+12025550101")
    result = await asyncio.to_thread(run, *words)
    assert (result.exit_code, "start the daemon" in result.stdout) == (Exit.NO, True)


def test_every_part_is_examined_before_the_first_start(tmp_path: Path) -> None:
    result = run("--config", str(right_configuration(tmp_path)), "doctor", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {"daemon", "key file", "database", "language en", "audio folder"} <= {f["about"] for f in found}
    assert [path.name for path in tmp_path.iterdir()] == ["voicegate.toml"]
