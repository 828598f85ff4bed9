"""What is on the page of a bench."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..page import render
from ..read import read
from . import bench_examples as bench
from . import examples
from .test_page import EVIL, Elements, words_of

URL = bench.TARGET["url"]


def page(path: Path, points: list[bench.Record] | None = None, **changed: object) -> str:
    """The page of a summary."""
    record = bench.summary(points, **changed)
    return render([read(examples.write_json(path / "summary", record))])


def charts_of(drawn: str) -> int:
    """How many charts a page has."""
    classes = [(had.get("class") or "").split() for tag, had in Elements(drawn).found]
    return sum("chart" in names for names in classes)


def test_text_of_a_bench_is_never_markup(tmp_path: Path) -> None:
    """Neither are its names, errors, reasons, sentences and definitions."""
    evil = bench.point(0, label=EVIL, group=EVIL, failures=1, errors={EVIL: 1})
    target = {**bench.TARGET, "url": EVIL, "model": EVIL, "version": EVIL, "digest": EVIL}
    drawn = page(
        tmp_path,
        [evil, {**evil, "point": 1, "label": f"{EVIL} 2"}],
        arms=[{"name": EVIL, "target": target, "conformance": None}],
        profile={"name": EVIL, "about": EVIL, "seed": 1, EVIL: EVIL},
        definitions={EVIL: EVIL},
        comparisons=[bench.comparison(EVIL, 2.0, "worse", metric=EVIL, baseline=EVIL)],
        verdict=[EVIL],
        advice=[EVIL],
        valid=False,
        invalid_because=[EVIL],
    )
    elements = Elements(drawn)
    assert (elements.count("script"), elements.count("img"), elements.count("b")) == (1, 0, 0)


def test_ladder_has_all_its_charts(tmp_path: Path) -> None:
    """Rate, latency, two distributions, flow twice, memory, power, requests."""
    assert charts_of(page(tmp_path)) == 9


def test_summary_without_charts_still_has_its_figures(tmp_path: Path) -> None:
    """What is drawn of the points alone is drawn, and the table is whole."""
    record = bench.summary()
    del record["charts"]
    drawn = render([read(examples.write_json(tmp_path / "summary", record))])
    assert charts_of(drawn) == 2
    assert "By users" in words_of(drawn)


def test_every_chart_is_described_in_words(tmp_path: Path) -> None:
    """With its numbers."""
    elements = Elements(page(tmp_path))
    labels = [
        had["aria-label"] or "" for _, had in elements.found if "plot" in (had.get("class") or "")
    ]
    assert len(labels) == 9
    assert all(re.search(r"\d", label) for label in labels)


def test_verdict_comes_before_any_figure(tmp_path: Path) -> None:
    """The first thing read is what the run found."""
    text = words_of(page(tmp_path, verdict=["Sixteen users are best."]))
    assert text.index("Sixteen users are best.") < text.index("best tokens/s")


def test_invalid_run_says_why_at_the_top(tmp_path: Path) -> None:
    """Before any figure."""
    text = words_of(page(tmp_path, valid=False, invalid_because=["The client was 9 ms late."]))
    assert text.index("The client was 9 ms late.") < text.index("best tokens/s")


def test_interrupted_bench_says_so(tmp_path: Path) -> None:
    """Half a ladder is not taken for a whole one."""
    assert "Interrupted." in words_of(page(tmp_path, interrupted=True))


def test_bench_shows_the_conformance_of_its_target(tmp_path: Path) -> None:
    """So that a fast but wrong server cannot win."""
    run = read(examples.write_lines(tmp_path / "run", examples.run_records()))
    summary = read(examples.write_json(tmp_path / "summary", bench.summary()))
    assert render([run, summary]).count("32/37 of 40 MUST (3 not offered)") == 2


def test_conformance_that_the_bench_was_given_is_shown(tmp_path: Path) -> None:
    """Without the run itself its headline is enough."""
    judged = {"headline": "9/9 of 9 MUST", "exit_status": 0, "finished_at": "2026-11-21T11:00:00Z"}
    assert "9/9 of 9 MUST" in page(tmp_path, arms=[{**bench.ARM, "conformance": judged}])


def test_bench_without_conformance_says_so(tmp_path: Path) -> None:
    """Where the verdict would stand."""
    assert "no conformance run was given" in words_of(page(tmp_path))


def test_own_error_is_printed(tmp_path: Path) -> None:
    """In the header's table and in the footer; without a calibration the page says that."""
    assert words_of(page(tmp_path)).count("0.061 ms") == 1
    assert "not measured in this run" in words_of(page(tmp_path, calibration=None))


def test_percentile_of_few_values_is_called_too_small(tmp_path: Path) -> None:
    """One block: its interval, or that there is none."""
    text = words_of(page(tmp_path, [bench.point(0)], knees=[]))
    assert "n too small (12)" in text
    assert "74.4 to 87.2" in text


def test_percentile_that_few_values_do_not_have_says_why(tmp_path: Path) -> None:
    """Values there are, but too few for a p99: that is not `no samples`."""
    few = {**bench.figure(80.0), "p99": None}
    text = words_of(page(tmp_path, [bench.point(0, e2e_ms=few, ttft_ms=few)], knees=[]))
    assert "— n too small (12)" in text
    assert "no samples" not in text


def test_blocks_show_their_range(tmp_path: Path) -> None:
    """Percentiles of blocks are not averaged: the median of them, and how far they lie apart."""
    points = [
        bench.point(number, block=number, ttft_ms=bench.figure(100.0 + number))
        for number in range(3)
    ]
    text = words_of(page(tmp_path, points, knees=[]))
    assert "101 100 to 102" in text


def test_missing_figures_are_no_samples(tmp_path: Path) -> None:
    """Never 0, and never a blank: one load has figures, the other none."""
    nothing: dict[str, Any] = dict.fromkeys(("output_tokens", "output_tokens_per_s"))
    nothing |= {key: bench.figure(None) for key in ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms")}
    empty = bench.point(1, label="2 users", value=2, requests=12, failures=12, **nothing)
    text = words_of(page(tmp_path, [bench.point(0), empty], knees=[]))
    assert text.count("no samples") >= 6


def test_run_without_points_says_no_samples(tmp_path: Path) -> None:
    """A bench whose every load was cut away."""
    assert "No samples" in words_of(page(tmp_path, []))


def test_errors_are_counted_by_class_and_load(tmp_path: Path) -> None:
    """Three refused in each of three blocks, all with 32 users."""
    assert "busy-503 9 32 users (9)" in words_of(page(tmp_path))


def test_arms_stand_beside_each_other(tmp_path: Path) -> None:
    """Two servers: both are named, in the heading and in the table."""
    points = [bench.point(number, group="a/b", arm=number) for number in range(2)]
    text = words_of(page(tmp_path, points, arms=[bench.ARM, bench.OTHER], knees=[]))
    assert "smollm2:135m-instruct-q4_1 against smollm2-mlx" in text
    assert "http://localhost:8080" in text
