"""The daemon as its owner starts and stops it, over its real socket; the PBX is the simulator."""

import asyncio
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import IO

import pytest

from voicegate.client import ApiError, AsyncClient, Unreachable, Verification
from voicegate.lab.deadlines import at_most, within

SETTINGS = """
[storage]
database = "{folder}/voicegate.db"
key_file = "{folder}/key"
state_folder = "{folder}/state"
[socket]
path = "{folder}/voicegate.sock"
mode = "0600"
[audio]
folder = "{folder}/audio"
[policy]
allowed_countries = ["US"]
[call]
drain_timeout_s = 0
[pbx.main]
kind = "simulator"
[trunks.carrier]
pbx = "main"
endpoint = "carrier"
caller_ids = [{{ number = "+12025550100" }}]
"""
TEST_NUMBER = "+15005550101"
BUSY, RINGS_FOR_EVER = "+12025550103", "+12025550104"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "voicegate.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    return file


def start(settings: Path, log: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "voicegate", "--config", str(settings), "serve"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, text=True)


@asynccontextmanager
async def daemon(settings: Path) -> AsyncIterator[tuple[AsyncClient, subprocess.Popen[str]]]:
    """A daemon that is ready; killed at the end unless it has ended."""
    # A file, for a pipe that nobody reads would be full some day.
    with settings.with_suffix(".log").open("a") as log:
        process = start(settings, log)
    try:
        async with AsyncClient(socket=settings.parent / "voicegate.sock") as client:
            async with within(20):
                while not await is_ready(client):
                    assert process.poll() is None
                    await asyncio.sleep(0.05)
            yield client, process
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def ended(settings: Path) -> tuple[int, str]:
    """The exit code and standard error of a daemon that is expected to end by itself; killed if not."""
    process = start(settings)
    try:
        _, error = await asyncio.to_thread(process.communicate, timeout=at_most(20))
        return process.returncode, error
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def test_test_numbers_need_no_telephone_and_are_off_unless_switched_on(settings: Path) -> None:
    async with daemon(settings) as (client, _):
        with pytest.raises(ApiError) as refused:
            await client.create_verification(TEST_NUMBER)
        assert refused.value.problem.name == "number_type_not_allowed"
    settings.write_text(f"{settings.read_text()}\n[test_numbers]\nenabled = true\npace = 0.02\n")
    async with daemon(settings) as (client, _):
        for number, outcome in ((TEST_NUMBER, "delivered"), ("+1 500 555 0103", "busy")):
            created = await client.create_verification(number)
            _ = [step async for step in client.watch(created.id)]
            (call,) = (await client.verification(created.id)).calls
            assert (call.outcome, call.is_test, call.trunk) == (outcome, True, "test numbers")
        assert await client.calls() == []
        assert len(await client.calls(test_numbers=True)) == 2
        assert (await client.check(created.id, "123456")).status == "verified"
        assert not (await client.create_verification(BUSY)).call.is_test


