"""What a run says in words: its verdict, and what to set on this machine. From the figures of
summary.json alone: every sentence has its numbers there, and without samples there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .cells import Cell, Point, Summary, cells, resident
from .intervals import mean_interval
from .load import BASELINE
from .steady import MIN_BUCKETS, trend, went

KEEPING = 0.9
"""The share of requests that must keep the SLO for a load to be advised."""
FASTER = 0.8
"""A cache works where the first token takes less than this of the time, in every block."""
SAME = 0.95
MIN_BLOCKS = 3
"""Of two, Student's t knows next to nothing."""
TELLING = 0.25
"""Where not even this much would have been found, nothing is said to be free."""
SAME_ASK = frozenset({"users", "a/b", "a/a", "soak"})
"""Groups whose points ask for the same; they differ in load or arm."""
METRICS = {
    "output_tokens_per_s": "tokens by second",
    "requests_per_s": "requests by second",
    "ttft_ms": "time to first token",
    "tpot_ms": "time per output token",
    "e2e_ms": "e2e time",
}


def verdict(summary: Summary) -> list[str]:
    """What the run found, in words."""
    table = cells(summary)
    return [
        *(f"Not valid: {reason}." for reason in summary["invalid_because"]),
        *judged(summary["arms"]),
        *most(table),
        *bends(summary),
        *drifts(table),
        *differences(summary),
        *failures(summary["points"]),
        *unsteady(summary["points"]),
    ]


def advice(summary: Summary) -> list[str]:
    """What to set on this machine, in words."""
    table = cells(summary)
    slo = summary["profile"].get("slo")
    return [
        *(concurrency(table, slo) if slo else ()),
        *(rates(table, slo) if slo else ()),
        *prompt_cache(table),
        *prompts(table, slo),
        *starts(table),
        *batches(table),
        *options(summary),
    ]


def judged(arms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How right the targets are, where that is known."""
    for arm in arms:
        if arm["conformance"] is not None:
            yield f"Conformance of {arm['name']}: {arm['conformance']['headline']}."


def most(table: Sequence[Cell]) -> Iterator[str]:
    """The most tokens that each arm made in a closed loop, and under which load; of points that
    differ in what they ask for, those of the baseline or of the first."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        made = [
            (speed, cell)
            for cell in table
            if cell.arm == arm
            and cell.points[0]["load"]["kind"] == "closed"
            and (speed := cell.mean("output_tokens_per_s")) is not None
        ]
        if not made:
            continue
        alike = [one for one in made if one[1].group in SAME_ASK or one[1].label == BASELINE]
        speed, cell = max(alike or made[:1], key=lambda one: one[0])
        first = cell.median("ttft_ms")
        more = f", the first token after {duration(first)} (median)" if first is not None else ""
        speeds = [one for point in cell.points if (one := point["output_tokens_per_s"])]
        span = ""
        if len(speeds) >= MIN_BLOCKS and (bounds := mean_interval(np.array(speeds))):
            span = f" ({number(bounds[1])} to {number(bounds[2])} by {len(speeds)} blocks)"
        yield f"{arm}{cell.label}: {number(speed)} tokens by second{span}{more}."


def bends(summary: Summary) -> Iterator[str]:
    """The knees of ladders of users, the capacities of ladders of rates."""
    arms = summary["arms"]
    offered = {
        (point["arm"], point["group"])
        for point in summary["points"]
        if point["load"]["kind"] == "open"
    }
    for knee in summary["knees"]:
        arm = f"{arms[knee['arm']]['name']}: " if len(arms) > 1 else ""
        span = "" if knee["low"] is None else f" ({knee['low']:g} to {knee['high']:g})"
        if (knee["arm"], knee["group"]) in offered:
            kept = "no rate that was tried"
            if knee["value"] is not None:
                kept = f"{knee['value']:.3g} requests/s{span}"
            yield f"{arm}It keeps up with {kept}: {knee['because']}."
        elif knee["value"] is None:
            yield f"{arm}No knee: {knee['because']}."
        else:
            yield f"{arm}The knee is at {knee['value']:g} {knee['group']}{span}: {knee['because']}."


