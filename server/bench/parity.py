"""Our tokens and log probabilities against those of a real Ollama with the same weights.

It was asked twice: with the weights as they are, where its products round every activation to
eight bits, and with the same weights stored as float32, where they do not. `again` is the first
one on another build of the same source: how far the real server is from itself.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .figures import Figure, at_least, at_most

if TYPE_CHECKING:  # it loads MLX
    from ..engine.engine import Engine

RECORDED: Final = Path(__file__).resolve().parents[2] / "fixtures" / "parity" / "ollama.jsonl"
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PART: Final = "Parity with the real Ollama"
SOURCES: Final = {"q4_1": "Q4_1, its eight-bit activations", "f32": "the same weights as float32"}
AGAIN: Final = "q4_1_again"
FIRST: Final = 16
END: Final = -1  # stands for the token that ends an answer
ANSWER_TOKENS: Final = 48
SLOTS: Final = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """Greedy tokens and their log probabilities; the last one is `END` where it ended.

    `margins` are the leads over the next best token, where they are known.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float | None, ...]
    margins: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was asked, and the answers by source."""

    name: str
    text: str
    answers: dict[str, Answer]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two answers compare: tokens before the first that differs, and how far those are."""

    num_agreed: int
    differs: bool
    differences: tuple[float, ...]

    def on_first(self, num_tokens: int) -> bool:
        """Whether the first tokens agree."""
        return not self.differs or self.num_agreed >= num_tokens


def agreement(one: Answer, two: Answer) -> Agreement:
    """The common prefix of two answers."""
    pairs = list(zip(one.ids, two.ids, strict=False))
    num_agreed = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
    known = zip(one.logprobs[:num_agreed], two.logprobs[:num_agreed], strict=False)
    differences = (abs(a - b) for a, b in known if a is not None and b is not None)
    return Agreement(num_agreed, num_agreed < len(pairs), tuple(differences))


def prompts() -> list[Prompt]:
    """Everything that was recorded."""
    lines = RECORDED.read_text(encoding="utf-8").split("\n")
    return [_prompt(json.loads(line)) for line in lines if line]


def _prompt(record: dict[str, Any]) -> Prompt:
    answers = {
        source: Answer(
            (*one["ids"], *([END] if one["ends"] else [])),
            tuple(one["logprobs"]),
            tuple(one["margins"]),
        )
        for source, one in record["answers"].items()
    }
    return Prompt(record["id"], record["prompt"], answers)


def measure(gguf: Path) -> list[Figure]:
    """Print how far we are from each source and it from itself; figures for both sources."""
    print(f"\n{PART}", flush=True)
    if hashlib.sha256(gguf.read_bytes()).hexdigest() != MODEL_SHA256:
        print(f"  skipped: {gguf.name} is not the file that was recorded")
        return []
    asked = prompts()
    own = _free_running(gguf, asked)
    gc.collect()
    followed = _followed(gguf, asked)
    figures = []
    for source, words in SOURCES.items():
        figures += _figures(words, [one.answers[source] for one in asked], own)
        share, median = followed[source]
        print(f"    given its tokens: best token the same {share:.2%}, median off {median:.5f}")
        figures.append(Figure(PART, f"{words}: best token, given its tokens", share))
        _show_first_differences(asked, source, own)
    one, two = ([prompt.answers[source] for prompt in asked] for source in ("q4_1", AGAIN))
    figures += _figures("the real one against itself, two builds", one, two, bound=False)
    one, two = ([prompt.answers[source] for prompt in asked] for source in ("q4_1", "f32"))
    return figures + _figures("the real one, Q4_1 against float32", one, two, bound=False)