async def test_on_tcp_a_client_with_a_key_is_served_and_sees_its_own_only(settings: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.write_text(f"{settings.read_text()}\n[tcp]\nenabled = true\nport = {port}\n")
    async with daemon(settings) as (admin, _):
        given = await admin.add_client("web", ["verifications"])
        await admin.create_verification(BUSY)
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", key=given.key) as client:
            created = await client.create_verification(RINGS_FOR_EVER)
            assert [call.id for call in await client.calls()] == [created.call.id]
            with pytest.raises(ApiError, match="it needs the scope admin"):
                await client.audit()
        assert len(await admin.calls()) == 2
        assert [entry.client for entry in await admin.audit(1)] == ["web"]


async def is_ready(client: AsyncClient) -> bool:
    try:
        return (await client.ready()).status == "ok"
    except (ApiError, Unreachable):
        return False


async def end_of(client: AsyncClient, verification_id: str) -> Verification:
    async for _ in client.watch(verification_id):
        pass
    return await client.verification(verification_id)


async def ringing(client: AsyncClient, number: str) -> str:
    created = await client.create_verification(number)
    async for step in client.watch(created.id):
        if step.state == "ringing":
            break
    return created.id


async def test_a_backend_learns_why_nobody_was_reached_and_calls_again(settings: Path) -> None:
    settings.write_text(settings.read_text().replace("[policy]", "[policy]\ncall_spacing_s = 1"))
    async with daemon(settings) as (client, _):
        created = await client.create_verification(BUSY, reference="sign-in 7")
        verification = await end_of(client, created.id)
        assert verification.call is not None
        assert (verification.status, verification.call.outcome) == ("undeliverable", "busy")
        assert verification.reference == "sign-in 7"
        with pytest.raises(ApiError) as soon:
            await client.redial(created.id)
        assert (soon.value.problem.name, soon.value.status) == ("too_soon", 429)
        await asyncio.sleep(soon.value.problem.retry_after_s or 0)
        await client.redial(created.id)
        assert [call.outcome for call in (await end_of(client, created.id)).calls] == ["busy", "busy"]


async def test_a_call_is_held_in_the_language_that_its_request_names(settings: Path) -> None:
    tags = {"en-GB": "en", "es-MX": "es", "de_AT": "de", "fr": "fr"}
    async with daemon(settings) as (client, _):
        signing_in = [
            sign_in(client, f"+1202555{number}01", language=tag) for number, tag in enumerate(tags, start=10)
        ]
        verifications = await asyncio.gather(*signing_in)
    assert [verification.language for verification in verifications] == list(tags.values())
    ends = {(one.status, one.call and one.call.outcome) for one in verifications}
    assert ends == {("verified", "delivered")}


async def sign_in(client: AsyncClient, number: str, *, language: str) -> Verification:
    """Enter a code while it is read; a second reading is not needed then."""
    created = await client.create_verification(number, language=language, passcode="4710")
    async for step in client.watch(created.id):
        if step.event == "reading_started":
            await client.check(created.id, "4710")
            break
    return await end_of(client, created.id)


async def test_told_to_stop_it_ends_its_calls_records_them_and_exits_with_0(settings: Path) -> None:
    async with daemon(settings) as (client, process):
        verification_id = await ringing(client, RINGS_FOR_EVER)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, at_most(15)) == 0
    assert not (settings.parent / "voicegate.sock").exists()
    # Before another start could settle it.
    with closing(sqlite3.connect(settings.parent / "voicegate.db")) as database:
        found = "SELECT calls.state, calls.outcome FROM calls WHERE challenge_id = ?"
        assert database.execute(found, (verification_id,)).fetchall() == [("ended", "interrupted")]


async def test_killed_it_settles_what_it_left_at_the_next_start(settings: Path) -> None:
    async with daemon(settings) as (client, process):
        verification_id = await ringing(client, RINGS_FOR_EVER)
        process.kill()
        await asyncio.to_thread(process.wait, at_most(15))
    async with daemon(settings) as (client, _):
        verification = await client.verification(verification_id)
        assert verification.call is not None
        assert (verification.status, verification.call.outcome) == ("undeliverable", "interrupted")
        assert len(verification.calls) == 1


async def test_its_files_are_its_owners_alone(settings: Path) -> None:
    async with daemon(settings) as (client, _):
        await client.create_verification(BUSY)
        folder = settings.parent
        modes = {
            name: stat.S_IMODE((folder / name).stat().st_mode)
            for name in ("key", "voicegate.db", "voicegate.sock", "voicegate.db.lock", "voicegate.sock.lock")
        }
        assert set(modes.values()) == {0o600}


async def test_no_code_is_in_the_database(settings: Path) -> None:
    async with daemon(settings) as (client, process):
        await client.create_verification(RINGS_FOR_EVER, passcode="90417736")
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, at_most(15))
    with sqlite3.connect(settings.parent / "voicegate.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert "challenges" in dump
    assert "90417736" not in dump
    assert all(b"90417736" not in file.read_bytes() for file in settings.parent.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("differs", "says"), [("nothing", "socket.path"), ("voicegate.sock", "storage.database")]
)
async def test_a_second_daemon_leaves_a_living_one_and_its_calls_alone(
    settings: Path, differs: str, says: str
) -> None:
    second = settings.with_name("second.toml")
    second.write_text(settings.read_text().replace(differs, "second.sock"))
    async with daemon(settings) as (client, _):
        verification_id = await ringing(client, RINGS_FOR_EVER)
        code, error = await ended(second)
        assert code == 5
        assert says in error
        verification = await client.verification(verification_id)
        assert verification.call is not None
        assert verification.call.state == "ringing"


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ('mode = "0600"', 'mod = "0600"', 5, "did you mean socket.mode?"),
        ('kind = "simulator"', 'kind = "asterisk"', 5, "pbx.main.ami_secret_file"),
        ('[audio]\nfolder = "', '[audio]\nfolder = "/proc/', 6, "/proc/"),
    ],
)
async def test_what_keeps_it_from_starting_is_named(
    settings: Path, old: str, new: str, code: int, says: str
) -> None:
    settings.write_text(settings.read_text().replace(old, new))
    found, error = await ended(settings)
    assert found == code
    assert says in error
    assert "Traceback" not in error


