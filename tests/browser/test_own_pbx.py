"""The telephone in the browser at an admin's own Asterisk, over wss, with what `voicegate config telephone`
prints, and a certificate that an authority has signed."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.watching import Watch
from tests.unit.adapters.http.serving import serving
from tests.unit.application.conftest import bench_in
from voicegate.bootstrap.doors import telephone_doors
from voicegate.cli.telephone import telephone_files
from voicegate.config import AsteriskPbxSettings, CallerIdSettings, InternalSettings, Settings, Testing
from voicegate.domain.client import Scope
from voicegate.lab.asterisk import AsteriskInstance
from voicegate.lab.certificates import Certificates
from voicegate.lab.errors import LabError
from voicegate.lab.packages import ensure_asterisk
from voicegate.lab.ports import reserve_port_base
from voicegate.lab.processes import Daemon

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "long-and-secret"


@dataclass
class OwnPbx:
    """An Asterisk that knows one telephone, and the settings of the daemon beside it."""

    settings: Settings
    asterisk: AsteriskInstance
    certificates: Certificates
    port: int


def files(settings: Settings, certificates: Certificates, port: int) -> dict[str, str]:
    """What the command prints, and what it leaves to the admin: password and certificate."""
    printed = telephone_files(settings)
    pjsip = printed["pjsip.conf"].replace("password = change-me", f"password = {PASSWORD}")
    http = printed["http.conf"].replace("/etc/asterisk/keys/fullchain.pem", str(certificates.carrier))
    http = http.replace("/etc/asterisk/keys/privkey.pem", str(certificates.carrier_key))
    assert PASSWORD in pjsip
    assert str(certificates.carrier_key) in http
    rtp = f"[general]\nrtpstart = {port + 10}\nrtpend = {port + 99}\n"
    no_manager = {"manager.conf": "[general]\nenabled = no\n", "extensions.conf": ""}
    return {"pjsip.conf": pjsip, "http.conf": http, "rtp.conf": rtp, **no_manager}


@pytest_asyncio.fixture(loop_scope="session")
async def pbx(tmp_path: Path) -> AsyncIterator[OwnPbx]:
    try:
        program = await asyncio.to_thread(ensure_asterisk)
    except LabError as error:
        pytest.skip(str(error))
    (tmp_path / "password").write_text(PASSWORD)
    certificates = Certificates(tmp_path / "certificates")
    certificates.ensure()
    with reserve_port_base() as port:
        settings = Settings(
            testing=Testing(
                enabled=True,
                websocket_url=f"wss://127.0.0.1:{port}/ws",
                account="4242",
                password_file=str(tmp_path / "password"),
            ),
            internal={
                "desks": InternalSettings(
                    pbx="main", pattern="42[0-9]{2}", caller_id=CallerIdSettings(number="4000")
                )
            },
            pbx={"main": AsteriskPbxSettings()},
        )
        asterisk = AsteriskInstance(Daemon("own", tmp_path), program, tmp_path / "own", tmp_path / "r")
        asterisk.write(files(settings, certificates, port))
        asterisk.start()
        try:
            await asyncio.to_thread(asterisk.wait_ready)
            yield OwnPbx(settings, asterisk, certificates, port)
        finally:
            await asyncio.to_thread(asterisk.daemon.stop)


async def test_it_registers_over_wss_and_is_called(pbx: OwnPbx, tmp_path: Path, watch: Watch) -> None:
    # Whoever knows the authority trusts it; Chromium has no list of its own to put that in.
    trusting = ssl.create_default_context(cafile=pbx.certificates.authority)
    _, writer = await asyncio.open_connection("127.0.0.1", pbx.port, ssl=trusting)
    writer.close()
    page = await watch.open(ignore_https_errors=True)
    async with (
        bench_in(tmp_path) as bench,
        serving(bench, tmp_path, doors=telephone_doors(pbx.settings)) as served,
    ):
        key = (await served.key(Scope.VERIFICATIONS))["Authorization"].removeprefix("Bearer ")
        await page.goto(f"{served.remote.base_url}/lab#key={key}")
        await expect(page.locator("#state")).to_have_text("Ready for calls.")
        contacts = await asyncio.to_thread(pbx.asterisk.command, "pjsip show contacts")
        assert re.search(r"4242/sip:\S+transport=ws", contacts), contacts
        ringing = "channel originate PJSIP/4242 application Echo"
        await asyncio.to_thread(pbx.asterisk.command, ringing)
        await expect(page.locator("#state")).to_have_text("Ringing…")
        await page.click("#answer")
        await expect(page.locator("#state")).to_have_text("Connected.")
        await expect(page.locator("#received")).to_contain_text("packets, 0 lost, PCMU")
        await page.click("#hang-up")
        await expect(page.locator("#state")).to_have_text("You hung up. Ready for calls.")


async def test_it_does_not_register_where_the_certificate_is_not_trusted(
    pbx: OwnPbx, tmp_path: Path, watch: Watch
) -> None:
    page = await watch.open()
    async with (
        bench_in(tmp_path) as bench,
        serving(bench, tmp_path, doors=telephone_doors(pbx.settings)) as served,
    ):
        key = (await served.key(Scope.VERIFICATIONS))["Authorization"].removeprefix("Bearer ")
        await page.goto(f"{served.remote.base_url}/lab#key={key}")
        await expect(page.locator("#state")).to_have_text("Not registered at the PBX: trying again…")
        await expect(page.locator("#call-me")).to_be_disabled()
        watch.problems[:] = [one for one in watch.problems if "ERR_CERT_AUTHORITY_INVALID" not in one]
