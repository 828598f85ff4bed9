"""What of an answer comes again when the same is asked again.

All of it, where the model is the scripted one: its margins are wider than any noise. An ordinary
model's greedy answer begins alike and may part later: in company, or after a prompt that was kept,
a backend sums in another order, and a near tie falls the other way. The real Ollama does so.
"""

from __future__ import annotations

from typing import Any

from .check import Verdict, expect
from .evidence import Exchange
from .target import Target

BEGUN = 8  # characters, two words or so
OF_THE_END = ("eval_count", "reason", "tokens", "context")  # of what came after the beginning


def expect_again(
    target: Target, found: object, first: object, evidence: Exchange | None = None
) -> Verdict:
    """Passed if an answer is what it was the first time; an ordinary model's, if it begins so."""
    if target.setup.scripted:
        return expect(found, first, evidence)
    return expect(beginning(found), beginning(first), evidence)


def beginning(value: Any) -> Any:  # noqa: ANN401
    """Texts as far as they come again, in whatever holds them."""
    if isinstance(value, str):
        return value[:BEGUN]
    if isinstance(value, dict):
        return {key: beginning(one) for key, one in value.items() if key not in OF_THE_END}
    if isinstance(value, list | tuple):
        return [beginning(one) for one in value]
    return value