async def test_a_key_file_that_was_lost_is_not_quietly_replaced(settings: Path) -> None:
    async with daemon(settings) as (client, _):
        await client.create_verification(BUSY)
    (settings.parent / "key").unlink()
    code, error = await ended(settings)
    assert code == 6
    assert "restore it from its backup" in error
    assert "voicegate key new" in error
    assert not (settings.parent / "key").exists()


async def keys(settings: Path, *words: str) -> tuple[int, str]:
    """What `voicegate key` says, and its exit code."""
    command = [sys.executable, "-m", "voicegate", "--config", str(settings), "key", *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_a_rotated_key_leaves_open_codes_standing_and_a_lost_one_ends_them(settings: Path) -> None:
    settings.write_text(f"{settings.read_text()}\n[test_numbers]\nenabled = true\npace = 0.02\n")
    async with daemon(settings) as (client, _):
        created = await client.create_verification(TEST_NUMBER, lifetime_s=3600)
        lost = await client.create_verification("+15005550107", lifetime_s=3600)
        _ = [step async for step in client.watch(lost.id)]
    refused, text = await keys(settings, "new")
    assert (refused, "voicegate key rotate" in text) == (6, True)
    assert (await keys(settings, "rotate"))[0] == 0
    async with daemon(settings) as (client, _):
        assert (await client.check(created.id, "123456")).status == "verified"
        kept = await client.create_verification("+15005550103", lifetime_s=3600)
        _ = [step async for step in client.watch(kept.id)]
    (settings.parent / "key").unlink()
    assert (await keys(settings, "list"))[0] == 6
    made, text = await keys(settings, "new")
    assert (made, "void" in text) == (0, True)
    async with daemon(settings) as (client, _):
        for verification in (lost, kept):
            assert (await client.verification(verification.id)).status == "canceled"
            answer = await client.check(verification.id, "123456")
            assert (answer.status, answer.reason) == ("denied", "canceled")
        assert {entry.action for entry in await client.audit(9)} >= {"verification.void"}
    assert "challenges canceled" in settings.with_suffix(".log").read_text()


async def test_a_key_file_that_others_can_read_is_refused(settings: Path) -> None:
    async with daemon(settings):
        pass
    os.chmod(settings.parent / "key", 0o644)  # noqa: PTH101
    code, error = await ended(settings)
    assert code == 6
    assert str(settings.parent / "key") in error


async def test_told_to_stop_it_refuses_new_calls_and_lets_those_in_progress_end(settings: Path) -> None:
    text = settings.read_text().replace("drain_timeout_s = 0", "drain_timeout_s = 120")
    settings.write_text(f"{text}ring_timeout_s = 6\n")
    async with daemon(settings) as (client, process):
        verification_id = await ringing(client, RINGS_FOR_EVER)
        process.send_signal(signal.SIGTERM)
        async with within(20):
            while await is_ready(client):
                await asyncio.sleep(0.05)
        with pytest.raises(ApiError) as refused:
            await client.create_verification(BUSY)
        assert (refused.value.status, refused.value.problem.name) == (503, "stopping")
        assert refused.value.problem.retry_after_s == 10
        assert (await client.verification(verification_id)).status == "delivering"
        assert await asyncio.to_thread(process.wait, at_most(60)) == 0
    with closing(sqlite3.connect(settings.parent / "voicegate.db")) as database:
        assert database.execute("SELECT state, outcome FROM calls").fetchall() == [("ended", "no_answer")]


async def test_a_second_signal_to_stop_ends_it_at_once(settings: Path) -> None:
    settings.write_text(settings.read_text().replace("drain_timeout_s = 0", "drain_timeout_s = 600"))
    async with daemon(settings) as (client, process):
        await ringing(client, RINGS_FOR_EVER)
        process.send_signal(signal.SIGTERM)
        async with within(20):
            while await is_ready(client):
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, at_most(15)) == -signal.SIGTERM
