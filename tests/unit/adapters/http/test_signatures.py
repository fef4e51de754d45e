"""Signed messages: Standard Webhooks and ZITADEL's own, as senders really write them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.adapters.http.provider_bodies import (
    WEBHOOK_SECRET,
    ZITADEL_KEY,
    sign_as_supabase,
    sign_as_zitadel,
)
from voicegate.adapters.http.signatures import Scheme, Signature

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BODY = '{"sms": {"otp": "123456"}, "name": "Zoë"}'.encode()
WEBHOOK = Signature.of(Scheme.STANDARD_WEBHOOKS, WEBHOOK_SECRET)
ZITADEL = Signature.of(Scheme.ZITADEL, ZITADEL_KEY)


def test_the_documents_own_example_is_good() -> None:
    # From the specification's repository.
    signature = Signature.of(Scheme.STANDARD_WEBHOOKS, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    assert signature.is_good(body, headers, datetime.fromtimestamp(1614265330, UTC))


def test_several_signatures_are_read_however_they_are_apart() -> None:
    good = sign_as_supabase(BODY, NOW)
    for between in (" ", ", ", ","):
        other = "v1," + "A" * 43 + "="
        for both in (
            f"{other}{between}{good['webhook-signature']}",
            f"{good['webhook-signature']}{between}{other}",
        ):
            assert WEBHOOK.is_good(BODY, good | {"webhook-signature": both}, NOW)


@pytest.mark.parametrize("between", ["|", "\n", " ", "\r\n"])
def test_each_of_several_secrets_is_good(between: str) -> None:
    both = Signature.of(Scheme.STANDARD_WEBHOOKS, f"v1,whsec_bmV3{between}{WEBHOOK_SECRET}")
    assert both.is_good(BODY, sign_as_supabase(BODY, NOW), NOW)
    both = Signature.of(Scheme.ZITADEL, f"new{between}{ZITADEL_KEY}")
    assert both.is_good(BODY, sign_as_zitadel(BODY, NOW), NOW)


@pytest.mark.parametrize(
    "header",
    ["", "v1", "v1,", "v1,A", "v1,v1,v1", "v2," + "A" * 43 + "=", "a=b,c", "t=,v1=", "t=9,v1=zz",
     "t=" + "9" * 12, "t=1,t=2,v1=" + "0" * 64, "\u0661" * 8],
)  # fmt: skip
def test_a_header_of_anything_is_wrong_and_no_fault_of_ours(header: str) -> None:
    assert not ZITADEL.is_good(BODY, {"ZITADEL-Signature": header}, NOW)
    for name in ("webhook-signature", "webhook-timestamp", "webhook-id"):
        assert not WEBHOOK.is_good(BODY, sign_as_supabase(BODY, NOW) | {name: header}, NOW)


def test_five_minutes_are_borne_on_either_side() -> None:
    for by, is_good in ((-301, False), (-300, True), (300, True), (301, False)):
        now = NOW + timedelta(seconds=by)
        assert WEBHOOK.is_good(BODY, sign_as_supabase(BODY, NOW), now) is is_good
        assert ZITADEL.is_good(BODY, sign_as_zitadel(BODY, NOW), now) is is_good


def test_a_secret_shows_itself_nowhere() -> None:
    assert ZITADEL_KEY not in repr(ZITADEL)
