"""What the emitter answers: bytes with the times at which they leave, the wrong ways among them.

Pure: a model is a way to answer, an API is a way to write it down.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace

BATCH = 4
PROMPT_TOKENS = 10
END = b"0\r\n\r\n"
BUSY = b'{"error":"server busy, please try again"}'
STOPPED = b'{"error":"the model runner has stopped"}'


@dataclass(frozen=True, slots=True)
class Pace:
    """When records leave, in ns since the request came, and since the record before."""

    first_ns: int = 20_000_000
    gap_ns: int = 2_000_000
    stall_ns: int = 50_000_000
    """What the one long gap of the model `stall` adds."""


@dataclass(frozen=True, slots=True)
class Emission:
    """Bytes that leave at once, after a time since the request came; `records` have text."""

    after_ns: int
    payload: bytes
    records: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """A whole answer; afterwards the connection is kept, closed, or left without a word."""

    emissions: tuple[Emission, ...]
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """How an API writes a stream down: its records as bytes of a chunked body."""

    api: str
    model: str
    prompt_tokens: int = PROMPT_TOKENS

    @property
    def events(self) -> bool:
        """Whether records are server-sent events."""
        return self.api.startswith("openai-")

    @property
    def head(self) -> bytes:
        """The status line and headers of a stream."""
        kind = b"text/event-stream" if self.events else b"application/x-ndjson"
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    def line(self, record: bytes) -> bytes:
        """A record with its framing inside the body."""
        return b"data: " + record + b"\n\n" if self.events else record + b"\n"

    def text(self, text: str) -> bytes:
        """A record with text in it."""
        said: dict[str, object]
        match self.api:
            case "generate":
                said = {"response": text, "done": False}
            case "chat":
                said = {"message": {"role": "assistant", "content": text}, "done": False}
            case "openai-chat":
                choice = {"index": 0, "delta": {"role": "assistant", "content": text}}
                said = {"object": "chat.completion.chunk", "choices": [choice]}
            case _:
                said = {"object": "text_completion", "choices": [{"index": 0, "text": text}]}
        return self.line(self._record(said))

    def last(self, tokens: int, pace: Pace, at_ns: int) -> bytes:
        """What ends a stream: the counts, and that it is done."""
        if self.events:
            counts = self._record({"choices": [], "usage": used(self.prompt_tokens, tokens)})
            return self.line(counts) + self.line(b"[DONE]")
        empty = {"message": {"role": "assistant", "content": ""}}
        said = empty if self.api == "chat" else {"response": ""}
        return self.line(self._record(said | declared(self.prompt_tokens, tokens, pace, at_ns)))

    def _record(self, said: dict[str, object]) -> bytes:
        stamp = {"created": 0} if self.events else {"created_at": "2026-01-01T00:00:00Z"}
        return json.dumps({"model": self.model} | stamp | said).encode()


def used(prompt_tokens: int, tokens: int) -> dict[str, int]:
    """The counts as the OpenAI routes have them."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens,
    }


def declared(prompt_tokens: int, tokens: int, pace: Pace, at_ns: int) -> dict[str, object]:
    """The counts and durations of Ollama's last record."""
    return {
        "done": True,
        "done_reason": "length",
        "total_duration": at_ns,
        "load_duration": 0,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": pace.first_ns,
        "eval_count": tokens,
        "eval_duration": at_ns - pace.first_ns,
    }


def chunk(*lines: bytes) -> bytes:
    """Lines as one chunk of a chunked body."""
    body = b"".join(lines)
    return b"%x\r\n%b\r\n" % (len(body), body)


