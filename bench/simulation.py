"""Simulated runs, whose truth is known: how often the intervals hold it, how often a run without a
difference shows one, how often a real one is found. `proof` returns the figures; seeded.

The product's own functions are judged here, on points as `figures` makes them; the bootstraps are
here only to show why they are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .frame import Floats
from .goodput import wilson
from .intervals import PERCENTS, TAIL, figure, mean_interval, percentile
from .knee import Rung, of_users
from .paired import comparisons, judged, t_test
from .steady import Change, shift, trend

Random = np.random.Generator
Noise = Callable[[Random, tuple[int, ...]], Floats]
PAIRS = 10
NOISE = 0.02
"""The scatter of a block, relative (standard deviation)."""
DIFFERENCE = 1.03
RESAMPLES = 999


def normal(random: Random, shape: tuple[int, ...]) -> Floats:
    """Even scatter."""
    return random.normal(0, NOISE, shape)


def heavy(random: Random, shape: tuple[int, ...]) -> Floats:
    """Tails of Student's t with 3 degrees of freedom."""
    return NOISE / math.sqrt(3) * random.standard_t(3, shape)


def skewed(random: Random, shape: tuple[int, ...]) -> Floats:
    """Slow blocks are further off than quick ones."""
    return np.log(1 - NOISE / 2 + NOISE / 2 * random.lognormal(0, 1, shape))


def neighbour(random: Random, shape: tuple[int, ...]) -> Floats:
    """One block in ten is 15 % slower: somebody else's work."""
    return random.normal(0, NOISE, shape) - 0.15 * (random.random(shape) < 0.1)


NOISES: dict[str, Noise] = {
    "normal": normal,
    "heavy": heavy,
    "skewed": skewed,
    "neighbour": neighbour,
}


