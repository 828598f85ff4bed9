"""Summaries as the bench writes them, made here so that the room needs no other."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from .examples import MACHINE

Record = dict[str, Any]

TARGET: Record = {
    "url": "http://localhost:11434",
    "model": "smollm2:135m-instruct-q4_1",
    "version": "0.9.1",
    "server": None,
    "digest": "sha256:4f1c8e0d5c1a7e5b0a7f3a6a92d5b1c7d19fb1f0c6a44a0cf7b5f8d4b1e2a3c4",
    "quantization": "Q4_1",
    "family": "llama",
    "parameter_size": "134.52M",
    "context_length": 8192,
}
ARM: Record = {"name": "localhost:11434", "target": TARGET, "conformance": None}
OTHER: Record = {
    "name": "localhost:8080",
    "target": {**TARGET, "url": "http://localhost:8080", "model": "smollm2-mlx"},
    "conformance": None,
}
CALIBRATION: Record = {
    "streams": 64,
    "tokens_per_s": 988.0,
    "stamps": "kernel",
    "ttft_error_ms": {"p50": 0.014, "p99": 0.061},
    "itl_error_ms": {"p50": 0.001, "p99": 0.018},
    "dispatch_late_ms": {"p50": 0.2, "p99": 1.1},
    "cpu_share": 0.19,
    "lost": 0,
    "doubled": 0,
}
DEFINITIONS = {"ttft_ms": "Sent to first record with text.", "itl_ms": "Gaps between such records."}


def figure(middle: float | None, n: int = 12, spread: float = 0.2) -> Record:
    """Percentiles around a median; none without one."""
    if middle is None:
        none = dict.fromkeys(("mean", "min", "max", "p50", "p90", "p95", "p99"))
        return {"n": 0, **none, "intervals": {}}
    return {
        "n": n,
        "mean": middle,
        "min": middle * (1 - spread),
        "max": middle * (1 + 4 * spread),
        "p50": middle,
        "p90": middle * (1 + 2 * spread),
        "p95": middle * (1 + 3 * spread),
        "p99": middle * (1 + 4 * spread),
        "intervals": {
            "p50": [middle * 0.93, middle * 1.09],
            "p99": [middle * 1.2, middle * 2] if n >= 555 else None,
        },
    }


def point(number: int, **changed: object) -> Record:
    """A point of one user, with what is changed."""
    return {
        "point": number,
        "group": "users",
        "label": "1 user",
        "value": 1,
        "arm": 0,
        "block": 0,
        "model": "smollm2:135m-instruct-q4_1",
        "load": {"kind": "closed", "users": 1, "requests": 12, "warmup": 1},
        "ask": {"api": "generate", "prompt_tokens": 64, "output_tokens": 48},
        "requests": 12,
        "failures": 0,
        "errors": {},
        "duration_s": 20.0,
        "prompt_tokens": 768,
        "output_tokens": 576,
        "output_tokens_per_s": 28.8,
        "requests_per_s": 0.6,
        "ttft_ms": figure(80.0),
        "itl_ms": figure(33.0, n=560),
        "tpot_ms": figure(33.5),
        "e2e_ms": figure(1650.0),
        "dispatch_late_ms": figure(0.2),
        "coalesced_share": 0.01,
        "records_per_token": 1.0,
        "goodput": None,
        "steady": {"from_s": 2.0, "to_s": 19.0, "verdict": "steady", "because": "no trend"},
        "memory": {"rss_bytes": 640 * 2**20, "pss_bytes": 600 * 2**20},
        "energy": None,
        **changed,
    }


def ladder(users: Sequence[int] = (1, 2, 4, 8, 16, 32), blocks: int = 3) -> list[Record]:
    """More and more users, whose rate grows to a bound."""
    draw = random.Random(7)
    points: list[Record] = []
    for block in range(blocks):
        for count in users:
            rate = 160 * (1 - math.exp(-count / 7)) * draw.uniform(0.95, 1.05)
            failed = 3 if count == 32 else 0
            start = 20.0 * len(points)
            points.append(
                point(
                    len(points),
                    label=f"{count} user" + "s" * (count > 1),
                    value=count,
                    block=block,
                    requests=12 * count,
                    failures=failed,
                    errors={"busy-503": failed} if failed else {},
                    output_tokens_per_s=rate,
                    ttft_ms=figure(70 + 22 * count * draw.uniform(0.9, 1.1), n=12 * count),
                    itl_ms=figure(1000 * count / rate, n=560 * count),
                    steady={
                        "from_s": start + 2,
                        "to_s": start + 19,
                        "verdict": "steady" if count < 32 else "not steady",
                        "because": "no trend",
                    },
                )
            )
    return points


def charts(points: Sequence[Record]) -> Record:
    """What is drawn of these points."""
    places = {(p["group"], p["label"], p["arm"]): p for p in points}
    draw = random.Random(3)
    seconds = 20.0 * len(points)
    return {
        "curves": [
            {
                "group": group,
                "label": label,
                "arm": arm,
                "ttft_ms": corners(one["ttft_ms"]),
                "itl_ms": corners(one["itl_ms"]),
            }
            for (group, label, arm), one in places.items()
        ],
        "flow": {
            "start_s": 0.0,
            "step_s": seconds / 120,
            "tokens_per_s": [draw.uniform(20, 150) for _ in range(120)],
            "in_flight": [float(1 + step % 32) for step in range(120)],
        },
        "timelines": [{"point": points[-1]["point"], "requests": lanes(24)}],
        "resources": [
            {
                "at_s": step * seconds / 100,
                "phase": f"point {min(step * len(points) // 100, len(points) - 1)}",
                "arm": 0,
                "processes": 2,
                "rss_bytes": int((600 + 40 * math.sin(step / 9)) * 2**20),
                "pss_bytes": int((560 + 40 * math.sin(step / 9)) * 2**20),
                "power_w": 11.0 + step % 7,
            }
            for step in range(101)
        ],
    }


def corners(one: Record) -> list[list[float]]:
    """A curve through a figure's percentiles."""
    if not one["n"]:
        return []
    return [
        [one["min"], 0.05],
        [one["p50"], 0.5],
        [one["p90"], 0.9],
        [one["p99"] or one["max"], 0.99],
        [one["max"] * 1.05, 1.0],
    ]


