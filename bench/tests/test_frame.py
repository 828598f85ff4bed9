"""The columns of a point hold what its samples hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..figures import latencies
from ..frame import Builder, Frame
from ..sample import Arrival, Sample
from ..summary import measures
from .exchanges import understood
from .points import request

TIMES = st.integers(0, 10**12)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """A request of any kind: failed, without text, of one record, late."""
    times = sorted(draw(st.lists(TIMES, max_size=5)))
    return replace(
        request(),
        planned_ns=draw(TIMES),
        sent_ns=draw(TIMES),
        arrivals=tuple(Arrival(at_ns, 1, draw(st.integers(1, 3))) for at_ns in times),
        finished_ns=draw(st.none() | TIMES),
        error=draw(st.sampled_from([None, None, "busy-503"])),
        warmup=draw(st.booleans()),
        output_tokens=draw(st.none() | st.integers(0, 9)),
    )


@given(st.lists(samples(), max_size=8), st.booleans())
def test_columns_measure_as_a_sample_does(many: list[Sample], open_loop: bool) -> None:
    """Latencies of a frame are those of each sample; NaN where it has none or is warm-up."""
    many = sorted(many, key=lambda sample: sample.planned_ns)
    took = latencies(Frame.of(many), open_loop)
    for row, sample in enumerate(many):
        one = measures(sample, open_loop=open_loop)
        expected = (one.ttft_ms, one.tpot_ms, one.e2e_ms)
        for column, value in zip((took.ttft, took.tpot, took.e2e), expected, strict=True):
            if sample.warmup or value is None:
                assert np.isnan(column[row])
            else:
                assert column[row] == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.lists(samples(), max_size=8))
def test_gaps_are_those_of_each_sample(many: list[Sample]) -> None:
    """No gap crosses from one answer into the next."""
    many = sorted(many, key=lambda sample: sample.planned_ns)
    frame = Frame.of(many)
    gaps, owners = frame.gaps_ns(frame.good)
    expected = [
        (row, gap)
        for row, sample in enumerate(many)
        if not sample.warmup
        for gap in measures(sample).itl_ms
    ]
    assert owners.tolist() == [row for row, _ in expected]
    assert (gaps / 1e6).tolist() == pytest.approx([gap for _, gap in expected])


def test_rows_are_in_the_order_of_issue() -> None:
    """Answers end in another order than they were asked for."""
    frame = Frame.of([request(user=1, sent_ms=50), request(user=0, sent_ms=10)])
    assert frame.user.tolist() == [0, 1]
    assert frame.first_ns.tolist() == [30e6, 70e6]


def test_coalesced_reads_are_counted_once() -> None:
    """Eight tokens in two reads are two reads that held several."""
    frame = Frame.of([understood("coalesced")])
    assert frame.reads(frame.good) == (2, 2)


def test_reads_at_one_time_are_told_apart_from_single_ones() -> None:
    """Share of coalesced reads counts reads, not records."""
    arrivals = (Arrival(1, 1, 2), Arrival(1, 1, 2), Arrival(3, 1, 1))
    frame = Frame.of([replace(understood("steady"), arrivals=arrivals)])
    assert frame.reads(frame.good) == (2, 1)


def test_failures_are_counted_by_class() -> None:
    """Each failure is counted once, under its class; warm-up is not."""
    many = [understood(model) for model in ("steady", "busy", "busy", "truncated")]
    many.append(replace(understood("busy"), warmup=True))
    assert Frame.of(many).error_counts() == {"busy-503": 2, "truncated": 1}


@pytest.mark.parametrize("arrivals", [[["x", 1, 1]], [[1, 1]], [[1, 1, 1], [2]], [[1.5, 1, 1]], 7])
def test_arrivals_that_are_none_are_refused(arrivals: object) -> None:
    """What is no list of three integers each is an error, not a number."""
    record = request().record() | {"arrivals": arrivals}
    with pytest.raises((ValueError, TypeError)):
        Builder().add(record)


def test_empty_frame_has_no_rows() -> None:
    """A point that was interrupted before its first answer has columns without values."""
    frame = Frame.of([])
    assert len(frame) == 0
    assert not frame.good.any()