def whole(status: str, body: bytes, kind: str = "application/json") -> bytes:
    """An answer with a length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@functools.cache
def steady(voice: Voice, pace: Pace, tokens: int, batch: int = 1, stall_at: int = -1) -> Script:
    """One record a token, `batch` of them in one write, then the last record in a write of its
    own, a gap later."""
    emissions = []
    at_ns = pace.first_ns
    for start in range(0, tokens, batch):
        if start == stall_at:
            at_ns += pace.stall_ns
        count = min(batch, tokens - start)
        lines = [voice.text(f" word{start + number}") for number in range(count)]
        head = voice.head if not start else b""
        emissions.append(Emission(at_ns, head + chunk(*lines), count))
        at_ns += pace.gap_ns
    return Script((*emissions, Emission(at_ns, chunk(voice.last(tokens, pace, at_ns)) + END)))


def cut(script: Script, *more: bytes, closes: bool = False) -> Script:
    """The first half of an answer, then something else at the time of the next record."""
    half = len(script.emissions) // 2
    at_ns = script.emissions[half].after_ns
    return Script(
        (*script.emissions[:half], *(Emission(at_ns, payload) for payload in more)), closes
    )


def script(voice: Voice, pace: Pace, tokens: int, turn: int) -> Script | None:
    """How a model answers its nth request; None for a model that there is not."""
    full = steady(voice, pace, tokens)
    match voice.model:
        case "steady":
            return full
        case "coalesced":
            return steady(voice, pace, tokens, batch=BATCH)
        case "stall":
            return steady(voice, pace, tokens, stall_at=tokens // 2)
        case "busy":
            return Script((Emission(0, whole("503 Service Unavailable", BUSY)),))
        case "truncated":
            return cut(full, closes=True)
        case "undone":
            return cut(full, END)
        case "in-stream":
            return cut(full, chunk(voice.line(STOPPED)) + END)
        case "malformed":
            return cut(full, chunk(voice.line(b'{"response": "no e')) + END)
        case "unframed":
            return cut(full, b"this is no chunk\r\n", closes=True)
        case "empty":
            last = voice.last(1, pace, pace.first_ns)
            return Script((Emission(pace.first_ns, voice.head + chunk(last) + END),))
        case "foreign":
            return Script((Emission(0, whole("200 OK", b"<p>Hello</p>\n", "text/html")),))
        case "silent":
            return Script(())
        case "flaky":
            ways = ("steady", "busy", "truncated", "in-stream")
            return script(replace(voice, model=ways[turn % 4]), pace, tokens, 0)
        case _:
            return None


MODELS = (
    *("steady", "coalesced", "stall", "busy", "truncated", "undone", "in-stream"),
    *("malformed", "unframed", "empty", "foreign", "silent", "flaky"),
)


def unstreamed(voice: Voice, pace: Pace, tokens: int) -> Script:
    """The same text in one object, which leaves when the last record would have."""
    at_ns = pace.first_ns + tokens * pace.gap_ns
    text = "".join(f" word{number}" for number in range(tokens))
    counts = declared(voice.prompt_tokens, tokens, pace, at_ns)
    usage = used(voice.prompt_tokens, tokens)
    said: dict[str, object]
    match voice.api:
        case "generate":
            said = {"response": text} | counts
        case "chat":
            said = {"message": {"role": "assistant", "content": text}} | counts
        case "openai-chat":
            choice = {"index": 0, "message": {"content": text}, "finish_reason": "length"}
            said = {"choices": [choice], "usage": usage}
        case _:
            said = {"choices": [{"text": text, "finish_reason": "length"}], "usage": usage}
    body = json.dumps({"model": voice.model} | said).encode()
    return Script((Emission(at_ns, whole("200 OK", body), 1),))


def embedded(voice: Voice, pace: Pace, inputs: int) -> Script:
    """Vectors for so many texts, after the time of a first record."""
    vector = [0.6, 0.8]
    counted = voice.prompt_tokens
    if voice.api == "embed":
        said: dict[str, object] = {"embeddings": [vector] * inputs, "prompt_eval_count": counted}
        said |= {"total_duration": pace.first_ns, "load_duration": 0}
    else:
        rows = [{"index": number, "embedding": vector} for number in range(inputs)]
        said = {"data": rows, "usage": {"prompt_tokens": counted, "total_tokens": counted}}
    body = json.dumps({"model": voice.model} | said).encode()
    return Script((Emission(pace.first_ns, whole("200 OK", body), 1),))
