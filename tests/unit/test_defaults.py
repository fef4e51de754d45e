"""What has a default in the settings and one of its own in the code, for tests and short calls, has one."""

from dataclasses import replace

import pytest

from voicegate.adapters.http.connections import ConnectionLimits
from voicegate.adapters.http.twilio.verifications import TwilioService
from voicegate.adapters.http.waiting import WaitingLimits
from voicegate.adapters.storage.store import Waits
from voicegate.adapters.storage.upgrading import UpgradeRules
from voicegate.application.challenges import Defaults
from voicegate.application.conversation import CallTimings
from voicegate.application.queueing import CallLimits
from voicegate.application.reports import ReportRules
from voicegate.application.retention import Retention
from voicegate.bootstrap import rules, waits
from voicegate.bootstrap.database import retention, upgrade_rules
from voicegate.bootstrap.doors import connection_limits, twilio_services, waiting_limits
from voicegate.bootstrap.routing import routes
from voicegate.config import parse
from voicegate.domain.policy import CallPolicy, PrefixRules
from voicegate.domain.routing import CallerId, InternalRoute, Trunk

SETTINGS = parse({})
CALLER_ID = {"number": "+12025550100"}
PEERS = parse(
    {
        "pbx": {"main": {"kind": "simulator"}},
        "trunks": {"carrier": {"pbx": "main", "endpoint": "carrier", "caller_ids": [CALLER_ID]}},
        "internal": {
            "desks": {"pbx": "main", "pattern": "4[0-9]", "endpoint": "{extension}", "caller_id": CALLER_ID}
        },
        "twilio": {"bank": {"sid": "VA00000000000000000000000000000001"}},
    }
)


@pytest.mark.parametrize(
    ("configured", "own"),
    [
        # The list of denied prefixes is data of its own.
        (replace(rules(SETTINGS).policy, prefixes=PrefixRules()), CallPolicy()),
        (rules(SETTINGS).defaults, Defaults()),
        (rules(SETTINGS).timings, CallTimings()),
        (rules(SETTINGS).reports, ReportRules()),
        (rules(SETTINGS).limits, CallLimits()),
        (retention(SETTINGS), Retention()),
        (upgrade_rules(SETTINGS), UpgradeRules()),
        (waits(SETTINGS), Waits()),
        (connection_limits(SETTINGS), ConnectionLimits()),
        (waiting_limits(SETTINGS), WaitingLimits()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_default_that_stands_twice_is_the_same_twice(configured: object, own: object) -> None:
    assert configured == own


def test_a_trunks_defaults_are_the_settings_own() -> None:
    shown = (CallerId("+12025550100"),)
    found = routes(PEERS)
    assert list(found.trunks) == [Trunk("carrier", "main", "carrier", shown)]
    (internal,) = found.internal
    assert internal == InternalRoute("desks", internal.pattern, Trunk("desks", "main", "{extension}", shown))


def test_a_twilio_services_defaults_are_the_settings_own() -> None:
    (service,) = twilio_services(PEERS).values()
    assert service == replace(TwilioService(service.sid), language=service.language)