def lanes(count: int) -> list[Record]:
    """Requests one after the other on four seats."""
    made = []
    for number in range(count):
        sent = 1.0 + 0.9 * (number // 4) + 0.03 * (number % 4)
        first = sent + 0.2 + 0.02 * (number % 4)
        error = "truncated" if number == 9 else None
        tokens = [first + 0.02 * token for token in range(8 if error else 30)]
        made.append(
            {
                "user": number % 4,
                "warmup": number < 4,
                "error": error,
                "planned_s": sent - 0.05,
                "sent_s": sent,
                "tokens_s": tokens,
                "finished_s": None if error else tokens[-1] + 0.001,
            }
        )
    return made


def comparison(label: str, ratio: float | None, verdict: str, **changed: object) -> Record:
    """What an option costs in tokens per second."""
    return {
        "metric": "output_tokens_per_s",
        "group": "options",
        "label": label,
        "baseline": "baseline",
        "better": "higher",
        "pairs": 10,
        "ratio": ratio,
        "low": None if ratio is None else ratio * 0.97,
        "high": None if ratio is None else ratio * 1.03,
        "p": None if ratio is None else 0.004,
        "p_adjusted": None if ratio is None else 0.03,
        "detectable": 0.028,
        "verdict": verdict,
        **changed,
    }


def summary(points: Sequence[Record] | None = None, **changed: object) -> Record:
    """A ladder's summary, with what is changed."""
    found = ladder() if points is None else list(points)
    return {
        "schema": "parallama/summary/2",
        "bench_version": "0.1.0",
        "started_at": "2026-11-21T11:10:00+00:00",
        "finished_at": "2026-11-21T11:12:31+00:00",
        "profile": {"name": "throughput", "about": "more and more users", "seed": 7},
        "arms": [ARM],
        "machine": MACHINE,
        "stamps": "kernel",
        "calibration": CALIBRATION,
        "client_cpu_share": 0.12,
        "interrupted": False,
        "valid": True,
        "invalid_because": [],
        "verdict": ["160 tokens/s at 16 users; beyond that more users bring little."],
        "advice": ["Set OLLAMA_NUM_PARALLEL to 16."],
        "definitions": DEFINITIONS,
        "points": found,
        "comparisons": [],
        "knees": [
            {
                "arm": 0,
                "group": "users",
                "value": 16,
                "low": 8,
                "high": 16,
                "because": "twice the users bring less than 5 %",
            }
        ],
        "charts": charts(found)
        if found
        else {"curves": [], "flow": None, "timelines": [], "resources": []},
        **changed,
    }
