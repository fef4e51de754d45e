"""The trunks in the API: shown to everybody, drained and resumed by admins."""

from tests.unit.adapters.http.serving import Served
from voicegate.domain.client import Scope


async def test_an_admin_drains_and_resumes_a_trunk(served: Served) -> None:
    answer = await served.http.post("/v1/trunks/carrier/drain", json={"reason": "carrier works"})
    assert answer.status_code == 200, answer.text
    (trunk,) = answer.json()["trunks"]
    assert trunk["drained"]["reason"] == "carrier works"
    assert (await served.http.get("/v1/trunks")).json()["trunks"] == [trunk]
    refused = await served.http.post("/v1/verifications", json={"destination": "+12025550101"})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:voicegate:problem:trunks_down")
    answer = await served.http.post("/v1/trunks/carrier/resume", json={})
    assert answer.json()["trunks"] == [trunk | {"drained": None}]
    await served.create()
    entries = (await served.http.get("/v1/audit", params={"action": "trunk.drain"})).json()["entries"]
    assert [(one["subject"], one["reason"]) for one in entries] == [("carrier", "carrier works")]


async def test_an_admin_sees_how_a_trunks_calls_went(served: Served) -> None:
    created = await served.create()
    await served.bench.settled(created["id"])
    answer = await served.http.get("/v1/trunks/carrier/figures", params={"window_s": 60})
    assert answer.status_code == 200, answer.text
    figures = answer.json()
    assert (figures["name"], figures["window_s"], figures["sip_failures"]) == ("carrier", 60, {})
    (country,) = figures["countries"]
    assert country == figures["total"] | {"country": "US"}
    shares = (country["answer_seizure_ratio"], country["verified_ratio"], country["key_press_share"])
    assert (country["calls"], country["failures"], *shares) == (1, 0, 1, 0, 1)
    (trunk,) = (await served.http.get("/v1/trunks")).json()["trunks"]
    assert trunk["figures"] == figures["total"]


async def test_figures_of_all_clients_calls_are_for_admins(served: Served) -> None:
    key = await served.key(Scope.VERIFICATIONS, Scope.FACTORS, Scope.HOOKS)
    assert (await served.remote.get("/v1/trunks/carrier/figures", headers=key)).status_code == 403
    (trunk,) = (await served.remote.get("/v1/trunks", headers=key)).json()["trunks"]
    assert trunk["figures"] is None
    assert (await served.http.get("/v1/trunks/other/figures")).status_code == 404
    assert (await served.http.get("/v1/trunks?window_s=9")).status_code == 422


async def test_others_may_not(served: Served) -> None:
    key = await served.key(Scope.VERIFICATIONS, Scope.FACTORS, Scope.HOOKS)
    for action in ("drain", "resume"):
        answer = await served.remote.post(f"/v1/trunks/carrier/{action}", json={"reason": "x"}, headers=key)
        assert answer.status_code == 403


async def test_a_drain_needs_a_reason_and_a_trunk(served: Served) -> None:
    assert (await served.http.post("/v1/trunks/carrier/drain", json={})).status_code == 422
    assert (await served.http.post("/v1/trunks/other/drain", json={"reason": "x"})).status_code == 404
    assert (await served.http.post("/v1/trunks/other/resume", json={})).status_code == 404
