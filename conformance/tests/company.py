"""What a server does wrong when it has company, or when a client leaves: the flaws of a crowd."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .shelf import HouseError

COMPANY_S = 0.01
DEPARTED_S = 2.5
SERVED_OUT_S = 1.2
GHOST_S = 30.0
ENDLESS = 400  # tokens that no check reads to the end unless it says so
SLOTS = 3
QUEUE = 8
MAX_HAUNTED = 30
SEEING = ("crosses", "refuses_company", "shares_seeds", "shares_options", "shares_prompts",
          "errors_spread", "short_queue")  # fmt: skip


@dataclass
class Crowd:
    """Who is there, who was, and what comes of it."""

    flaw: str = ""
    arrived: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    ghosts: list[float] = field(default_factory=list)  # until when each is worked for
    departed_at: float = 0.0
    departures: int = 0
    left_over: bool = False
    busy_until: float = 0.0
    writing: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The request as it is served beside others that arrived with it."""
        options = fields.get("options") or {}
        bound = options.get("num_predict", 0) if isinstance(options, dict) else 0
        bound = bound if isinstance(bound, int) else 0
        if self.flaw == "serves_the_departed":
            if bound >= ENDLESS:
                self.busy_until = time.monotonic() + DEPARTED_S
            else:
                time.sleep(max(0.0, self.busy_until - time.monotonic()))
        if self.flaw == "serves_out" and "for ever" not in str(fields):
            time.sleep(max(0.0, self.busy_until - time.monotonic()))
        if self.flaw == "leaks_slots" and self.departures > SLOTS:
            raise HouseError(503, "no slot available")
        if bound < 0 and "for ever" in str(fields):
            self._haunt(fields)
        if self.flaw == "cuts_on_reload" and "num_ctx" in options:
            self.departed_at = time.monotonic()
        return self._beside(fields) if self.flaw in SEEING else fields

    def _haunt(self, fields: dict[str, Any]) -> None:
        """An endless answer is asked for: a server that never cancels works on it for long."""
        whole = fields.get("stream") is False
        if self.flaw == "outlives_clients" or (self.flaw == "outlives_unstreamed" and whole):
            self.ghosts.append(time.monotonic() + GHOST_S)

    def _beside(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.arrived.append((time.monotonic(), fields))
        time.sleep(COMPANY_S)
        since = time.monotonic() - 2 * COMPANY_S
        others = [one for at, one in self.arrived if at > since and one is not fields]
        if not others:
            return fields
        options = fields.get("options") or {}
        match self.flaw:
            case "refuses_company":
                raise HouseError(503, "server busy")
            case "short_queue" if len(others) >= QUEUE:
                raise HouseError(503, "server busy, please try again.")
            case "errors_spread" if any("nobody" in str(one.get("model")) for one in others):
                raise HouseError(404, "model 'nobody' not found")
            case "shares_seeds":
                seed = self.arrived[-1][1]["options"].get("seed")
                return {**fields, "options": {**options, "seed": seed}}
            case "shares_options":
                given = [one.get("options") or {} for one in others]
                least = min(given, key=lambda one: one.get("num_predict", ENDLESS))
                return {**fields, "options": least}
            case "shares_prompts" if fields in others:
                bound = options.get("num_predict", 3)
                return {**fields, "options": {**options, "num_predict": bound - 1}}
            case "crosses":
                return {**fields, "messages": others[0].get("messages", [])}
        return fields

    @property
    def haunted(self) -> int:
        """How many are worked for who have left."""
        return min(MAX_HAUNTED, sum(until > time.monotonic() for until in self.ghosts))

    def departed(self) -> None:
        """A client has hung up."""
        self.departed_at = time.monotonic()
        self.departures += 1
        if self.flaw == "serves_out":
            self.busy_until = time.monotonic() + SERVED_OUT_S
        self.left_over = self.flaw == "leftovers"

    def unloading(self) -> None:
        """A model is to be let go."""
        if self.flaw == "cuts_on_unload":
            self.departed_at = time.monotonic()

    def ends(self, started: float) -> bool:
        """Whether a stream that started then is cut by what others did."""
        cutting = self.flaw in ("ends_together", "cuts_on_unload", "cuts_on_reload")
        return cutting and self.departed_at > started

    def left(self) -> str:
        """What is left of an answer that nobody read, given to the next."""
        found, self.left_over = "and then " if self.left_over else "", False
        return found
