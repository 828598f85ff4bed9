"""What people see."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ..load import Ask, Closed, Open, Point, Result
from ..sample import Sample
from ..terminal import (
    Progress,
    alike,
    duration,
    expected,
    figures,
    left_s,
    middle,
    number,
    reading,
    remarks,
)
from .exchanges import understood

POINT = Point("users", "4 users", 4, Closed(4, requests=2, warmup=1), Ask())
FIGURE = {"n": 2, "p50": 20.0, "p95": 31.25}
NONE = {"n": 0, "p50": None, "p95": None}
ROW = {
    "group": "users",
    "label": "4 users",
    "arm": 0,
    "model": "tiny",
    "requests": 8,
    "failures": 1,
    "errors": {"busy-503": 1},
    "output_tokens_per_s": 100.0,
    "ttft_ms": FIGURE,
    "itl_ms": FIGURE,
    "tpot_ms": NONE,
    "e2e_ms": {"p50": 1500.0, "p95": None},
    "memory": {"rss_bytes": 3 << 20},
}
SUMMARY = {
    "arms": [{"name": "a", "target": {"model": "tiny", "url": "http://[::1]:1"}}],
    "points": [ROW, {**ROW, "output_tokens_per_s": 300.0}],
    "invalid_because": ["late"],
}


def drawn(thing: object, width: int = 80) -> str:
    """Something as a terminal of a width has it."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(thing)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.0, "0"), (12.345, "12.3"), (1234.5, "1234")]
)
def test_figures_have_three_digits_and_a_dash_for_none(value: float | None, shown: str) -> None:
    """A missing figure is a dash, never 0."""
    assert number(value) == shown


def test_reading_shows_load_speed_first_token_and_errors() -> None:
    """8 tokens in 36 ms, a first token after 20 ms, and one error."""
    samples: list[Sample] = [understood("steady"), understood("busy")]
    assert reading(POINT, samples) == (
        "4 users · 222 tok/s · TTFT 20 ms (p95 20) · 2 of 12 · errors 1"
    )


def test_reading_before_the_first_answer_has_dashes() -> None:
    """Before anything is known nothing is claimed."""
    assert reading(POINT, []) == "4 users · - tok/s · TTFT - ms (p95 -) · 0 of 12 · errors 0"
    assert left_s(1.0, 0, 10) is None


def test_first_token_of_an_arrival_counts_from_its_planned_time() -> None:
    """In an open loop what the client was late by is part of the wait."""
    point = replace(POINT, load=Open(2.5, 1))
    late = replace(understood("steady"), planned_ns=-5_000_000)
    assert "2.5 requests/s" in reading(point, [late])
    assert "TTFT 25 ms" in reading(point, [late])
    assert "TTFT 20 ms" in reading(POINT, [late])


def test_reading_of_embeddings_counts_answers() -> None:
    """Where no tokens are made the speed is of answers."""
    assert "answers/s" in reading(replace(POINT, ask=Ask("embed")), [])


def test_longest_reading_fits_a_narrow_terminal() -> None:
    """Rates, long times and many errors stay within 80 columns."""
    slow = replace(understood("steady"), planned_ns=-98_765_000_000)
    point = replace(POINT, load=Open(12.34, requests=2000, warmup=250))
    assert len(reading(point, [slow] * 999)) <= 80


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.4, "4 s"), (99.0, "99 s"), (150.0, "2 min"), (7200.0, "2 h 0 min")]
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """Seconds, then minutes, then hours."""
    assert duration(seconds) == said


def test_time_left_follows_the_pace_so_far() -> None:
    """A quarter in 2 s leaves 6 s."""
    assert left_s(2.0, 25, 100) == 6.0


def test_expected_requests_are_those_of_all_users_turns_and_warm_ups() -> None:
    """4 users with 1 + 2 requests, or conversations of 3 turns; an open loop's arrivals."""
    assert expected(POINT) == 12
    assert expected(replace(POINT, ask=Ask("chat", turns=3))) == 36
    assert expected(replace(POINT, load=Open(1.0, 10, warmup=2))) == 12


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("planned", "said"), [(3, "about"), (None, "left of it")])
def test_picture_has_point_load_and_time_left(width: int, planned: int | None, said: str) -> None:
    """Two lines that fill the terminal and do not overflow it."""
    progress = Progress(Console(file=io.StringIO()), planned)
    progress.phase("point 0", POINT)
    for _ in range(6):
        progress.sample(understood("steady"))
    lines = drawn(progress._picture(), width).splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    assert "point 1 of 3: 4 users" in lines[0] if planned else "point 1: 4 users" in lines[0]
    assert said in lines[0]
    assert "errors 0" in lines[1]


def test_waiting_for_load_processes_is_said() -> None:
    """Who has to start a worker elsewhere sees where it is awaited."""
    progress = Progress(Console(file=io.StringIO()), None)
    progress.waiting(1, 3, "192.0.2.1:5557")
    assert "1 of 3 load processes are there, at 192.0.2.1:5557" in drawn(progress._picture())


def test_live_figures_are_of_what_ended_lately() -> None:
    """The live page gets speed, first token and errors of the last ten seconds."""
    progress = Progress(Console(file=io.StringIO()), 1)
    progress.phase("point 0", POINT)
    progress.sample(understood("steady"))
    shown = progress.figures(1.5)
    assert (shown["ttft_p50_ms"], shown["errors"], shown["done"]) == (20.0, 0, 1)
    assert shown["tokens_per_s"] == pytest.approx(8 / 0.036)
    progress.result(Result(POINT, 1, 0, None, None, None))
    progress.phase("point 1", POINT)
    assert progress.figures(2.5)["tokens_per_s"] is None


def test_blocks_of_a_point_are_one_row_with_their_median() -> None:
    """100 and 300 tokens/s in two blocks are 200, asked and failed are added."""
    assert [len(points) for points in alike(SUMMARY["points"])] == [2]  # type: ignore[arg-type]
    shown = drawn(figures(SUMMARY))
    assert "4 users ×2" in shown
    row = next(line for line in shown.splitlines() if "×2" in line).split()
    assert row[3:] == ["16", "2", "200", "20/31.2", "20/31.2", "-", "1.5/-", "3"]


def test_points_stand_along_their_axis() -> None:
    """In whichever order they were measured; groups in that of the run."""
    place = {"arm": 0, "model": "m"}
    points = [
        {"group": "turns", "label": "6 turns", "value": 6, **place},
        {"group": "shared", "label": "90 %", "value": 90, **place},
        {"group": "shared", "label": "0 %", "value": 0, **place},
    ]
    assert [same[0]["label"] for same in alike(points)] == ["6 turns", "0 %", "90 %"]


def test_median_without_values_is_none() -> None:
    """No samples, no figure."""
    assert middle([None, None]) is None
    assert middle([1.0, None, 3.0]) == 2.0


def test_remarks_name_errors_and_reasons() -> None:
    """Failures by class and reasons against the run are said beside the table."""
    assert remarks(SUMMARY) == ["4 users: requests failed: busy-503 2", "not valid: late"]
