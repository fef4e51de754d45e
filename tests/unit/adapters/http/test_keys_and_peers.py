"""Who asks: keys on TCP and on the socket, Unix users, scopes, and what each sees."""

import base64
import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from tests.unit.adapters.http.serving import NUMBER, Served, native_dependencies
from tests.unit.application.conftest import ADMIN, Bench
from voicegate.adapters.http.doors import Door, basic, bearer
from voicegate.adapters.http.identity import Identity, peers_of
from voicegate.adapters.http.native.door import native_door
from voicegate.adapters.http.server import serve_on
from voicegate.adapters.http.tcp_port import TcpPort, listening_on, tls_of
from voicegate.application.clients import NewKey
from voicegate.domain.client import Scope
from voicegate.domain.errors import ConfigError


def make_certificate(certificate: Path, key: Path) -> None:
    """A certificate for 127.0.0.1, signed by itself."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "voicegate")])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


NEW = {"destination": NUMBER}


async def test_on_tcp_a_key_is_a_must(served: Served) -> None:
    for path in ("/v1/calls", "/openapi.json", "/nowhere"):
        refused = await served.remote.get(path)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    key = await served.key(Scope.VERIFICATIONS)
    assert (await served.remote.get("/v1/calls", headers=key)).status_code == 200


async def test_a_client_sees_its_own_verifications_and_an_admin_all(served: Served) -> None:
    mine = await served.key(Scope.VERIFICATIONS, name="mine")
    theirs = await served.key(Scope.VERIFICATIONS, name="theirs")
    created = (await served.remote.post("/v1/verifications", json=NEW, headers=mine)).json()
    path = f"/v1/verifications/{created['id']}"
    assert (await served.remote.get(path, headers=mine)).status_code == 200
    unseen = await served.remote.get(path, headers=theirs)
    nobodys = await served.remote.get("/v1/verifications/ver_none", headers=theirs)
    assert unseen.status_code == nobodys.status_code == 404
    assert unseen.json()["type"] == nobodys.json()["type"]
    assert (await served.remote.get("/v1/calls", headers=theirs)).json()["calls"] == []
    # This process's own user, on the socket.
    assert (await served.http.get(path)).status_code == 200


async def test_health_and_readiness_need_no_key(served: Served) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await served.remote.get(path)).status_code == 200


async def test_a_key_that_is_no_text_is_wrong_and_breaks_nothing(served: Served) -> None:
    answer = await served.raw(
        b"GET /v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff_\xff\r\n\r\n"
    )
    assert answer.status == 401


async def test_on_the_socket_a_key_counts_more_than_the_user(served: Served) -> None:
    key = await served.key(Scope.HOOKS)
    refused = await served.http.get("/v1/calls", headers=key)
    assert refused.json()["detail"] == "it needs the scope verifications"
    assert (await served.http.get("/v1/calls", headers={"Authorization": "Bearer no"})).status_code == 401


async def test_a_clients_life_by_the_api(served: Served) -> None:
    added = (await served.http.post("/v1/clients", json={"name": "web", "scopes": ["verifications"]})).json()
    old = {"Authorization": f"Bearer {added['key']}"}
    assert (await served.remote.get("/v1/calls", headers=old)).status_code == 200
    rotated = (await served.http.post("/v1/clients/web/keys", json={"grace_s": 0})).json()
    new = {"Authorization": f"Bearer {rotated['key']}"}
    assert (await served.remote.get("/v1/calls", headers=old)).status_code == 401
    assert (await served.remote.get("/v1/clients", headers=new)).status_code == 403
    (listed,) = (await served.http.get("/v1/clients")).json()["clients"]
    assert (listed["name"], len(listed["keys"]), listed["revoked_at"]) == ("web", 2, None)
    assert added["key"] not in str(listed)
    assert (await served.http.delete("/v1/clients/web")).status_code == 200
    assert (await served.remote.get("/v1/calls", headers=new)).status_code == 401


@pytest.mark.parametrize("name", ["", "-x", "a b", "a\n", "x" * 65])
async def test_a_name_that_is_none_is_refused(served: Served, name: str) -> None:
    answer = await served.http.post("/v1/clients", json={"name": name, "scopes": ["hooks"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "name")


async def test_the_audit_is_read_page_by_page_with_the_requests_ids(served: Served) -> None:
    created = await served.create()
    path = f"/v1/verifications/{created['id']}"
    await served.http.delete(path, headers={"X-Request-Id": "mine-1"})
    page = (await served.http.get("/v1/audit", params={"limit": 1})).json()
    (entry,) = page["entries"]
    assert (entry["action"], entry["subject"], entry["request_id"]) == (
        "verification.cancel",
        created["id"],
        "mine-1",
    )
    rest = (await served.http.get("/v1/audit", params={"before": page["next"]})).json()
    assert [entry["action"] for entry in rest["entries"]] == ["verification.create"]
    assert rest["next"] is None
    assert NUMBER not in str(rest)


async def test_no_key_is_logged(served: Served) -> None:
    with capture_logs() as logs:
        key = await served.key(Scope.VERIFICATIONS)
        await served.remote.get("/v1/calls", headers=key)
        await served.remote.get("/v1/calls", headers={"Authorization": "Bearer vgk_wrong_secret"})
    assert key["Authorization"].split()[1] not in repr(logs)
    assert "vgk_wrong_secret" not in repr(logs)


def test_root_and_the_daemons_own_user_are_admins_and_others_are_not() -> None:
    peers = peers_of({0, os.getuid(), 4_000_000})
    assert peers[0].is_admin
    assert peers[os.getuid()].is_admin
    assert peers[4_000_000].scopes == frozenset(Scope) - {Scope.ADMIN}
    assert peers[4_000_000].name == "uid:4000000"


class Sent:
    """A request, as far as a door's way with keys looks at it."""

    def __init__(self, authorization: str | None) -> None:
        self.headers = {} if authorization is None else {"Authorization": authorization}


