"""Schedules: when each request of an open loop is to leave. Pure: numbers from a seed.

The whole schedule is made before anything runs, by whoever needs it: the same seed gives the same
times in every process, so that load processes share a schedule by taking turns in it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from .load import Open

ARRIVALS = ("poisson", "constant", "replay")


class ScheduleError(ValueError):
    """A load that cannot be scheduled; the message says why."""


def times_ns(load: Open, seed: str) -> tuple[int, ...]:
    """The planned time of each arrival in ns from the start, warm-up first, in ascending order.

    Poisson arrivals are those of a window in which as many come as the rate says: given their
    number, they are spread evenly at random. A few dozen drawn by their gaps would miss the rate
    by a fifth.
    """
    count = load.warmup + load.requests
    match load.arrivals:
        case "poisson":
            draw, window_s = random.Random(seed), count / positive(load.rate_per_s)
            times = sorted(draw.uniform(0, window_s) for _ in range(count))
            return tuple(round(time_s * 1e9) for time_s in times)
        case "constant":
            every_ns = 1e9 / positive(load.rate_per_s)
            return tuple(round(number * every_ns) for number in range(count))
        case "replay":
            return replayed(load.times_s, count)
    raise ScheduleError(f"arrivals are {', '.join(ARRIVALS)}, not {load.arrivals!r}")


def replayed(times_s: Sequence[float], count: int) -> tuple[int, ...]:
    """The times of a trace, which must be as many as there are requests."""
    if len(times_s) != count:
        raise ScheduleError(f"the trace has {len(times_s)} times for {count} requests")
    times = tuple(round(time_s * 1e9) for time_s in times_s)
    if list(times) != sorted(times) or (times and times[0] < 0):
        raise ScheduleError("the times of a trace begin at 0 or later and ascend")
    return times


def positive(rate_per_s: float) -> float:
    """The rate, where there can be one."""
    if not 0 < rate_per_s < float("inf"):
        raise ScheduleError(f"{rate_per_s:g} requests/s is no rate")
    return rate_per_s


def shares(places: Sequence[int]) -> list[list[int]]:
    """Which of the seats or arrivals each load process takes, given how many places each has.

    They take turns, so that a schedule is thinned evenly and each process gets work all along.
    """
    taken: list[list[int]] = [[] for _ in places]
    number = 0
    for turn in range(max(places, default=0)):
        for worker, held in enumerate(places):
            if turn < held:
                taken[worker].append(number)
                number += 1
    return taken
