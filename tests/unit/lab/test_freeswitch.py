"""One FreeSWITCH's folder and command, and how its console is asked; whether one runs, `tests/pbx` shows."""

import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voicegate.lab.errors import LabError
from voicegate.lab.freeswitch import VARIABLE, FreeSwitchInstance, find_freeswitch
from voicegate.lab.processes import Daemon


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def instance(tmp_path: Path, door: socket.socket) -> FreeSwitchInstance:
    port = door.getsockname()[1]
    return FreeSwitchInstance(
        Daemon("pbx", tmp_path / "run"), tmp_path / "home", tmp_path / "pid", port, "s3cret"
    )


def serve(door: socket.socket, *answers: bytes) -> list[bytes]:
    """Send an answer at the start and one for each frame; return the frames."""
    connection, _ = door.accept()
    heard = []
    with connection, connection.makefile("rb") as frames:
        for answer in answers:
            connection.sendall(answer)
            heard.append(frames.readline() + frames.readline())
    return heard


def test_without_the_variable_there_is_no_freeswitch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(LabError, match=f"There is no FreeSWITCH: set {VARIABLE}"):
        find_freeswitch()


def test_a_variable_that_names_nothing_to_run_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "freeswitch"))
    with pytest.raises(LabError, match=f"{VARIABLE} names {tmp_path}/freeswitch, which cannot be run"):
        find_freeswitch()


def test_a_program_named_by_a_link_is_found_beside_its_modules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin/freeswitch"
    program.parent.mkdir()
    program.touch(mode=0o700)
    (tmp_path / "link").symlink_to(program)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "link"))
    assert find_freeswitch() == program


def test_its_folders_exist_and_its_files_are_its_owners_only(instance: FreeSwitchInstance) -> None:
    instance.write({"freeswitch.xml": "a"})
    instance.write({"freeswitch.xml": "b"})
    file = instance.home / "etc/freeswitch.xml"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("b", 0o600)
    assert {"etc", "log", "db", "storage"} <= {folder.name for folder in instance.home.iterdir()}
    assert instance.run.is_dir()


def test_it_is_told_all_of_its_folders(
    instance: FreeSwitchInstance, door: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    door.close()
    program = tmp_path / "bin/freeswitch"
    program.parent.mkdir()
    # Prints each argument on a line of its own.
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o700)
    monkeypatch.setenv(VARIABLE, str(program))
    instance.start()
    with pytest.raises(LabError, match="pbx does not boot"):
        instance.wait_ready()
    said = instance.daemon.log.read_text().split()
    told = dict(zip(said[4::2], said[5::2], strict=True))
    assert said[:4] == ["-nc", "-nf", "-np", "-nonat"]
    assert told["-conf"] == str(instance.home / "etc")
    assert told["-mod"] == str(tmp_path / "lib/freeswitch/mod")
    assert {"-log", "-db", "-run"} <= told.keys()


def test_a_command_is_asked_after_the_password_and_its_answer_returned(
    instance: FreeSwitchInstance, door: socket.socket
) -> None:
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(
            serve,
            door,
            b"Content-Type: auth/request\n\n",
            b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n",
            b"Content-Type: api/response\nContent-Length: 10\n\n\n0 total.\n",
        )
        assert instance.command("show channels count") == "\n0 total.\n"
        assert served.result() == [b"auth s3cret\n\n", b"api show channels count\n\n", b""]


def test_one_that_does_not_run_says_so(instance: FreeSwitchInstance, door: socket.socket) -> None:
    door.close()
    with pytest.raises(LabError, match="pbx cannot be asked"):
        instance.command("status")
