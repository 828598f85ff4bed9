"""What a server does wrong when it has company, or when a client leaves: the flaws of a crowd."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .shelf import HouseError

COMPANY_S = 0.08  # after the last who came; so long a wait gathers a crowd on a busy machine
DEPARTED_S = 6.0
SERVED_OUT_S = 5.0
GHOST_S = 30.0
ENDLESS = 400  # tokens that no check reads to the end unless it says so
SLOTS = 1
QUEUE = 8
LINE, LINE_S = 12, 10.0
LONG_PROMPT, READ_S = 10_000, {"reads_to_the_end": 0.3, "reads_slowly_to_the_end": 0.7}
MAX_HAUNTED = 30
SEEING = ("crosses", "refuses_company", "shares_seeds", "shares_options", "shares_prompts",
          "errors_spread", "short_queue", "logprobs_of_one")  # fmt: skip


@dataclass
class Group:
    """Requests that came together: none was answered before the last of them came."""

    members: list[dict[str, Any]] = field(default_factory=list)
    latest: float = 0.0
    over: bool = False


@dataclass
class Crowd:
    """Who is there, who was, and what comes of it."""

    flaw: str = ""
    group: Group = field(default_factory=Group)
    door: threading.Lock = field(default_factory=threading.Lock)
    ghosts: list[float] = field(default_factory=list)  # until when each is worked for
    endless: list[float] = field(default_factory=list)  # when such answers were asked for
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
        if self.flaw in ("serves_the_departed", "serves_out_whole"):
            whole = fields.get("stream") is False
            if bound >= ENDLESS and (whole or self.flaw == "serves_the_departed"):
                self.busy_until = time.monotonic() + DEPARTED_S
            else:
                time.sleep(max(0.0, self.busy_until - time.monotonic()))
        if self.flaw == "serves_out" and "for ever" not in str(fields):
            time.sleep(max(0.0, self.busy_until - time.monotonic()))
        if self.flaw == "leaks_slots" and self.departures > SLOTS:
            raise HouseError(503, "no slot available")
        if (bound < 0 or bound >= ENDLESS) and "for ever" in str(fields):
            self._haunt(fields)
        self.reads(fields)
        if self.flaw == "cuts_on_reload" and "num_ctx" in options:
            self.departed_at = time.monotonic()
        return self._beside(fields) if self.flaw in SEEING else fields

    def _haunt(self, fields: dict[str, Any]) -> None:
        """An endless answer is asked for: a server that never cancels works on it for long."""
        whole = fields.get("stream") is False
        since = time.monotonic() - LINE_S
        self.endless = [at for at in self.endless if at > since] + [time.monotonic()]
        if self.flaw == "serves_who_left_the_line" and len(self.endless) > LINE:
            self.ghosts.append(time.monotonic() + GHOST_S)
        if self.flaw == "outlives_clients" or (self.flaw == "outlives_unstreamed" and whole):
            self.ghosts.append(time.monotonic() + GHOST_S)

    def reads(self, fields: dict[str, Any]) -> None:
        """A prompt is read: by a flawed server to its end, whoever has left."""
        if self.flaw in READ_S:
            with self.writing:
                long = len(str(fields.get("prompt"))) > LONG_PROMPT
                time.sleep(READ_S[self.flaw] if long else 0)

    def _beside(self, fields: dict[str, Any]) -> dict[str, Any]:
        members = self._gathered(fields)
        others = [one for one in members if one is not fields]
        if not others:
            return fields
        options = fields.get("options") or {}
        match self.flaw:
            case "refuses_company":
                raise HouseError(503, "server busy")
            case "short_queue" if any(one is fields for one in members[QUEUE:]):
                raise HouseError(503, "server busy, please try again.")
            case "errors_spread" if any("nobody" in str(one.get("model")) for one in others):
                raise HouseError(404, "model 'nobody' not found")
            case "shares_seeds":
                seed = members[-1]["options"].get("seed")
                return {**fields, "options": {**options, "seed": seed}}
            case "shares_options":
                given = [one.get("options") or {} for one in others]
                least = min(given, key=lambda one: one.get("num_predict", ENDLESS))
                return {**fields, "options": least}
            case "shares_prompts" if fields in others:
                bound = options.get("num_predict", 3)
                return {**fields, "options": {**options, "num_predict": bound - 1}}
            case "logprobs_of_one":
                return {**fields, "logprobs": False}
            case "crosses":
                return {**fields, "messages": others[0].get("messages", [])}
        return fields

    def _gathered(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """Who came together with this one, itself among them: they wait until nobody comes."""
        with self.door:
            if self.group.over:
                self.group = Group()
            group = self.group
            group.members.append(fields)
            group.latest = time.monotonic()
        while True:
            with self.door:
                left = group.latest + COMPANY_S - time.monotonic()
                group.over = group.over or left <= 0
                if group.over:
                    return group.members
            time.sleep(left)

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
