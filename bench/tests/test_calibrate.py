"""The client's own error is what it saw against what was done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..calibrate import Emission, calibration, errors, gap_ms, spread_of
from ..sample import Arrival, Sample
from .exchanges import PACE, SENT_NS, TOKENS, understood

DIGEST = "0" * 64
LEFT = [SENT_NS + PACE.first_ns + number * PACE.gap_ns for number in range(TOKENS)]
EMISSION = Emission(SENT_NS, tuple((at_ns - 10, at_ns + 10, 1) for at_ns in LEFT))


def late(sample: Sample, by_ns: int) -> Sample:
    """The sample, with every arrival seen later by this."""
    arrivals = tuple(replace(one, at_ns=one.at_ns + by_ns) for one in sample.arrivals)
    return replace(sample, arrivals=arrivals)


def test_client_that_saw_what_was_done_has_no_error() -> None:
    """Arrivals at the moments at which the records left."""
    found = errors([understood("steady")], {DIGEST: EMISSION})
    assert found == ([0.0], [0.0] * (TOKENS - 1), 0, 0)


def test_late_client_has_its_lateness_as_error() -> None:
    """Everything seen 3 ms late: TTFT is wrong by that, the gaps are right."""
    ttft_ms, itl_ms, _, _ = errors([late(understood("steady"), 3_000_000)], {DIGEST: EMISSION})
    assert ttft_ms == [3.0]
    assert max(itl_ms) == 0.0


@pytest.mark.parametrize(("more", "lost", "doubled"), [(-2, 2, 0), (1, 0, 1)])
def test_records_that_were_lost_or_doubled_are_counted(more: int, lost: int, doubled: int) -> None:
    """Fewer or more arrivals than records that left."""
    sample = understood("steady")
    arrivals = (*sample.arrivals, Arrival(sample.arrivals[-1].at_ns, 1, 1))[: TOKENS + more]
    found = errors([replace(sample, arrivals=arrivals)], {DIGEST: EMISSION})
    assert found[2:] == (lost, doubled)


def test_warm_up_and_foreign_prompts_are_no_evidence() -> None:
    """Only measured requests that the emitter knows count."""
    warm = replace(understood("steady"), warmup=True)
    foreign = replace(understood("steady"), prompt_sha256="1" * 64)
    assert errors([warm, foreign], {DIGEST: EMISSION}) == ([], [], 0, 0)


def test_calibration_without_samples_has_no_figures() -> None:
    """No samples is not an error of 0."""
    found = calibration(4, "user", [], {}, None)
    assert found["ttft_error_ms"] == {"p50": None, "p99": None}
    assert found["tokens_per_s"] == 0.0


def test_rate_is_shared_by_the_streams() -> None:
    """64 streams that make 1,000 tokens/s have a record each 64 ms."""
    assert gap_ms(64, 1000.0) == 64.0


def test_spread_is_by_nearest_rank() -> None:
    """The median of two is the lower one, and the p99 of a few is their maximum."""
    assert spread_of([1.0, 2.0]) == {"p50": 1.0, "p99": 2.0}
