"""`voicegate calls show`: what JSON tells of a call, the text tells too."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voicegate.cli.advice import ADVICE, look_first
from voicegate.cli.call_text import describe_call
from voicegate.client import Call, Evidence, Media, Quality, Step
from voicegate.domain.call_outcome import Outcome

BEGAN = datetime(2026, 5, 4, 12, tzinfo=UTC)


def step(seq: int, state: str, event: str, **more: Any) -> Step:
    return Step(seq=seq, at=BEGAN + timedelta(seconds=seq), state=state, event=event, **more)


def a_call(**but: Any) -> Call:
    values: dict[str, Any] = {
        "id": "call_one",
        "verification_id": "ver_one",
        "destination": "+1••••••••01",
        "state": "ended",
        "evidence": Evidence(
            strongest="human", answered=True, media=True, extension_sent=True, human=True, announced=2
        ),
        "trunk": "carrier-b",
        "caller_id": "+12025550100",
        "created_at": BEGAN,
        "outcome": "hung_up",
        "blame": "callee",
        "retry_safe": True,
        "hangup_cause": 31,
        "sip_status": 487,
        "gave_up": "time_cap",
        "is_test": True,
        "quality": Quality(
            sip_call_id="a1@pbx",
            codec="ulaw",
            packets_sent=611,
            packets_received=612,
            lost_sent=13,
            lost_received=14,
            jitter_sent_ms=1.5,
            jitter_received_ms=2.5,
            round_trip_ms=33.5,
            mos=4.25,
        ),
        "timeline": [
            step(0, "queued", "queued"),
            step(1, "awaiting_human", "key_pressed", digit="7"),
            step(2, "announcing", "media_counted", media=Media(received=501, sent=502, reports_back=True)),
            step(3, "ended", "ended", outcome="hung_up", forwarded_to="+1••••••••77", refused="too_soon"),
        ],
    }
    return Call(**(values | but))


FACTS = {
    *("call_one", "ver_one", "+1••••••••01", "carrier-b", "+12025550100", "test number"),
    *("hung_up", "blame callee", "another call at once is safe", "hangup cause 31", "SIP 487", "time_cap"),
    *("evidence human", "answered", "media came back", "extension sent", "a person pressed the key"),
    *("2 readings proven", "501 received, 502 sent", "RTCP received", "DTMF digits 7"),
    *("a1@pbx", "ulaw", "611 sent, 612 back", "lost 13", "lost 14", "1.5 ms", "2.5 ms", "33.5 ms", "4.25"),
    *("+1••••••••77", "too_soon", "look first at: the person hung up"),
}


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_all_that_json_has_is_told(fact: str) -> None:
    assert fact in "\n".join(describe_call(a_call()))


def test_where_nothing_is_known_nothing_is_made_up() -> None:
    text = "\n".join(
        describe_call(
            a_call(
                outcome="trunk_silent",
                evidence=Evidence(
                    strongest="none",
                    answered=False,
                    media=False,
                    extension_sent=False,
                    human=False,
                    announced=0,
                ),
                retry_safe=False,
                hangup_cause=0,
                sip_status=None,
                gave_up=None,
                quality=None,
                timeline=[],
                is_test=False,
            )
        )
    )
    for word in (
        "hangup cause",
        "SIP",
        "our reason",
        "readings",
        "line:",
        "redirected",
        "test number",
        "None",
    ):
        assert word not in text
    assert "not safe yet" in text
    assert "look first at: does the carrier answer" in text


def test_a_call_in_progress_has_no_end() -> None:
    text = "\n".join(describe_call(a_call(state="ringing", outcome=None, blame=None, retry_safe=None)))
    assert "look first" not in text
    assert "another call" not in text


def test_there_is_something_to_look_at_for_every_outcome_but_success() -> None:
    assert set(ADVICE) == set(Outcome) - {Outcome.DELIVERED}
    assert look_first("delivered") == ""
    assert look_first("one of a newer daemon") == ""
