"""A certificate for the lab's carrier, and the authority that signs it; both made for this lab.

They are used in `rendering`. Sources: RFC 5280; RFC 5922 for what SIP checks: the address is in
subjectAltName.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_VALID: Final = timedelta(days=3650)
# For a clock that was put back.
_SINCE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Three files in one folder."""

    folder: Path
    """The folder."""

    @property
    def authority(self) -> Path:
        """The authority's certificate, which the company's PBX trusts. FreeSWITCH looks for this name."""
        return self.folder / "cafile.pem"

    @property
    def carrier(self) -> Path:
        """The carrier's certificate."""
        return self.folder / "carrier.pem"

    @property
    def carrier_key(self) -> Path:
        """The carrier's private key, mode 0600."""
        return self.folder / "carrier.key"

    def ensure(self) -> None:
        """Create them unless they exist. The authority's key is not kept: it signs nothing else."""
        if self.carrier_key.exists() and self.authority.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name, name = _name("Voicegate lab authority"), _name("Voicegate lab carrier")
        root = _draft(root_name, root_name, root_key.public_key())
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        address = (
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            # FreeSWITCH 1.10.12 looks for names and SIP URIs only.
            x509.UniformResourceIdentifier("sip:127.0.0.1"),
        )
        leaf = _draft(name, root_name, key.public_key())
        leaf = leaf.add_extension(x509.SubjectAlternativeName(address), critical=False)
        self.authority.write_bytes(_signed(root, root_key))
        self.carrier.write_bytes(_signed(leaf, root_key))
        self.carrier_key.touch(mode=0o600)
        self.carrier_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SINCE)
        .not_valid_after(now + _VALID)
    )


def _signed(draft: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return draft.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