def drifts(table: Sequence[Cell]) -> Iterator[str]:
    """Whether a long load changed the server: pace, first token, memory."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        soak = [cell for cell in table if cell.arm == arm and cell.group == "soak"]
        held: list[tuple[str, list[float | None]]] = [
            ("throughput", [cell.mean("output_tokens_per_s") for cell in soak]),
            ("time to first token", [cell.median("ttft_ms") for cell in soak]),
            ("memory", [resident(cell) for cell in soak]),
        ]
        for name, values in held:
            known = [one for one in values if one is not None]
            if len(known) < max(MIN_BUCKETS, len(soak)):
                continue
            change = trend(np.array(known, dtype=np.float64))
            word = f"{went(change)} (trend, p {change.p:.2g})" if change.counts else "held"
            yield f"{arm}Over {soak[-1].value or 0:.0f} minutes {name} {word}."


def differences(summary: Summary) -> Iterator[str]:
    """What was found between arms; what options cost is advice."""
    between = [one for one in summary["comparisons"] if not against_baseline(one)]
    for one in between:
        if one["verdict"] in ("better", "worse"):
            yield (
                f"{one['label']}: {METRICS[one['metric']]} {one['verdict']}, "
                f"{ratio(one)} those of {one['baseline']} over {one['pairs']} pairs."
            )
    none = [one for one in between if one["verdict"] == "no difference found"]
    for one in none:
        yield (
            f"{one['label']}: no difference from {one['baseline']} found in "
            f"{METRICS[one['metric']]} ({ratio(one)}); {one['detectable']:.1%} would have been."
        )
    few = [one for one in between if one["verdict"] == "not enough pairs"]
    if few:
        yield f"Not enough pairs for {len(few)} comparisons: {few[0]['pairs']} of at least 6."


def failures(points: Sequence[Point]) -> Iterator[str]:
    """What went wrong, by class."""
    asked, failed = (sum(point[name] for point in points) for name in ("requests", "failures"))
    if failed:
        classes: dict[str, int] = {}
        for point in points:
            for name, times in point["errors"].items():
                classes[name] = classes.get(name, 0) + times
        listed = ", ".join(f"{name} {times}" for name, times in sorted(classes.items()))
        yield f"{failed} of {asked} requests failed: {listed}."


def unsteady(points: Sequence[Point]) -> Iterator[str]:
    """Where the level did not hold."""
    for point in points:
        if point["steady"]["verdict"] == "not steady":
            yield f"Not steady at {point['label']}: {point['steady']['because']}."


def concurrency(table: Sequence[Cell], slo: Mapping[str, float]) -> Iterator[str]:
    """How many users at a time."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        ladder = [cell for cell in table if cell.arm == arm and cell.closed_users is not None]
        within = [
            (speed, cell)
            for cell in ladder
            if (cell.kept or 0) >= KEEPING and (speed := cell.mean("output_tokens_per_s"))
        ]
        if len(ladder) < 2 or not any(cell.kept is not None for cell in ladder):
            continue
        if not within:
            yield f"{arm}No number of users that was tried keeps the SLO ({limits(slo)})."
            continue
        speed, best = max(within, key=lambda one: one[0])
        yield (
            f"{arm}Best concurrency under the SLO ({limits(slo)}): {best.closed_users}, with "
            f"{number(speed)} tokens by second and {best.kept:.0%} of requests within it; allow "
            f"as many at a time (OLLAMA_NUM_PARALLEL={best.closed_users})."
        )


def rates(table: Sequence[Cell], slo: Mapping[str, float]) -> Iterator[str]:
    """How many requests by second."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        offered = [
            cell
            for cell in table
            if cell.arm == arm
            and cell.points[0]["load"]["kind"] == "open"
            and cell.kept is not None
        ]
        within = [cell for cell in offered if (cell.kept or 0) >= KEEPING]
        if len(offered) >= 2:
            if within:
                best = max(within, key=lambda cell: cell.value or 0.0)
                yield (
                    f"{arm}{best.label} is the most at which {KEEPING:.0%} of requests keep the "
                    f"SLO ({limits(slo)}): {best.kept:.0%} do."
                )
            else:
                yield f"{arm}At no rate that was tried {KEEPING:.0%} keep the SLO ({limits(slo)})."


def prompt_cache(table: Sequence[Cell]) -> Iterator[str]:
    """Whether shared prefixes are found again."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        shared = [
            cell
            for cell in table
            if cell.arm == arm and cell.group == "shared" and cell.medians("ttft_ms")
        ]
        if len(shared) < 2 or shared[0].value == shared[-1].value:
            continue
        least, most_shared = shared[0].medians("ttft_ms"), shared[-1].medians("ttft_ms")
        before, after = sum(least) / len(least), sum(most_shared) / len(most_shared)
        said = (
            f"the first token takes {duration(after)} with {shared[-1].label}, {duration(before)} "
            f"with {shared[0].label}"
        )
        if max(most_shared) < FASTER * min(least):
            yield f"{arm}The prompt cache works: {said}. Put what prompts share in front."
        elif after > SAME * before:
            yield f"{arm}The prompt cache brings nothing: {said}."
        else:
            yield f"{arm}The prompt cache brings little: {said}."


