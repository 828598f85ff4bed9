"""The server under test, as a check sees it: ask it, and get back evidence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .address import parse_address
from .check import Outcome, Undecided, not_judged, not_testable
from .evidence import Exchange, Json, Request
from .pasted import Left, Sent, after
from .script import Distribution, Recital, Script, load_script
from .setup import BLOBS, DENIALS, Setup, lacking, route_of
from .together import at_once, line_up
from .wire import Connection, Patience, encode_head

if TYPE_CHECKING:
    from .witness import Witness

GREEDY = {"temperature": 0}
MAX_ORDINARY_TOKENS = 48  # an ordinary model is slow, and its words are not judged
NOBODY = "parallama-check-nobody"  # a model that cannot exist
OK = 200
FEW = 8  # asks at a time, where it is answers that are wanted and not a crowd
HEARTBEATS = ("/api/version", "/api/tags")
ORDINARY = {  # what an ordinary model is asked where the script has a recital
    "greeting": "Hello",
    "count": "Count from 1 to 200.",
    "endless": "Tell me a very long story.",
    "prose": "Write a short story about the sea.",
}


class Target:
    """One check's view of the target; keeps all that was said."""

    def __init__(self, setup: Setup, patience: Patience | None = None) -> None:
        self.setup = setup
        self.address = parse_address(setup.url)
        self.patience = patience or Patience(silence_s=setup.silence_s)
        self.exchanges: list[Exchange] = []
        self.left: list[Left] = []
        self.begun: threading.Event | None = None  # set when the first of an answer has come
        self.created: list[str] = []
        self.witness: Witness | None = None  # what other checks of the run were answered

    # -- asking -----------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        version: str = "1.1",
        hang_up_after: int | None = None,
    ) -> Exchange:
        """Send one request on a connection of its own. Raises Wrong when it cannot connect."""
        request = encoded(method, path, body, headers)
        leave = self.leaving()
        try:
            with Connection(self.address, self.patience) as connection:
                line_up()
                connection.begun = self.begun
                got = connection.exchange(request, version=version, hang_up_after=hang_up_after)
        except OSError as error:
            why = f"no connection: {error.strerror or error}"
            got = Exchange(self.address.url, request, error=why)
        self.exchanges.append(got)
        if hang_up_after is not None:
            leave(Sent((encode_head(request, self.address, version) + (body or b""),)), True)
        return got

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Exchange:
        """GET a path."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **more: Json) -> Exchange:
        """POST these fields as JSON."""
        return self.send("POST", path, {**(fields or {}), **more})

    def delete(self, path: str, **fields: Json) -> Exchange:
        """DELETE with these fields as JSON."""
        return self.send("DELETE", path, fields)

    def send(self, method: str, path: str, value: object, **headers: str) -> Exchange:
        """Send any JSON value as the body."""
        body = json.dumps(value, ensure_ascii=False).encode()
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.request(method, path, body, {"Content-Type": "application/json", **given})

    def connect(self) -> Connection:
        """A connection that is kept alive."""
        return Connection(self.address, self.patience)

    def leaving(self) -> Callable[[Sent, bool], None]:
        """To be told, when a connection that is opened now is hung up on, what went over it."""
        begun, opened_at = time.monotonic(), len(self.exchanges)

        def leave(sent: Sent, read: bool) -> None:
            if self.address.scheme == "http":
                held_s = time.monotonic() - begun
                self.left.append(Left(sent, held_s, opened_at, len(self.exchanges), read))

        return leave

    def command(self, shown: Exchange) -> str:
        """A command line that shows this exchange, after those that were hung up on before it."""
        places = [n for n, one in enumerate(self.exchanges) if one is shown]
        at = places[0] if places else len(self.exchanges)
        return after(self.address.url, self.left, at, shown.curl)

    def latency_ms(self) -> float:
        """What the way there and back takes: the quickest of three small answers."""
        return min(self.get(self.heartbeat).elapsed_ms for _ in range(3))

    def at_once(self, asks: Sequence[Callable[[], Exchange]]) -> list[Exchange]:
        """Ask them all at the same time; answers in the order of the asks."""
        return at_once(asks)

    def several(self, asks: Iterable[Callable[[], Exchange]]) -> list[Exchange]:
        """Ask them, a few at a time: less work than one by one. Answers in the order of the asks.

        For what nothing else that is asked can change. What is kept of it is in that order, too.
        An ordinary model is asked one by one, for it may be slow; and so is again what was
        refused, for that may have been for the company, which other checks are about.
        """
        left, got = list(asks), list[Exchange]()
        few = FEW if self.setup.scripted else 1
        for first in range(0, len(left), few):
            before, group = len(self.exchanges), left[first : first + few]
            answers = at_once(group)
            got += [
                one if one.status == OK or few == 1 else ask()
                for one, ask in zip(answers, group, strict=True)
            ]
            self.exchanges[before:] = got[first:]
        return got

    def in_both_forms(self, ask: Callable[..., Exchange]) -> list[Exchange]:
        """The answer in one object, and as a stream."""
        return self.several(partial(ask, stream=stream) for stream in (False, True))

    # -- routes -----------------------------------------------------------------------------

    @property
    def heartbeat(self) -> str:
        """The path of a GET that is answered by every server that lives."""
        there = (path for path in HEARTBEATS if path not in self.setup.missing)
        return next(there, "/")

    def missing(self, got: Exchange) -> str | None:
        """That this answer only says that there is no such route, in a sentence; else None."""
        told = got.status in (404, *DENIALS) or self.setup.calibration.denied(got)
        if got.error is not None or not told:
            return None
        return self.setup.missing.get(route_of(got.request.path))

    # -- models -----------------------------------------------------------------------------

    @property
    def model(self) -> str:
        """The model to talk to."""
        if self.setup.model is None:
            if (why := lacking(self.setup, "generation")) is not None:
                raise Undecided(Outcome.NOT_OFFERED, why)
            not_testable("there is no model: none could be created; name one with --model")
        return self.setup.model

    @property
    def plain(self) -> str:
        """The scripted model without thinking and tools."""
        if self.setup.plain is None:
            not_judged("needs the scripted model without thinking and tools")
        return self.setup.plain

    @property
    def script(self) -> Script:
        """The script; ends the check where the model is an ordinary one."""
        if not self.setup.scripted:
            not_judged("needs the scripted model, whose words are known")
        return load_script()

    def recital(self, id: str) -> Recital:
        """A recital of the script."""
        return self.script.recitals[id]

    def distribution(self, id: str) -> Distribution:
        """A known next-token distribution."""
        return self.script.distributions[id]

    def temporary(self, word: str) -> str:
        """A name for a model that this check creates; it is deleted when the check is over."""
        name = f"parallama-check-{self.setup.token}/{word}"
        self.created.append(name)
        return name

    def clean(self) -> None:
        """Delete what this check created, unless it is to be kept."""
        aside = Target(self.setup, self.patience)  # this is no evidence
        for name in [] if self.setup.keep else self.created:
            aside.delete("/api/delete", model=name)
        self.created.clear()

    # -- generation -------------------------------------------------------------------------

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Greedy options, bounded where the model is an ordinary one, and then the given."""
        bound = {} if self.setup.scripted else {"num_predict": MAX_ORDINARY_TOKENS}
        return {**GREEDY, **bound, **given}

    def asked(self, id: str) -> dict[str, Any]:
        """Chat fields that ask for a recital, or for something like it of an ordinary model."""
        if self.setup.scripted:
            return self.recital(id).asked
        if id not in ORDINARY:
            not_judged("needs the scripted model, whose words are known")
        return {"messages": [{"role": "user", "content": ORDINARY[id]}]}

    def chat(
        self, id: str = "greeting", *, options: Mapping[str, Any] | None = None, **fields: Json
    ) -> Exchange:
        """Chat for a recital, greedy and in one object unless said otherwise."""
        ask = {"model": self.model, "stream": False, **self.asked(id), **fields}
        return self.post("/api/chat", ask, options=self.options(options or {}))

    def generate(
        self, id: str = "greeting", *, options: Mapping[str, Any] | None = None, **fields: Json
    ) -> Exchange:
        """Generate for a recital's last message, greedy, in one object unless said otherwise."""
        asked = self.asked(id)
        ask = {"model": self.model, "stream": False, "prompt": asked["messages"][-1]["content"]}
        if "think" in asked:
            ask["think"] = asked["think"]
        return self.post("/api/generate", {**ask, **fields}, options=self.options(options or {}))

    def in_four_ways(self, id: str, **fields: Json) -> list[Exchange]:
        """A recital by chat and by generate, in one object and as a stream."""
        return self.several(
            partial(ask, id, stream=stream, **fields)
            for ask in (self.chat, self.generate)
            for stream in (False, True)
        )

    def draw(self, id: str, *, prompt: str | None = None, **options: Json) -> Exchange:
        """One token after the prompt of a known distribution, with sampling off but for these."""
        off = {"temperature": 1, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
        ask = {"model": self.model, "raw": True, "stream": False}
        drawn = {**off, "num_predict": 1, **options}
        known = self.distribution(id).prompt
        return self.post("/api/generate", ask, prompt=prompt or known, options=drawn)

    def draws(self, id: str, seeds: Iterable[int], **options: Json) -> list[Exchange]:
        """What each seed draws; see `draw`."""
        return self.several(partial(self.draw, id, **{"seed": one, **options}) for one in seeds)


def encoded(
    method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
) -> Request:
    """A request with Content-Length and Connection: close, unless the headers say otherwise.

    A body of a route that reads JSON is called JSON: that it need not be is one check's sentence.
    """
    given = dict(headers or {})
    lowered = {name.lower() for name in given}
    if body is not None and "content-type" not in lowered and not path.startswith(BLOBS):
        given["Content-Type"] = "application/json"
    if body is not None and not lowered & {"content-length", "transfer-encoding"}:
        given["Content-Length"] = str(len(body))
    if "connection" not in lowered:
        given["Connection"] = "close"
    if not given.get("Content-Type", "?"):
        del given["Content-Type"]  # asked for without one
    return Request(method, path, tuple(given.items()), body)
