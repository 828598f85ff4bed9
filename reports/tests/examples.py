"""Documents as the suite and the bench write them, made here so that the room needs no other."""

from __future__ import annotations

import json
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