def proof(runs: int = 2000, seed: int = 11) -> dict[str, Any]:
    """All figures, as shares of simulated runs; each from a generator of its own."""
    fewer = max(20, runs // 4)
    generators = iter(np.random.default_rng(seed).spawn(16))
    return {
        "runs": runs,
        "ratio_coverage": {
            name: ratio_coverage(next(generators), one, runs) for name, one in NOISES.items()
        },
        "rate_coverage": rate_coverage(next(generators), runs),
        "percentile_coverage": percentile_coverage(next(generators), runs),
        "itl_coverage": itl_coverage(next(generators), fewer),
        "goodput_coverage": goodput_coverage(next(generators), 10 * runs),
        "knee_coverage": knee_coverage(next(generators), fewer),
        "aa_different": {
            "one load": aa_different(next(generators), runs, labels=1),
            "12 loads": aa_different(next(generators), fewer, labels=12),
        },
        "difference_found": {"alone": difference_found(next(generators), 50 * runs)},
        "difference_found_among_3": found_among_3(next(generators), runs),
        "steady_false_alarms": false_alarms(next(generators), runs),
        "drift_found": drift_found(next(generators), fewer),
    }


def ratio_coverage(
    random: Random, noise: Noise, runs: int, *, ours_alone: bool = False
) -> dict[str, float]:
    """How often the interval of a ratio holds the truth, at 10 pairs, by method; `t` is ours, and
    is judged by ten times as many runs."""
    logs = noise(random, (10 * runs, PAIRS)) - noise(random, (10 * runs, PAIRS))
    ours = [judged(row, "higher", 0.0, 1) for row in logs]
    shares = {"t": share(one["low"] <= 1 <= one["high"] for one in ours)}
    if ours_alone:
        return shares
    from scipy.stats import bootstrap

    logs = logs[:runs]
    for method in ("percentile", "BCa"):
        interval = bootstrap(
            (logs,), np.mean, axis=1, n_resamples=RESAMPLES, method=method, rng=random, batch=100
        ).confidence_interval
        shares[method] = float(np.mean((interval.low <= 0) & (interval.high >= 0)))
    shares["studentised"] = share(studentised(random, row) for row in logs)
    return shares


def studentised(random: Random, row: Floats) -> bool:
    """Whether a studentised bootstrap's interval holds 0; SciPy has none."""
    count = len(row)
    drawn = row[random.integers(0, count, (RESAMPLES, count))]
    error = drawn.std(axis=1, ddof=1) / math.sqrt(count)
    whole = error > 0
    scores = (drawn.mean(axis=1) - row.mean())[whole] / error[whole]
    low, high = np.quantile(scores, (TAIL, 1 - TAIL)) * row.std(ddof=1) / math.sqrt(count)
    return bool(low <= row.mean() <= high)


def rate_coverage(random: Random, runs: int) -> float:
    """How often the mean of a rate over 10 blocks lies in its interval."""
    held = 0
    for _ in range(runs):
        found = mean_interval(100 * np.exp(normal(random, (PAIRS,))))
        held += found is not None and found[1] <= 100 * math.exp(NOISE**2 / 2) <= found[2]
    return held / runs


def percentile_coverage(random: Random, runs: int, requests: int = 400) -> dict[str, float]:
    """How often a percentile lies in its interval: latencies of 400 independent requests."""
    truth = np.sort(random.lognormal(0, 0.5, 400_000))
    held = dict.fromkeys((f"p{percent}" for percent in PERCENTS), 0)
    for _ in range(runs):
        intervals = figure(random.lognormal(0, 0.5, requests))["intervals"]
        for percent in PERCENTS:
            low, high = intervals[f"p{percent}"]
            held[f"p{percent}"] += bool(low <= (percentile(truth, percent) or 0.0) <= high)
    return {name: times / runs for name, times in held.items()}


def gaps(random: Random, answers: int) -> tuple[Floats, Any]:
    """Gaps of answers that are quick or slow as a whole, and which answer each is of."""
    each = 63
    level = np.repeat(random.lognormal(0, 0.2, answers), each)
    return 8 * level * random.lognormal(0, 0.2, answers * each), np.repeat(np.arange(answers), each)


def itl_coverage(random: Random, runs: int) -> dict[str, float]:
    """How often percentiles of the gaps of 100 answers lie in their interval, and the median in
    one that takes gaps for independent."""
    truth = np.sort(gaps(random, 40_000)[0])
    marks = {name: percentile(truth, int(name[1:3])) or 0.0 for name in ("p50", "p90", "p95")}
    marks["p50 if independent"] = marks["p50"]
    held = dict.fromkeys(marks, 0)
    for _ in range(runs):
        values, answers = gaps(random, 100)
        found = figure(values, answers)["intervals"]
        found["p50 if independent"] = figure(values)["intervals"]["p50"]
        for name, mark in marks.items():
            low, high = found[name]
            held[name] += bool(low <= mark <= high)
    return {name: times / runs for name, times in held.items()}


def goodput_coverage(random: Random, runs: int) -> float:
    """How often a share between 60 and 95 % lies in its interval, at 100 requests."""
    truths = random.uniform(0.6, 0.95, runs)
    bounds = [wilson(int(good), 100) for good in random.binomial(100, truths)]
    return share(low <= one <= high for one, (low, high) in zip(truths, bounds, strict=True))


def knee_coverage(random: Random, runs: int) -> float:
    """How often the knee of the true curve lies in the interval: 7 rungs, 3 blocks, 5 % scatter.
    Rungs are few, so that it covers more than it must."""
    users = (1, 2, 4, 8, 16, 32, 64)
    speeds = [10 * one / (1 + (one / 12) ** 2) ** 0.5 for one in users]
    truth = of_users([Rung(one, (speed,)) for one, speed in zip(users, speeds, strict=True)])
    assert truth is not None
    held = 0
    for _ in range(runs):
        ladder = [
            Rung(one, tuple(speed * np.exp(random.normal(0, 0.05, 3))))
            for one, speed in zip(users, speeds, strict=True)
        ]
        found = of_users(ladder)
        held += bool(found and found["low"] and found["low"] <= truth["value"] <= found["high"])
    return held / runs


def simulated_run(random: Random, labels: int, pairs: int, factor: float) -> list[dict[str, Any]]:
    """The points of an A/B run, as far as comparisons look at them: throughput and time per
    output token go together, the first token has a scatter of its own, twice as large."""
    points = []
    for block in range(pairs):
        for label in range(labels):
            for arm in (0, 1):
                pace = (factor if arm else 1.0) * math.exp(random.normal(0, NOISE))
                first = 50 / (factor if arm else 1.0) * math.exp(random.normal(0, 2 * NOISE))
                points.append(
                    {
                        "group": "a/b",
                        "label": f"load {label}",
                        "arm": arm,
                        "block": block,
                        "load": {"kind": "closed"},
                        "ask": {"stream": True},
                        "output_tokens": 1000,
                        "output_tokens_per_s": 100 * pace,
                        "ttft_ms": {"n": 10, "p50": first},
                        "tpot_ms": {"n": 10, "p50": 10 / pace * math.exp(random.normal(0, 0.002))},
                    }
                )
    return points


def aa_different(random: Random, runs: int, labels: int) -> float:
    """The share of whole runs of a server against itself in which anything is called different."""
    return share(
        any(
            one["verdict"] in ("better", "worse")
            for one in comparisons(simulated_run(random, labels, PAIRS, 1.0), ["A", "A again"])
        )
        for _ in range(runs)
    )


def difference_found(random: Random, runs: int) -> float:
    """The share of runs that find 3 % more throughput, a comparison by itself. Near 80 %, so that
    it takes many runs."""
    shape = (runs, PAIRS)
    logs = math.log(DIFFERENCE) + normal(random, shape) - normal(random, shape)
    return share(judged(row, "higher", t_test(row), 1)["verdict"] == "better" for row in logs)


def found_among_3(random: Random, runs: int) -> float:
    """The same beside the comparisons of two latencies, which cost it power."""
    every = (
        comparisons(simulated_run(random, 1, PAIRS, DIFFERENCE), ["A", "B"]) for _ in range(runs)
    )
    return share(found[0]["verdict"] == "better" for found in every)


def wandering(random: Random, buckets: int, correlation: float) -> Floats:
    """Levels around 10 that wander by 3 % without going anywhere."""
    steps = random.normal(0, 1, buckets + 50)
    for place in range(1, len(steps)):
        steps[place] += correlation * steps[place - 1]
    level: Floats = 10 * (1 + 0.03 * steps[50:] * math.sqrt(1 - correlation**2))
    return level


def alarmed(levels: Floats) -> bool:
    """Whether a series of levels is called unsteady, whatever the size of the change."""
    changes: tuple[Change, ...] = (trend(levels), shift(levels))
    return any(change.p < 0.01 for change in changes)


def false_alarms(random: Random, runs: int) -> dict[str, float]:
    """The share of steady series, of 20 buckets, in which a change is called sure."""
    return {
        f"correlation {correlation}": share(
            alarmed(wandering(random, 20, correlation)) for _ in range(runs)
        )
        for correlation in (0.0, 0.3, 0.5)
    }


def drift_found(random: Random, runs: int) -> float:
    """The share of series that rise by 15 % over 20 buckets and are called unsteady."""
    ramp = 1 + 0.15 * np.linspace(0, 1, 20)
    found = (wandering(random, 20, 0.0) * ramp for _ in range(runs))
    return share(trend(levels).counts or shift(levels).counts for levels in found)


def share(held: Iterable[object]) -> float:
    """The share of true ones."""
    listed = list(held)
    return sum(map(bool, listed)) / len(listed)
