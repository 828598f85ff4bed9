"""`python -m parallama.server.bench MODEL.gguf`: the engine's figures, as ratios of one run.

Exit code 1: a scripted answer was wrong. Missed speeds are shown, and are no failure: the
machine may be busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from . import servers
from .figures import EXACT, Figure, at_most, document, table
from .servers import Server

SLOTS: Final = 32
PROMPTS: Final = 8  # BatchGenerator's default
BESIDE: Final = "beside"
PARTS: Final = ("overhead", "layers", "parity", "exact", "http", "stall", "prefix", "ttft", BESIDE)
OVERHEAD: Final = "A step without the model, over 50 us + 10 us a row"


class Bench:
    """What was asked for, and the servers, which start when a part needs them."""

    def __init__(self, asked: argparse.Namespace, scratch: Path, stack: ExitStack) -> None:
        self._asked = asked
        self._gguf: Path = asked.gguf
        self._scratch = scratch
        self._stack = stack

    def parts(self) -> dict[str, Callable[[], list[Figure]]]:
        """Everything that can be measured, by name."""
        from . import exact, parity, throughput, waits

        pairs: int = self._asked.pairs
        parts: dict[str, Callable[[], list[Figure]]] = {
            "overhead": overhead_figures,
            "layers": lambda: layer_figures(self._gguf),
            "parity": lambda: parity.measure(self._gguf),
            "exact": lambda: exact.measure(self._scratch),
            "http": lambda: throughput.measure(
                throughput.BATCH_GENERATOR, self._ours, self._rival, pairs
            ),
            "stall": lambda: waits.stall(self._ours),
            "prefix": lambda: waits.prefix(self._ours, pairs),
            "ttft": lambda: waits.ttft(self._ours, self._soon, pairs),
        }
        if self._asked.beside:
            other = servers.beside(self._asked.beside, self._asked.beside_model)
            parts[BESIDE] = lambda: throughput.measure(throughput.OLLAMA, self._ours, other, pairs)
        return parts

    @cached_property
    def _ours(self) -> Server:
        return self._stack.enter_context(servers.ours(self._gguf, SLOTS, self._scratch))

    @cached_property
    def _rival(self) -> Server:
        """The rival at its fastest: all prompts together."""
        return self._started_rival(SLOTS)

    @cached_property
    def _soon(self) -> Server:
        """The rival at its soonest: a few prompts at once, as mlx-lm has it by itself."""
        return self._started_rival(PROMPTS)

    def _started_rival(self, num_prompts: int) -> Server:
        layers_of = "mlx-lm" if self._asked.plain_rival else "ours"
        rival = servers.rival(self._gguf, SLOTS, num_prompts, self._scratch, layers_of)
        return self._stack.enter_context(rival)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts that were asked for, all of them if none was, and print the table."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if BESIDE in (asked.only or ()) and not asked.beside:
        parser.error("--only beside needs --beside URL")
    machine = _machine()
    print("load {} before, {} cores, {}".format(*machine.values()))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        parts = Bench(asked, scratch, stack).parts()
        figures = [one for name in asked.only or parts for one in parts[name]()]
    _show(figures)
    if asked.json:
        text = json.dumps(document(figures, machine), indent=1, ensure_ascii=False)
        asked.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(one.part == EXACT and one.met is False for one in figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="server.bench", description=__doc__)
    parser.add_argument("gguf", type=Path, help="a small llama, such as SmolLM2-135M")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be given again")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved runs of each side")
    parser.add_argument(
        "--beside",
        metavar="URL",
        help="a real Ollama, started with LLAMA_ARG_THREADS=1 OLLAMA_NUM_PARALLEL=32",
    )
    parser.add_argument("--beside-model", metavar="NAME", default="smollm2:135m")
    parser.add_argument(
        "--plain-rival", action="store_true", help="BatchGenerator on mlx-lm's layers, not ours"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="the table as JSON, with runs")
    return parser


def _machine() -> dict[str, Any]:
    """Under what the figures came about."""
    return {
        "load": " ".join(f"{one:.1f}" for one in os.getloadavg()),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _show(figures: Sequence[Figure]) -> None:
    from rich.console import Console

    console = Console()
    console.print()
    console.print(table(figures))
    judged = [one for one in figures if one.met is not None]
    console.print(f"{sum(one.met is True for one in judged)} of {len(judged)} targets met")


def overhead_figures() -> list[Figure]:
    """Scheduler, sampling and text with the model removed."""
    from . import overhead

    print("\nA step without the model (limit: 50 us + 10 us a row; beside it, reading the logits)")
    figures = []
    for kind in overhead.KINDS:
        print(f"  {kind.name}")
        runs, shares = [], []
        for one in overhead.overheads(kind):
            limit = 50 + 10 * one.num_rows
            shares.append(one.host_us / limit)
            shown = f"{one.num_rows} rows: {one.host_us:.0f} us, {shares[-1]:.2f} of the limit"
            runs.append(f"{shown}; reading {one.device_us:.0f} us")
            print(f"    {runs[-1]}", flush=True)
        figures.append(Figure(OVERHEAD, kind.name, max(shares), at_most(1.0), tuple(runs)))
    return figures


def layer_figures(gguf: Path) -> list[Figure]:
    """A decode step with our layers over one with mlx-lm's, both on OpenBLAS."""
    from . import layers

    part = "A decode step, mlx-lm's layers over ours"
    print(f"\n{part} (medians, taken in turns)")
    figures = []
    for one in layers.steps(gguf):
        ratio = one.theirs_ms / one.ours_ms
        shown = f"{one.theirs_ms:.1f} / {one.ours_ms:.1f} ms"
        print(f"  {one.num_rows:3} rows: {ratio:.2f}  ({shown})", flush=True)
        figures.append(Figure(part, f"{one.num_rows} rows", ratio, None, (shown,)))
    return figures


if __name__ == "__main__":
    main()
