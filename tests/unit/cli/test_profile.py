"""The profile `nist-800-63b-4`: what it refuses, what it holds, and what doctor says of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.http.serving import Served
from tests.unit.application.conftest import TESTER, Bench
from tests.unit.test_settings_checks import findings, settings
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.diagnostics import Level
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import rules
from voicegate.config import parse
from voicegate.config.profile import DUTIES, NIST, STANDARD
from voicegate.domain.errors import ConfigError
from voicegate.domain.phone_number import Destination

SERVICE = {"sid": f"VA{1:032}"}


def profiled(folder: Path, **changes: Any) -> dict[str, Any]:
    raw = settings(folder, **changes)
    return raw | {"policy": raw["policy"] | {"profile": NIST} | changes.get("policy", {})}


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"passcode": {"length": 5}}, "passcode.length"),
        ({"passcode": {"lifetime_s": 601}}, "passcode.lifetime_s"),
        ({"twilio": {"bank": SERVICE | {"code_length": 4}}}, "twilio.bank.code_length"),
        ({"twilio": {"bank": SERVICE | {"lifetime_s": 3600}}}, "twilio.bank.lifetime_s"),
        ({"test_numbers": {"enabled": True}}, "test_numbers.enabled"),
    ],
)
def test_a_setting_that_contradicts_it_is_refused_by_name_with_the_clause(
    tmp_path: Path, changes: dict[str, Any], setting: str
) -> None:
    parse(settings(tmp_path, **changes))
    with pytest.raises(ConfigError, match=rf"^{setting}: must be .*{NIST}.* 3\.1\.3\.2\)$"):
        parse(profiled(tmp_path, **changes))


def test_settings_at_its_bounds_are_accepted(tmp_path: Path) -> None:
    bounds = {"passcode": {"length": 6, "lifetime_s": 600}}
    assert parse(profiled(tmp_path, **bounds)).policy.profile == NIST


def test_doctor_shows_each_clause_and_what_is_left_to_do(tmp_path: Path) -> None:
    def told(**policy: Any) -> list[Any]:
        raw = profiled(tmp_path, policy={"allowed_countries": ["US"], **policy})
        return [one for one in findings(raw) if one.about.startswith(STANDARD)]

    found = told()
    clauses = " ".join(one.about for one in found)
    for clause in ("3.1.3 ", "3.1.3.2", "3.1.3.3", "3.2.2", "3.2.7", "3.2.9 (1)", "3.2.9 (4)", "3.2.12"):
        assert clause in f"{clauses} "
    left = [one for one in found if one.level is Level.WARNING]
    assert len(left) == len(DUTIES)
    assert all("policy.profile_provisions" in one.fix for one in left)
    done = told(profile_provisions=["notice", "migration_plan"])
    assert [one.level for one in done].count(Level.WARNING) == len(DUTIES) - 2
    assert len(done) == len(found)


def test_doctor_says_nothing_of_it_where_it_is_not_set(tmp_path: Path) -> None:
    assert not [one for one in findings(settings(tmp_path)) if one.about.startswith(STANDARD)]


def test_codes_that_identity_providers_make_are_left_to_the_admin(tmp_path: Path) -> None:
    raw = profiled(tmp_path, providers={"ory": {"number": "to", "code": "code"}})
    (finding,) = [one for one in findings(raw) if "codes of others" in one.about]
    assert (finding.level, "ory" in finding.text) == (Level.WARNING, True)


@pytest.fixture
async def held(served: Served, tmp_path: Path) -> Served:
    """The native door, with the defaults that the profile makes of the settings."""
    service = served.bench.challenge_service
    service._factory.defaults = await asyncio.to_thread(lambda: rules(parse(profiled(tmp_path))).defaults)
    service.min_own_digits = service._factory.defaults.min_own_digits
    return served


async def test_no_request_has_a_longer_life_or_a_shorter_code(held: Served) -> None:
    for path in ("/v1/verifications", "/v1/dry-run"):
        short = await held.http.post(path, json={"destination": "+12025550101", "passcode": "12345"})
        assert (short.status_code, short.json()["field"]) == (422, "passcode")
        assert "6 digits" in short.json()["detail"]
    created = await held.create(lifetime_s=86400, passcode="123456")
    shown = (await held.http.get(f"/v1/verifications/{created['id']}")).json()
    bench = held.bench
    record = await bench.store.challenge(shown["id"])
    assert record is not None
    assert record.challenge.expires_at - record.challenge.issued_at == timedelta(minutes=10)


async def test_without_it_a_request_has_the_life_that_it_asks_for(bench: Bench) -> None:
    spec = ChallengeSpec(Destination("+12025550101"), lifetime=timedelta(hours=2))
    issued = await bench.sign_in.issue(IssueRequest(TESTER, replace(spec)))
    assert isinstance(issued, Issued)
    challenge = issued.record.challenge
    assert challenge.expires_at - challenge.issued_at == timedelta(hours=2)
