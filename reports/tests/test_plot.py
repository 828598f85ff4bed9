"""The numbers that charts are drawn from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .. import axis, plot
from ..documents import Summary
from ..read import read
from ..samples import GRAIN_NS, MAX_STEPS, Distribution, Samples
from . import examples

MS = 1_000_000


def summary(tmp_path: Path, **changed: object) -> Summary:
    document = read(examples.write_json(tmp_path / "summary", examples.summary_record(**changed)))
    assert isinstance(document, Summary)
    return document


def samples(tmp_path: Path, *records: examples.Record) -> Samples:
    document = read(examples.write_lines(tmp_path / "samples", examples.samples_of(*records)))
    assert isinstance(document, Samples)
    return document


def resource(at_s: float, rss: int | None, phase: str = "idle", **more: int) -> examples.Record:
    return {"kind": "resource", "at_ns": int(at_s * 1e9), "phase": phase, "rss_bytes": rss, **more}


def test_throughput_has_the_rate_of_each_point(tmp_path: Path) -> None:
    """One dot a load, in the document's order, at the document's number."""
    document = summary(tmp_path)
    chart = plot.throughput(document.points)
    assert chart is not None
    rates = [point.output_tokens_per_s for point in document.points]
    assert [y for _, y in chart.series[0].runs[0]] == rates
    assert [tick.label for tick in chart.x.ticks] == ["1", "4", "16"]


def test_throughput_of_nothing_is_no_chart(tmp_path: Path) -> None:
    """A point without tokens is not drawn at 0."""
    record = examples.summary_record()
    points = [{**point, "output_tokens_per_s": None} for point in record["points"]]
    assert plot.throughput(summary(tmp_path, points=points).points) is None


def test_first_token_curve_rises_at_each_value(tmp_path: Path) -> None:
    """Of 50 ms and 70 ms, half are within the first and all within the second."""
    slow = examples.sample(arrivals=[[71 * MS, 5, 1]], request=1)
    chart = plot.first_token(samples(tmp_path, examples.sample(), slow).points)
    assert chart is not None
    assert chart.series[0].runs == (((50.01, 0.0), (50.01, 0.5), (70.01, 1.0)),)


def test_gaps_are_those_between_records(tmp_path: Path) -> None:
    """Three records at 50, 70 and 90 ms have two gaps of 20 ms."""
    found = samples(tmp_path, examples.sample())
    assert found.points[0].itl.counts == {20 * MS // GRAIN_NS: 2}


@pytest.mark.parametrize("changed", [{"error": "truncated"}, {"warmup": True}, {"arrivals": []}])
def test_failures_and_warmup_enter_no_distribution(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    """Nothing is drawn of a request that failed, warmed up or said nothing."""
    found = samples(tmp_path, examples.sample(**changed))
    assert plot.first_token(found.points) is None
    assert plot.between_tokens(found.points) is None


def test_each_load_has_its_curve(tmp_path: Path) -> None:
    """Loads are named by their concurrency, with the number of values."""
    other = examples.sample(point=1, concurrency=4)
    chart = plot.first_token(samples(tmp_path, examples.sample(), other).points)
    assert chart is not None
    assert [line.name for line in chart.series] == [
        "concurrency 1 (n = 1)",
        "concurrency 4 (n = 1)",
    ]


def test_loads_of_equal_concurrency_are_told_apart(tmp_path: Path) -> None:
    """Then the point's number is in the name too."""
    chart = plot.first_token(samples(tmp_path, examples.sample(), examples.sample(point=1)).points)
    assert chart is not None
    assert [line.name[:22] for line in chart.series] == [
        "concurrency 1, point 0",
        "concurrency 1, point 1",
    ]


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=600))
def test_curve_rises_to_all_and_is_exact_where_it_bends(values: list[int]) -> None:
    """Each corner says how many values lie within it, however many corners were left out."""
    counted = Distribution()
    for value in values:
        counted.counts[value // GRAIN_NS] += 1
    corners = counted.curve_ms()
    assert len(corners) <= MAX_STEPS + 2
    assert corners[-1][1] == 1.0
    for ms, share in corners:
        assert sum(value < round(ms * 1e6) for value in values) == round(share * len(values))


def test_memory_is_over_seconds_in_mebibytes(tmp_path: Path) -> None:
    """Time starts with the first reading."""
    found = samples(tmp_path, resource(5, 100 * 2**20), resource(7, 300 * 2**20))
    chart = plot.memory(found.resources, found.points)
    assert chart is not None
    assert chart.series[0].runs == (((0.0, 100.0), (2.0, 300.0)),)


def test_memory_that_could_not_be_read_leaves_a_gap(tmp_path: Path) -> None:
    """A missing value is neither 0 nor bridged."""
    found = samples(tmp_path, resource(0, 2**20), resource(1, None), resource(2, 2**21))
    chart = plot.memory(found.resources, found.points)
    assert chart is not None
    assert chart.series[0].runs == (((0.0, 1.0),), ((2.0, 2.0),))


def test_memory_that_is_read_less_often_is_one_line(tmp_path: Path) -> None:
    """PSS is read in every fifth look only: a look without it is no gap."""
    looks = [{**resource(at, 2**20), "pss_bytes": pss} for at, pss in ((0, 2**20), (1, None))]
    found = samples(tmp_path, *looks, {**resource(2, 2**20), "pss_bytes": 2**21})
    chart = plot.memory(found.resources, found.points)
    assert chart is not None
    pss = next(line for line in chart.series if "PSS" in line.name)
    assert pss.runs == (((0.0, 1.0), (2.0, 2.0)),)


def test_memory_never_read_is_no_chart(tmp_path: Path) -> None:
    """A server on another machine has no memory to draw."""
    assert plot.memory(samples(tmp_path, resource(0, None)).resources, {}) is None


def test_phases_are_bands_that_touch(tmp_path: Path) -> None:
    """Each lasts from its first reading to the next one's first."""
    phases = [(0, "idle"), (1, "idle"), (2, "load"), (4, "load")]
    found = samples(tmp_path, *(resource(at, 1, phase) for at, phase in phases))
    chart = plot.memory(found.resources, found.points)
    assert chart is not None
    assert chart.bands == (plot.Band("idle", 0, 2), plot.Band("load", 2, 4))


def test_phase_of_a_point_is_named_by_its_load(tmp_path: Path) -> None:
    """As the curves of the other charts are."""
    load = examples.sample(point=3, concurrency=16)
    found = samples(tmp_path, load, resource(0, 1, "idle"), resource(1, 1, "point 3"))
    chart = plot.memory(found.resources, found.points)
    assert chart is not None
    assert [band.name for band in chart.bands] == ["idle", "concurrency 16"]


def test_long_memory_keeps_its_peak(tmp_path: Path) -> None:
    """Thinning to what a screen shows takes the highest of each stretch."""
    records = [resource(at, (900 if at == 1234 else 100) * 2**20) for at in range(5000)]
    chart = plot.memory(samples(tmp_path, *records).resources, {})
    assert chart is not None
    heights = [y for _, y in chart.series[0].runs[0]]
    assert len(heights) <= plot.MAX_MOMENTS
    assert max(heights) == 900


def test_path_goes_from_the_lower_left() -> None:
    """SVG counts downwards, charts upwards."""
    line = plot.Series("s", (((0.0, 0.0), (10.0, 5.0)),))
    chart = plot.Chart("", "", axis.linear("", 10), axis.linear("", 10), (line,))
    assert chart.path(line) == "M0 1000 L1000 500"


@given(st.floats(1e-6, 1e12))
def test_linear_axis_holds_its_highest_value(highest: float) -> None:
    """And wastes no more than half of itself on it."""
    side = axis.linear("", highest)
    assert 50 <= side.at(highest) <= 100.001
    assert 2 <= len(side.ticks) <= 6


@given(st.floats(1e-2, 1e7), st.floats(1, 1e4))
def test_logarithmic_axis_holds_both_ends(lowest: float, factor: float) -> None:
    """With few labels, all of them inside."""
    side = axis.logarithmic("", lowest, lowest * factor)
    assert -0.01 <= side.at(lowest) <= side.at(lowest * factor) <= 100.01
    assert all(-0.01 <= tick.at <= 100.01 for tick in side.ticks)
    assert 1 <= len(side.ticks) <= 12
