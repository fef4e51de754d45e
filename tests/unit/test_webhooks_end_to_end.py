"""A daemon as its settings say: its webhook's receiver is told of a call, and its receipts are proven."""

import asyncio
import json
from pathlib import Path

from standardwebhooks import Webhook as Verifier

from tests.unit.adapters.test_webhook_sender import backend, new_secret
from voicegate import config
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import running
from voicegate.bootstrap.receipts import find_receipt_keys, stored_chain
from voicegate.domain.client import Principal, Scope
from voicegate.domain.phone_number import Destination
from voicegate.domain.receipt import verify_chain
from voicegate.lab.deadlines import within

OPTS_OUT = "+15005550114"
"""The test number that presses 9, and 0 twice."""


async def test_calls_are_told_and_have_receipts(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(new_secret())
    async with backend() as made:
        settings = config.parse(
            {
                "storage": {
                    "database": f"{tmp_path}/voicegate.db",
                    "key_file": f"{tmp_path}/key",
                    "state_folder": str(tmp_path),
                },
                "audio": {"folder": f"{tmp_path}/audio"},
                "policy": {"allowed_countries": ["US"]},
                "pbx": {"main": {"kind": "simulator"}},
                "trunks": {
                    "carrier": {
                        "pbx": "main",
                        "endpoint": "carrier",
                        "caller_ids": [{"number": "+12025550100"}],
                    }
                },
                "test_numbers": {"enabled": True, "pace": 0.02},
                "receipts": {"enabled": True},
                "webhook_delivery": {"http_on_loopback": True},
                "webhooks": {
                    "web": {
                        "url": f"http://127.0.0.1:{made.port}/",
                        "secret_file": str(secret),
                        "events": ["call.ended", "call.reported", "call.opted_out"],
                    }
                },
            }
        )
        async with running(settings) as app:
            principal = Principal("web", frozenset({Scope.VERIFICATIONS}), "req_1")
            for number in ("+12025550103", OPTS_OUT):
                spec = ChallengeSpec(Destination.parse(number))
                assert isinstance(await app.sign_in.issue(IssueRequest(principal, spec)), Issued)
            async with within(60):
                while len(made.taken) < 4:
                    await asyncio.sleep(0.02)
    told = []
    for headers, body in made.taken:
        told.append(Verifier(secret.read_text()).verify(body, headers))
        assert json.loads(body) == told[-1]
    ends = [(one["type"], one["data"].get("outcome")) for one in told]
    assert sorted(map(str, ends)) == [
        "('call.ended', 'busy')",
        "('call.ended', 'reported')",
        "('call.opted_out', None)",
        "('call.reported', None)",
    ]
    keys = find_receipt_keys(settings)
    with stored_chain(settings, keys.chain) as chain:
        found = verify_chain(chain.checkpoint, chain.receipts, chain=keys.chain, proves=keys.proves)
    assert (found.receipts, found.fault) == (1, None)
