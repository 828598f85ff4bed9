"""The figures of a point, on requests whose right values are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .. import figures
from ..frame import Frame
from ..sample import Resource, Sample
from ..summary import DEFINITIONS
from .exchanges import understood
from .points import MS, record, request

SLO = {"ttft_ms": 100.0, "tpot_ms": 10.0}


def point(*samples: Sample, kind: str = "closed", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """The figures of a point with these requests."""
    given = {"resources": (), "slo": SLO, "idle_w": None} | more
    return figures.point(record(kind), Frame.of(samples), **given)


def test_throughput_is_tokens_by_window() -> None:
    """Two answers of 8 tokens, from 0 to 36 ms and from 14 to 50 ms, are 16 tokens in 50 ms."""
    found = point(request(0), request(1, sent_ms=14))
    assert found["duration_s"] == 0.05
    assert found["output_tokens"] == 16
    assert found["output_tokens_per_s"] == 320.0
    assert found["prompt_tokens_per_s"] == 640.0
    assert found["requests_per_s"] == 40.0


def test_open_loop_counts_from_the_planned_time() -> None:
    """A request sent 30 ms late waited those 30 ms; its lateness is a figure of its own."""
    found = point(request(late_ms=30), kind="open")
    assert found["ttft_ms"]["p50"] == 50.0
    assert found["e2e_ms"]["p50"] == 66.0
    assert found["dispatch_late_ms"]["p50"] == 30.0
    assert found["duration_s"] == pytest.approx(0.066)


def test_closed_loop_counts_from_sent() -> None:
    """A user that asks late has a smaller load, not a longer answer."""
    assert point(request(late_ms=30))["ttft_ms"]["p50"] == 20.0


def test_warm_up_enters_no_figure_but_connections() -> None:
    """Warm-up requests are no requests of the point; their connections are opened all the same."""
    first = replace(request(warmup=True, first_ms=900), connect_ns=2 * MS)
    found = point(first, request(1, sent_ms=1000))
    assert (found["requests"], found["ttft_ms"]["n"], found["ttft_ms"]["max"]) == (1, 1, 20.0)
    assert (found["connect_ms"]["n"], found["connect_ms"]["p50"]) == (1, 2.0)


def test_no_success_means_null_not_zero() -> None:
    """A point where everything failed has no tokens, no rate and no latency."""
    found = point(request(error="busy-503"))
    assert found["errors"] == {"busy-503": 1}
    for name in ("output_tokens", "output_tokens_per_s", "requests_per_s", "coalesced_share"):
        assert found[name] is None
    assert found["ttft_ms"]["n"] == 0


def test_undeclared_tokens_make_the_sum_unknown() -> None:
    """A server that leaves out eval_count has no tok/s, rather than too few."""
    assert point(request(), replace(request(1), output_tokens=None))["output_tokens"] is None


def test_stall_is_one_long_gap() -> None:
    """A stall of 50 ms is in exactly one gap, and in no first token."""
    found = point(understood("stall"))
    assert (found["itl_ms"]["n"], found["itl_ms"]["max"], found["itl_ms"]["p50"]) == (7, 52.0, 2.0)
    assert found["ttft_ms"]["max"] == 20.0


def test_answer_of_one_record_has_no_time_per_output_token() -> None:
    """Eight tokens that come at once say nothing of the pace between them."""
    whole = request()
    assert point(replace(whole, arrivals=whole.arrivals[:1]))["tpot_ms"]["n"] == 0


def test_records_of_several_tokens_are_seen() -> None:
    """Eight declared tokens in four records are half a record a token."""
    whole = request()
    found = point(replace(whole, arrivals=whole.arrivals[::2]))
    assert found["records_per_token"] == 0.5


def test_in_flight_is_the_mean_and_the_most() -> None:
    """Two answers of 36 ms, one beginning as the other ends, are one at a time."""
    found = point(request(0), request(1, sent_ms=36), request(2, sent_ms=40))["in_flight"]
    assert found["max"] == 2
    assert found["mean"] == pytest.approx(3 * 36 / 76)


def test_goodput_counts_failures_as_misses() -> None:
    """One that kept the SLO of three asked, one late, one failed."""
    found = point(request(), request(1, first_ms=101), request(2, error="truncated"))["goodput"]
    assert found["share"] == pytest.approx(1 / 3)


def test_point_without_requests_has_no_figures() -> None:
    """A point that was interrupted at once is there, and says nothing."""
    found = point()
    assert (found["requests"], found["duration_s"], found["goodput"]) == (0, 0.0, None)
    assert found["in_flight"] == {"mean": None, "max": None}
    assert found["steady"]["verdict"] == "too short"


def test_offered_rate_is_that_of_the_plan() -> None:
    """Arrivals planned at 0, 100 and 200 ms are ten a second, however late they were sent."""
    many = [request(one, sent_ms=100 * one + one, late_ms=one, user=one) for one in range(3)]
    assert point(*many, kind="open")["offered_per_s"] == pytest.approx(10.0)


def test_pace_is_kept_where_latency_is_constant() -> None:
    """Answers that end as fast as requests come keep the pace, whatever each takes."""
    many = [request(one, sent_ms=100 * one, first_ms=5000, user=one) for one in range(9)]
    assert figures.pace_kept(Frame.of(many)) == pytest.approx(1.0)


def test_pace_is_lost_where_a_queue_grows() -> None:
    """Requests each 100 ms whose answers end each 200 ms are kept up with at half the pace."""
    many = [request(one, sent_ms=100 * one, first_ms=100 + 100 * one, user=one) for one in range(9)]
    assert figures.pace_kept(Frame.of(many)) == pytest.approx(0.5)


def test_memory_is_the_peak_of_what_is_known() -> None:
    """What was seen once counts; what was never seen is null."""
    seen = (Resource(0, "point 0", rss_bytes=5), Resource(1, "point 0", rss_bytes=7))
    memory = point(request(), resources=seen)["memory"]
    assert (memory["rss_bytes"], memory["pss_bytes"]) == (7, None)


def test_energy_is_above_idle() -> None:
    """12 W where idle is 2 W are 10 W over the window, by token."""
    seen = [Resource(0, "point 0", power_w=12.0, power_source="nvml")]
    found = point(request(), resources=seen, idle_w=2.0)["energy"]
    assert found == {
        "power_w": 12.0,
        "joules_per_token": pytest.approx(10 * 0.036 / 8),
        "source": "nvml",
    }


def test_energy_by_token_needs_an_idle_system() -> None:
    """Without idle power nothing is known of what the tokens took."""
    seen = [Resource(0, "point 0", power_w=12.0, power_source="nvml")]
    assert point(request(), resources=seen)["energy"]["joules_per_token"] is None


def test_every_figure_has_its_definition() -> None:
    """What a point holds is defined, apart from its own name and place."""
    named = set(point(request())) - set(figures.OF_POINT) - {"errors"}
    assert named <= set(DEFINITIONS)