def prompts(table: Sequence[Cell], slo: Mapping[str, float] | None) -> Iterator[str]:
    """What prompt length costs, and which context is worth having."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        lengths = [
            (cell.value, first, cell)
            for cell in table
            if cell.arm == arm
            and cell.group == "prompt"
            and cell.value
            and (first := cell.median("ttft_ms")) is not None
        ]
        if len(lengths) < 2:
            continue
        (short, soon, low), (long, later, high) = lengths[0], lengths[-1]
        cost = (later - soon) / (long - short) * 1000
        more = ""
        before, after = resident(low), resident(high)
        if before is not None and after is not None and after > before:
            each = (after - before) / (long - short) * 1000 / 2**20
            more = f" and {number(each)} MiB of memory"
        yield (
            f"{arm}1,000 prompt tokens more cost {duration(cost)} of time to first token{more}, "
            f"between {short:g} and {long:g} tokens."
        )
        if slo is not None:
            within = [value for value, first, _ in lengths if first <= slo["ttft_ms"]]
            if within and len(within) < len(lengths):
                yield (
                    f"{arm}{max(within):g} prompt tokens are the most tried whose first token "
                    f"comes within {duration(slo['ttft_ms'])} (median): a longer context (num_ctx) "
                    "serves nobody who is held to that."
                )


def starts(table: Sequence[Cell]) -> Iterator[str]:
    """What a cold start costs."""
    for cold in (cell for cell in table if cell.points[0]["ask"].get("cold")):
        warm = next(
            (
                cell
                for cell in table
                if (cell.arm, cell.group) == (cold.arm, cold.group) and cell is not cold
            ),
            None,
        )
        first, load = cold.median("ttft_ms"), cold.median("load_ms")
        usual = None if warm is None else warm.median("ttft_ms")
        if first is None or usual is None:
            continue
        more = "" if load is None else f" ({duration(load)} of it loading, as declared)"
        yield (
            f"{cold.arm}From cold the first token takes {duration(first)}{more}, "
            f"{duration(usual)} from warm: a keep_alive longer than the pauses saves that."
        )


def batches(table: Sequence[Cell]) -> Iterator[str]:
    """How many texts to embed in one request."""
    for arm in dict.fromkeys(cell.arm for cell in table):
        made = [
            (pace * cell.points[0]["ask"].get("inputs", 1), cell)
            for cell in table
            if cell.arm == arm and cell.group == "inputs" and (pace := cell.mean("requests_per_s"))
        ]
        if len(made) < 2:
            continue
        best, cell = max(made, key=lambda one: one[0])
        least, single = min(made, key=lambda one: one[0])
        yield (
            f"{arm}{cell.label} a request embed the most, {number(best)} texts by second; "
            f"{single.label} a request {number(least)}."
        )


def options(summary: Summary) -> Iterator[str]:
    """What options cost, and which cost nothing that would have been found."""
    against = [one for one in summary["comparisons"] if against_baseline(one)]
    for one in against:
        if one["verdict"] in ("worse", "better"):
            word = "costs" if one["verdict"] == "worse" else "gains"
            yield f"{one['label']} {word}: {METRICS[one['metric']]} {ratio(one)} the baseline's."
    changed = {one["label"] for one in against if one["verdict"] != "no difference found"}
    hidden: dict[str, float] = {}
    for one in against:
        if one["label"] not in changed:
            hidden[one["label"]] = max(hidden.get(one["label"], 0.0), one["detectable"])
    free = [label for label, size in hidden.items() if size <= TELLING]
    if free:
        least = max(hidden[label] for label in free)
        yield f"No cost found of {', '.join(free)}; {least:.1%} would have been."
    shaky = [label for label, size in hidden.items() if size > TELLING]
    if shaky:
        yield (
            f"No cost found of {', '.join(shaky)}, but blocks scatter so that none below "
            f"{min(hidden[label] for label in shaky):.0%} would have been: more pairs would tell."
        )
    few = {one["label"]: one["pairs"] for one in against if one["verdict"] == "not enough pairs"}
    if few:
        least = min(few.values())
        yield f"Not enough pairs to judge {', '.join(few)}: {least} of at least 6."


def against_baseline(one: Mapping[str, Any]) -> bool:
    """Whether a comparison is with the baseline of its group."""
    return bool(one["baseline"] == BASELINE or one["baseline"].endswith(f", {BASELINE}"))


def ratio(one: Mapping[str, Any]) -> str:
    """A ratio with its interval, in words."""
    return f"{number(one['ratio'])} times ({number(one['low'])} to {number(one['high'])})"


def limits(slo: Mapping[str, float]) -> str:
    """An SLO in words."""
    return f"first token within {duration(slo['ttft_ms'])}, {duration(slo['tpot_ms'])} a token"


def duration(ms: float) -> str:
    """A time in its own unit."""
    return f"{number(ms / 1000)} s" if abs(ms) >= 1000 else f"{number(ms)} ms"


def number(value: float) -> str:
    """Three digits that count, more where the number has them before its point."""
    if not value:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
