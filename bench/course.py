"""The course of a run: which point comes next, from what the earlier ones came to. Pure.

The same profile, seed and results give the same points.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from .load import Closed, Open, Point, Result
from .profiles import MAX_RATE_PER_S, Ladder, Lengths, Profile, Rates, Soak, Steps, users_point

GAIN = 1.05
"""A step of the ladder that brings less than this over the best before it brings nothing."""
FLAT_STEPS = 2
"""So many of them in a row, and the knee has been passed."""
FAILING = 0.1
"""A share of failures that ends a climb."""
FIRST_TOKEN_GROWTH = 2.5
"""How much later the first token may come when a prompt is twice as long."""
SOAK_POINT_S = 60.0
SOAK_FIRST_REQUESTS = 3


class Course:
    """The points of a profile, one at a time; `arms` is on how many servers or models."""

    def __init__(self, profile: Profile, arms: int = 1) -> None:
        self._profile = profile
        self._arms = arms

    @property
    def planned(self) -> int | None:
        """How many points there will be, where known from the start."""
        least, most = self.bounds
        return most if least == most else None

    @property
    def bounds(self) -> tuple[int, int]:
        """How many points there will be at least, as long as all goes well, and at most."""
        match self._profile.course:
            case Steps() as steps:
                count = len(steps.points) * steps.blocks * self._arms
                return count, count
            case Ladder(adaptive=False) as ladder:
                return len(ladder.users) * ladder.blocks, len(ladder.users) * ladder.blocks
            case Ladder() as ladder:
                return ladder.blocks, (len(ladder.users) + 2) * ladder.blocks
            case Lengths(tokens=tokens, patience_s=patience_s):
                return len(tokens) if patience_s is None else 1, len(tokens)
            case Rates() as rates:
                probes = 0 if rates.rates_per_s else 1
                count = probes + len(rates.rates_per_s or rates.shares) * rates.blocks
                return count, count
            case Soak() as soak:
                return 1, most_minutes(soak)

    def next(self, results: Sequence[Result]) -> Point | None:
        """The point after those whose results are given, in order; None at the end."""
        seed = self._profile.seed
        match self._profile.course:
            case Steps() as steps:
                return next_step(steps, self._arms, seed, len(results))
            case Ladder() as ladder:
                return next_rung(ladder, seed, results)
            case Lengths() as lengths:
                return next_length(lengths, results)
            case Rates() as rates:
                return next_rate(rates, seed, results)
            case Soak() as soak:
                return next_minute(soak, results)


def next_step(steps: Steps, arms: int, seed: int, done: int) -> Point | None:
    """The next of the points that are known beforehand."""
    a_block = len(steps.points) * arms
    block, place = divmod(done, max(1, a_block))
    if block >= steps.blocks or not a_block:
        return None
    order = list(range(len(steps.points)))
    if steps.shuffled:
        random.Random(f"order-{seed}-{block}").shuffle(order)
    step = order[place // arms]
    arm = arms_in_turn(arms, seed, block)[place % arms]
    return replace(steps.points[step], arm=arm, block=block)


def arms_in_turn(arms: int, seed: int, block: int) -> list[int]:
    """The order of the arms in a block: drawn for each two blocks, the second the other way round
    (ABBA), so that neither a drift nor a rhythm of the machine favours one of them."""
    order = list(range(arms))
    random.Random(f"arms-{seed}-{block // 2}").shuffle(order)
    return order[::-1] if block % 2 else order


def next_rung(ladder: Ladder, seed: int, results: Sequence[Result]) -> Point | None:
    """Up until the knee has been passed, then closer around it, then all that again in blocks."""
    climbed = climb(ladder, results)
    if climbed is None:
        return rung(ladder, ladder.users[len(results)], 0)
    levels = list(ladder.users[:climbed])
    if ladder.adaptive:
        levels += between(results[:climbed])
    if len(results) < len(levels):
        return rung(ladder, levels[len(results)], 0)
    again = [users for users, result in zip(levels, results, strict=False) if not failing(result)]
    if ladder.adaptive:
        most = worth_repeating(results[:climbed])
        again = [users for users in again if users <= most]
    if not again:
        return None
    block, place = divmod(len(results) - len(levels), len(again))
    if block + 1 >= ladder.blocks:
        return None
    random.Random(f"order-{seed}-{block}").shuffle(again)
    return rung(ladder, again[place], block + 1)


def climb(ladder: Ladder, results: Sequence[Result]) -> int | None:
    """How many steps the first climb took; None while it goes on."""
    for steps in range(1, min(len(results), len(ladder.users)) + 1):
        if steps == len(ladder.users) or (ladder.adaptive and passed(results[:steps])):
            return steps
    return None


def passed(results: Sequence[Result]) -> bool:
    """Whether the newest step shows that more users bring nothing, or failures."""
    if failing(results[-1]):
        return True
    speeds = [speed(result) for result in results]
    if len(speeds) <= FLAT_STEPS:
        return False
    return all(
        speeds[step] < GAIN * max(speeds[:step])
        for step in range(len(speeds) - FLAT_STEPS, len(speeds))
    )


def failing(result: Result) -> bool:
    """Whether so much went wrong at a point that it is no place to go back to."""
    return not result.requests or result.failures > FAILING * result.requests


def speed(result: Result) -> float:
    """Tokens by second; requests by second where no tokens are made; 0 without samples."""
    return result.output_tokens_per_s or result.requests_per_s or 0.0


def between(results: Sequence[Result]) -> list[int]:
    """Numbers of users on either side of the knee, halfway to the steps beside it."""
    whole = [result for result in results if not failing(result)]
    if not whole:
        return []
    best = max(map(speed, whole))
    knee = next(place for place, one in enumerate(whole) if speed(one) * GAIN >= best)
    users = [users_of(result.point) for result in whole[max(0, knee - 1) : knee + 2]]
    return [(low + high) // 2 for low, high in pairwise(users) if high - low > 1]


def worth_repeating(results: Sequence[Result]) -> int:
    """The most users that the later blocks go back to: the step after the knee. Those beyond it
    take longest, and say no more of where it is."""
    whole = [result for result in results if not failing(result)]
    best = max(map(speed, whole), default=0.0)
    knee = next((place for place, one in enumerate(whole) if speed(one) * GAIN >= best), 0)
    return max((users_of(one.point) for one in whole[: knee + 2]), default=0)


def users_of(point: Point) -> int:
    """How many users a closed loop has."""
    assert isinstance(point.load, Closed)
    return point.load.users


def rung(ladder: Ladder, users: int, block: int) -> Point:
    """A step of the ladder; few users ask more often, so that there are samples enough."""
    requests = ladder.requests or max(2, math.ceil(8 / users))
    return replace(users_point(users, ladder.ask, requests), block=block)


def next_length(lengths: Lengths, results: Sequence[Result]) -> Point | None:
    """The next longer prompt, unless its first token would take too long."""
    if len(results) == len(lengths.tokens):
        return None
    tokens = lengths.tokens[len(results)]
    if results:
        last = results[-1]
        if failing(last) or last.ttft_p95_ms is None:
            return None
        patience_s = math.inf if lengths.patience_s is None else lengths.patience_s
        growth = (tokens / last.point.ask.prompt_tokens) ** math.log2(FIRST_TOKEN_GROWTH)
        if last.ttft_p95_ms / 1e3 * growth > patience_s:
            return None
    ask = replace(lengths.ask, prompt_tokens=tokens)
    load = Closed(1, lengths.requests, warmup=0 if results else 1)
    return Point("prompt", f"{tokens} prompt tokens", tokens, load, ask)


def next_rate(rates: Rates, seed: int, results: Sequence[Result]) -> Point | None:
    """The probe, then each rate; in other blocks in other orders."""
    offered = list(rates.rates_per_s)
    done = len(results)
    if not offered:
        if not results:
            load = Closed(rates.probe_users, rates.probe_requests, warmup=1)
            label = f"{rates.probe_users} users, to find the capacity"
            return Point("probe", label, None, load, rates.ask)
        done -= 1
        capacity = results[0].requests_per_s
        if not capacity or failing(results[0]):
            return None
        offered = [share * capacity for share in rates.shares]
        offered = [rate for rate in offered if rate <= MAX_RATE_PER_S] or [MAX_RATE_PER_S]
    block, place = divmod(done, len(offered))
    if block >= rates.blocks:
        return None
    order = list(range(len(offered)))
    if block:
        random.Random(f"order-{seed}-{block}").shuffle(order)
    return open_point(rates, offered[order[place]], block)


def open_point(rates: Rates, rate_per_s: float, block: int) -> Point:
    """Arrivals at a rate."""
    load = Open(
        rate_per_s, rates.requests, warmup=max(1, rates.requests // 8), arrivals=rates.arrivals
    )
    label = f"{rate_per_s:.3g} requests/s"
    return Point("rate", label, round(rate_per_s, 6), load, rates.ask, block=block)


def next_minute(soak: Soak, results: Sequence[Result]) -> Point | None:
    """The next minute or so of the load, as many requests as the last point makes expect."""
    spent_s = sum(map(duration_s, results))
    left_s = 60 * soak.minutes - spent_s
    if left_s <= 0 or len(results) == most_minutes(soak) or (results and failing(results[-1])):
        return None
    requests = SOAK_FIRST_REQUESTS
    if results and (pace := results[-1].requests_per_s):
        requests = max(1, round(min(SOAK_POINT_S, left_s) * pace / soak.users))
    load = Closed(soak.users, requests, warmup=0 if results else 1)
    minutes = spent_s / 60
    label = f"from minute {minutes:.3g}"
    return Point("soak", label, round(minutes, 3), load, soak.ask, block=len(results))


def most_minutes(soak: Soak) -> int:
    """No more points than this, though a server that grows faster has them end early."""
    return 1 + 2 * math.ceil(soak.minutes * 60 / SOAK_POINT_S)


def duration_s(result: Result) -> float:
    """About how long the measured part of a point took."""
    return result.requests / result.requests_per_s if result.requests_per_s else 0.0
