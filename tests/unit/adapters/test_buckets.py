"""What is asked before a telephone rings: with an index each."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.contract.making import NOW, make_call, make_challenge
from voicegate.adapters.storage import SqlStore
from voicegate.application.store_port import Transaction

NUMBER = "+12025550101"


QUESTIONS = {
    "ix_calls_live_number (number=?)": lambda tx: tx.calls_in_progress(NUMBER, NOW),
    "ix_challenges_bucket (bucket=? AND client=? AND issued_at>?)": lambda tx: tx.calls_counted(
        NUMBER, "tester", NOW
    ),
    "ix_challenges_bucket (bucket=? AND client=?)": lambda tx: tx.pending_challenges("tester", bucket=NUMBER),
    "ix_factors_number (number=?)": lambda tx: tx.enrolled_extensions(NUMBER),
    "ix_wrong_guesses_bucket (bucket=? AND at>?)": lambda tx: tx.wrong_guesses(NOW, 20, bucket=NUMBER),
    "ix_wrong_guesses_at (at>?)": lambda tx: tx.set_back(NOW),
    "ix_calls_created_at (created_at>?)": lambda tx: tx.set_back(NOW),
}


@pytest.mark.parametrize("index", QUESTIONS)
async def test_each_question_has_an_index(tmp_path: Path, index: str) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    plans: list[str] = []
    async with SqlStore(tmp_path / "v.db") as store:
        event.listen(store._writing, "before_cursor_execute", lambda *given: asked.append(given[2:4]))

        def work(tx: Transaction) -> None:
            QUESTIONS[index](tx)
            connection = tx._connection  # type: ignore[attr-defined]
            for text, values in list(asked):
                if text.startswith(("SELECT", "UPDATE")):
                    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
                    plans.extend(row[-1] for row in rows)

        await store.transact(work)
    assert any(index in plan for plan in plans), plans


async def test_calls_are_counted_by_bucket_and_client_within_the_window(tmp_path: Path) -> None:
    minute = timedelta(minutes=1)

    def work(tx: Transaction) -> tuple[list[str], list[str]]:
        for name, client, bucket in (("1", "tester", NUMBER), ("2", "other", NUMBER), ("3", "tester", "x")):
            tx.add_challenge(make_challenge(name, client=client, bucket=bucket, issued_at=NOW))
            tx.add_call(make_call(name, name, created_at=NOW))
        counted = tx.calls_counted(NUMBER, "tester", NOW - minute)
        assert tx.calls_counted(NUMBER, "tester", NOW) == []
        live = tx.calls_in_progress(NUMBER, NOW)
        return [one.record.call.id for one in counted], sorted(one.record.call.id for one in live)

    async with SqlStore(tmp_path / "v.db") as store:
        assert await store.transact(work) == (["call_1"], ["call_1", "call_2", "call_3"])
