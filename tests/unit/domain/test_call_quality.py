"""The mean opinion score by the E-model, and which of two directions it is of."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegate.domain.call_quality import CallQuality, score

NO_DELAY = timedelta()
SHARES = st.floats(0, 1)
DELAYS = st.integers(0, 5000).map(lambda ms: timedelta(milliseconds=ms))
CODECS = st.sampled_from(["ulaw", "PCMU", "alaw", "g722", "G729", "opus", ""])


@pytest.mark.parametrize(
    ("lost", "delay_ms", "codec", "mos"),
    [
        # R 93.2 is 4.41 (G.107, table B.1: 90 is 4.34).
        (0.0, 0, "ulaw", 4.41),
        # R 93.2 - 0.024 * 150 = 89.6.
        (0.0, 150, "ulaw", 4.33),
        # R 93.2 - 9.6 - 0.11 * 222.7 = 59.1.
        (0.0, 400, "ulaw", 3.05),
        # R 93.2 - 95 * 1 / 5.3 = 75.28.
        (0.01, 0, "PCMA", 3.84),
        # R 93.2 - 11 = 82.2.
        (0.0, 0, "G729", 4.11),
        (1.0, 0, "ulaw", 1.0),
    ],
)
def test_the_score_is_the_e_models(lost: float, delay_ms: int, codec: str, mos: float) -> None:
    assert score(lost=lost, delay=timedelta(milliseconds=delay_ms), codec=codec) == pytest.approx(
        mos, abs=0.011
    )


@given(SHARES, SHARES, DELAYS, DELAYS, CODECS)
def test_more_loss_and_more_delay_are_never_better(
    less: float, more: float, short: timedelta, long: timedelta, codec: str
) -> None:
    less, more = sorted((less, more))
    short, long = sorted((short, long))
    better, worse = score(lost=less, delay=short, codec=codec), score(lost=more, delay=long, codec=codec)
    assert 1 <= worse <= better <= 4.5


def test_what_the_person_heard_counts_where_the_far_end_reports() -> None:
    back = CallQuality(packets_sent=500, packets_received=400, lost_received=100)
    assert back.mos is not None
    assert back.mos < 2
    there = CallQuality(packets_sent=500, lost_sent=0, packets_received=400, lost_received=100)
    assert there.mos is not None
    assert there.mos > 4


@pytest.mark.parametrize(
    "quality",
    [
        CallQuality(),
        CallQuality(sip_call_id="a", codec="ulaw", packets_sent=500),
        CallQuality(packets_sent=0, lost_sent=0),
        CallQuality(packets_received=0, lost_received=0),
    ],
)
def test_where_nothing_was_counted_there_is_no_score(quality: CallQuality) -> None:
    assert quality.mos is None


def test_an_impossible_report_is_a_bad_line_and_no_error() -> None:
    assert CallQuality(packets_sent=5, lost_sent=900, jitter_sent=timedelta(seconds=5)).mos == 1.0
