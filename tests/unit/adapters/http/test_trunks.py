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


async def test_others_may_not(served: Served) -> None:
    key = await served.key(Scope.VERIFICATIONS, Scope.FACTORS, Scope.HOOKS)
    for action in ("drain", "resume"):
        answer = await served.remote.post(f"/v1/trunks/carrier/{action}", json={"reason": "x"}, headers=key)
        assert answer.status_code == 403


async def test_a_drain_needs_a_reason_and_a_trunk(served: Served) -> None:
    assert (await served.http.post("/v1/trunks/carrier/drain", json={})).status_code == 422
    assert (await served.http.post("/v1/trunks/other/drain", json={"reason": "x"})).status_code == 404
    assert (await served.http.post("/v1/trunks/other/resume", json={})).status_code == 404
