"""Plans: all that a load process needs to know, as lines of JSON on its standard input.

First the run, then a point each time one is to be run; the end of the input ends the process.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from .load import Ask, Closed, Open, Point
from .target import Address


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What all points of a run share. `nonce` differs in every run, so that no run finds the
    prompts of an earlier one in the server's prompt cache."""

    spool: str
    """The file that takes the exchanges."""
    nonce: str
    seed: int
    timeout_s: float
    """Longest wait for the next byte of an answer."""
    kernel: bool = True
    """Take the kernel's receive stamps where it gives them."""

    def line(self) -> str:
        """The plan as one line of JSON."""
        return json.dumps({"kind": "run", **asdict(self)}) + "\n"

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> RunPlan:
        """Read what `line` wrote, already decoded."""
        return cls(**{name: value for name, value in fields.items() if name != "kind"})


@dataclass(frozen=True, slots=True)
class PointPlan:
    """A point against its target."""

    number: int
    """Which point of the run this is, from 0."""
    point: Point
    address: Address
    model: str
    words: tuple[str, ...]
    """Words that the model counts as one token each; prompts are made of them."""
    overhead_tokens: int
    """What the server counts for a prompt beyond its words (BOS, template)."""

    def line(self) -> str:
        """The plan as one line of JSON."""
        kind = "closed" if isinstance(self.point.load, Closed) else "open"
        return json.dumps({"kind": "point", "load": kind, **asdict(self)}) + "\n"

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> PointPlan:
        """Read what `line` wrote, already decoded."""
        point = fields["point"]
        load = point["load"]
        loaded = (
            Closed(**load)
            if fields["load"] == "closed"
            else Open(**{**load, "times_s": tuple(load["times_s"])})
        )
        return cls(
            number=fields["number"],
            point=Point(**{**point, "load": loaded, "ask": Ask(**point["ask"])}),
            address=Address(**fields["address"]),
            model=fields["model"],
            words=tuple(fields["words"]),
            overhead_tokens=fields["overhead_tokens"],
        )
