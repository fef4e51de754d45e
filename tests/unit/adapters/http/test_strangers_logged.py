"""Every door logs who could not be authenticated as one event, whatever its own answer is."""

import base64
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import serving
from tests.unit.application.conftest import Bench
from voicegate import config
from voicegate.application.reloading import NotReloaded
from voicegate.bootstrap.doors import doors, providers
from voicegate.domain.client import Scope

HERE: Final = "127.0.0.1"
SERVICE: Final = "VA0123456789abcdef0123456789abcdef"
BASIC: Final = "Basic " + base64.b64encode(b"AC00:wrong").decode()
SECRET: Final = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def settings(folder: Path) -> config.Settings:
    (folder / "secret").write_text(SECRET)
    signed = {"signature": "standard_webhooks", "signature_secret_file": str(folder / "secret")}
    return config.parse(
        {
            "twilio": {"main": {"sid": SERVICE}},
            "providers": {
                "plain": {"number": "to", "code": "code"},
                "signed": {"number": "to", "code": "code", "client": "backend", **signed},
            },
        }
    )


@pytest.mark.parametrize(
    ("path", "credentials", "why"),
    [
        ("/v1/verifications", "Bearer vgk_x_y", "key_wrong"),
        ("/v1/verifications", None, "key_missing"),
        ("/api/v1/users/alice/factors", "SSWS wrong", "key_wrong"),
        ("/api/v1/users/alice/factors", None, "key_missing"),
        (f"/v2/Services/{SERVICE}/Verifications", BASIC, "key_wrong"),
        (f"/v2/Services/{SERVICE}/Verifications", None, "key_missing"),
        ("/hooks/okta/telephony", "wrong", "key_wrong"),
        ("/hooks/okta/telephony", None, "key_missing"),
        ("/hooks/providers/plain", "Bearer wrong", "key_wrong"),
        ("/hooks/providers/signed", None, "signature_wrong"),
    ],
)
async def test_who_has_no_valid_credentials_is_logged_with_the_address(
    bench: Bench, tmp_path: Path, path: str, credentials: str | None, why: str
) -> None:
    async def never() -> Any:
        return NotReloaded("no")

    made = settings(tmp_path)
    all_doors = doors(bench.app, made, mapped=providers(made), reload=never)
    headers = {} if credentials is None else {"Authorization": credentials}
    if path.endswith("signed"):
        headers = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    async with serving(bench, tmp_path, doors=all_doors[:-1]) as served:
        await served.key(Scope.HOOKS, name="backend")
        with capture_logs() as logs:
            refused = await served.remote.post(path, headers=headers, json={"to": "+12025550101"})
    assert refused.status_code == 401
    told = [(one["address"], one["why"]) for one in logs if one["event"] == "authentication failed"]
    assert told == [(HERE, why)]
    assert "wrong" not in repr(told).replace(why, "")
