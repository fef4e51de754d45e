"""Which far ends hear nothing of us, as their SDP has it."""

import pytest

from voicegate.adapters.pbx.freeswitch.sdp import is_on_hold

SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("sdp", "is_held"),
    [
        ("", False),
        (SESSION + AUDIO, False),
        (f"{SESSION}{AUDIO}a=sendrecv\r\n", False),
        (f"{SESSION}{AUDIO}a=recvonly\r\n", False),
        (f"{SESSION}{AUDIO}a=sendonly\r\n", True),
        (f"{SESSION}{AUDIO}a=inactive\r\n", True),
        (f"{SESSION}{AUDIO}a=inactive\n".replace("\r", ""), True),
        (f"{SESSION}a=sendonly\r\n{AUDIO}", True),
        (f"{SESSION}a=inactive\r\n{AUDIO}a=sendrecv\r\n", False),
        (SESSION.replace("192.0.2.1\r\nt", "0.0.0.0\r\nt") + AUDIO, True),
        (f"{SESSION}{AUDIO}c=IN IP4 0.0.0.0\r\n", True),
        (SESSION.replace("192.0.2.1\r\nt", "0.0.0.0\r\nt") + f"{AUDIO}c=IN IP4 192.0.2.1\r\n", False),
        # Another stream's is no matter of the audio.
        (f"{SESSION}{AUDIO}m=video 0 RTP/AVP 99\r\na=inactive\r\n", False),
        (f"{SESSION}m=video 0 RTP/AVP 99\r\na=inactive\r\n{AUDIO}", False),
    ],
)
def test_who_holds_us_from_the_answer_on(sdp: str, is_held: bool) -> None:
    assert is_on_hold(sdp) is is_held
