"""The figures of a run for other programs: points.csv, samples.csv, and bench.txt for benchstat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .document import Document
from .figures import latencies

LATENCIES = ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms")
PLAIN = (
    *("point", "group", "label", "value", "arm", "block", "model", "requests", "failures"),
    *("duration_s", "prompt_tokens", "output_tokens", "output_tokens_per_s"),
    *("prompt_tokens_per_s", "requests_per_s", "declared_tokens_per_s", "offered_per_s"),
    *("coalesced_share", "records_per_token"),
)
NESTED = (
    *(("in_flight", name) for name in ("mean", "max")),
    *(("goodput", name) for name in ("per_s", "share", "low", "high")),
    *(("steady", name) for name in ("verdict", "from_s", "to_s")),
    *(("memory", f"{name}_bytes") for name in ("rss", "pss", "footprint", "declared")),
    *(("energy", name) for name in ("power_w", "joules_per_token")),
)
FIGURES = (*LATENCIES, "connect_ms", "load_ms", "dispatch_late_ms")
STATISTICS = ("n", "mean", "min", "max", "p50", "p90", "p95", "p99")
WHOLE = (
    *("planned_ns", "sent_ns", "first_ns", "last_text_ns", "finished_ns", "connect_ns"),
    *("prompt_tokens", "output_tokens"),
)
SAMPLE_COLUMNS = (
    *("point", "arm", "block", "group", "label", "user", "turn", "worker", "warmup", "error"),
    *WHOLE,
    *("records", "ttft_ms", "tpot_ms", "e2e_ms"),
)
UNITS = {
    "tokens/s": "higher",
    "requests/s": "higher",
    **{
        f"ms/{name}-p{percent}": "lower"
        for name in ("ttft", "itl", "tpot", "e2e")
        for percent in (50, 90, 95, 99)
    },
}


def write(folder: Path, summary: Mapping[str, Any], document: Document) -> None:
    """All three, into the folder."""
    import pandas

    lines = [row(point) for point in summary["points"]]
    points = pandas.DataFrame(lines, columns=columns_of_points(), dtype=object)
    points.to_csv(folder / "points.csv", index=False)
    with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(SAMPLE_COLUMNS) + "\n")
        for record in document.points:
            samples = pandas.DataFrame(requests(record, document), columns=SAMPLE_COLUMNS)
            samples[list(WHOLE)] = samples[list(WHOLE)].astype("Int64")  # whole, or empty
            samples.to_csv(file, header=False, index=False)
    text = "".join(f"{line}\n" for line in benchstat(summary))
    (folder / "bench.txt").write_text(text, encoding="utf-8")


def columns_of_points() -> list[str]:
    """The head of points.csv."""
    nested = [f"{outer}_{inner}" for outer, inner in NESTED]
    figures = [f"{name}_{statistic}" for name in FIGURES for statistic in STATISTICS]
    bounds = [
        f"{name}_p{percent}_{end}"
        for name in LATENCIES
        for percent in (50, 90, 95, 99)
        for end in ("low", "high")
    ]
    return [*PLAIN, *nested, *figures, *bounds]


def row(point: Mapping[str, Any]) -> list[Any]:
    """A point as a line of points.csv; what is not known is empty."""
    nested = [(point[outer] or {}).get(inner) for outer, inner in NESTED]
    figures = [point[name][statistic] for name in FIGURES for statistic in STATISTICS]
    bounds = [
        end
        for name in LATENCIES
        for percent in (50, 90, 95, 99)
        for end in point[name]["intervals"][f"p{percent}"] or (None, None)
    ]
    return [*(point[name] for name in PLAIN), *nested, *figures, *bounds]


def requests(record: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """The requests of a point as the columns of samples.csv, in the order of issue."""
    frame = document.frames[record["point"]]
    took = latencies(frame, record["load"]["kind"] == "open")
    return {
        **{name: record[name] for name in ("point", "arm", "block", "group", "label")},
        **{name: getattr(frame, name) for name in ("user", "turn", "worker", *WHOLE)},
        "warmup": frame.warmup.astype(int),
        "error": frame.errors,
        "records": frame.counts,
        "ttft_ms": took.ttft.round(6),
        "tpot_ms": took.tpot.round(6),
        "e2e_ms": took.e2e.round(6),
    }


def benchstat(summary: Mapping[str, Any]) -> Iterator[str]:
    """The figures as golang.org/x/perf reads them, a line for each point, so for each block.

    Blocks of a label have the same name: benchstat takes them as samples.
    """
    machine, profile = summary["machine"], summary["profile"]
    yield f"goos: {machine['system'].split()[0].lower()}"
    yield f"goarch: {machine['architecture']}"
    if machine.get("processor"):
        yield f"cpu: {machine['processor']}"
    yield f"profile: {profile['name']}"
    yield f"stamps: {summary['stamps']}"
    for unit, better in UNITS.items():
        yield f"Unit {unit} better={better}"
    yield ""
    for point in summary["points"]:
        arm = summary["arms"][point["arm"]]["name"]
        name = "/".join(
            (
                f"Benchmark{word(profile['name']).capitalize()}",
                f"{word(point['group'])}={word(point['label'])}",
                f"arm={word(arm)}",
                f"model={word(point['model'])}",
            )
        )
        values = " ".join(f"{value:.9g} {unit}" for unit, value in measured(point))
        if values:
            yield f"{name} 1 {values}"


def measured(point: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """What a point measured, by unit; what has no samples is left out."""
    found = [("tokens/s", point["output_tokens_per_s"]), ("requests/s", point["requests_per_s"])]
    for name in ("ttft", "itl", "tpot", "e2e"):
        figure = point[f"{name}_ms"]
        found += [(f"ms/{name}-p{percent}", figure[f"p{percent}"]) for percent in (50, 90, 95, 99)]
    return [(unit, value) for unit, value in found if value is not None]


def word(text: str) -> str:
    """A name without what would end it: spaces, slashes and equals signs."""
    return re.sub(r"[\s/=]+", "-", text.strip()) or "-"
