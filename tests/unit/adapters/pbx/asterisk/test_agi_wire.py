"""FastAGI lines into replies, and values into commands: whatever they hold."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.adapters.pbx.asterisk.agi_wire import (
    MAX_LINE,
    HangupNotice,
    LineReader,
    Reply,
    ReplyReader,
    build_command,
    parse_header,
)
from voicegate.domain.errors import PbxProtocolError, UnsafeValue


def read(*lines: bytes) -> list[Reply | HangupNotice]:
    reader = ReplyReader()
    return [reply for line in lines if (reply := reader.feed(line)) is not None]


REPLIES = [
    (b"200 result=0 endpos=6920", Reply(200, 0, endpos=6920)),
    (b"200 result=55 endpos=16160", Reply(200, 55, endpos=16160)),
    (b"200 result=-1 endpos=16160", Reply(200, -1, endpos=16160)),
    (b"200 result=-1", Reply(200, -1)),
    (b"200 result=1", Reply(200, 1)),
    (b"200 result=1 (44|0|0.000000|16)", Reply(200, 1, value="44|0|0.000000|16")),
    (b"200 result=1 ()", Reply(200, 1, value="")),
    (b"200 result= (timeout)", Reply(200)),
    (b"510 Invalid or unknown command", Reply(510)),
    (b"511 Command Not Permitted on a dead channel or intercept routine", Reply(511)),
    (b"520 End of proper usage.", Reply(520)),
]


@pytest.mark.parametrize(("line", "reply"), REPLIES)
def test_a_reply_is_read_with_all_it_says(line: bytes, reply: Reply) -> None:
    assert read(line) == [reply]


def test_the_hangup_notice_is_no_reply() -> None:
    notice, reply = read(b"HANGUP", b"200 result=1")
    assert isinstance(notice, HangupNotice)
    assert reply == Reply(200, 1)


def test_a_variable_whose_value_is_hangup_is_a_value() -> None:
    assert read(b"200 result=1 (hangup)", b"200 result=0") == [Reply(200, 1, value="hangup"), Reply(200, 0)]


def test_a_variable_with_line_ends_is_one_reply() -> None:
    lines = (b"200 result=1 (one", b"HANGUP", b"200 result=0", b"two)", b"200 result=0")
    assert read(*lines) == [Reply(200, 1, value="one\nHANGUP\n200 result=0\ntwo"), Reply(200, 0)]


def test_a_variable_that_is_not_utf_8_is_still_a_value() -> None:
    assert read(b"200 result=1 (Zo\xeb)", b"200 result=0")[1] == Reply(200, 0)


def test_wrong_usage_of_many_lines_is_one_reply() -> None:
    usage = (b"520-Invalid command syntax.  Proper usage follows:", b"200 result=0", b"HANGUP")
    assert read(*usage, b"520 End of proper usage.", b"200 result=0") == [Reply(520), Reply(200, 0)]


def test_trying_is_not_yet_the_reply() -> None:
    assert read(b"100 result=0 Trying...", b"200 result=0") == [Reply(200, 0)]


def test_a_reply_that_never_ends_is_refused() -> None:
    with pytest.raises(PbxProtocolError):
        read(b"520-Usage", *[b"more"] * 1000)


@pytest.mark.parametrize("line", [b"", b"hello", b"200 hello", b"20"])
def test_what_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(PbxProtocolError):
        read(line)


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_any_lines_are_read_or_refused_but_never_anything_else(lines: list[bytes]) -> None:
    with contextlib.suppress(PbxProtocolError):
        read(*lines)


def test_lines_are_complete_however_they_arrive() -> None:
    lines = LineReader()
    assert [lines.feed(data) for data in (b"200 res", b"ult=1\nHANG", b"UP\n\n", b"x")] == [
        [],
        [b"200 result=1"],
        [b"HANGUP", b""],
        [],
    ]


@pytest.mark.parametrize("line", [b"x" * (MAX_LINE + 1), b"x" * (MAX_LINE + 1) + b"\n"])
def test_a_line_without_measure_is_refused(line: bytes) -> None:
    with pytest.raises(PbxProtocolError):
        LineReader().feed(line)


def test_a_commands_values_are_quoted() -> None:
    assert build_command("STREAM FILE", "/run/voice gate/x", "") == b'STREAM FILE "/run/voice gate/x" ""\n'


@pytest.mark.parametrize("bad", ['a"b', "a\nHANGUP", "a\rb", "a\0b", "a\\b", "x" * 3000])
def test_a_value_that_would_start_another_command_is_refused(bad: str) -> None:
    with pytest.raises(UnsafeValue):
        build_command("STREAM FILE", bad)


@given(st.text())
def test_what_passes_is_one_line_with_two_quotes(value: str) -> None:
    try:
        line = build_command("STREAM FILE", value)
    except UnsafeValue:
        return
    assert line.count(b"\n") == 1
    assert line.count(b'"') == 2


def test_a_head_line_is_split_at_its_first_colon() -> None:
    assert parse_header(b"agi_request: agi://127.0.0.1:4573/call\n") == (
        "agi_request",
        "agi://127.0.0.1:4573/call",
    )
    assert parse_header(b"agi_callerid: Zo\xeb\n") == ("agi_callerid", "Zo�")
    assert parse_header(b"agi_dnid:\n") == ("agi_dnid", "")
    assert parse_header(b"noise\n") is None
