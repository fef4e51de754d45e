"""The lab's own authority and the certificate of its carrier."""

import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from voicegate.lab.certificates import Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    certificates = Certificates(tmp_path / "certificates")
    certificates.ensure()
    return certificates


def test_the_authority_vouches_for_the_carrier(made: Certificates) -> None:
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    carrier = x509.load_pem_x509_certificate(made.carrier.read_bytes())
    carrier.verify_directly_issued_by(authority)
    names = carrier.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["sip:127.0.0.1"]


def test_the_carriers_key_is_its_own_and_nobody_elses(made: Certificates) -> None:
    key = serialization.load_pem_private_key(made.carrier_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    carrier = x509.load_pem_x509_certificate(made.carrier.read_bytes())
    assert key.public_key() == carrier.public_key()
    assert stat.S_IMODE(made.carrier_key.stat().st_mode) == 0o600


def test_they_are_made_once(made: Certificates) -> None:
    before = made.carrier.read_bytes()
    made.ensure()
    assert made.carrier.read_bytes() == before
