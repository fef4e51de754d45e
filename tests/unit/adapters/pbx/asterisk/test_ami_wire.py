"""AMI bytes into messages and facts: whatever the chunks, whatever the bytes."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panoramisk.message import Message

from voicegate.adapters.pbx.asterisk.ami_events import (
    ChannelEnded,
    ChannelState,
    DialChanged,
    HangupRequested,
    HoldChanged,
    Originated,
    StateChanged,
    read_event,
)
from voicegate.adapters.pbx.asterisk.ami_wire import MAX_MESSAGE, Framer, check_fields
from voicegate.domain.errors import PbxProtocolError, UnsafeValue

GREETING = b"Asterisk Call Manager/11.0.0\r\n"


def read(*chunks: bytes) -> list[Message]:
    framer = Framer()
    return [message for chunk in (GREETING, *chunks) for message in framer.feed(chunk)]


def block(**headers: str) -> bytes:
    return ("\r\n".join(f"{key}: {value}" for key, value in headers.items()) + "\r\n\r\n").encode()


@given(
    names=st.lists(st.text("ab é€😀:;,= ", min_size=1, max_size=12), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_messages_are_the_same_however_the_bytes_are_chunked(names: list[str], cuts: list[int]) -> None:
    stream = b"".join(block(Event="Newstate", CallerIDName=f"x{name}x") for name in names)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    messages = read(*(stream[start:end] for start, end in itertools.pairwise(edges)))
    assert [message["CallerIDName"] for message in messages] == [f"x{name}x" for name in names]


def test_8_a_character_split_over_two_chunks_is_not_lost() -> None:
    head, tail = block(Event="Newstate", CallerIDName="Zoë").split(b"\xab")
    assert read(head, b"\xab" + tail)[0]["CallerIDName"] == "Zoë"


def test_8_an_empty_header_at_a_messages_end_does_not_vanish() -> None:
    assert "ConnectedLineName" in read(b"Event: Newstate\r\nConnectedLineName: \r\n\r\n")[0]
    assert "ConnectedLineName" in read(b"Event: Newstate\r\nConnectedLineName:\r\n\r\n")[0]


def test_a_callers_name_in_another_encoding_spoils_only_itself() -> None:
    messages = read(b"Event: Newstate\r\nCallerIDName: Zo\xeb\r\nUniqueid: call_1\r\n\r\n")
    assert messages[0]["Uniqueid"] == "call_1"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_but_never_anything_else(noise: bytes) -> None:
    for prefix in (b"", GREETING):
        framer = Framer()
        with contextlib.suppress(PbxProtocolError):
            list(framer.feed(prefix + noise))


def test_a_peer_that_is_no_asterisk_is_refused_at_its_first_bytes() -> None:
    with pytest.raises(PbxProtocolError, match="greet"):
        list(Framer().feed(b"SSH-2.0-OpenSSH_9.2p1\r\n"))


def test_a_message_that_never_ends_is_refused_at_its_limit() -> None:
    with pytest.raises(PbxProtocolError, match="end"):
        read(*[b"x" * 1000] * (MAX_MESSAGE // 1000 + 1))


def test_a_greeting_that_never_ends_is_refused_too() -> None:
    with pytest.raises(PbxProtocolError):
        list(Framer().feed(b"Asterisk Call Manager/" + b"1" * (MAX_MESSAGE + 1)))


def test_a_block_that_is_neither_event_nor_response_is_refused() -> None:
    with pytest.raises(PbxProtocolError, match="neither"):
        read(b"\x00\x01\x02garbage\r\n\r\n")


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nAction: Originate", "a\0b", "a\udc80b"])
def test_a_value_that_would_start_another_action_is_refused(bad: str) -> None:
    for fields in ({"Channel": bad}, {bad: "x"}, {"Variable": ("A=1", bad)}):
        with pytest.raises(UnsafeValue):
            check_fields(fields)


@given(st.text())
def test_what_passes_the_check_is_one_line(value: str) -> None:
    try:
        check_fields({"Channel": value})
    except UnsafeValue:
        return
    assert len(f"Channel: {value}\r\n".encode().split(b"\r\n")) == 2
    assert not {"\r", "\n", "\0"} & set(value)


CHANNEL = {"Uniqueid": "call_1"}
READ = [
    (
        {"Event": "OriginateResponse", "ActionID": "a", "Response": "Failure", "Reason": "3", **CHANNEL},
        Originated("call_1", "a", is_answered=False, reason=3),
    ),
    ({"Event": "Newstate", "ChannelState": "5", **CHANNEL}, StateChanged("call_1", ChannelState.RINGING)),
    ({"Event": "Newstate", "ChannelState": "4", **CHANNEL}, StateChanged("call_1", ChannelState.OTHER)),
    ({"Event": "Newstate", "ChannelState": "", **CHANNEL}, StateChanged("call_1", ChannelState.OTHER)),
    ({"Event": "DialBegin", "DestUniqueid": "call_1"}, DialChanged("call_1", "")),
    (
        {"Event": "DialState", "DestUniqueid": "call_1", "DialStatus": "PROGRESS"},
        DialChanged("call_1", "PROGRESS"),
    ),
    (
        {"Event": "DialEnd", "DestUniqueid": "call_1", "DialStatus": "CANCEL", "Forward": "+49900"},
        DialChanged("call_1", "CANCEL", "+49900"),
    ),
    (
        {"Event": "HangupRequest", "Cause": "17", "TechCause": "486", **CHANNEL},
        HangupRequested("call_1", 17, 486),
    ),
    ({"Event": "Hangup", "Cause": "16", **CHANNEL}, ChannelEnded("call_1", 16, None)),
    ({"Event": "Hangup", "Cause": "-1", "TechCause": "many", **CHANNEL}, ChannelEnded("call_1", None, None)),
    ({"Event": "Hold", **CHANNEL}, HoldChanged("call_1", is_held=True)),
    ({"Event": "Unhold", **CHANNEL}, HoldChanged("call_1", is_held=False)),
    ({"Event": "VarSet", **CHANNEL}, None),
    ({"Response": "Success"}, None),
]


@pytest.mark.parametrize(("headers", "fact"), READ)
def test_an_event_is_read_as_a_typed_fact(headers: dict[str, str], fact: object) -> None:
    assert read_event(read(block(**headers))[0]) == fact


def test_8_a_header_that_is_missing_is_no_number_and_no_other_channels_name() -> None:
    assert read_event(Message({"Event": "Hangup"})) == ChannelEnded("", None, None)