def test_a_key_is_found_as_each_door_writes_it() -> None:
    def found(read: object, authorization: str | None) -> tuple[str, str | None] | None:
        credentials = read(Sent(authorization))  # type: ignore[operator]
        return credentials and (credentials.key, credentials.client)

    def ssws(request: Sent) -> object:
        return bearer(request, "SSWS")  # type: ignore[arg-type]

    encoded = base64.b64encode(b"web:vgk_1_2:3").decode()
    assert found(Door([]).read_key, "bearer vgk_1_2") == ("vgk_1_2", None)
    assert found(ssws, "SSWS vgk_1_2") == found(ssws, "SSWSvgk_1_2") == ("vgk_1_2", None)
    assert found(basic, f"Basic {encoded}") == ("vgk_1_2:3", "web")
    assert found(basic, "Basic ~") == ("", None)
    assert [found(read, None) for read in (ssws, basic)] == [None, None]
    assert found(basic, "Bearer x") is None


def test_in_the_clear_only_on_loopback(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert tls_of(TcpPort(host, 0)) is None
    for host in ("0.0.0.0", "::", "192.0.2.1", "voicegate.example"):
        with pytest.raises(ConfigError, match=r"tcp\.certificate"):
            tls_of(TcpPort(host, 0))
    with pytest.raises(ConfigError, match=r"tcp\.certificate, tcp\.key"):
        tls_of(TcpPort("127.0.0.1", 0, tmp_path / "none.pem"))


def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    with listening_on(TcpPort("127.0.0.1", 0)) as first:
        port = first.socket.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=r"tcp\.host, tcp\.port"),
            listening_on(TcpPort("127.0.0.1", port)),
        ):
            pytest.fail("it listens")


async def test_tls_is_spoken_with_the_certificate_configured(bench: Bench, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    added = await bench.clients.add(ADMIN, "web", frozenset({Scope.VERIFICATIONS}))
    assert isinstance(added, NewKey)
    dependencies = native_dependencies(bench)
    identity = Identity(bench.clients, peers_of(()))
    with listening_on(TcpPort("127.0.0.1", 0, certificate, key)) as listener:
        url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
        trusted = ssl.create_default_context(cafile=str(certificate))
        async with (
            serve_on([listener], [native_door(dependencies)], identity.of),
            httpx.AsyncClient(base_url=url, verify=trusted) as http,
        ):
            answer = await http.get("/v1/trunks", headers={"Authorization": f"Bearer {added.key}"})
    assert answer.status_code == 200
