"""Goodput: the requests that kept the SLO. Numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .frame import Bools, Floats
from .intervals import Z


def kept(ttft_ms: Floats, tpot_ms: Floats, slo: Mapping[str, float]) -> Bools:
    """Which requests kept the SLO: NaN is no first token, or nothing to take a pace from."""
    quick = ttft_ms <= slo["ttft_ms"]  # never of NaN
    steady = np.isnan(tpot_ms) | (tpot_ms <= slo["tpot_ms"])
    return np.logical_and(quick, steady)


def wilson(good: int, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score). As scipy.stats.binomtest has it, which takes
    0.8 s to import."""
    share = good / asked
    middle = (share + Z**2 / (2 * asked)) / (1 + Z**2 / asked)
    reach = Z * math.sqrt(share * (1 - share) / asked + Z**2 / (4 * asked**2)) / (1 + Z**2 / asked)
    low = 0.0 if good == 0 else middle - reach
    high = 1.0 if good == asked else middle + reach
    return low, high


def goodput(good: int, asked: int, duration_s: float) -> dict[str, Any] | None:
    """The `goodput` of a point; None without requests or a window."""
    if not asked or duration_s <= 0:
        return None
    low, high = wilson(good, asked)
    return {"per_s": good / duration_s, "share": good / asked, "low": low, "high": high}
