"""Tokens a second of our server over another's, in interleaved pairs of one run."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from . import users
from .figures import Figure, Target, at_least
from .servers import Server
from .users import Throughput

PROMPT_WORDS: Final = 16
MANY, ONE = 32, 1


@dataclass(frozen=True, slots=True)
class Contest:
    """One other server: its name, and what the ratio is to reach at so many users."""

    part: str
    other: str
    targets: Mapping[int, Target | None]
    answer_tokens: int


BATCH_GENERATOR: Final = Contest(
    part="Tokens a second through HTTP",
    other="BatchGenerator",
    targets={1: at_least(0.95), 8: at_least(0.95), 32: at_least(0.95)},
    answer_tokens=48,
)
OLLAMA: Final = Contest(
    part="Tokens a second beside another server, one compute thread each",
    other="the other",
    targets={1: None, 4: None, 16: at_least(1.0), 32: at_least(1.3)},
    answer_tokens=64,
)
BATCHING: Final = at_least(7.0)


def measure(contest: Contest, ours: Server, other: Server, num_pairs: int) -> list[Figure]:
    """Print every pair, and give the ratios."""
    print(f"\n{contest.part}: ours / {contest.other}, {num_pairs} pairs", flush=True)
    for server in (ours, other):
        users.throughput(server, [users.prompt(PROMPT_WORDS)] * 2, 8)
    figures, runs = [], {}
    for num_users, target in contest.targets.items():
        pairs = runs[num_users] = _pairs(contest, ours, other, num_users, num_pairs)
        ratio = statistics.median(one.tokens_per_s / two.tokens_per_s for one, two in pairs)
        shown = tuple(f"{one} / {two}" for one, two in pairs)
        client = max(one.client_share for pair in pairs for one in pair)
        print(f"  {num_users:3} users: {ratio:.2f}  ({'; '.join(shown)})", flush=True)
        print(f"             the users take up to {100 * client:.1f} % of a core")
        name = f"{num_users} users, over {contest.other}"
        figures.append(Figure(contest.part, name, ratio, target, shown))
        figures += _cpu_figure(contest, num_users, pairs)
    return [*figures, _batching(contest, runs)]


def _pairs(
    contest: Contest, ours: Server, other: Server, num_users: int, num_pairs: int
) -> list[tuple[Throughput, Throughput]]:
    """Both servers with the same prompts, each going first in turns."""
    pairs = []
    for number in range(num_pairs):
        texts = [users.prompt(PROMPT_WORDS) for _ in range(num_users)]
        order = (ours, other) if number % 2 == 0 else (other, ours)
        ran = {one: users.throughput(one, texts, contest.answer_tokens) for one in order}
        pairs.append((ran[ours], ran[other]))
    return pairs


def _cpu_figure(
    contest: Contest, num_users: int, pairs: list[tuple[Throughput, Throughput]]
) -> list[Figure]:
    """CPU a token of the other over ours, which a busy machine disturbs less than the clock."""
    known = [
        (ours.server_cpu_ms_per_token, other.server_cpu_ms_per_token)
        for ours, other in pairs
        if ours.server_cpu_ms_per_token and other.server_cpu_ms_per_token
    ]
    if not known:
        return []
    ratio = statistics.median(other / ours for ours, other in known if ours and other)
    runs = tuple(f"{ours:.1f} / {other:.1f} ms a token" for ours, other in known)
    name = f"{num_users} users, tokens a CPU second over {contest.other}"
    return [Figure(contest.part, name, ratio, None, runs)]


def _batching(contest: Contest, runs: dict[int, list[tuple[Throughput, Throughput]]]) -> Figure:
    """How much faster many users are than one: medians."""
    many, one = ([ours.tokens_per_s for ours, _ in runs[count]] for count in (MANY, ONE))
    ratio = statistics.median(many) / statistics.median(one)
    print(f"  {MANY} users over {ONE}: {ratio:.1f}", flush=True)
    shown = (f"{statistics.median(many):.1f} / {statistics.median(one):.1f}",)
    return Figure(contest.part, f"{MANY} users over {ONE}", ratio, BATCHING, shown)
