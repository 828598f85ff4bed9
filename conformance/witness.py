"""The laws of the house: sentences that hold for every answer, whatever it was asked for.

A law is a check whose evidence is what all other checks of a run were answered. The witness
hears each exchange once and keeps of each law the first breach, and what later answers have to
agree with. Pure: what several processes heard is told as documents and put together.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .check import CHECKS, PASSED, Level, Outcome, Verdict, check, not_judged
from .evidence import Exchange, Json, Piece, Request, Wrong, shortened
from .pasted import Sent
from .said import Said, said_of
from .setup import Setup

if TYPE_CHECKING:
    from .target import Target

Judges = Callable[[Said], Verdict | None]
Agrees = Callable[[Json, Json], Json]
APART: Any = object()  # what is known of two facts that do not agree
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError)
MAX_TOLD = 400  # characters of what was said otherwise


@dataclass(frozen=True, slots=True)
class Fact:
    """What an answer says of something that always has to be the same."""

    key: str
    value: Json


def same(known: Json, new: Json) -> Json:
    """What is known of two facts that have to be equal."""
    return known if known == new else APART


@dataclass(frozen=True, slots=True)
class Law:
    """One sentence about all answers of some routes, or about what they say together."""

    id: str
    judge: Judges | None  # None of an answer that it is not about
    facts: Callable[[Said], Iterable[Fact]] | None
    agree: Agrees  # what is known of two facts


LAWS: dict[str, Law] = {}
OF_ROUTE: defaultdict[str, list[Law]] = defaultdict(list)


@dataclass
class Witness:
    """What was heard in a run, as far as the laws need it."""

    heard: Counter[str] = field(default_factory=Counter)  # answers that each law judged
    breaches: dict[str, Verdict] = field(default_factory=dict)
    known: dict[str, dict[str, tuple[Json, Exchange]]] = field(default_factory=dict)
    fresh: set[tuple[str, str]] = field(default_factory=set)  # not told to other processes yet
    told: set[str] = field(default_factory=set)  # laws whose breach other processes know

    def hear(self, check: str, setup: Setup, exchanges: Iterable[Exchange]) -> None:
        """Hold the answers to a check's requests to the laws."""
        for got in exchanges:
            said = said_of(got, setup, check)
            if said is None:
                continue
            for law in OF_ROUTE[said.route]:
                if law.id not in self.breaches:
                    self._judge(law, said)

    def _judge(self, law: Law, said: Said) -> None:
        try:
            if law.judge is not None:
                self._keep(law, said, law.judge(said))
            for fact in law.facts(said) if law.facts is not None else ():
                found = self._compared(law, hashed(fact.key), fact.value, said.got)
                self._keep(law, said, found)
        except Wrong as wrong:
            found = Verdict(Outcome.FAILED, wrong.expected, wrong.actual, evidence=said.got)
            self._keep(law, said, found)
        except UNREADABLE:
            return  # not of the shape that it has to have: the law of schemas says so

    def _keep(self, law: Law, said: Said, found: Verdict | None) -> None:
        if found is None:
            return
        self.heard[law.id] += 1
        if found.outcome is Outcome.FAILED:
            reason = f"in an answer that {said.check} got"
            self.breaches[law.id] = replace(found, reason=reason, evidence=said.got)

    def _compared(self, law: Law, key: str, value: Json, got: Exchange) -> Verdict:
        """Whether a fact agrees with what is known of it; then it is known."""
        facts = self.known.setdefault(law.id, {})
        known, was = facts.get(key, (value, got))
        agreed = law.agree(known, value)
        if agreed is APART:
            told = f"the same as before: {shortened(str(known), MAX_TOLD)}"
            return Verdict(Outcome.FAILED, told, value, evidence=got)
        if key not in facts or agreed != known:
            facts[key] = (agreed, replace(was, pieces=()))  # the request: the rest may be much
            self.fresh.add((law.id, key))
        return PASSED

    def verdict(self, law: str) -> Verdict:
        """What a law amounts to; ends the check where nothing was heard that it is about."""
        if law in self.breaches:
            return self.breaches[law]
        if not self.heard[law]:
            not_judged("no answer was one that it is about")
        return PASSED

    # -- between processes ------------------------------------------------------------------

    def news(self) -> dict[str, Any]:
        """What was heard since this was asked last, as JSON values."""
        told = {
            "heard": dict(self.heard),
            "breaches": {law: _document(self.breaches[law])
                         for law in self.breaches if law not in self.told},
            "known": [[law, key, self.known[law][key][0], _exchange(self.known[law][key][1], 0)]
                      for law, key in sorted(self.fresh)],
        }  # fmt: skip
        self.heard, self.fresh = Counter(), set()
        self.told.update(self.breaches)
        return told

    def learn(self, told: dict[str, Any]) -> None:
        """Put to what is known here what another process heard."""
        self.heard.update(told["heard"])
        for law, one in told["breaches"].items():
            self.breaches.setdefault(law, _verdict(one))
        for id, key, value, document in told["known"]:
            found = self._compared(LAWS[id], key, value, _read_exchange(document))
            if found is not PASSED:
                reason = "in an answer that another process got"
                self.breaches.setdefault(id, replace(found, reason=reason))


