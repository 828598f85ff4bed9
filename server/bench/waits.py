"""How long users wait: beside a long prompt, in a crowd, and for a prompt that is known."""

from __future__ import annotations

import statistics
from typing import Final

from . import users
from .figures import Figure, at_most
from .servers import Server

DECODERS: Final = 8
STALL_TOKENS: Final = 200  # enough to last until the long prompt is there
LONG_WORDS: Final = 2000
PERCENT: Final = 0.99
CROWD: Final = 16
CROWD_WORDS: Final = 96  # and four tokens of its own
PREFIX_WORDS: Final = 800
STALL: Final = "Gaps of 8 users while a 2,000-token prompt arrives"
TTFT: Final = "TTFT of 16 users with 100-token prompts at once"
PREFIX: Final = "TTFT with an 800-token prefix that is known, over cold"


def stall(ours: Server) -> list[Figure]:
    """Gaps between tokens of running users while a long prompt arrives."""
    gaps = users.gaps_beside_a_long_prompt(ours, DECODERS, STALL_TOKENS, LONG_WORDS)
    beside = sorted(gaps.beside_s)
    high, median = beside[int(PERCENT * len(beside))], statistics.median(beside)
    quiet = statistics.median(gaps.quiet_s)
    shown = (
        f"p99 {1e3 * high:.0f} ms, median {1e3 * median:.0f} ms, before {1e3 * quiet:.0f} ms, "
        f"longest {1e3 * beside[-1]:.0f} ms, {len(beside)} gaps"
    )
    print(f"\n{STALL}\n  {shown}", flush=True)
    return [
        Figure(STALL, "p99 over the median then", high / median, at_most(3.0), (shown,)),
        Figure(STALL, "p99 over the median before", high / quiet, None, (shown,)),
    ]


def ttft(ours: Server, rival: Server, num_pairs: int) -> list[Figure]:
    """Median and last first token of a crowd, ours over BatchGenerator's: less is better."""
    print(f"\n{TTFT}: ours / BatchGenerator, {num_pairs} pairs", flush=True)
    pairs = []
    for number in range(num_pairs):
        texts = [users.prompt(CROWD_WORDS) for _ in range(CROWD)]
        order = (ours, rival) if number % 2 == 0 else (rival, ours)
        ran = {one: users.together(one, texts, 8) for one in order}
        first, second = (sorted(one.ttft_s for one in ran[server]) for server in (ours, rival))
        pairs.append((first, second))
    figures = []
    for name, place in (("median", CROWD // 2), ("last", -1)):
        ratio = statistics.median(first[place] / second[place] for first, second in pairs)
        shown = tuple(f"{first[place]:.2f} / {second[place]:.2f} s" for first, second in pairs)
        print(f"  {name}: {ratio:.2f}  ({'; '.join(shown)})", flush=True)
        figures.append(Figure(TTFT, f"{name}, over BatchGenerator", ratio, None, shown))
    return figures


def prefix(ours: Server, num_rounds: int) -> list[Figure]:
    """A prompt that is new, one that begins as it does, and the same again."""
    print(f"\n{PREFIX}, {num_rounds} rounds", flush=True)
    rounds = [_round(ours) for _ in range(num_rounds)]
    figures = []
    for name, place, bound in (("another ending", 1, 0.1), ("the same prompt", 2, 0.04)):
        ratio = statistics.median(one[place] / one[0] for one in rounds)
        shown = tuple(f"{1e3 * one[place]:.0f} / {1e3 * one[0]:.0f} ms" for one in rounds)
        print(f"  {name}: {ratio:.3f}  ({'; '.join(shown)})", flush=True)
        figures.append(Figure(PREFIX, name, ratio, at_most(bound), shown))
    return figures


def _round(ours: Server) -> tuple[float, float, float]:
    """Seconds to the first token: cold, with another ending of 16 tokens, and that again."""
    start = users.prompt(PREFIX_WORDS)
    endings = [f" Now a {thing}, told once." + " and so" * 4 for thing in ("tale", "song")]
    texts = (start + endings[0], start + endings[1], start + endings[1])
    cold, other, again = (users.together(ours, [text], 4)[0].ttft_s for text in texts)
    return cold, other, again
