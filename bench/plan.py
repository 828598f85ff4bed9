"""The plan: all that the load process needs to know, as one JSON object on its standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .profiles import Load, Profile
from .target import Address


@dataclass(frozen=True, slots=True)
class Plan:
    """A profile against a target. `nonce` differs in every run, so that no run finds the
    prompts of an earlier one in the server's prompt cache."""

    address: Address
    model: str
    profile: Profile
    nonce: str
    spool: str
    """The file that takes the exchanges."""

    def line(self) -> str:
        """The plan as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> Plan:
        """Read what `line` wrote."""
        value = json.loads(line)
        profile = value["profile"]
        profile["loads"] = tuple(Load(**load) for load in profile["loads"])
        return cls(
            address=Address(**value["address"]),
            model=value["model"],
            profile=Profile(**profile),
            nonce=value["nonce"],
            spool=value["spool"],
        )
