"""Documents as the suite and the bench write them, made here so that the room needs no other."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .example_checks import CHECKS, FINDINGS

Record = dict[str, Any]

OUTCOMES = ("passed", "failed", "not_offered", "not_testable", "not_judged", "unstable", "errored")
SCHEMAS = Path(__file__).resolve().parents[2] / "fixtures" / "schemas"
MACHINE = {
    "system": "Linux 6.1",
    "architecture": "x86_64",
    "python": "3.11.9",
    "processor": "AMD EPYC 7B13",
    "cores": 2,
    "memory_bytes": 8 * 2**30,
}


def verdict(id: str, level: str, title: str, **changed: object) -> Record:
    """A passed verdict, with what is changed."""
    class_name = id.split("/", maxsplit=1)[0]
    return {
        "kind": "verdict",
        "id": id,
        "level": level,
        "class": class_name,
        "title": title,
        "source": "docs/api.md#generate-a-chat-completion",
        "verdict": "passed",
        "covers": [f"{class_name.upper()}-00{len(id) % 9 + 1}"],
        "breaks": ["Python ollama"],
        "expected": None,
        "actual": None,
        "reason": None,
        "curl": None,
        "duration_ms": 12.5,
        **changed,
    }


def exchange(**changed: object) -> Record:
    """A streamed answer as evidence."""
    body = "".join(
        json.dumps(
            {"model": "parallama-scripted", "message": {"content": word}, "done": word == ""}
        )
        + "\n"
        for word in ("Hello", " there", "!", "")
    )
    return {
        "method": "POST",
        "path": "/api/chat",
        "request": '{"model":"parallama-scripted","messages":[{"role":"user","content":"Hello"}]}',
        "status": 200,
        "headers": [
            ["Content-Type", "application/x-ndjson"],
            ["Date", "Sat, 21 Nov 2026 11:00:00 GMT"],
        ],
        "body": body,
        "pieces": [[31.0, 80], [46.5, 80], [47.1, 78], [90.0, 76]],
        "error": None,
        **changed,
    }


def verdicts() -> list[Record]:
    """Some seventy verdicts of many classes, a few of each outcome."""
    made: list[Record] = []
    for class_name, checks in CHECKS.items():
        for level, slug, title in checks:
            for variant in (
                ("chat", "generate") if class_name in ("streaming", "options", "core") else ("",)
            ):
                id = "/".join(part for part in (class_name, variant, slug) if part)
                found = FINDINGS.get(f"{class_name}/{slug}") if variant in ("", "chat") else None
                made.append(
                    verdict(id, level, title, **(_finding(found) if found else _calm(class_name)))
                )
    return made


def _finding(found: Record) -> Record:
    curl = (
        'curl -sN http://localhost:11434/api/chat -d \'{"model":"parallama-scripted",'
        '"messages":[{"role":"user","content":"Hello"}],'
        '"options":{"temperature":0,"stop":[" four"]}}\''
    )
    return {
        **found,
        "curl": curl,
        "evidence": [
            exchange(),
            exchange(status=None, body="", pieces=[], headers=[], error="connection reset by peer"),
        ],
    }


def _calm(class_name: str) -> Record:
    if class_name in ("embeddings", "openai"):
        reason = f"The target does not offer {class_name}: each of its routes answers 404."
        return {"verdict": "not_offered", "reason": reason}
    if class_name == "logprobs":
        return {"verdict": "not_judged", "reason": "It needs the scripted model."}
    return {}


def run_records(judged: Sequence[Record] | None = None, **target: object) -> list[Record]:
    """A whole run: header, verdicts, footer."""
    judged = verdicts() if judged is None else list(judged)
    header = {
        "kind": "header",
        "schema": "parallama/run/1",
        "suite_version": "0.1.0",
        "started_at": "2026-11-21T11:00:00+00:00",
        "target": {
            "url": "http://localhost:11434",
            "version": "0.9.1",
            "server": "aiohttp/3.12",
            "model": "parallama-scripted",
            "scripted": True,
            **target,
        },
        "selection": {
            "classes": [],
            "claims": [],
            "expression": None,
            "level": None,
            "strict": False,
        },
        "machine": MACHINE,
        "calibration": {"trusts_status": True, "notes": []},
    }
    return [header, *judged, run_footer(judged)]


def run_footer(judged: Sequence[Record]) -> Record:
    """The footer that these verdicts call for."""
    must = [v for v in judged if v["level"] == "MUST"]
    offered = [v for v in must if v["verdict"] != "not_offered"]
    red = [v for v in judged if v["verdict"] in ("failed", "not_testable")]
    passed = sum(v["verdict"] == "passed" for v in must)
    clients = [
        "Python ollama",
        "JS ollama",
        "LangChain",
        "Open WebUI",
        "VS Code Copilot",
        "LlamaIndex",
    ]
    needs = {client: [v["id"] for v in red if client in v["breaks"]] for client in clients}
    return {
        "kind": "footer",
        "finished_at": "2026-11-21T11:00:48.250000+00:00",
        "headline": f"{passed}/{len(offered)} of {len(must)} MUST "
        f"({len(must) - len(offered)} not offered)",
        "counts": _counts(judged),
        "by_level": {
            level: _counts(v for v in judged if v["level"] == level)
            for level in ("MUST", "SHOULD", "MAY")
        },
        "by_class": {
            name: _counts(v for v in judged if v["class"] == name)
            for name in {v["class"] for v in judged}
        },
        "clients": [
            {"client": c, "works": None if c == "LlamaIndex" else not needs[c], "failed": needs[c]}
            for c in clients
        ],
        "exit_status": 1 if any(v["level"] == "MUST" for v in red) else 0,
        "interrupted": False,
    }


def _counts(judged: Iterable[Record]) -> Record:
    found = [v["verdict"] for v in judged]
    return {outcome: found.count(outcome) for outcome in OUTCOMES}


BENCH_HEADER = {
    "bench_version": "0.1.0",
    "started_at": "2026-11-21T11:10:00+00:00",
    "profile": {"name": "throughput", "seed": 7, "concurrencies": [1, 4, 16], "output_tokens": 64},
    "target": {
        "url": "http://localhost:11434",
        "model": "smollm2:135m-instruct-q4_1",
        "version": "0.9.1",
        "digest": "sha256:4f1c8e0d5c1a7e5b0a7f3a6a92d5b1c7d19fb1f0c6a44a0cf7b5f8d4b1e2a3c4",
        "quantization": "Q4_1",
        "family": "llama",
        "parameter_size": "134.52M",
    },
    "machine": MACHINE,
    "stamps": "kernel",
}
DEFINITIONS = {
    "TTFT": "Sent to first non-empty record.",
    "ITL": "Gaps between such records.",
    "TPOT": "(last - first) / (eval_count - 1).",
    "E2E": "Sent to last byte.",
    "output_tokens_per_s": "Tokens of answered requests from first sent to last byte.",
}


def sample(**changed: object) -> Record:
    """One answered request: first record after 50 ms, then two more 20 ms apart."""
    return {
        "kind": "sample",
        "point": 0,
        "concurrency": 1,
        "user": 0,
        "request": 0,
        "planned_ns": 0,
        "sent_ns": 1_000_000,
        "arrivals": [[51_000_000, 5, 1], [71_000_000, 5, 1], [91_000_000, 5, 1]],
        "finished_ns": 92_000_000,
        "status": 200,
        "error": None,
        "output_tokens": 3,
        **changed,
    }


def samples_records(
    concurrencies: Sequence[int] = (1, 4, 16), each: int = 12, tokens: int = 48
) -> list[Record]:
    """A bench run in which more users share a growing, but bounded, rate."""
    draw = random.Random(7)
    records: list[Record] = []
    now = 2_000_000_000
    for point, concurrency in enumerate(concurrencies):
        start = now
        step_ms = 9.0 + 1.6 * concurrency
        for request in range(each * concurrency):
            sent = start + (request // concurrency) * int((tokens + 6) * step_ms * 1e6)
            first = sent + int(1e6 * step_ms * draw.lognormvariate(1.2, 0.35))
            times = [first]
            while len(times) < tokens:
                times.append(times[-1] + int(1e6 * step_ms * draw.lognormvariate(0, 0.12)))
            failed = concurrency == 16 and request % 37 == 36
            records.append(
                sample(
                    point=point,
                    concurrency=concurrency,
                    user=request % concurrency,
                    request=request,
                    planned_ns=sent,
                    sent_ns=sent,
                    arrivals=[] if failed else [[at, 4, 1] for at in times],
                    finished_ns=None if failed else times[-1] + 300_000,
                    error="busy-503" if failed else None,
                    status=503 if failed else 200,
                    output_tokens=None if failed else tokens,
                )
            )
            now = max(now, times[-1])
        now += 1_000_000_000
    return _framed([*records, *_resources(concurrencies, now)])


def _resources(concurrencies: Sequence[int], end_ns: int) -> list[Record]:
    """Memory that grows with the streams."""
    records = []
    for step in range(240):
        at_ns = end_ns * step // 239
        place = (step - 20) * len(concurrencies) // 220
        phase = "idle" if step < 20 else f"point {place}"
        streams = 0 if step < 20 else concurrencies[place]
        rss = int((620 + 14 * streams + 12 * math.sin(step / 5)) * 2**20)
        records.append(
            {
                "kind": "resource",
                "at_ns": at_ns,
                "phase": phase,
                "processes": 1,
                "rss_bytes": rss,
                "pss_bytes": rss - 40 * 2**20,
                "declared_bytes": 560 * 2**20 if step > 20 else None,
            }
        )
    return records


def _framed(records: list[Record]) -> list[Record]:
    header = {"kind": "header", "schema": "parallama/samples/1", **BENCH_HEADER}
    number = sum(record["kind"] == "sample" for record in records)
    footer = {
        "kind": "footer",
        "finished_at": "2026-11-21T11:12:31+00:00",
        "samples": number,
        "interrupted": False,
    }
    return [header, *records, footer]


def samples_of(*records: Record) -> list[Record]:
    """A document of just these samples and resources."""
    return _framed(list(records))


def figure(values: Sequence[float]) -> Record:
    """Percentiles by nearest rank; null where there is no value."""
    ordered = sorted(values)
    ranks = {
        f"p{q}": ordered[math.ceil(q * len(ordered) / 100) - 1] if ordered else None
        for q in (50, 90, 99)
    }
    return {"n": len(ordered), **ranks}


def summary_record(samples: Sequence[Record] | None = None, /, **changed: object) -> Record:
    """The summary of these samples, with what is changed."""
    found = [r for r in samples or samples_records() if r["kind"] == "sample"]
    points = sorted({record["point"] for record in found})
    return {
        "schema": "parallama/summary/1",
        **BENCH_HEADER,
        "finished_at": "2026-11-21T11:12:31+00:00",
        "points": [point_of([r for r in found if r["point"] == point]) for point in points],
        "definitions": DEFINITIONS,
        "valid": True,
        "invalid_because": [],
        **changed,
    }


def point_of(samples: Sequence[Record]) -> Record:
    """The figures of one load."""
    good = [r for r in samples if r["error"] is None]
    last = max((r["finished_ns"] for r in good), default=0)
    duration_s = (last - min(r["sent_ns"] for r in samples)) / 1e9
    tokens = sum(r["output_tokens"] for r in good)
    return {
        "concurrency": samples[0]["concurrency"],
        "requests": len(samples),
        "failures": len(samples) - len(good),
        "errors": {"busy-503": len(samples) - len(good)} if len(good) < len(samples) else {},
        "duration_s": duration_s,
        "output_tokens": tokens,
        "output_tokens_per_s": tokens / duration_s,
        "requests_per_s": len(good) / duration_s,
        "ttft_ms": figure([(r["arrivals"][0][0] - r["sent_ns"]) / 1e6 for r in good]),
        "itl_ms": figure(
            [
                (b[0] - a[0]) / 1e6
                for r in good
                for a, b in zip(r["arrivals"], r["arrivals"][1:], strict=False)
            ]
        ),
        "tpot_ms": figure(
            [
                (r["arrivals"][-1][0] - r["arrivals"][0][0]) / 1e6 / (r["output_tokens"] - 1)
                for r in good
            ]
        ),
        "e2e_ms": figure([(r["finished_ns"] - r["sent_ns"]) / 1e6 for r in good]),
        "dispatch_late_ms": figure(
            [(r["sent_ns"] - r["planned_ns"]) / 1e6 + 0.04 for r in samples]
        ),
        "coalesced_share": 0.012,
        "server_rss_bytes": (620 + 14 * samples[0]["concurrency"]) * 2**20,
    }


def write_lines(path: Path, records: Iterable[Record]) -> Path:
    """The records as a JSON-lines document."""
    path.write_text(
        "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8"
    )
    return path


def write_json(path: Path, record: Record) -> Path:
    """The record as a document of its own."""
    path.write_text(json.dumps(record, indent=2), encoding="utf-8")
    return path
