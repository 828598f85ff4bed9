"""Requests, points and summaries with known values, made by hand."""

from __future__ import annotations

from typing import Any

from ..intervals import PERCENTS
from ..sample import Arrival, Sample

MS = 1_000_000


def request(
    number: int = 0,
    *,
    sent_ms: float = 0.0,
    first_ms: float = 20.0,
    gap_ms: float = 2.0,
    tokens: int = 8,
    user: int = 0,
    late_ms: float = 0.0,
    error: str | None = None,
    warmup: bool = False,
    load_ms: float | None = None,
) -> Sample:
    """A request whose answer came evenly."""
    sent_ns = round(sent_ms * MS)
    times = [sent_ns + round((first_ms + place * gap_ms) * MS) for place in range(tokens)]
    return Sample(
        point=0,
        user=user,
        request=number,
        warmup=warmup,
        prompt_sha256="0" * 64,
        seed=1,
        connect_ns=None,
        planned_ns=sent_ns - round(late_ms * MS),
        sent_ns=sent_ns,
        arrivals=() if error else tuple(Arrival(at_ns, 4, 1) for at_ns in times),
        finished_ns=None if error else times[-1] + round(gap_ms * MS),
        status=None if error else 200,
        error=error,
        prompt_tokens=None if error else 16,
        output_tokens=None if error else tokens,
        server_ns={} if load_ms is None else {"load_duration": round(load_ms * MS)},
    )


def record(kind: str = "closed", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A point as samples.jsonl has it."""
    loads = {
        "closed": {"kind": "closed", "users": 1, "requests": 3, "warmup": 1},
        "open": {
            "kind": "open",
            "rate_per_s": 5.0,
            "requests": 3,
            "warmup": 0,
            "arrivals": "poisson",
        },
    }
    plain: dict[str, Any] = {
        "kind": "point",
        "point": 0,
        "group": "users",
        "label": "1 user",
        "value": 1,
        "arm": 0,
        "block": 0,
        "model": "tiny",
        "load": loads[kind],
        "ask": {"api": "generate", "prompt_tokens": 16, "output_tokens": 8, "stream": True},
        "at_ns": 0,
    }
    return plain | changes


def latency(p50: float | None, n: int = 40, **more: float | None) -> dict[str, Any]:
    """A figure whose percentiles are all the same, unless said otherwise."""
    names = [f"p{percent}" for percent in PERCENTS]
    level: dict[str, Any] = dict.fromkeys((*("mean", "min", "max"), *names), p50)
    return {"n": n, **level, **more, "intervals": dict.fromkeys(names)}


def figures(
    label: str = "1 user",
    *,
    value: float | None = 1,
    speed: float | None = 100.0,
    ttft_ms: float | None = 50.0,
    tpot_ms: float | None = 10.0,
    kept: float = 1.0,
    **changes: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """A point of summary.json."""
    point = {
        **{name: one for name, one in record(label=label, value=value).items() if name != "kind"},
        "requests": 40,
        "failures": 0,
        "errors": {},
        "duration_s": 4.0,
        "prompt_tokens": 640,
        "output_tokens": 400,
        "output_tokens_per_s": speed,
        "prompt_tokens_per_s": 160.0,
        "requests_per_s": 10.0,
        "declared_tokens_per_s": None,
        "ttft_ms": latency(ttft_ms),
        "itl_ms": latency(tpot_ms),
        "tpot_ms": latency(tpot_ms),
        "e2e_ms": latency(400.0),
        "connect_ms": latency(None, 0),
        "load_ms": latency(None, 0),
        "dispatch_late_ms": latency(0.1),
        "coalesced_share": 0.0,
        "records_per_token": 1.0,
        "offered_per_s": None,
        "in_flight": {"mean": 1.0, "max": 1},
        "goodput": {"per_s": 10 * kept, "share": kept, "low": kept, "high": kept},
        "steady": {"from_s": 0.0, "to_s": 4.0, "verdict": "steady", "because": "it was"},
        "memory": {"rss_bytes": None, "pss_bytes": None},
        "energy": None,
    }
    del point["at_ns"]
    return point | changes


def summary(*points: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """As much of summary.json as words are made of."""
    plain = {
        "profile": {"name": "by-hand", "slo": {"ttft_ms": 2000.0, "tpot_ms": 100.0}},
        "arms": [{"name": "A", "conformance": None}],
        "machine": {"system": "Linux 6", "architecture": "x86_64", "python": "3.11"},
        "stamps": "kernel",
        "points": list(points),
        "comparisons": [],
        "knees": [],
        "invalid_because": [],
    }
    return plain | changes


HEADER: dict[str, Any] = {
    "kind": "header",
    "schema": "parallama/samples/2",
    "bench_version": "0",
    "started_at": "2026-11-21T12:00:00Z",
    "profile": {
        "name": "by-hand",
        "about": "made by hand",
        "seed": 7,
        "slo": {"ttft_ms": 2000.0, "tpot_ms": 100.0},
    },
    "arms": [
        {
            "name": "A",
            "target": {"url": "http://127.0.0.1:1", "model": "tiny", "version": "1"},
            "conformance": None,
        }
    ],
    "machine": {"system": "Linux 6", "architecture": "x86_64", "python": "3.11"},
    "stamps": "kernel",
    "calibration": None,
}
