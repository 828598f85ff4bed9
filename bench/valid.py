"""Whether the figures of a run are those of the load that it describes. Numbers in, reasons out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .frame import Frame

if TYPE_CHECKING:
    from .document import Document

LATE_MS = 5.0
LATE_SHARE = 0.05
ERROR_SHARE = 0.05
BUSY_SHARE = 0.9
"""Of a core: a load process that has no more CPU than that has none left."""
NO_TOKEN = 0.1
"""Records may be off the declared tokens by this share, and by two a request: an end token has
no text, and a character may take several."""
NO_TOKEN_COUNT = 2.0
LOADING_NS = 1e9
"""A load_duration above this is a model that was loaded; servers declare some ms for one that
was there."""

Point = Mapping[str, Any]


def faults(summary: Mapping[str, Any], document: Document) -> list[str]:
    """Why the figures of a run are not to be used; empty where they are."""
    header, points = document.header, summary["points"]
    return [
        *interrupted(document.footer),
        *late(points),
        *miscalibrated(header["calibration"], points),
        *no_tokens(points),
        *cold_starts(points, document.frames),
        *uncertain(header["machine"].get("workers", ()), points),
        *busy(document.footer.get("client_cpu_share"), document.frames.values()),
    ]


def interrupted(footer: Mapping[str, Any]) -> Iterator[str]:
    """The run ended early."""
    if footer["interrupted"]:
        because = footer.get("because")
        more = f": {because}" if because and because != "interrupted" else ""
        yield f"the run was interrupted{more}"


def where(point: Point) -> str:
    """A point in words."""
    block = f", block {point['block']}" if point["block"] else ""
    return f"at {point['label']}{block}"


def allowed_ms(point: Point) -> float:
    """How late a client may be: latencies of an open loop begin at the planned time, those of a
    closed one when a request is sent."""
    figure = point["ttft_ms" if point["load"]["kind"] == "open" else "e2e_ms"]
    return max(LATE_MS, LATE_SHARE * (figure["p50"] or 0.0))


def late(points: Sequence[Point]) -> Iterator[str]:
    """The client could not keep up."""
    for point in points:
        figure = point["dispatch_late_ms"]
        name, late_ms = "p99", figure["p99"]
        if late_ms is None:
            name, late_ms = "at worst", figure["max"]
        if late_ms is not None and late_ms > allowed_ms(point):
            yield (
                f"{where(point)} the client sent {late_ms:.1f} ms late ({name}): it could not keep "
                "up with the load that it describes"
            )


def miscalibrated(calibration: Mapping[str, Any] | None, points: Sequence[Point]) -> Iterator[str]:
    """The client's own error is too large for the figures. Gaps are held to the median error:
    they are many, and the largest error meets the largest gaps."""
    if calibration is None:
        return
    for name in ("lost", "doubled"):
        if calibration[name]:
            said = "were lost" if name == "lost" else "were counted twice"
            yield f"{calibration[name]} tokens of the calibration {said}"
    for metric, words, percent in (
        ("ttft", "time to first token", "p99"),
        ("itl", "gap between tokens", "p50"),
    ):
        error_ms = calibration[f"{metric}_error_ms"][percent]
        seen = [(point[f"{metric}_ms"]["p50"], point) for point in points]
        small = [
            (ms, point) for ms, point in seen if ms and error_ms and error_ms / ms > ERROR_SHARE
        ]
        if small:
            ms, point = min(small, key=lambda one: one[0])
            yield (
                f"{where(point)} the median {words} is {ms:.3g} ms, of which the client's own "
                f"error ({error_ms:.3g} ms, {percent}) is more than {ERROR_SHARE:.0%}"
            )


def no_tokens(points: Sequence[Point]) -> Iterator[str]:
    """Records that are not tokens: then gaps between records are not between tokens."""
    for point in points:
        held, tokens = point["records_per_token"], point["output_tokens"]
        if held is None or not tokens or not point["ask"].get("stream", True):
            continue
        off = abs(held - 1)
        each = tokens / max(1, point["requests"] - point["failures"])
        if off > NO_TOKEN and off * each > NO_TOKEN_COUNT:
            yield (
                f"{where(point)} there were {held:.3g} records with text to a declared token: "
                "itl_ms is not between tokens"
            )


def cold_starts(points: Sequence[Point], frames: Mapping[int, Frame]) -> Iterator[str]:
    """A model that had not answered before it was measured, or was loaded meanwhile."""
    warm: set[tuple[int, str]] = set()
    for point in points:
        frame, model = frames[point["point"]], (point["arm"], point["model"])
        cold = point["ask"].get("cold", False)
        if not cold and frame.measured.any():
            if model not in warm and not (frame.whole & frame.warmup).any():
                yield f"{where(point)} nothing had been answered before it was measured: no warm-up"
            loaded = int((frame.load_ns[frame.good] > LOADING_NS).sum())
            if loaded:
                yield (
                    f"{where(point)} the model was loaded during {loaded} of the measured requests"
                )
        if frame.whole.any():
            warm.add(model)


def uncertain(workers: Sequence[Mapping[str, Any]], points: Sequence[Point]) -> Iterator[str]:
    """Workers whose clocks are known less well than the lateness that is allowed."""
    least_ms = min(map(allowed_ms, points), default=math.inf)
    for worker in workers:
        off_ms = worker.get("uncertain_ns", 0) / 1e6
        if off_ms > least_ms:
            yield (
                f"the clock of worker {worker['worker']} ({worker['host']}) is uncertain by "
                f"{off_ms:.3g} ms, where {least_ms:.3g} are allowed"
            )


def busy(share: float | None, frames: Iterable[Frame]) -> Iterator[str]:
    """Load processes without CPU left."""
    processes = len({int(number) for frame in frames for number in np.unique(frame.worker)}) or 1
    if share is not None and share > BUSY_SHARE * processes:
        cores = f"{share:.0%} of a core" if processes == 1 else f"{share:.1f} cores"
        yield f"{processes} load process(es) took {cores}: the client had no CPU left"
