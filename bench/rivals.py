"""Other load generators on our emitter: what they say of TTFT against what it was.

Each runs as the program that its own documentation installs, over the OpenAI chat route, which all
of them speak. Nothing is taken from them but the figures that they write down.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .calibrate import Emission, spread_of

TOKENIZER = Path(__file__).resolve().parent.parent / "fixtures/models/scripted/safetensors"
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as a rival reports it: when it began, on its own clock, and its TTFT."""

    started_s: float
    ttft_ms: float


@dataclass(frozen=True, slots=True)
class Order:
    """What a rival is to do: so many streams, so many requests each, of so many tokens."""

    url: str
    model: str
    streams: int
    requests: int
    tokens: int
    folder: Path

    @property
    def total(self) -> int:
        """All requests together."""
        return self.streams * self.requests


def guidellm(program: Path, order: Order) -> list[Seen]:
    """guidellm: concurrent profile, prompts from a file."""
    prompts = write_prompts(order, "prompt", output_tokens_count=order.tokens)
    report = order.folder / "guidellm.json"
    run(
        *(str(program), "run", "--disable-progress", "--disable-console-outputs"),
        *("--backend", f"kind=openai_http,target={order.url},model={order.model}"),
        *("--profile", f"kind=concurrent,streams={order.streams}"),
        *("--constraint", f"kind=max_requests,count={order.total}"),
        *("--data", f"kind=json_file,path={prompts}"),
        *("--tokenizer", f"kind=hf_auto,model={TOKENIZER}"),
        *("--output", f"kind=json,path={report}"),
        log=order.folder / "guidellm.log",
    )
    told = json.loads(report.read_text(encoding="utf-8"))["benchmarks"][0]["requests"]
    seen = []
    for one in told["successful"]:
        times = one["info"]["timings"]
        ttft_s = times["first_token_iteration"] - times["request_start"]
        seen.append(Seen(times["request_start"], ttft_s * 1e3))
    return seen


def aiperf(program: Path, order: Order) -> list[Seen]:
    """aiperf: constant concurrency, prompts from a file; a stream's first request warms it up."""
    prompts = write_prompts(order, "text")
    out = order.folder / "aiperf"
    run(
        *(str(program), "profile", "--ui-type", "none", "--streaming"),
        *("-m", order.model, "--url", order.url, "--endpoint-type", "chat"),
        *("--concurrency", str(order.streams), "--request-count", str(order.total)),
        *("--input-file", str(prompts), "--custom-dataset-type", "single_turn"),
        *("--use-server-token-count", "--extra-inputs", f"max_tokens:{order.tokens}"),
        *("--tokenizer", str(TOKENIZER), "--output-artifact-dir", str(out)),
        log=order.folder / "aiperf.log",
    )
    seen = []
    for line in (out / "profile_export.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        ttft = record["metrics"].get("time_to_first_token")
        if ttft is not None:
            seen.append(Seen(record["metadata"]["request_start_ns"] / 1e9, ttft["value"]))
    return seen


RIVALS: dict[str, Callable[[Path, Order], list[Seen]]] = {"guidellm": guidellm, "aiperf": aiperf}


def write_prompts(order: Order, name: str, **more: object) -> Path:
    """Prompts as JSON lines, each its own."""
    path = order.folder / f"prompts-{name}.jsonl"
    lines = (
        json.dumps({name: f"Letter {number} says this and that and goes on", **more})
        for number in range(order.total)
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*command: str, log: Path) -> None:
    """Run a rival to its end; raises RuntimeError with the last it said where it fails."""
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}
    with log.open("wb") as file:
        try:
            status = subprocess.run(
                command,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env=environment,
                timeout=TIMEOUT_S,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{command[0]} did not end in {TIMEOUT_S} s") from None
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        raise RuntimeError(f"{command[0]} ended with status {status}: {' / '.join(last)}")


def ttft_errors(seen: Sequence[Seen], emissions: Sequence[Emission], streams: int) -> list[float]:
    """How wrong each TTFT was, in ms, in the order in which the requests began.

    A rival's first request on each connection is left out, as ours are: it pays for connecting.
    Requests are paired with the emitter's by their order; those that began together are answered
    alike, so that a pair taken wrongly costs nothing.
    """
    said = [one.ttft_ms for one in sorted(seen, key=lambda one: one.started_s)]
    begun = sorted((one for one in emissions if one.left_ns), key=lambda one: one.received_ns)
    true = [(one.left_ns[0] - one.received_ns) / 1e6 for one in begun]
    pairs = list(zip(said, true[-len(said) :], strict=False))[streams:]
    return [abs(one - other) for one, other in pairs]


def measured(
    name: str, program: Path, order: Order, emissions: Callable[[], Sequence[Emission]]
) -> dict[str, float | None]:
    """Median and 99th percentile of a rival's TTFT error in ms."""
    return spread_of(ttft_errors(RIVALS[name](program, order), emissions(), order.streams))
