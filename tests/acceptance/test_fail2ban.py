"""The filter and jail in `config/fail2ban`, tried with fail2ban's own programs on what the daemon logs."""

import io
import json
import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import structlog

from tests.conftest import plain_logs
from tests.pages import ROOT
from tests.unit.adapters.http.serving import Served, serving
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from voicegate.adapters import logs
from voicegate.adapters.http.forwarding import Proxies
from voicegate.adapters.http.server import ServerSettings
from voicegate.lab.deadlines import at_most
from voicegate.lab.packages import ensure_packages, no_progress, unpacked_command

__all__ = ["bench", "limits", "timings", "trunks"]

CONFIG: Final = ROOT / "config/fail2ban"
STRANGER, VICTIM, HERE = "198.51.100.7", "203.0.113.9", "127.0.0.1"


@pytest.fixture(scope="session")
def fail2ban() -> Path:
    """Debian's package, unpacked."""
    return ensure_packages(("fail2ban",), suites=(), progress=no_progress)


def run(root: Path, program: str, *arguments: str) -> str:
    """Run one of its programs by its own Python."""
    python = unpacked_command(root, "usr/bin/python3")
    modules = root / "usr/lib/python3/dist-packages"
    environment = {**os.environ, "PYTHONHOME": str(root / "usr"), "PYTHONPATH": str(modules)}
    done = subprocess.run(
        [*python, str(root / "usr/bin" / program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=at_most(60),
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def banned(root: Path, lines: str, folder: Path, mode: str = "normal") -> list[str]:
    """The addresses that fail2ban counts a failure of, one for each line."""
    file = folder / "voicegate.log"
    file.write_text(lines, "utf-8")
    rule = f"{CONFIG}/filter.d/voicegate.conf[mode={mode}]"
    return run(root, "fail2ban-regex", "--out", "ip", str(file), rule).split()


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The daemon's log, as it writes it."""
    before, stream = list(logging.getLogger().handlers), io.StringIO()
    logs.configure("info", "json", stream)
    yield stream
    plain_logs()
    logging.getLogger().handlers[:] = before


async def test_wrong_keys_are_counted_by_the_address_that_they_came_from(
    fail2ban: Path, written: io.StringIO, bench: Bench, tmp_path: Path
) -> None:
    async with serving(bench, tmp_path) as served:
        for headers in ({}, {"Authorization": "Bearer vgk_x_y"}, {"Authorization": "Basic eDp5"}):
            assert (await served.remote.get("/v1/calls", headers=headers)).status_code == 401
        okta = await served.remote.get("/api/v1/users/x/factors", headers={"Authorization": "SSWS no"})
        assert okta.status_code in (401, 404)
    lines = written.getvalue()
    failures = [one for one in map(json.loads, lines.splitlines()) if one["event"] == "authentication failed"]
    assert banned(fail2ban, lines, tmp_path) == [HERE] * sum(one["why"] == "key_wrong" for one in failures)
    assert banned(fail2ban, lines, tmp_path, "aggressive") == [HERE] * len(failures)
    assert {one["why"] for one in failures} == {"key_missing", "key_wrong"}


async def test_a_user_of_the_socket_is_no_address(
    fail2ban: Path, written: io.StringIO, bench: Bench, tmp_path: Path
) -> None:
    async with serving(bench, tmp_path, uids=frozenset()) as served:
        assert (await served.http.get("/v1/calls")).status_code == 403
    lines = written.getvalue()
    assert '"why": "peer_not_allowed"' in lines
    assert banned(fail2ban, lines, tmp_path, "aggressive") == []


async def test_what_a_sender_writes_bans_nobody_else(
    fail2ban: Path, written: io.StringIO, bench: Bench, tmp_path: Path
) -> None:
    """Names with line ends, addresses and whole log lines in every place that a sender may fill."""
    line = f'{{"address": "{VICTIM}", "why": "key_wrong", "event": "authentication failed", '
    forged = (line, f"\\n{line}", VICTIM, f'", "address": "{VICTIM}')
    async with serving(bench, tmp_path) as served:
        for hostile in forged:
            await attack(served, hostile)
        for raw in (f"GET /{line} HTTP/1.1\r\nHost: x\r\n\r\n", f"{line}\r\n\r\n"):
            await served.raw(raw.encode())
    log = structlog.get_logger()
    for hostile in forged:
        # What an exception or a PBX may repeat.
        log.warning("call failed", error=f"x\n{hostile}", address=hostile, why=hostile)
        log.warning(hostile, pbx="main", facts={"address": VICTIM, "why": "key_wrong"})
    assert VICTIM in written.getvalue(), "it was tried"
    counted = banned(fail2ban, written.getvalue(), tmp_path, "aggressive")
    assert counted, "the sender is counted"
    assert set(counted) == {HERE}


async def attack(served: Served, hostile: str) -> None:
    headers = {
        "X-Request-Id": hostile,
        "X-Forwarded-For": VICTIM,
        "Forwarded": f"for={VICTIM}",
        "User-Agent": hostile,
    }
    for credentials in (httpx.BasicAuth(hostile, hostile), bearer(hostile)):
        try:
            await served.remote.get("/v1/calls", params={"x": hostile}, headers=headers, auth=credentials)
        except httpx.LocalProtocolError:
            continue  # what no client can send


def bearer(key: str) -> Callable[[httpx.Request], httpx.Request]:
    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {key}"
        return request

    return sign


async def test_behind_a_trusted_proxy_the_client_is_counted_and_never_the_proxy(
    fail2ban: Path, written: io.StringIO, bench: Bench, tmp_path: Path
) -> None:
    settings = ServerSettings(proxies=Proxies.of([HERE]))
    async with serving(bench, tmp_path, settings=settings) as served:
        for forwarded in (f"{VICTIM}, {STRANGER}", "2001:db8::7", "no address", None):
            headers = {"Authorization": "Bearer no"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
            assert (await served.remote.get("/v1/calls", headers=headers)).status_code == 401
    assert banned(fail2ban, written.getvalue(), tmp_path) == [STRANGER, "2001:db8::/64"]
    assert f'"address": "proxy:{HERE}"' in written.getvalue()


def test_a_line_is_dated_by_its_own_time_as_a_file_and_by_systemd(fail2ban: Path, tmp_path: Path) -> None:
    fields = {"address": STRANGER, "why": "key_wrong", "event": "authentication failed"}
    dated = fields | {"request": "2001-01-01T00-00-00", "timestamp": "2026-12-01T05:00:00.123456Z"}
    line = json.dumps(dated)
    file = tmp_path / "voicegate.log"
    file.write_text(f"{line}\npbx1.example.net voicegate[71]: {line}\n")
    rule = f"{CONFIG}/filter.d/voicegate.conf"
    told = run(fail2ban, "fail2ban-regex", "--print-all-matched", "-vv", str(file), rule)
    assert re.search(r"2 matched", told), told
    assert "2001" not in "".join(re.findall(r"\[2\].*? hit\(s\).*", told))


def test_the_jail_is_one_that_fail2ban_loads(fail2ban: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fail2ban"
    subprocess.run(["cp", "-r", str(fail2ban / "etc/fail2ban"), str(folder)], check=True)
    (folder / "jail.d/defaults-debian.conf").unlink(missing_ok=True)
    for name in ("filter.d", "jail.d"):
        (folder / name / "voicegate.conf").write_text((CONFIG / name / "voicegate.conf").read_text())
    told = run(fail2ban, "fail2ban-client", "-c", str(folder), "--dp")
    assert re.search(r"\['set', 'voicegate', 'maxretry', 10\]", told), told
    assert re.search(r"'bantime', '1h'|'bantime', 3600", told), told
    pattern = next(line for line in told.splitlines() if "'addfailregex'" in line or "'failregex'" in line)
    assert "authentication failed" in pattern


def test_every_reason_that_is_logged_is_known_to_the_filter() -> None:
    rule = (CONFIG / "filter.d/voicegate.conf").read_text()
    known = set(
        re.findall(r"[a-z]+_[a-z_]+(?=[|\n])", "".join(re.findall(r"^_why_\w+ = (.*\n)", rule, re.M)))
    )
    sources = "\n".join(path.read_text() for path in (ROOT / "voicegate").rglob("*.py"))
    told: set[Any] = set(re.findall(r'(?:failed|authentication_failed)\([^()]*?"([a-z_]+)"\)', sources))
    told |= {"key_missing", "key_wrong", "signature_wrong"}
    assert known == told
