"""The records of the native API: their fields, the order of these, and which are left out.

Pure: times come as nanoseconds since the epoch. Empty fields that Go would omit are omitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from .decode import Json
from .engine.embedding_ask import Embeddings
from .engine.sequence import Finished, TokenLogprob
from .messages import ToolCall

Record = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Part:
    """What one record adds to an answer."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.content or self.thinking or self.tool_calls or self.logprobs)

    def __add__(self, other: "Part") -> "Part":
        """Both, this one first: what an unstreamed answer is made of (CHAT-056)."""
        return Part(
            self.content + other.content,
            self.thinking + other.thinking,
            self.tool_calls + other.tool_calls,
            self.logprobs + other.logprobs,
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """What the last record says beside its part; `context` is for generate only."""

    finished: Finished
    total_ns: int
    load_ns: int
    context: tuple[int, ...] = ()

    def metrics(self) -> Record:
        """Counts and durations, zeros left out (MET-002)."""
        found: Record = {
            "total_duration": self.total_ns,
            "load_duration": self.load_ns,
            "prompt_eval_count": self.finished.prompt_tokens,
            "prompt_eval_duration": self.finished.prompt_ns,
            "eval_count": self.finished.output_tokens,
            "eval_duration": self.finished.output_ns,
        }
        return _present(found)


@dataclass(frozen=True, slots=True)
class GenerateShape:
    """Records of `/api/generate` for one model, named as the client named it (NAME-004)."""

    model: str

    def record(self, at_ns: int, part: Part, ending: Ending | None = None) -> Record:
        """A chunk, or with an ending the last record."""
        record = _head(self.model, at_ns) | {"response": part.content}
        record |= _present({"thinking": part.thinking}) | {"done": ending is not None}
        if ending is not None:
            record |= {"done_reason": ending.finished.reason}
            record |= _present({"context": ending.context}) | ending.metrics()
        return record | _present({"logprobs": logprobs(part.logprobs)})

    def without_text(self, at_ns: int, done_reason: str) -> Record:
        """The answer to a load or unload request (GEN-058)."""
        head = _head(self.model, at_ns)
        return head | {"response": "", "done": True, "done_reason": done_reason}

    def rendered(self, at_ns: int, prompt: str, num_images: int = 0) -> Record:
        """The answer to `_debug_render_only` (DBG-001)."""
        head = _head(self.model, at_ns) | {"response": "", "done": False}
        return head | {"_debug_info": _rendered(prompt, num_images)}


@dataclass(frozen=True, slots=True)
class ChatShape:
    """Records of `/api/chat` for one model, named as the client named it (NAME-004)."""

    model: str

    def record(self, at_ns: int, part: Part, ending: Ending | None = None) -> Record:
        """A chunk, or with an ending the last record."""
        calls = [call.to_json() for call in part.tool_calls]
        message: Record = {"role": "assistant", "content": part.content}
        message |= _present({"thinking": part.thinking, "tool_calls": calls})
        record = _head(self.model, at_ns) | {"message": message, "done": ending is not None}
        if ending is not None:
            record |= {"done_reason": ending.finished.reason}
        record |= _present({"logprobs": logprobs(part.logprobs)})
        return record if ending is None else record | ending.metrics()

    def without_text(self, at_ns: int, done_reason: str) -> Record:
        """The answer to a load or unload request (CHAT-057)."""
        message: Record = {"role": "assistant", "content": ""}
        head = _head(self.model, at_ns) | {"message": message}
        return head | {"done": True, "done_reason": done_reason}

    def rendered(self, at_ns: int, prompt: str, num_images: int = 0) -> Record:
        """The answer to `_debug_render_only` (DBG-002)."""
        head = _head(self.model, at_ns) | {"message": {"role": "", "content": ""}, "done": False}
        return head | {"_debug_info": _rendered(prompt, num_images)}


Shape = GenerateShape | ChatShape


def _rendered(prompt: str, num_images: int) -> Record:
    """A prompt that is shown rather than answered."""
    count: Record = {"image_count": num_images} if num_images else {}
    return {"rendered_template": prompt} | count


def embedded(model: str, found: Embeddings, total_ns: int, load_ns: int) -> Record:
    """The answer of `/api/embed` (EMBED-010)."""
    record: Record = {"model": model, "embeddings": found.vectors}
    metrics: Record = {
        "total_duration": total_ns,
        "load_duration": load_ns,
        "prompt_eval_count": found.num_tokens,
    }
    return record | _present(metrics)


def logprobs(found: Sequence[TokenLogprob]) -> list[Json]:
    """Log probabilities as records carry them (LOGP-003..005)."""
    return [_logprob(each) for each in found]


def _logprob(each: TokenLogprob) -> Record:
    record = _token(each.token, each.token_bytes, each.logprob)
    top: list[Json] = [_token(*alternative) for alternative in each.top]
    return record | _present({"top_logprobs": top})


def _token(token: str, token_bytes: bytes, logprob: float) -> Record:
    record: Record = {"token": token, "logprob": logprob}
    return record | _present({"bytes": list(token_bytes)})


def timestamp(at_ns: int) -> str:
    """RFC 3339 in UTC, up to nine digits, trailing zeros trimmed (MET-007)."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    fraction = f".{rest_ns:09d}".rstrip("0").rstrip(".")
    return f"{_moment(seconds)}{fraction}Z"


@lru_cache(maxsize=1)
def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _head(model: str, at_ns: int) -> Record:
    return {"model": model, "created_at": timestamp(at_ns)}


def _present(fields: Mapping[str, Json]) -> Record:
    return {name: value for name, value in fields.items() if value}
