"""Company is blamed only for what company does; a slow server is not kept waiting."""

from __future__ import annotations

import pytest

from ..check import CHECKS, Outcome, Undecided
from ..run import judge, load_checks
from ..suites.waiting import READINGS, readings
from .honest import Answer, Heard, Lie, serving_server
from .test_liars import provided

COMPANY = (
    "concurrency/abort-storm",
    "concurrency/errors-beside-answers",
    "concurrency/line-for-a-load",
    "concurrency/long-queue",
    "concurrency/mixed-crowd",
    "concurrency/options-do-not-leak",
    "concurrency/same-question",
    "lifecycle/two-models-at-once",
    "stream/concurrent",
)

load_checks()


def _fewer(heard: Heard, answer: Answer) -> Answer:
    """A stream loses its first record, with or without company."""
    return Answer(media_type=answer.media_type, records=answer.records[1:]) if (
        answer.records and len(answer.records) > 2 and "message" in answer.records[0]
    ) else answer  # fmt: skip


@pytest.mark.parametrize("id", COMPANY)
def test_what_differs_alone_is_not_laid_to_company(id: str) -> None:
    """It is not judged, and the reason names the check that judges it."""
    with serving_server(Lie(flaw="wavers")) as server:
        line = judge(CHECKS[id], provided(server))
    assert line["verdict"] == "not_judged"
    assert "alone, and " in line["reason"]
    assert "stream/second-time-the-same" in line["reason"]


@pytest.mark.parametrize("id", ["stream/concurrent", "concurrency/mixed-crowd"])
def test_stream_that_is_always_wrong_is_not_laid_to_company(id: str) -> None:
    """Each stream is compared with itself alone: others say what is wrong with it."""
    with serving_server(Lie(say=_fewer)) as server:
        given = provided(server)
        found = [judge(CHECKS[one], given)["verdict"] for one in (id, "stream/joined-equals-whole")]
    assert found == ["passed", "failed"]


def test_connection_is_not_blamed_for_what_differs_on_each() -> None:
    """Answers that differ on fresh connections tell nothing of old ones."""
    with serving_server(Lie(flaw="wavers")) as server:
        line = judge(CHECKS["concurrency/everything-twice"], provided(server))
    assert (line["verdict"], "of its own" in line["reason"]) == ("not_judged", True)


@pytest.mark.parametrize(("one_s", "number"), [(0.0, 6), (0.6, 3), (2.9, 3), (5.0, 2)])
def test_slow_readers_are_left_fewer_prompts(one_s: float, number: int) -> None:
    """Not so few that one batch were half of them, nor more than some seconds."""
    assert readings(one_s) == number
    assert one_s * number <= 12
    assert number * 3000 / 2 > 2048


def test_very_slow_reader_is_not_judged() -> None:
    """It would take minutes."""
    with pytest.raises(Undecided) as ended:
        readings(READINGS[-1][0] + 0.1)
    assert ended.value.outcome is Outcome.NOT_JUDGED
