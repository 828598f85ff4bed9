"""The numbers that the charts of loads are drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .. import axis, charts, elapsed, forest
from ..benches import Summary
from ..plot import Band, Chart
from ..read import read
from . import bench_examples as bench
from . import examples


def summary(path: Path, points: list[bench.Record] | None = None, **changed: object) -> Summary:
    """A summary as it is read."""
    document = read(examples.write_json(path / "summary", bench.summary(points, **changed)))
    assert isinstance(document, Summary)
    return document


def titled(drawn: tuple[Chart, ...], title: str) -> Chart:
    """The chart of that title."""
    return next(chart for chart in drawn if chart.title == title)


def test_throughput_has_the_mean_rate_of_each_load(tmp_path: Path) -> None:
    """Two blocks of 10 and 20 tokens/s: the dot is at 15, its whisker from one to the other."""
    points = [
        bench.point(number, block=number, output_tokens_per_s=rate)
        for number, rate in enumerate((10.0, 20.0))
    ]
    chart = charts.throughput(summary(tmp_path, points, knees=[]))
    assert chart is not None
    (dot,) = chart.series[0].dots
    assert (dot.y, dot.low, dot.high) == (15.0, 10.0, 20.0)


def test_throughput_of_nothing_is_no_chart(tmp_path: Path) -> None:
    """No rate, no chart."""
    points = [bench.point(0, output_tokens_per_s=None)]
    assert charts.throughput(summary(tmp_path, points, knees=[])) is None


def test_knee_lies_on_its_users(tmp_path: Path) -> None:
    """The mark at 16 users is at the fifth of six places, its interval from the fourth."""
    chart = charts.throughput(summary(tmp_path))
    assert chart is not None
    assert [mark.x for mark in chart.marks] == [4.0]
    assert [(band.start, band.end) for band in chart.bands] == [(3.0, 4.0)]


def test_knee_between_two_steps_lies_between_them() -> None:
    """Twelve users, where 8 and 16 were measured."""
    assert charts.between({8.0: 0.0, 16.0: 1.0}, 12.0) == 0.5


def test_no_knee_no_mark(tmp_path: Path) -> None:
    """A ladder that found none has no line."""
    knee = {**bench.summary()["knees"][0], "value": None, "low": None, "high": None}
    chart = charts.throughput(summary(tmp_path, knees=[knee]))
    assert chart is not None
    assert chart.marks == ()


def test_latency_is_drawn_over_the_rate_that_it_buys(tmp_path: Path) -> None:
    """Each dot is named by its users."""
    chart = charts.against_latency(summary(tmp_path))
    assert chart is not None
    assert [dot.name for dot in chart.series[0].dots] == ["1", "2", "4", "8", "16", "32"]


def test_goodput_stands_against_what_was_offered(tmp_path: Path) -> None:
    """With the interval of its share, and a line where nothing is lost."""
    good = {"per_s": 2.0, "share": 0.5, "low": 0.25, "high": 0.75}
    point = bench.point(0, group="rate", label="4/s", value=4, offered_per_s=4.0, goodput=good)
    chart = charts.goodput(summary(tmp_path, [point], knees=[]))
    assert chart is not None
    (dot,) = chart.series[0].dots
    assert (dot.x, dot.y, dot.low, dot.high) == (4.0, 2.0, 1.0, 3.0)
    assert chart.series[1].ideal


def test_prompt_lengths_have_a_logarithmic_axis(tmp_path: Path) -> None:
    """512 and 1024 tokens lie as far apart as 1024 and 2048."""
    points = [
        bench.point(number, group="prompt", label=f"{tokens} tokens", value=tokens)
        for number, tokens in enumerate((512, 1024, 2048))
    ]
    chart = charts.first_tokens(summary(tmp_path, points, knees=[]), "prompt")
    assert chart is not None
    places = [chart.x.at(dot.x) for dot in chart.series[0].dots]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.01)


def test_labels_stand_in_the_order_of_their_values(tmp_path: Path) -> None:
    """Whatever order the blocks were measured in."""
    points = [
        bench.point(number, group="shared", label=f"{part} % shared", value=part)
        for number, part in enumerate((50, 90, 0))
    ]
    chart = charts.first_tokens(summary(tmp_path, points, knees=[]), "shared")
    assert chart is not None
    assert [tick.label for tick in chart.x.ticks] == ["0 % shared", "50 % shared", "90 % shared"]


def test_embeddings_are_drawn_by_the_whole_answer(tmp_path: Path) -> None:
    """They have no first token that a person waits for."""
    points = [
        bench.point(number, group="inputs", label=f"{inputs} texts", value=inputs)
        for number, inputs in enumerate((1, 8))
    ]
    chart = charts.first_tokens(summary(tmp_path, points, knees=[]), "inputs")
    assert chart is not None
    assert chart.y.label == "E2E p50, ms"


def test_distributions_show_no_more_curves_than_can_be_told_apart(tmp_path: Path) -> None:
    """Of nine loads six, the lightest and the heaviest among them."""
    points = bench.ladder((1, 2, 3, 4, 6, 8, 12, 16, 32), blocks=1)
    chart = charts.distribution(summary(tmp_path, points), "ttft")
    assert chart is not None
    names = [series.name for series in chart.series]
    assert (len(names), names[0], names[-1]) == (charts.MAX_CURVES, "1 user", "32 users")


def test_curves_stand_in_the_order_of_their_loads(tmp_path: Path) -> None:
    """Twelve users, looked at after 32, come before them."""
    chart = charts.distribution(summary(tmp_path, bench.ladder((1, 32, 12), blocks=1)), "ttft")
    assert chart is not None
    assert [series.name for series in chart.series] == ["1 user", "12 users", "32 users"]


def test_curve_rises_from_none_to_all(tmp_path: Path) -> None:
    """It begins at 0 % and ends at 100 %."""
    chart = charts.distribution(summary(tmp_path), "itl")
    assert chart is not None
    for series in chart.series:
        shares = [share for _, share in series.runs[0]]
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert shares == sorted(shares)


def test_options_have_a_forest_and_no_chart_of_first_tokens(tmp_path: Path) -> None:
    """Eight options on one axis would say less than eight ratios."""
    points = [bench.point(0, group="options", label="baseline", value=None)]
    found = charts.charts(summary(tmp_path, points, knees=[]))
    assert [chart.title for chart in found] == [
        "Time to first token",
        "Gaps between records (ITL)",
    ]


def test_ratio_lies_between_the_ends_of_its_interval(tmp_path: Path) -> None:
    """On the axis too, left of the line where nothing differs."""
    (drawn,) = forest.forests(
        summary(tmp_path, comparisons=[bench.comparison("top_k 0", 0.8, "worse")])
    )
    (ratio,) = drawn.ratios
    assert ratio.at is not None
    assert ratio.low < ratio.at < ratio.high < drawn.none
    assert (ratio.state, ratio.text) == ("bad", "0.800 (0.776 to 0.824)")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdict": "better"}, "better, p = 0.004, 10 pairs"),
        ({"verdict": "no difference found"}, "no difference found; 2.80 % would have been"),
        (
            {"verdict": "not enough pairs", "p": None, "pairs": 1},
            "not enough pairs, 1 pair",
        ),
    ],
)
def test_verdict_of_a_ratio_says_how_sure_it_is(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    """With the p value, or with what would have been found."""
    compared = bench.comparison("x", 1.0, **{"verdict": "", **changed})
    (drawn,) = forest.forests(summary(tmp_path, comparisons=[compared]))
    assert drawn.ratios[0].verdict == said


def test_ratio_that_there_is_not_has_no_place(tmp_path: Path) -> None:
    """No samples, no dot."""
    compared = bench.comparison("x", None, "not enough pairs")
    (drawn,) = forest.forests(summary(tmp_path, comparisons=[compared]))
    assert (drawn.ratios[0].at, drawn.ratios[0].text) == (None, "no samples")


def test_flow_shades_the_steady_windows(tmp_path: Path) -> None:
    """Only those that are steady."""
    tokens, flight = elapsed.flow(summary(tmp_path, bench.ladder((1, 32), blocks=1)))
    assert [(band.start, band.end) for band in tokens.bands] == [(2.0, 19.0)]
    assert flight.title == "Requests in flight over the run"


def test_memory_is_over_seconds_in_mebibytes(tmp_path: Path) -> None:
    """With the phases named by their loads."""
    chart = elapsed.memory(summary(tmp_path, [bench.point(0)], knees=[]))
    assert chart is not None
    assert [band.name for band in chart.bands] == ["1 user"]
    assert 559 < max(size for _, size in chart.series[0].runs[0]) < 641


def test_memory_never_read_is_no_chart(tmp_path: Path) -> None:
    """A server on another machine."""
    drawn: bench.Record = {"curves": [], "flow": None, "timelines": [], "resources": []}
    assert elapsed.charts(summary(tmp_path, charts=drawn)) == ()


def test_timeline_tells_failed_requests_and_warm_up(tmp_path: Path) -> None:
    """Each request has its state, its wait and its tokens."""
    (drawn,) = elapsed.timelines(summary(tmp_path))
    states = [bar.state for bar in drawn.bars]
    assert (states.count("warm-up"), states.count("failed")) == (4, 1)
    assert all(bar.wait <= bar.start <= bar.first <= bar.end <= 100.001 for bar in drawn.bars)


def test_many_phases_are_counted_not_named() -> None:
    """Eighteen names under a chart say nothing."""
    bands = tuple(Band(f"p{n}", n, n + 1) for n in range(18))
    side = axis.linear("", 18)
    assert (
        Chart("", "", side, side, (), bands).shown == "18 phases, a dotted line between each two."
    )
