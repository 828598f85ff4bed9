"""A small version of the proof that intervals and verdicts keep their word; seeded."""

from __future__ import annotations

import numpy as np
import pytest

from .. import simulation


@pytest.fixture
def random() -> np.random.Generator:
    """The same numbers each time."""
    return np.random.default_rng(12)


@pytest.mark.parametrize("name", simulation.NOISES)
def test_ratio_lies_in_its_interval_95_times_in_100(random: np.random.Generator, name: str) -> None:
    """At 10 pairs, under each noise; 2,000 runs are give or take 1 %."""
    found = simulation.ratio_coverage(random, simulation.NOISES[name], 200, ours_alone=True)
    assert 0.93 <= found["t"] <= 0.98


def test_percentiles_lie_in_their_intervals(random: np.random.Generator) -> None:
    """Order statistics cover at least 95 %, and not much more."""
    for covered in simulation.percentile_coverage(random, 300).values():
        assert 0.925 <= covered <= 0.99


def test_gaps_lie_in_their_intervals(random: np.random.Generator) -> None:
    """Clustered intervals hold what intervals for independent gaps miss half the time."""
    found = simulation.itl_coverage(random, 150)
    assert found["p50"] >= 0.91
    assert found["p50 if independent"] < 0.6


def test_equal_servers_are_seldom_called_different(random: np.random.Generator) -> None:
    """In at most 5 of 100 whole runs, whatever they compare."""
    assert simulation.aa_different(random, 200, labels=1) <= 0.06
    assert simulation.aa_different(random, 40, labels=12) <= 0.1


def test_three_per_cent_are_found(random: np.random.Generator) -> None:
    """Four times in five, with 10 pairs and 2 % noise; 5,000 runs are give or take 1.1 %."""
    assert simulation.difference_found(random, 5000) >= 0.79


def test_steady_levels_are_seldom_called_unsteady(random: np.random.Generator) -> None:
    """A nominal 1 % stays small where buckets hang together."""
    assert max(simulation.false_alarms(random, 300).values()) <= 0.06


def test_drift_is_found(random: np.random.Generator) -> None:
    """A rise of 15 % over 20 buckets, in a noise of 3 %."""
    assert simulation.drift_found(random, 60) >= 0.85


def test_knee_lies_in_its_interval(random: np.random.Generator) -> None:
    """Three blocks, 5 % noise."""
    assert simulation.knee_coverage(random, 40) >= 0.93


def test_proof_has_every_figure() -> None:
    """All that is printed is there, and is a share."""
    found = simulation.proof(runs=20)
    assert found.pop("runs") == 20
    shares = [
        one
        for value in found.values()
        for inner in (value.values() if isinstance(value, dict) else [value])
        for one in (inner.values() if isinstance(inner, dict) else [inner])
    ]
    assert len(shares) > 25
    assert all(0 <= one <= 1 for one in shares)
