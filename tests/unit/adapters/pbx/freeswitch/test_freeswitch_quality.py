"""What FreeSWITCH tells of a call's line: by the event of its end, and by the far end's last report."""

from datetime import timedelta

import pytest

from tests.unit.adapters.pbx.freeswitch.peers import an_order, connected, next_signal
from tests.wire.switch import Switch
from voicegate.domain.call import Answered, Rang
from voicegate.domain.call_outcome import Hangup
from voicegate.domain.call_quality import CallQuality

REPORT = {"Source0-Lost": "3", "Source0-Jitter": "16", "Rtt0-Avg": "0.025000"}
REPORTED = CallQuality(
    lost_sent=3, jitter_sent=timedelta(milliseconds=2), round_trip=timedelta(milliseconds=25)
)


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ([], CallQuality()),
        ([{}], CallQuality()),
        ([{"Source0-Lost": "x", "Source0-Jitter": "nan", "Rtt0-Avg": "-1"}], CallQuality()),
        ([{"Source0-Lost": "1", "Source0-Jitter": "8"}, REPORT], REPORTED),
    ],
)
async def test_the_end_tells_the_line_and_the_last_report_its_losses(
    reports: list[dict[str, str]], told: CallQuality
) -> None:
    order = an_order("02")
    async with Switch().serving() as switch, connected(switch) as pbx, pbx.originate(order) as leg:
        signals = leg.signals()
        assert [await next_signal(signals), await next_signal(signals)] == [Rang(), Answered()]
        for report in reports:
            switch.event("RECV_RTCP_MESSAGE", {"Unique-ID": order.call_id, **report})
        channel = switch.channels[order.call_id]
        channel.sent, channel.received = 300, 290
        await leg.hang_up()
        assert await next_signal(signals) == Hangup(cause=16)
        quality = leg.quality
    assert (quality.sip_call_id, quality.codec) == (f"{order.call_id}@switch", "PCMU")
    assert (quality.packets_sent, quality.packets_received) == (300, 290)
    assert (quality.lost_sent, quality.jitter_sent, quality.round_trip) == (
        told.lost_sent,
        told.jitter_sent,
        told.round_trip,
    )
