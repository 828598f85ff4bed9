"""Every figure, against schedules whose right value is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..sample import Arrival, Sample
from ..summary import DEFINITIONS, faults, figure, measures, reads, throughput
from .exchanges import understood

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


def test_ttft_is_from_sent_to_first_text() -> None:
    """TTFT of the steady schedule is its first delay, to the nanosecond."""
    assert measures(understood("steady")).ttft_ms == 20.0


def test_itl_are_the_gaps_between_texts() -> None:
    """Each gap of the steady schedule is one gap, with none before the first or after the last."""
    assert measures(understood("steady")).itl_ms == (2.0,) * 7


def test_stall_is_one_long_gap() -> None:
    """A stall of 50 ms is in exactly one gap, and in no TTFT."""
    stalled = measures(understood("stall"))
    assert stalled.itl_ms == (2.0, 2.0, 2.0, 52.0, 2.0, 2.0, 2.0)
    assert stalled.ttft_ms == 20.0


def test_records_of_one_read_have_no_gap() -> None:
    """Eight tokens in two reads have one gap of 2 ms and six of 0."""
    coalesced = measures(understood("coalesced"))
    assert coalesced.itl_ms == (0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0)
    assert reads(understood("coalesced")) == (2, 2)


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


def shifted(sample: Sample, by_ns: int) -> Sample:
    """The same sample at another time."""
    return replace(
        sample,
        planned_ns=sample.planned_ns + by_ns,
        sent_ns=sample.sent_ns + by_ns,
        arrivals=tuple(replace(one, at_ns=one.at_ns + by_ns) for one in sample.arrivals),
        finished_ns=None if sample.finished_ns is None else sample.finished_ns + by_ns,
    )


def test_throughput_is_tokens_by_window() -> None:
    """Two answers of 8 tokens, from 0 to 36 ms and from 14 to 50 ms, are 16 tokens in 50 ms."""
    steady = understood("steady")
    figures = throughput([steady, shifted(steady, 14_000_000)])
    assert figures["duration_s"] == 0.05
    assert figures["output_tokens"] == 16
    assert figures["output_tokens_per_s"] == 320.0
    assert figures["requests_per_s"] == 40.0


def test_failures_are_counted_by_class() -> None:
    """Each failure is counted once, under its class, and its tokens are not."""
    samples = [understood(model) for model in ("steady", "busy", "busy", "truncated")]
    figures = throughput(samples)
    assert (figures["requests"], figures["failures"]) == (4, 3)
    assert figures["errors"] == {"busy-503": 2, "truncated": 1}
    assert figures["output_tokens"] == 8


def test_no_success_means_null_not_zero() -> None:
    """A point where everything failed has no tokens and no rate."""
    figures = throughput([understood("busy")])
    assert figures["output_tokens"] is None
    assert figures["output_tokens_per_s"] is None
    assert figures["requests_per_s"] is None


def test_undeclared_tokens_make_the_sum_unknown() -> None:
    """A server that leaves out eval_count has no tok/s, rather than too few."""
    steady = understood("steady")
    assert throughput([steady, replace(steady, output_tokens=None)])["output_tokens"] is None


def test_figure_of_nothing_is_null() -> None:
    """Without samples every figure is null and n is 0."""
    empty = figure([])
    assert empty["n"] == 0
    assert {value for name, value in empty.items() if name != "n"} == {None}


@given(VALUES)
def test_percentiles_are_samples_in_order(values: list[float]) -> None:
    """Percentiles are values that were seen, and ordered between the extremes."""
    got = figure(values)
    marks = [got[name] for name in ("min", "p50", "p90", "p99", "max")]
    assert marks == sorted(marks, key=lambda mark: mark or 0.0)
    assert set(marks) <= set(values)


@given(VALUES, st.sampled_from([50, 90, 99]))
def test_percentile_is_the_smallest_that_covers_its_share(values: list[float], share: int) -> None:
    """At least the share of samples is not above the percentile, and fewer are below it."""
    mark = figure(values)[f"p{share}"]
    assert mark is not None
    assert sum(value <= mark for value in values) * 100 >= share * len(values)
    assert sum(value < mark for value in values) * 100 < share * len(values)


@given(VALUES)
def test_order_of_samples_does_not_matter(values: list[float]) -> None:
    """A figure is the same for the same samples in any order."""
    assert figure(values) == figure(values[::-1])


def point(late_ms: float | None, e2e_ms: float | None) -> dict[str, object]:
    """The two figures of a point that decide on validity."""
    late = {"p99": late_ms}
    return {"concurrency": 4, "dispatch_late_ms": late, "e2e_ms": {"p50": e2e_ms}}


@pytest.mark.parametrize(
    ("late_ms", "e2e_ms", "valid"),
    [
        (4.9, 10.0, True),
        (5.1, 10.0, False),
        (5.1, 200.0, True),
        (50.0, 999.0, False),
        (6.0, None, False),
        (None, None, True),
    ],
)
def test_late_client_makes_the_run_invalid(
    late_ms: float | None, e2e_ms: float | None, valid: bool
) -> None:
    """Lateness above 5 ms and above 5 % of the answer time is a reason, in words."""
    assert (not faults([point(late_ms, e2e_ms)], interrupted=False)) is valid


def test_interrupted_run_is_not_valid() -> None:
    """An interrupted run says so."""
    assert faults([], interrupted=True) == ["the run was interrupted"]


def test_every_figure_has_its_definition() -> None:
    """What a point holds is defined, apart from its own name and the error table."""
    named = {*throughput([]), "ttft_ms", "itl_ms", "tpot_ms", "e2e_ms", "coalesced_share"}
    assert named - {"errors"} <= set(DEFINITIONS)


def test_reads_at_one_time_are_told_apart_from_single_ones() -> None:
    """Share of coalesced reads counts reads, not records."""
    arrivals = (Arrival(1, 1, 2), Arrival(1, 1, 2), Arrival(3, 1, 1))
    assert reads(replace(understood("steady"), arrivals=arrivals)) == (2, 1)
