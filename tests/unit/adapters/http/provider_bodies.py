"""What identity providers really send, field by field, and how they sign and repeat it.

Kratos: courier/http_channel.go through the jsonnet of its example. Auth0: the event of custom-phone-provider.
authentik: stages/authenticator_sms/models.py. privacyIDEA: HttpSMSProvider.py. Keycloak: ApiSmsService.java
of netzbegruenung/keycloak-mfa-plugins. Logto: connector-http-sms. Supabase: hookshttp.go and the User model.
ZITADEL: its documents' HTTP provider payload and pkg/actions/signing.go.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import standardwebhooks

NUMBER: Final = "+12025550101"
CODE: Final = "110471"

WEBHOOK_SECRET: Final = "v1,whsec_dm9pY2VnYXRlLXRlc3Qtc2VjcmV0LTAwMDAwMA=="
ZITADEL_KEY: Final = "a-signing-key"

Signed = Callable[[bytes, datetime], dict[str, str]]


def kratos(template: str, **data: object) -> dict[str, Any]:
    return {"recipient": NUMBER, "template_type": template, "template_data": data, "language": "en"}


def auth0(**notification: object) -> dict[str, Any]:
    base = {"recipient": NUMBER, "code": CODE, "locale": "en", "delivery_method": "voice"}
    return base | {"message_type": "otp_verify"} | notification


def supabase(number: str = "12025550101", otp: str = CODE) -> dict[str, Any]:
    user = {
        "id": "6481a5c1-3d37-4a56-9f6a-bee08c554965",
        "aud": "authenticated",
        "role": "authenticated",
        "email": "",
        "phone": number,
        "phone_confirmed_at": "2024-05-13T11:52:48.157306Z",
        "app_metadata": {"provider": "phone", "providers": ["phone"]},
        "user_metadata": {},
        "identities": [],
        "created_at": "2024-05-13T11:45:33.7738Z",
        "is_anonymous": False,
    }
    metadata = {"uuid": str(uuid.uuid4()), "time": "2026-01-01T00:00:00Z", "name": "send-sms"}
    return {"metadata": metadata, "user": user, "sms": {"otp": otp}}


def zitadel(event: str = "session.otp.sms.challenged", **codes: str) -> dict[str, Any]:
    return {
        "contextInfo": {
            "eventType": event,
            "provider": {"id": "285181292935381355", "description": "voicegate"},
            "recipientPhoneNumber": NUMBER,
        },
        "templateData": {
            "title": "Zitadel - Verify OTP",
            "text": f"{CODE} is your one-time password for example.com. Use it within the next 5m0s.",
        },
        "args": {
            "changeDate": "2024-09-16T10:58:50.73237+02:00",
            "lastPhone": NUMBER,
            "verifiedPhone": NUMBER,
            "expiry": 300000000000,
            **codes,
        },
    }


def keycloak(text: str, to: str) -> dict[str, str]:
    return {"text": text, "to": to, "from": "Keycloak"}


JSON: Final[dict[str, list[dict[str, Any]]]] = {
    "auth0": [auth0(), auth0(message_type="otp_enroll"), auth0(delivery_method="Voice")],
    "authentik": [{"From": "+1", "To": NUMBER, "Body": CODE, "Message": f"Use this code: {CODE}"}],
    "kratos": [
        kratos("login_code_valid", login_code=CODE),
        kratos("registration_code_valid", registration_code=CODE),
        kratos("verification_code_valid", verification_code=CODE),
        kratos("recovery_code_valid", verification_code=CODE),
        kratos("recovery_code_valid", recovery_code=CODE),
    ],
    "logto": [
        {"to": "12025550101", "type": "SignIn", "payload": {"code": CODE, "locale": "en"}, "ip": "::1"}
    ],
    "supabase": [
        supabase(),
        supabase("+12025550101"),
        supabase("442") | {"sms": {"otp": CODE, "phone": NUMBER}},
    ],
    "zitadel": [
        zitadel(oTP=CODE),
        zitadel("user.human.phone.code.added", code=CODE),
        zitadel(code=CODE, oTP=CODE),
    ],
}
FORMS: Final[dict[str, list[dict[str, str]]]] = {
    "keycloak": [
        keycloak(CODE, "+12025550101"),
        keycloak(f"Your SMS code is {CODE} and is valid for 5 minutes.", "2025550101"),
        keycloak(f"Your SMS code is {CODE} and is valid for 5 minutes.", "(202) 555-0101"),
    ],
    "privacyidea": [
        {"phone": NUMBER, "text": CODE},
        {"phone": NUMBER, "text": f"Your OTP is {CODE}"},
    ],
}
MESSAGES: Final = [(name, body) for name, bodies in (JSON | FORMS).items() for body in bodies]
"""Messages whose code is to be spoken."""

NOT_SPOKEN: Final[list[tuple[str, dict[str, Any]]]] = [
    ("kratos", kratos("verifiable_address_changed", changed_at="2026-01-01")),
    ("kratos", kratos("authenticator_key_added", added_at="2026-01-01")),
    ("auth0", auth0(delivery_method="text")),
    ("auth0", auth0(delivery_method="")),
    ("auth0", {k: v for k, v in auth0(message_type="blocked_account").items() if k != "code"}),
    ("auth0", auth0(message_type="password_breach", code=None)),
    ("privacyidea", {"phone": NUMBER, "text": "Your account was locked."}),
]
"""Messages that ask for no call."""

UNCLEAR: Final[list[tuple[str, dict[str, Any]]]] = [
    ("privacyidea", {"phone": NUMBER, "text": "2026-11-28 15:20:01 Your OTP is 123456"}),
    ("privacyidea", {"phone": NUMBER, "text": "Acme 365000: your code is 123456"}),
    ("keycloak", keycloak("Acme 365000: your code is 123456", NUMBER)),
    ("kratos", kratos("login_code_valid", login_code="123456", registration_code="654321")),
    ("zitadel", zitadel(code="123456", oTP="654321")),
]
"""Messages with more than one number that could be the code."""


def encoded(name: str, body: dict[str, Any]) -> tuple[bytes, str]:
    """Return a body as its provider writes it, and its type."""
    if name in FORMS:
        return urlencode(body).encode(), "application/x-www-form-urlencoded"
    return json.dumps(body).encode(), "application/json"


def sign_as_supabase(body: bytes, now: datetime) -> dict[str, str]:
    """As Supabase does, with another id each time; the scheme's own package signs."""
    webhook = standardwebhooks.Webhook(WEBHOOK_SECRET.removeprefix("v1,"))
    message_id = str(uuid.uuid4())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(message_id, now, body.decode()),
    }


def sign_as_zitadel(body: bytes, now: datetime) -> dict[str, str]:
    """As ZITADEL does."""
    time = str(int(now.timestamp()))
    digest = hmac.new(ZITADEL_KEY.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"ZITADEL-Signature": f"t={time},v1={digest}"}


SIGNED: Final[dict[str, Signed]] = {"supabase": sign_as_supabase, "zitadel": sign_as_zitadel}
SECRETS: Final = {"supabase": WEBHOOK_SECRET, "zitadel": ZITADEL_KEY}