def _figures(
    words: str, theirs: Sequence[Answer], ours: Sequence[Answer], bound: bool = True
) -> list[Figure]:
    found = [agreement(*pair) for pair in zip(theirs, ours, strict=True)]
    off = [each for one in found for each in one.differences]
    mean, median = statistics.fmean(off), statistics.median(off)
    agreed = sum(one.on_first(FIRST) for one in found)
    whole = sum(not one.differs for one in found)
    shown = (
        f"mean {mean:.5f}, median {median:.5f} over {len(off)} tokens; the first {FIRST} tokens "
        f"of {agreed} of {len(found)} agree, all of {whole}"
    )
    print(f"  {words}\n    {shown}", flush=True)
    target = (at_most(0.02), at_least(35)) if bound else (None, None)
    return [
        Figure(PART, f"{words}: mean off by", mean, target[0], (shown,)),
        Figure(PART, f"{words}: of 41 agree on {FIRST} tokens", agreed, target[1], (shown,)),
    ]


def _show_first_differences(asked: Sequence[Prompt], source: str, own: Sequence[Answer]) -> None:
    """Where each prompt goes apart, and by how much the other token led there."""
    places = []
    for prompt, answer in zip(asked, own, strict=True):
        theirs = prompt.answers[source]
        found = agreement(theirs, answer)
        if found.differs:
            at = found.num_agreed
            lead = f"{theirs.margins[at]:.3f}" if at < len(theirs.margins) else "end"
            places.append(f"{prompt.name} {at}:{lead}")
    print(f"    first differing token, and its lead there: {', '.join(places) or 'none'}")


def _free_running(gguf: Path, asked: Sequence[Prompt]) -> list[Answer]:
    """What the engine answers."""
    from ..engine.engine import Engine
    from ..engine.sequence import EngineSettings, ModelSource

    engine = Engine.load(ModelSource(gguf), EngineSettings(num_parallel=SLOTS))
    try:
        return asyncio.run(_all_answers(engine, asked))
    finally:
        engine.close()


async def _all_answers(engine: Engine, asked: Sequence[Prompt]) -> list[Answer]:
    return await asyncio.gather(*(_answer(engine, one.text) for one in asked))


async def _answer(engine: Engine, text: str) -> Answer:
    from ..engine.sequence import Ask, Failed, Piece, Sampling

    ids: list[int] = []
    logprobs: list[float | None] = []
    ask = Ask(
        prompt_ids=tuple(engine.tokenizer.encode(text)),
        sampling=Sampling(temperature=0),
        num_predict=ANSWER_TOKENS,
        top_logprobs=0,
    )
    async with engine.submit(ask) as events:
        async for event in events:
            if isinstance(event, Piece):
                ids += event.ids
                whole = len(event.logprobs) == len(event.ids)  # not parts of one character
                unknown = [None] * len(event.ids)
                logprobs += [one.logprob for one in event.logprobs] if whole else unknown
            elif isinstance(event, Failed):
                raise RuntimeError(event.message)
            elif event.reason == "stop":
                ids.append(END)
    return Answer(tuple(ids), tuple(logprobs))


def _followed(gguf: Path, asked: Sequence[Prompt]) -> dict[str, tuple[float, float]]:
    """Given the tokens of each source: how often our best is its next, and the median off."""
    import mlx.core as mx
    import numpy as np

    from ..engine.loader import load
    from ..engine.sequence import ModelSource

    loaded = load(ModelSource(gguf), 1)
    found = {}
    for source in SOURCES:
        same: list[bool] = []
        off: list[float] = []
        for prompt in asked:
            answer = prompt.answers[source]
            ids = [one for one in answer.ids if one != END]
            start = loaded.tokenizer.encode(prompt.text)
            logits = loaded.model(mx.array([start + ids[:-1]]), cache=None)[0, len(start) - 1 :]
            logprobs = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))
            same += (logprobs.argmax(axis=-1) == np.array(ids)).tolist()
            own = logprobs[np.arange(len(ids)), ids]
            off += np.abs(own - np.array(answer.logprobs)).tolist()
        found[source] = statistics.fmean(same), statistics.median(off)
    return found
