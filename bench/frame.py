"""The samples of a run as a table, and from the table to the points of summary.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from .document import Document
from .sample import Resource, Sample, phase_of
from .summary import DEFINITIONS, SCHEMA, faults, figure, measures, reads, throughput

MILLISECONDS = ("ttft_ms", "tpot_ms", "e2e_ms", "connect_ms", "dispatch_late_ms")


def row(sample: Sample) -> dict[str, Any]:
    """One request as a row: what it was, and what `summary.measures` makes of it."""
    held, coalesced = reads(sample)
    return {
        "point": sample.point,
        "concurrency": sample.concurrency,
        "user": sample.user,
        "request": sample.request,
        "warmup": sample.warmup,
        "error": sample.error,
        "output_tokens": sample.output_tokens,
        "connect_ms": None if sample.connect_ns is None else sample.connect_ns / 1e6,
        "dispatch_late_ms": (sample.sent_ns - sample.planned_ns) / 1e6,
        "reads": held,
        "coalesced": coalesced,
        "sample": sample,
        **asdict(measures(sample)),
    }


def frame(samples: tuple[Sample, ...]) -> pd.DataFrame:
    """A row for each request, warm-up included; missing values are NaN or None."""
    return pd.DataFrame([row(sample) for sample in samples])


def point(rows: pd.DataFrame, resources: list[Resource]) -> dict[str, Any]:
    """The figures of one point, from its rows and the resource samples of its phase."""
    measured = rows[~rows["warmup"].astype(bool)]
    resident = [one.rss_bytes for one in resources if one.rss_bytes is not None]
    held = int(measured["reads"].sum())
    figures = {
        name: figure((rows if name == "connect_ms" else measured)[name].dropna().tolist())
        for name in MILLISECONDS
    }
    return {
        "concurrency": int(rows["concurrency"].iloc[0]),
        **throughput(measured["sample"].tolist()),
        **figures,
        "itl_ms": figure(measured["itl_ms"].explode().dropna().tolist()),
        "coalesced_share": int(measured["coalesced"].sum()) / held if held else None,
        "server_rss_bytes": max(resident, default=None),
    }


def summary(document: Document) -> dict[str, Any]:
    """All of summary.json."""
    header, footer = document.header, document.footer
    points = []
    table = frame(document.samples)
    for number, rows in table.groupby("point") if len(table) else ():
        phase = phase_of(int(number))
        resources = [resource for resource in document.resources if resource.phase == phase]
        points.append(point(rows, resources))
    because = faults(points, footer["interrupted"])
    shared = ("bench_version", "started_at", "profile", "target", "machine", "stamps")
    return {
        "schema": SCHEMA,
        **{name: header[name] for name in shared},
        "finished_at": footer["finished_at"],
        "valid": not because,
        "invalid_because": because,
        "definitions": DEFINITIONS,
        "points": points,
    }
