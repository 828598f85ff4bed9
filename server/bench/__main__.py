"""`python -m parallama.server.bench MODEL.gguf`: the engine's figures, as ratios of one run."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from . import layers, overhead, servers, users

USERS: Final = (1, 8, 32)
ANSWER_TOKENS: Final = 48
PROMPT_WORDS: Final = 16
LONG_WORDS: Final = 2000
DECODERS: Final = 8
STALL_TOKENS: Final = 200  # enough to last until the long prompt is there
PERCENT: Final = 0.99


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures that were asked for, all of them if none was."""
    parser = argparse.ArgumentParser(prog="server.bench", description=__doc__)
    parser.add_argument("gguf", type=Path, help="a small llama, such as SmolLM2-135M")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved runs of each side")
    parser.add_argument("--only", choices=("overhead", "layers", "http", "stall"))
    asked = parser.parse_args(arguments)
    one, five, fifteen = os.getloadavg()
    print(f"load {one:.1f} {five:.1f} {fifteen:.1f}, {os.cpu_count()} cores, 1 BLAS thread")
    if asked.only in (None, "overhead"):
        show_overhead()
    if asked.only in (None, "layers"):
        show_layers(asked.gguf)
    if asked.only in (None, "http", "stall"):
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ours = stack.enter_context(servers.ours(asked.gguf, max(USERS), scratch))
            rival = stack.enter_context(servers.rival(asked.gguf, max(USERS), scratch))
            if asked.only != "stall":
                show_throughput(ours, rival, asked.pairs)
            if asked.only != "http":
                show_stall(ours)


def show_overhead() -> None:
    """Scheduler, sampling and text with the model removed."""
    print("\nA step without the model (limit: 50 us + 10 us a row)")
    for one in overhead.overheads():
        limit = 50 + 10 * one.num_rows
        print(
            f"  {one.num_rows:3} rows: greedy {one.greedy_us:7.0f} us, "
            f"{one.greedy_us / limit:5.2f} of the limit; "
            f"top_k 40 {one.sampled_us:7.0f} us, {one.sampled_us / limit:5.2f}",
            flush=True,
        )


def show_layers(gguf: Path) -> None:
    """A decode step with our layers over one with mlx-lm's, both on OpenBLAS."""
    print("\nA decode step, mlx-lm's layers over ours (medians, taken in turns)")
    for one in layers.steps(gguf):
        print(
            f"  {one.num_rows:3} rows: {one.theirs_ms:.1f} ms / {one.ours_ms:.1f} ms "
            f"= {one.theirs_ms / one.ours_ms:.2f}",
            flush=True,
        )


def show_throughput(ours: str, rival: str, num_pairs: int) -> None:
    """Aggregate tokens a second, ours over BatchGenerator's, in interleaved pairs."""
    print(f"\nThrough HTTP, tokens a second of ours over BatchGenerator's, {num_pairs} pairs")
    medians = {}
    for url in (ours, rival):
        users.throughput(url, [users.prompt(PROMPT_WORDS)], 8)
    for num_users in USERS:
        pairs = []
        for _ in range(num_pairs):
            texts = [users.prompt(PROMPT_WORDS) for _ in range(num_users)]
            first, second = (users.throughput(url, texts, ANSWER_TOKENS) for url in (ours, rival))
            pairs.append((first, second))
        medians[num_users] = statistics.median(first for first, _ in pairs)
        ratio = statistics.median(first / second for first, second in pairs)
        runs = ", ".join(f"{first:.1f}/{second:.1f}" for first, second in pairs)
        print(f"  {num_users:3} users: {ratio:.2f}  ({runs})", flush=True)
    print(f"  32 users over 1: {medians[max(USERS)] / medians[1]:.1f}")


def show_stall(ours: str) -> None:
    """Gaps between tokens of running users while a long prompt arrives."""
    gaps = users.gaps_beside_a_long_prompt(ours, DECODERS, STALL_TOKENS, LONG_WORDS)
    beside = sorted(gaps.beside_s)
    high, median = beside[int(PERCENT * len(beside))], statistics.median(beside)
    quiet = statistics.median(gaps.quiet_s)
    print(
        f"\n{DECODERS} users decoding while {LONG_WORDS} tokens arrive (limit of p99: 3 medians)\n"
        f"  p99 {1e3 * high:.0f} ms over the median then, {1e3 * median:.0f} ms: "
        f"{high / median:.2f}; over the median before, {1e3 * quiet:.0f} ms: {high / quiet:.2f}; "
        f"longest {1e3 * beside[-1]:.0f} ms, {len(beside)} gaps",
        flush=True,
    )


if __name__ == "__main__":
    main()
