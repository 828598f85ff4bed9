"""The points of a summary by what they are: one load on one arm, its blocks together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Summary = Mapping[str, Any]
Point = Mapping[str, Any]

RESIDENT = ("footprint_bytes", "pss_bytes", "rss_bytes")


@dataclass(frozen=True, slots=True)
class Cell:
    """The points of one load on one arm, a block each."""

    arm: str
    """With a colon and a space; empty where there is one arm only."""
    group: str
    label: str
    value: float | None
    points: tuple[Point, ...]

    def mean(self, name: str) -> float | None:
        """The mean of a rate over the blocks."""
        seen = [point[name] for point in self.points if point[name] is not None]
        return sum(seen) / len(seen) if seen else None

    def medians(self, name: str) -> list[float]:
        """The median latency of each block that has one."""
        return [one for point in self.points if (one := point[name]["p50"]) is not None]

    def median(self, name: str) -> float | None:
        """The mean of those."""
        seen = self.medians(name)
        return sum(seen) / len(seen) if seen else None

    @property
    def kept(self) -> float | None:
        """The share of requests that kept the SLO, blocks together."""
        asked = sum(point["requests"] for point in self.points)
        if not asked or any(point["goodput"] is None for point in self.points):
            return None
        good = sum(point["goodput"]["share"] * point["requests"] for point in self.points)
        return float(good / asked)

    @property
    def closed_users(self) -> int | None:
        """How many users, where users are what differs."""
        load = self.points[0]["load"]
        return load["users"] if load["kind"] == "closed" and load["users"] == self.value else None


def cells(summary: Summary) -> list[Cell]:
    """The points of a summary, blocks together, along the axis of each group."""
    arms = [arm["name"] for arm in summary["arms"]]
    found: dict[tuple[int, str, str], list[Point]] = {}
    for point in summary["points"]:
        found.setdefault((point["arm"], point["group"], point["label"]), []).append(point)
    made = [
        Cell(
            f"{arms[arm]}: " if len(arms) > 1 else "",
            group,
            label,
            several[0]["value"],
            tuple(several),
        )
        for (arm, group, label), several in found.items()
    ]
    return sorted(made, key=lambda cell: (cell.arm, cell.group, cell.value or 0.0))


def resident(cell: Cell) -> float | None:
    """The most memory of the server, by the best measure that all blocks have."""
    for name in RESIDENT:
        seen = [point["memory"].get(name) for point in cell.points]
        if seen and None not in seen:
            return float(max(seen))
    return None
