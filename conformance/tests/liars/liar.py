"""What a liar is."""

from __future__ import annotations

from dataclasses import dataclass

from ..honest import Lie


@dataclass(frozen=True)
class Liar:
    """A server that is wrong in one way."""

    name: str
    check: str  # that must catch it
    lie: Lie
    met_by: tuple[str, ...] = ()  # checks whose answers a law is judged by
