"""A reload: what a running daemon takes, and what it says needs a restart. The PBX is the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.test_settings_checks import TRUNK, settings
from voicegate.adapters.http.identity import Identity, own_uids, peers_of
from voicegate.adapters.http.provider_messages import Mapped
from voicegate.adapters.keyfile import file as keys
from voicegate.application.challenges import ChallengeSpec
from voicegate.application.reloading import NotReloaded, Reloaded
from voicegate.application.sign_in import Issued, IssueRequest
from voicegate.bootstrap import running
from voicegate.bootstrap.app import App
from voicegate.bootstrap.asterisk import secret_of
from voicegate.bootstrap.doors import providers
from voicegate.bootstrap.reloading import Reloading, Running
from voicegate.config import Settings, parse
from voicegate.domain.call import Call
from voicegate.domain.client import Principal, Scope
from voicegate.domain.errors import ConfigError
from voicegate.domain.phone_number import Destination
from voicegate.lab.deadlines import within

HEAD = "trunk,prefix,price_per_minute,minimum_s,increment_s\n"
BUSY, RINGS_FOR_EVER = "+12025550103", "+12025550104"
CLIENT = Principal("web", frozenset({Scope.VERIFICATIONS}), "req_1")
Raw = dict[str, Any]


@dataclass
class Daemon:
    """A running one, whose configuration file is `raw`."""

    app: App
    raw: Raw
    identity: Identity
    mapped: dict[str, Mapped]
    reloading: Reloading = field(init=False)

    def reread(self) -> Settings:
        return parse(self.raw)

    async def reload(self, **changes: Any) -> Reloaded:
        self.raw |= changes
        done = await self.reloading.reload()
        assert isinstance(done, Reloaded)
        return done

    async def call(self, number: str) -> str:
        """Ask for a call; return its challenge's id."""
        issued = await self.app.sign_in.issue(IssueRequest(CLIENT, ChallengeSpec(Destination.parse(number))))
        assert isinstance(issued, Issued), issued
        return issued.record.challenge.id

    async def newest(self, challenge_id: str) -> Call:
        record = await self.app.challenges.look(CLIENT, challenge_id)
        assert record is not None
        return record.calls[-1].call

    async def reaches(self, challenge_id: str, *states: str) -> Call:
        async with within(20):
            while str((call := await self.newest(challenge_id)).state) not in states:
                await asyncio.sleep(0.01)
        return call


@asynccontextmanager
async def daemon(raw: Raw) -> AsyncIterator[Daemon]:
    parsed = parse(raw)
    async with running(parsed) as app:
        made = Daemon(app, raw, Identity(app.clients, peers_of(own_uids())), dict(providers(parsed)))
        made.reloading = Reloading(parsed, Running(app, (), made.identity, made.mapped), made.reread)
        yield made


def left(done: Reloaded) -> dict[str, str]:
    return {one.setting: one.why for one in done.not_taken}


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    return settings(tmp_path)


async def test_a_file_that_has_not_changed_changes_nothing(raw: Raw) -> None:
    async with daemon(raw) as made:
        done = await made.reload()
    assert (done.taken, done.not_taken) == ((), ())


async def test_a_wrong_file_changes_nothing_and_names_the_setting(raw: Raw) -> None:
    async with daemon(raw) as made:
        made.raw["call"] = {"max_queued": "many"}
        done = await made.reloading.reload()
        assert isinstance(done, NotReloaded)
        assert "call.max_queued" in done.error
        del made.raw["call"]
        assert (await made.reload()).not_taken == ()


