"""What a request contributes, what the course is told of a point, and the whole of summary.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ..document import Document
from ..frame import Frame
from ..load import Ask, Closed, Open, Point
from ..sample import Resource, Sample
from ..summary import measures, percentile, result, summary
from .exchanges import understood
from .points import HEADER, record, request

SCHEMAS = Path(__file__).resolve().parents[2] / "fixtures" / "schemas"
CLOSED = Point("users", "1 user", 1, Closed(1, 3), Ask())
OPEN = Point("rate", "5/s", 5.0, Open(5.0, 3), Ask())


def test_ttft_is_from_sent_to_first_text() -> None:
    """TTFT of the steady schedule is its first delay, to the nanosecond."""
    assert measures(understood("steady")).ttft_ms == 20.0


def test_itl_are_the_gaps_between_texts() -> None:
    """Each gap of the steady schedule is one gap, with none before the first or after the last."""
    assert measures(understood("steady")).itl_ms == (2.0,) * 7


def test_records_of_one_read_have_no_gap() -> None:
    """Eight tokens in two reads have one gap of 2 ms and six of 0."""
    assert measures(understood("coalesced")).itl_ms == (0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0)


def test_tpot_divides_by_the_declared_tokens() -> None:
    """TPOT counts tokens as the server declared them, not records."""
    assert measures(understood("coalesced")).tpot_ms == pytest.approx(2.0 / 7)
    assert measures(understood("steady")).tpot_ms == 2.0


def test_one_token_has_no_tpot() -> None:
    """An answer of one token has a TTFT and no TPOT."""
    single = measures(understood("steady", tokens=1))
    assert (single.ttft_ms, single.tpot_ms, single.itl_ms) == (20.0, None, ())


def test_e2e_is_to_the_last_byte() -> None:
    """E2E of the steady schedule ends with the last record, one gap after the last token."""
    assert measures(understood("steady")).e2e_ms == 20.0 + 8 * 2.0


@pytest.mark.parametrize("model", ["busy", "truncated", "in-stream", "malformed", "unframed"])
def test_failed_request_has_no_latency(model: str) -> None:
    """Errors enter no latency, even where the first tokens came."""
    failed = measures(understood(model))
    assert (failed.ttft_ms, failed.tpot_ms, failed.e2e_ms, failed.itl_ms) == (None, None, None, ())


def test_open_loop_measures_from_the_planned_time() -> None:
    """In an open loop the client's own lateness is waited by the request."""
    late = measures(request(late_ms=5), open_loop=True)
    assert (late.ttft_ms, late.e2e_ms) == (25.0, 41.0)


def test_result_counts_what_the_course_needs() -> None:
    """Warm-up is left out, failures are counted, the p95 is there however few there are."""
    many = [request(warmup=True), request(1, sent_ms=100), request(2, sent_ms=100, error="client")]
    found = result(CLOSED, many)
    assert (found.requests, found.failures, found.ttft_p95_ms) == (2, 1, 20.0)
    assert found.output_tokens_per_s == pytest.approx(8 / 0.036)
    assert found.requests_per_s == pytest.approx(1 / 0.036)


def test_result_of_an_open_loop_counts_from_the_plan() -> None:
    """The course of rates sees what waiting requests saw."""
    assert result(OPEN, [request(late_ms=5)]).ttft_p95_ms == 25.0


def test_result_of_nothing_has_no_figures() -> None:
    """A point where all failed has no rate and no latency."""
    found = result(CLOSED, [request(error="connect")])
    assert (found.requests, found.failures) == (1, 1)
    assert (found.requests_per_s, found.output_tokens_per_s, found.ttft_p95_ms) == (None,) * 3


def test_result_agrees_with_the_summary() -> None:
    """The course and summary.json have the same figures of the same requests."""
    many = [request(one, sent_ms=40 * one, first_ms=20 + one) for one in range(30)]
    found = result(CLOSED, many)
    point = summary(document([many]))["points"][0]
    assert point["output_tokens_per_s"] == pytest.approx(found.output_tokens_per_s)
    assert point["ttft_ms"]["p95"] == found.ttft_p95_ms


def test_percentile_is_the_nearest_rank() -> None:
    """The median of two values is the smaller one."""
    assert percentile([1.0, 2.0], 50) == 1.0


def document(
    points: list[list[Sample]],
    records: list[dict[str, Any]] | None = None,
    resources: tuple[Resource, ...] = (),
    **header: Any,  # noqa: ANN401
) -> Document:
    """A document with these points."""
    described = records or [record(point=number, block=number) for number in range(len(points))]
    frames = {number: Frame.of(samples) for number, samples in enumerate(points)}
    footer = {"finished_at": "2026-11-21T12:01:00Z", "samples": 0, "interrupted": False}
    return Document(HEADER | header, tuple(described), frames, resources, footer)


def run(arms: int, blocks: int) -> Document:
    """A whole A/B run by hand, with a ladder in each block."""
    points: list[list[Sample]] = []
    described: list[dict[str, Any]] = []
    for block in range(blocks):
        for arm in range(arms):
            for users in (1, 2, 4, 8):
                number = len(points)
                label = f"{users} users"
                load = {"kind": "closed", "users": users, "requests": 12, "warmup": 1}
                gap_ms = 2.0 + arm + block % 3 * 0.01
                many = [
                    replace(
                        request(turn, sent_ms=100.0 * turn, user=user, gap_ms=gap_ms),
                        warmup=turn == 0,
                        point=number,
                    )
                    for user in range(users)
                    for turn in range(13)
                ]
                points.append(many)
                more: dict[str, Any] = {
                    "point": number,
                    "label": label,
                    "value": users,
                    "load": load,
                }
                described.append(record(arm=arm, block=block, **more))
    two = [HEADER["arms"][0] | {"name": name} for name in ("A", "B")[:arms]]
    seen = (Resource(0, "idle", power_w=3.0), Resource(1, "point 0", power_w=9.0, rss_bytes=1))
    return document(points, described, seen, arms=two)


@pytest.mark.parametrize(("arms", "blocks"), [(1, 1), (2, 7)])
def test_summary_keeps_its_schema(arms: int, blocks: int) -> None:
    """summary.json is what its schema says, with one arm and with two, and holds no NaN."""
    schema = json.loads((SCHEMAS / "summary.schema.json").read_text(encoding="utf-8"))
    made = json.loads(json.dumps(summary(run(arms, blocks)), allow_nan=False))
    jsonschema.Draft202012Validator(schema).validate(made)
    assert made["valid"], made["invalid_because"]
    assert len(made["points"]) == 4 * arms * blocks
    assert len(made["comparisons"]) == (12 if arms == 2 else 0)
    assert len(made["knees"]) == arms
    assert made["verdict"]
    assert made["advice"]


def test_slower_arm_is_found_worse() -> None:
    """An arm whose tokens take half as long again is worse, by what it is."""
    found = {one["metric"]: one for one in summary(run(2, 7))["comparisons"]}["tpot_ms"]
    assert found["verdict"] == "worse"
    assert found["ratio"] == pytest.approx(1.5, rel=0.01)


def test_interrupted_point_is_kept() -> None:
    """A point without any sample is in the summary, with nothing in it."""
    made = summary(document([[request(warmup=True), request(1)], []]))
    assert [point["requests"] for point in made["points"]] == [1, 0]