def law(
    id: str,
    level: Level,
    *,
    group: str,
    source: str,
    routes: tuple[str, ...],
    asks: Callable[[Target], None],
    covers: tuple[str, ...] = (),
    breaks: tuple[str, ...] = (),
    facts: bool = False,
    agree: Agrees = same,
) -> Callable[[Callable[[Said], Any]], Callable[[Said], Any]]:
    """Make a law, and the check that tells what came of it, of a function that has a sentence.

    :param asks: makes the requests that are judged where no other check made any.
    :param facts: the function tells facts, of which those with one key have to agree.
    """

    def enter(run: Callable[[Said], Any]) -> Callable[[Said], Any]:
        LAWS[id] = Law(id, None if facts else run, run if facts else None, agree)
        for route in routes:
            OF_ROUTE[route].append(LAWS[id])

        def judged(target: Target) -> Verdict:
            witness = target.witness or Witness()
            if not witness.heard[id]:
                asks(target)
                witness.hear("this law", target.setup, target.exchanges)
            return witness.verdict(id)

        judged.__module__, judged.__doc__ = run.__module__, run.__doc__
        check(id, level, group=group, source=source, covers=covers, breaks=breaks)(judged)
        CHECKS[id] = replace(CHECKS[id], law=True)
        return run

    return enter


def hashed(key: str) -> str:
    """A key of any length in few letters."""
    return hashlib.sha1(key.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()


def _document(verdict: Verdict) -> dict[str, Any]:
    assert verdict.evidence is not None
    evidence = _exchange(verdict.evidence, len(verdict.evidence.pieces))
    told = [one if isinstance(one, str) else str(one)
            for one in (verdict.expected, verdict.actual, verdict.reason)]  # fmt: skip
    return {"told": told, "evidence": evidence}


def _verdict(document: dict[str, Any]) -> Verdict:
    expected, actual, reason = document["told"]
    evidence = _read_exchange(document["evidence"])
    return Verdict(Outcome.FAILED, expected, actual, reason, evidence)


def _exchange(got: Exchange, pieces: int) -> dict[str, Any]:
    """An exchange as JSON values, with so many pieces of the answer; bytes are Latin-1."""
    asked = got.request
    return {
        "url": got.url,
        "request": [asked.method, asked.path, asked.headers, (asked.body or b"").decode("latin-1")],
        "status": got.status,
        "headers": got.headers,
        "pieces": [[one.at_ms, one.content.decode("latin-1")] for one in got.pieces[:pieces]],
        "sent": [part.decode("latin-1") for part in got.sent.parts] if got.sent else None,
    }


def _read_exchange(document: dict[str, Any]) -> Exchange:
    method, path, headers, body = document["request"]
    sent = document["sent"]
    return Exchange(
        document["url"],
        Request(method, path, tuple(map(tuple, headers)), body.encode("latin-1") or None),
        document["status"],
        headers=tuple(map(tuple, document["headers"])),
        pieces=tuple(Piece(at, one.encode("latin-1")) for at, one in document["pieces"]),
        sent=Sent(tuple(one.encode("latin-1") for one in sent)) if sent else None,
    )
