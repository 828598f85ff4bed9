"""The values that pass between the routes and the engine.

No arrays, no clock, no threads: importing this module costs nothing. Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .picture import Picture


class LoadError(Exception):
    """A model that cannot be served; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; the defaults are Ollama's (`api/types.go:DefaultOptions`)."""

    seed: int | None = None
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    @property
    def greedy(self) -> bool:
        """Whether the best candidate is always taken."""
        return self.temperature <= 0 or self.top_k == 1

    @property
    def penalises(self) -> bool:
        """Whether earlier tokens change the logits."""
        changes = (self.repeat_penalty, self.presence_penalty, self.frequency_penalty)
        return self.repeat_last_n > 0 and changes != (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Thought:
    """The texts around a thought before the answer; `inside`: the prompt already began one."""

    opening: str
    closing: str
    inside: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer has to be: JSON by this schema, after a thought where one may come.

    Where one may, `calls` is the tag that begins calls of tools: anything may come behind it.
    The original, too, lets calls through beside thoughts, and none without.
    """

    schema: Mapping[str, Any]
    thought: Thought | None = None
    calls: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One generation, as the engine takes it.

    `prompt_ids` is already cut to fit `num_ctx`. `num_predict` of 0 or less means until a
    stop condition, bounded at ten windows (`llm/llama_server.go:boundedNumPredict`).
    `top_logprobs` of None asks for no log probabilities. `shown` are texts of control tokens,
    which are seen in this answer only: the tags of tool calls and thoughts. `pictures` are those
    whose ids are in the prompt. Without `streams` all text comes as one piece, at the end.
    """

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    stop: tuple[str, ...] = ()
    num_predict: int = -1
    num_ctx: int = 4096
    num_keep: int = 4
    shift: bool = True
    top_logprobs: int | None = None
    grammar: Grammar | None = None
    shown: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    streams: bool = True


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """The log probability of one generated token, before any sampling transform."""

    token: str
    token_bytes: bytes
    logprob: float
    top: tuple[tuple[str, bytes, float], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that may be shown: whole characters, stop strings withheld."""

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...]

    @classmethod
    def joined(cls, pieces: Sequence[Piece]) -> Piece:
        """All of them as one."""
        return cls(
            "".join([one.text for one in pieces]),
            tuple([token_id for one in pieces for token_id in one.ids]),
            tuple([logprob for one in pieces for logprob in one.logprobs]),
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a generation that ended as it should."""

    reason: Literal["stop", "length"]
    prompt_tokens: int
    output_tokens: int
    prompt_ns: int
    output_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of a generation that could not go on; `status` is the HTTP status."""

    message: str
    status: int


Event = Piece | Finished | Failed


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model's weights lie: one GGUF file, or safetensors and their JSON files by name.

    `embeds` says whether it is there to embed texts rather than to generate; `projector` is the
    GGUF that lets it see.
    """

    gguf: Path | None
    safetensors: Mapping[str, Path] | None = None
    embeds: bool = False
    projector: Path | None = None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How many sequences run together, and what the machine gives them.

    `threads` are those of the BLAS on Linux. `num_ctx` is the window that the declared size
    reserves for each slot. `prompt_cache_bytes` bounds the kept prefixes of one model; 0 keeps
    none, and None as many as suit the machine. `kv_type` is how keys and values are stored: `q8_0`,
    `q4_0`, or for `f16` in the type that the model has.
    """

    num_parallel: int = 1
    threads: int = 1
    num_ctx: int = 4096
    prompt_cache_bytes: int | None = None
    kv_type: str = "f16"
