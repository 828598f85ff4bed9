"""Words that a model counts as one token each, found by asking the server that has it.

With them a prompt's length is exact, and no tokenizer is fetched: one would be wrong as often as
its name is (a fine-tune's, a quantised file's), and many servers serve what no hub has.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import target
from .load import EMBEDDING_APIS
from .target import Address
from .vocabulary import CANDIDATES
from .workload import CHAT_APIS, NATIVE_APIS, PATHS

MAX_QUESTIONS = 14
ENOUGH_WORDS = 64
FEW = ("the", "and", "in", "with")
GROUP_WORDS = 64
"""Of a question: more may not fit into the context of a model for embeddings."""
TRIAL_WORDS = 24


@dataclass(frozen=True, slots=True)
class Words:
    """What prompts are made of."""

    words: tuple[str, ...]
    overhead_tokens: int
    """What the server counts beyond the words: the digit in front, BOS, the template."""
    exact: bool
    """Whether the server confirmed that a prompt made of them has the length it should have."""
    because: str | None = None
    """Why prompt lengths are not exact."""
    overheads: Mapping[str, int] = field(default_factory=dict)
    """The overhead of each API that the run uses: a chat's template counts too."""

    @classmethod
    def unknown(cls, because: str) -> Words:
        """Common words, of which nothing is known."""
        return cls(CANDIDATES, 1, exact=False, because=because)

    def overhead(self, api: str) -> int:
        """What is counted beyond the words of a prompt over this API."""
        return self.overheads.get(api, self.overhead_tokens)


def joined(found: Mapping[str, Words]) -> Words:
    """The words of several APIs of one model, those that all of them confirm."""
    first, *others = found.values()
    common = [word for word in first.words if all(word in one.words for one in others)]
    because = next((one.because for one in found.values() if one.because), None)
    overheads = {api: one.overhead_tokens for api, one in found.items()}
    return Words(tuple(common), first.overhead_tokens, because is None, because, overheads)


