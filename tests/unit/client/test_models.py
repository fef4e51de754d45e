"""What the client keeps of the daemon's answers."""

from pathlib import Path

import msgspec
import pytest

import voicegate
from tests.unit.adapters.http.serving import serving
from tests.unit.application.conftest import Bench, bench, limits, timings, trunks
from voicegate.adapters.http import problems, schemas
from voicegate.adapters.http.native import factor_schemas, trunk_schemas
from voicegate.client import AsyncClient, Call, Media, Problem, Step, factor_models, models

__all__ = ["bench", "limits", "timings", "trunks"]


async def test_every_step_names_its_call_and_the_packets_are_counted(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path) as served, AsyncClient(served.path) as client:
        created = await client.create_verification("+12025550101")
        await bench.settled(created.id)
        seen = await client.verification(created.id)
        call = await client.call(created.call.id)
    assert {step.call_id for step in call.timeline} == {created.call.id}
    assert seen.calls == [call]
    counted = [step.media for step in call.timeline if step.media is not None]
    assert counted
    assert all(isinstance(media, Media) for media in counted)


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        (schemas.StepView, Step),
        (schemas.MediaView, Media),
        (schemas.CallView, Call),
        (schemas.EvidenceView, models.Evidence),
        (schemas.CreatedVerification, models.Created),
        (schemas.VerificationView, models.Verification),
        (schemas.Judgement, models.Judgement),
        (trunk_schemas.TrunkView, models.Trunk),
        (trunk_schemas.DrainView, models.TrunkDrain),
        (trunk_schemas.FiguresView, models.Figures),
        (trunk_schemas.TrunkFiguresView, models.TrunkFigures),
        (schemas.QualityView, models.Quality),
        (factor_schemas.FactorView, factor_models.Factor),
        (factor_schemas.FactorVerification, factor_models.FactorVerification),
        (factor_schemas.FactorList, factor_models.FactorPage),
        (factor_schemas.FactorJudgement, factor_models.FactorJudgement),
        (factor_schemas.ResetFactors, factor_models.ResetFactors),
        (problems.Problem, Problem),
    ],
)
def test_no_fact_is_dropped(shown: type[msgspec.Struct], kept: type[msgspec.Struct]) -> None:
    assert set(shown.__struct_fields__) == set(kept.__struct_fields__) - {"call_id"}


def test_the_client_is_typed_for_its_users() -> None:
    assert (Path(voicegate.__file__).parent / "py.typed").is_file()
