"""Asterisk signs for the caller ID as `dialplan/asterisk/stir_shaken.conf` says; the carrier proves it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.pbx.daemons import daemon
from tests.pbx.far_end import Habit, far_end
from voicegate.config import project_folder
from voicegate.lab.odd_telephones import header_of
from voicegate.lab.world import Lab

EXAMPLE: Final = project_folder("dialplan") / "asterisk/stir_shaken.conf"
KEY_FILE: Final = "/etc/asterisk/keys/stir_shaken/caller.pem"
CERTIFICATE: Final = "https://pbx.example/caller-certificate.pem"
MODULES: Final = ("res_curl", "res_stir_shaken", "res_pjsip_stir_shaken")
ENDPOINT: Final = """
[signs](odd)
aors = stranger-aor
stir_shaken_profile = voicegate
"""
BUSY: Final = Habit(ringing=(), final="486 Busy Here")
CALLED: Final = "+12025550101"


@asynccontextmanager
async def signing(lab: Lab, key: ec.EllipticCurvePrivateKey) -> AsyncIterator[None]:
    """Have the lab's Asterisk sign with a key, on the trunk `signs`."""
    etc = next(lab.settings.folder.rglob("odd-trunks.conf")).parent
    pem = etc / "caller.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    example = EXAMPLE.read_text("utf-8")
    assert KEY_FILE in example
    (etc / "stir_shaken.conf").write_text(example.replace(KEY_FILE, str(pem)))
    trunks = etc / "odd-trunks.conf"
    before = trunks.read_text()
    trunks.write_text(before + ENDPOINT)
    await console(lab, *(f"module load {name}.so" for name in MODULES), "module reload res_pjsip.so")
    try:
        yield
    finally:
        trunks.write_text(before)
        await console(lab, *(f"module unload {name}.so" for name in reversed(MODULES)))
        await console(lab, "module reload res_pjsip.so")
        for file in (pem, etc / "stir_shaken.conf"):
            Path(file).unlink()


async def console(lab: Lab, *commands: str) -> None:
    for command in commands:
        await asyncio.to_thread(lab.pbx_command, command)


def part(text: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(unpadded(text))
    return decoded


def unpadded(text: str) -> bytes:
    """Base64 of a PASSporT has no padding (RFC 8225)."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def prove(token: str, key: ec.EllipticCurvePublicKey) -> None:
    """Check the signature: ES256, that is r and s of 32 bytes each (RFC 7518, section 3.4)."""
    signed, _, signature = token.rpartition(".")
    raw = unpadded(signature)
    assert len(raw) == 64
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))


async def test_the_carrier_gets_a_signature_that_the_certificates_key_proves(lab: Lab) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    settings = {"trunks.carrier.endpoint": "signs"}
    async with (
        signing(lab, key),
        far_end(lab.settings.ports.stranger, lambda _: BUSY) as end,
        daemon(lab, "stranger", **settings) as backend,
    ):
        await backend.call(CALLED)
        (dialog,) = end.dialogs.values()
    token, *parameters = header_of(dialog.invite, "identity").split(";")
    assert {f"info=<{CERTIFICATE}>", "alg=ES256", "ppt=shaken"} <= {one.strip() for one in parameters}
    prove(token, key.public_key())
    head, claims = (part(text) for text in token.split(".")[:2])
    assert head == {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": CERTIFICATE}
    assert (claims["attest"], claims["orig"], claims["dest"]) == (
        "A",
        {"tn": "12025550100"},
        {"tn": [CALLED.removeprefix("+")]},
    )