class RefusedError(Exception):
    """The server does not answer such requests with this model; the message is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def alike(several: Sequence[Words]) -> tuple[Words, ...]:
    """The same words for several arms, as many for the same length: those that all have, with
    the overhead of the first. Arms that are compared are asked the same."""
    first = several[0]
    common = tuple(word for word in first.words if all(word in one.words for one in several))
    if len(common) < 2:
        common = first.words
    return tuple(
        replace(first, words=common, exact=one.exact, because=one.because) for one in several
    )


@dataclass(slots=True)
class Counter:
    """Asks how many tokens a prompt has. Its questions begin with different digits, so that no
    server has one of them in its prompt cache: some count only what is not there."""

    count: Callable[[str], int | None]
    left: int = MAX_QUESTIONS
    _digits: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(10)))

    def tokens(self, words: tuple[str, ...]) -> int | None:
        """Of a digit and these words; None where the server does not tell."""
        self.left -= 1
        return self.count(f"{next(self._digits)} {' '.join(words)}")


def find(
    address: Address,
    model: str,
    api: str,
    identity: str | None = None,
    cache: Path | None = None,
    timeout_s: float = 300.0,
) -> Words:
    """The words of a model; from the cache where its identity (digest and server) is known there
    and one question confirms them. Raises RefusedError, TargetError.

    The first question has the model loaded, if it is not.
    """
    counter = Counter(lambda text: counted(address, model, api, text, timeout_s))
    key = f"{identity} {api}"
    known = remembered(cache, key) if cache and identity else None
    if known is not None and confirmed(known, counter):
        return known
    words = search(counter, CANDIDATES)
    if words.exact and cache and identity:
        remember(cache, key, words)
    return words


def counted(address: Address, model: str, api: str, text: str, timeout_s: float) -> int | None:
    """What the server counts for a prompt; raises RefusedError, TargetError."""
    body: dict[str, Any] = {"model": model}
    if api in EMBEDDING_APIS:
        body["input"] = [text]
    elif api in CHAT_APIS:
        body["messages"] = [{"role": "user", "content": text}]
    else:
        body["prompt"] = text
    if api in NATIVE_APIS:
        body |= {"stream": False, "keep_alive": "30m"}
        if api not in EMBEDDING_APIS:
            body["options"] = {"num_predict": 1}
        if api == "generate":
            body["raw"] = True
    elif api not in EMBEDDING_APIS:
        body |= {"stream": False, "max_tokens": 1}
    reply = target.ask(address, "POST", PATHS[api], body, timeout_s)
    said = reply.json or {}
    if reply.status != 200:
        raise RefusedError(reply.status, complaint(said) or f"status {reply.status}")
    usage = said.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    tokens = said.get("prompt_eval_count", tokens)
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None


def complaint(said: dict[str, Any]) -> str | None:
    """The words of an error, in Ollama's form or OpenAI's."""
    error = said.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) and error else None


def search(counter: Counter, candidates: tuple[str, ...]) -> Words:
    """Those of the candidates that are one token each.

    A group without a token too many holds none but such words; another is halved. Of its halves
    one is asked for: the other's count follows.
    """
    overhead = overhead_of(counter)
    if overhead is None:
        return Words.unknown("the server does not count prompt tokens")
    good: list[str] = []
    groups: list[tuple[float, tuple[str, ...]]] = []
    for start in range(0, len(candidates), GROUP_WORDS):
        group = candidates[start : start + GROUP_WORDS]
        groups.append((excess(counter, group, overhead), group))
    while groups:
        groups.sort(key=lambda one: one[0] / len(one[1]))
        over, group = groups.pop(0)
        if over == 0:
            good += group
        elif counter.left > 1 and len(group) > 1 and len(good) < ENOUGH_WORDS:
            half = len(group) // 2
            part = excess(counter, group[:half], overhead)
            groups += [(part, group[:half]), (over - part, group[half:])]
    if len(good) < 2:
        because = f"of {len(candidates)} common words the model has too few as one token"
        return Words(candidates, overhead, exact=False, because=because)
    ordered = tuple(word for word in candidates if word in set(good))
    found = Words(ordered, overhead, exact=True)
    if confirmed(found, counter):
        return found
    because = "the server's count of a prompt is not the sum of its words"
    return Words(ordered, overhead, exact=False, because=because)


def overhead_of(counter: Counter) -> int | None:
    """What is counted beyond the words: what stays when they are said twice; None where the
    server does not count."""
    once, twice = counter.tokens(FEW), counter.tokens(FEW + FEW)
    if once is None or twice is None or twice - once < len(FEW):
        return None
    return 2 * once - twice if 2 * once >= twice else None


def excess(counter: Counter, group: tuple[str, ...], overhead: int) -> float:
    """How many tokens more than words; without end where the server does not say."""
    tokens = counter.tokens(group)
    return float("inf") if tokens is None else tokens - overhead - len(group)


def confirmed(words: Words, counter: Counter) -> bool:
    """Whether a prompt of these words has as many tokens as it should have."""
    draw = random.Random(len(words.words))
    trial = tuple(draw.choice(words.words) for _ in range(TRIAL_WORDS))
    return counter.tokens(trial) == words.overhead_tokens + len(trial)


def remembered(cache: Path, key: str) -> Words | None:
    """What was found before, where it can be read."""
    try:
        entry = json.loads(cache.read_text(encoding="utf-8"))[key]
        words, overhead = tuple(entry["words"]), entry["overhead_tokens"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = all(isinstance(word, str) for word in words) and isinstance(overhead, int)
    return Words(words, overhead, exact=True) if whole and len(words) > 1 else None


def remember(cache: Path, key: str, words: Words) -> None:
    """Keep what was found; a cache that cannot be written is none."""
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict):
        known = {}
    known[key] = {"words": words.words, "overhead_tokens": words.overhead_tokens}
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(".part")
        partial.write_text(json.dumps(known), encoding="utf-8")
        partial.replace(cache)
    except OSError:
        return


def cache_file() -> Path:
    """Where the platform keeps caches."""
    import platformdirs

    return platformdirs.user_cache_path("parallama") / "words.json"