async def test_rates_caps_and_policy_count_from_a_reload_on(raw: Raw, tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text(f"{HEAD}*,+1,0.02,60,60\n")
    raw["spend"] = {"rates_file": str(rates), "money_per_client": 5}
    async with daemon(raw) as made:
        await asyncio.to_thread(rates.write_text, f"{HEAD}*,+1,0.05,60,60\n")
        done = await made.reload(policy=raw["policy"] | {"max_calls": 2})
        assert done.taken == ("policy.max_calls",)
        assert "spend.rates_file" in done.read_again
        await asyncio.to_thread(rates.write_text, f"{HEAD}*,+1,dear,60,60\n")
        done = await made.reload()
        assert ("spend.rates_file" in left(done), done.taken) == (True, ())


async def test_the_profile_and_what_no_part_has_need_a_restart_and_are_told_until_then(raw: Raw) -> None:
    async with daemon(raw) as made:
        policy = raw["policy"] | {"profile": "nist-800-63b-4", "max_calls": 4}
        with capture_logs() as logs:
            done = await made.reload(
                policy=policy, call={"max_queued": 7}, service={"support_contact": "desk"}
            )
        assert left(done) == dict.fromkeys(("call.max_queued", "policy.profile"), "needs a restart")
        assert done.taken == ("policy.max_calls", "service.support_contact")
        (told,) = [one for one in logs if one["event"] == "changed settings need a restart"]
        assert told["settings"] == ["call.max_queued", "policy.profile"]
        again = await made.reload()
        assert (again.taken, again.not_taken) == ((), done.not_taken)


async def test_a_trunk_is_added_and_taken_away_and_its_call_in_progress_ends_as_it_began(raw: Raw) -> None:
    async with daemon(raw) as made:
        first = await made.call(RINGS_FOR_EVER)
        await made.reaches(first, "ringing")
        other = TRUNK | {"endpoint": "other", "caller_ids": [{"number": "+12025550177"}]}
        done = await made.reload(trunks={"other": other})
        assert done.not_taken == ()
        assert {"trunks.carrier.endpoint", "trunks.other.endpoint"} <= set(done.taken)
        second = await made.call(BUSY)
        ended = await made.reaches(second, "ended")
        assert (ended.trunk, ended.caller_id) == ("other", "+12025550177")
        assert str((await made.newest(first)).state) == "ringing"
        assert [trunk.name for trunk in made.app.trunks.routes.trunks] == ["other"]
        back = await made.reload(trunks={"carrier": TRUNK})
        assert back.not_taken == ()
        third = await made.reaches(await made.call("+13105550103"), "ended")
        assert third.trunk == "carrier"


async def test_a_call_in_the_queue_of_a_trunk_that_is_taken_away_goes_by_another(raw: Raw) -> None:
    raw["trunks"] = {"carrier": TRUNK | {"max_calls": 1}}
    async with daemon(raw) as made:
        first = await made.call(RINGS_FOR_EVER)
        await made.reaches(first, "ringing")
        raw["trunks"] = {"carrier": TRUNK | {"max_calls": 1}, "other": TRUNK | {"endpoint": "other"}}
        await made.reload()
        second = await made.call("+13105550103")
        assert (await made.newest(second)).trunk == "carrier"
        await made.reload(trunks={"other": TRUNK | {"endpoint": "other"}})
        await made.app.sign_in.cancel(CLIENT, first)
        async with within(20):
            while (await made.newest(second)).trunk != "other":
                await asyncio.sleep(0.01)


async def test_a_raised_cap_serves_those_who_wait(raw: Raw) -> None:
    raw["trunks"] = {"carrier": TRUNK | {"max_calls": 1}}
    async with daemon(raw) as made:
        await made.reaches(await made.call(RINGS_FOR_EVER), "ringing")
        second = await made.call("+13105550103")
        assert str((await made.newest(second)).state) == "queued"
        done = await made.reload(trunks={"carrier": TRUNK | {"max_calls": 2}})
        assert done.taken == ("trunks.carrier.max_calls",)
        await made.reaches(second, "ended")


async def test_another_order_of_trunks_is_taken(raw: Raw) -> None:
    other = TRUNK | {"endpoint": "other"}
    raw["trunks"] = {"carrier": TRUNK, "other": other}
    async with daemon(raw) as made:
        done = await made.reload(trunks={"other": other, "carrier": TRUNK})
        assert (done.taken, done.not_taken) == (("trunks (their order)",), ())
        assert (await made.reload()).taken == ()
        assert (await made.reaches(await made.call(BUSY), "ended")).trunk == "other"


async def test_a_trunk_of_a_new_pbx_waits_for_a_restart_and_the_others_are_taken(raw: Raw) -> None:
    async with daemon(raw) as made:
        trunks = {"carrier": TRUNK | {"priority": 2}, "far": TRUNK | {"pbx": "second"}}
        done = await made.reload(
            trunks=trunks, pbx={"main": {"kind": "simulator"}, "second": {"kind": "simulator"}}
        )
        assert done.taken == ("trunks.carrier.priority",)
        assert {"pbx.second.kind", "trunks.far.pbx"} <= left(done).keys()
        assert [trunk.name for trunk in made.app.trunks.routes.trunks] == ["carrier"]


async def test_a_rotated_key_makes_new_codes_and_a_lost_one_is_not_taken(raw: Raw, tmp_path: Path) -> None:
    file = tmp_path / "key"
    async with daemon(raw) as made:
        await asyncio.to_thread(keys.add_key, file, keys.new_key(datetime.now(UTC)), is_only=False)
        assert "storage.key_file" in (await made.reload()).read_again
        await asyncio.to_thread(keys.add_key, file, keys.new_key(datetime.now(UTC)), is_only=True)
        done = await made.reload()
        assert "in use is gone" in left(done)["storage.key_file"]
        await asyncio.to_thread(file.unlink)
        assert "missing" in left(await made.reload())["storage.key_file"]


async def test_a_users_right_to_ask_is_taken(raw: Raw) -> None:
    async with daemon(raw) as made:
        done = await made.reload(socket=raw["socket"] | {"allowed_users": ["daemon"]})
        assert done.taken == ("socket.allowed_users",)
        done = await made.reload(socket=raw["socket"] | {"allowed_users": ["no-such-user"]})
        assert "no-such-user" in left(done)["socket.allowed_users"]


async def test_a_providers_new_secret_and_mapping_are_taken(raw: Raw, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    secret.chmod(0o600)
    provider = {
        "number": "to",
        "code": "code",
        "signature": "standard_webhooks",
        "signature_secret_file": str(secret),
    }
    raw["providers"] = {"some": provider}
    async with daemon(raw) as made:
        before = made.mapped["some"]
        await asyncio.to_thread(secret.write_text, "whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        done = await made.reload(providers={"some": provider | {"code": "otp"}, "new": provider})
        assert done.taken == ("providers.some.code",)
        assert "providers.some.signature_secret_file" in done.read_again
        assert left(done)["providers.new.code"] == "needs a restart"
        after = made.mapped["some"]
        assert (after.code, after.signature == before.signature) == (("otp",), False)
        secret.chmod(0o600)
        await asyncio.to_thread(secret.write_text, "whsec_!")
        done = await made.reload()
        assert "providers.some.signature_secret_file" in left(done)
        assert made.mapped["some"] is after
        await made.reload(providers={})
        assert made.mapped == {}


async def test_webhooks_come_and_go(raw: Raw, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    secret.chmod(0o600)
    web = {"url": "https://127.0.0.1:9/", "secret_file": str(secret), "events": ["call.ended"]}
    async with daemon(raw) as made:
        done = await made.reload(webhooks={"web": web})
        assert done.not_taken == ()
        assert [one.name for one in made.app.webhooks.configured] == ["web"]
        tried = await made.app.webhooks.test(CLIENT, "web")
        assert "settings" not in str(tried)
        done = await made.reload(webhooks={"web": web | {"url": "http://127.0.0.1:9/"}})
        assert "webhooks.web.url" in left(done)
        done = await made.reload(webhooks={})
        assert (done.not_taken, made.app.webhooks.configured) == ((), ())


async def test_a_pbxs_secret_is_read_again_at_each_log_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first\n")
    secret = secret_of(str(file), "pbx.main.ami_secret_file")
    file.write_text("second\n")
    assert secret.renewed() == "second"
    file.unlink()
    assert secret.renewed() == "second"
    with pytest.raises(ConfigError):
        secret_of(str(file), "pbx.main.ami_secret_file")
