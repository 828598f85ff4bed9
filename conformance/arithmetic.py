"""What sampling does to known logits, in float64, and how likely what was drawn is under it.

Pure. The chain is llama.cpp's, which Ollama leaves as it is: penalties, top_k, typical_p, top_p,
min_p, temperature, draw; each step sees what the one before has left, made to sum to one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from .script import SCRIPTED

NEVER = 1e-6  # a chance that we take for none: the false alarms of one check
OTHER = ""  # stands for every text that has no name


@dataclass(frozen=True, slots=True)
class Logits:
    """The raw logits after a prompt, and the tokens that have names."""

    id: str
    prompt: str
    prompt_ids: tuple[int, ...]
    named: Mapping[str, int]  # text to token id
    values: tuple[float, ...]  # by token id


@dataclass(frozen=True, slots=True)
class Sampling:
    """The options that decide what is drawn; as given here they change nothing."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


@cache
def load_logits() -> dict[str, Logits]:
    """The prompts whose logits are known, by id."""
    return {
        one["id"]: Logits(
            one["id"],
            one["prompt"],
            tuple(one["prompt_ids"]),
            one["named"],
            tuple(one["logits"]),
        )
        for one in _document()["prompts"]
    }


@cache
def load_contexts() -> dict[str, tuple[list[int], list[int]]]:
    """Token ids of some recitals' prompts, the begin token first, and of their answers."""
    return {
        one["recital"]: (one["prompt_ids"], one["output_ids"]) for one in _document()["contexts"]
    }


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCRIPTED / "logits.json").read_text(encoding="utf-8"))
    if document.get("schema") != "parallama/logits/1":
        raise ValueError(f"{SCRIPTED / 'logits.json'} is no parallama/logits/1")
    return document


def chances(known: Logits, given: Sampling) -> dict[str, float]:
    """The chance of each named text that can be drawn, and of all others together."""
    logits = penalised(known, given)
    kept = sorted(range(len(logits)), key=lambda id: -logits[id])
    if given.top_k > 0:
        kept = kept[: given.top_k]
    kept = _typical(kept, logits, given.typical_p)
    kept = _nucleus(kept, logits, given.top_p)
    kept = [id for id in kept if logits[id] >= logits[kept[0]] + _log(given.min_p)]
    if given.temperature <= 0:
        kept = kept[:1]
    heat = given.temperature if given.temperature > 0 else 1.0
    drawn = softmax([logits[id] / heat for id in kept])
    names = {id: text for text, id in known.named.items()}
    found: dict[str, float] = {}
    for id, chance in zip(kept, drawn, strict=True):
        name = names.get(id, OTHER)
        found[name] = found.get(name, 0.0) + chance
    return found


def penalised(known: Logits, given: Sampling) -> list[float]:
    """The logits after the penalties (llama.cpp:src/llama-sampler.cpp, penalties).

    A repeated token's logit is divided by `repeat_penalty` where it is positive and multiplied
    where it is not; the window is the last tokens of prompt and answer.
    """
    logits = list(known.values)
    window = known.prompt_ids[-given.repeat_last_n :] if given.repeat_last_n > 0 else ()
    for id in set(window):
        value = logits[id]
        value = value / given.repeat_penalty if value > 0 else value * given.repeat_penalty
        value -= window.count(id) * given.frequency_penalty + given.presence_penalty
        logits[id] = value
    return logits


def softmax(logits: Sequence[float]) -> list[float]:
    """Logits as chances."""
    top = max(logits)
    shares = [math.exp(one - top) for one in logits]
    mass = sum(shares)
    return [one / mass for one in shares]


def _log(chance: float) -> float:
    return math.log(chance) if chance > 0 else -math.inf


def _nucleus(kept: list[int], logits: list[float], p: float) -> list[int]:
    """The fewest likeliest that together reach p."""
    if p >= 1:
        return kept
    mass, shares = 0.0, softmax([logits[id] for id in kept])
    for place, share in enumerate(shares):
        mass += share
        if mass >= p:
            return kept[: place + 1]
    return kept


def _typical(kept: list[int], logits: list[float], p: float) -> list[int]:
    """Those whose surprise is nearest to the mean one, until they reach p; likeliest first."""
    if p >= 1:
        return kept
    shares = dict(zip(kept, softmax([logits[id] for id in kept]), strict=True))
    entropy = -sum(share * math.log(share) for share in shares.values() if share > 0)
    ordered = sorted(kept, key=lambda id: abs(-_log(shares[id]) - entropy))
    mass, chosen = 0.0, []
    for id in ordered:
        chosen.append(id)
        mass += shares[id]
        if mass > p:
            break
    return sorted(chosen, key=lambda id: -logits[id])


def fit(counts: Mapping[str, int], expected: Mapping[str, float]) -> float:
    """How likely draws are that fit no better: an exact multinomial test.

    The sum of the chances of all outcomes that are no likelier than this one. Texts that are not
    expected count as `OTHER`. Draws must be independent; their number times the number of texts
    has to be small (three texts and 120 draws are 7 381 outcomes).
    """
    texts = [text for text, chance in expected.items() if chance > 0]
    found = [counts.get(text, 0) for text in texts if text != OTHER]
    rest = sum(counts.values()) - sum(found)
    if OTHER in texts:
        found.insert(texts.index(OTHER), rest)
    elif rest:
        return 0.0
    logs = [math.log(expected[text]) for text in texts]
    total = sum(found)
    limit = _log_chance(found, logs, total) + 1e-9
    return min(1.0, sum(math.exp(one) for one in _outcomes(total, logs) if one <= limit))


def _log_chance(found: Sequence[int], logs: Sequence[float], total: int) -> float:
    parts = zip(found, logs, strict=True)
    return math.lgamma(total + 1) + sum(n * log - math.lgamma(n + 1) for n, log in parts)


def _outcomes(total: int, logs: Sequence[float]) -> list[float]:
    """The logarithm of the chance of every outcome of so many draws."""
    partial = [(total, math.lgamma(total + 1))]  # draws left, logarithm so far
    for log in logs[:-1]:
        partial = [
            (left - n, so_far + n * log - math.lgamma(n + 1))
            for left, so_far in partial
            for n in range(left + 1)
        ]
    return [so_far + left * logs[-1] - math.lgamma(left + 1) for left, so_far in partial]
