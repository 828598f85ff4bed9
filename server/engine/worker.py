"""What the engine thread does: load, then drain the inbox and step until told to close.

Every array lives and dies on this thread. Events go back with one `call_soon_threadsafe` a
step and event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .model_thread import UNLOADED
from .scheduler import Budget, Limits, Scheduler, Sequence, Token, bounded_output
from .sequence import Ask, EngineSettings, Event, Failed, Finished, ModelSource
from .text import TextStream, TokenText

if TYPE_CHECKING:  # MLX and numpy are imported by the thread that uses them
    from .grammar import Matcher
    from .loader import Loaded
    from .runner import Draw, Drawn, Runner
    from .tokenizer import Tokenizer

log = logging.getLogger(__name__)

# Prefill tokens a step: how long running sequences, or a cancellation, may have to wait. A CPU
# takes about 0.4 s for 64 of them on a model of 135 M weights.
BUDGETS: Final = {
    "darwin": Budget(beside_decode=256, alone=2048),
    "linux": Budget(beside_decode=64, alone=256),
}
# The most that one model's prompt cache takes where nothing is set.
KEPT_BYTES: Final = {"darwin": 4 << 30, "linux": 1 << 30}


class Request:
    """One generation: the engine thread's side and the reader's queue.

    Made on the event loop that reads it; the queue is touched there only.
    """

    draw: Draw
    text: TextStream
    matcher: Matcher | None = None

    def __init__(self, ask: Ask, number: int) -> None:
        self.ask = ask
        self.number = number
        self.loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.num_output = 0
        self.started_ns = 0
        self.first_ns = 0

    async def read(self) -> AsyncIterator[Event]:
        """The events, the last one Finished or Failed."""
        while True:
            event = await self.events.get()
            yield event
            if isinstance(event, Finished | Failed):
                return


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop this request, wherever it is."""

    number: int


Command = Request | Cancel


@dataclass(frozen=True, slots=True)
class Summary:
    """What others may know of a loaded model: nothing of MLX, so that unloading frees it."""

    tokenizer: Tokenizer
    context_length: int
    size_bytes: int


class Worker:
    """The engine thread's state."""

    _loaded: Loaded
    _scheduler: Scheduler
    _runner: Runner
    _token_text: TokenText

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._source = source
        self._settings = settings
        self._requests: dict[int, Request] = {}
        self._events: list[tuple[Request, Event]] = []

    def load(self) -> Summary:
        """Load the model; raises LoadError."""
        from .loader import load
        from .runner import Runner

        loaded = self._loaded = load(self._source, self._settings.threads)
        kept_bytes = self._settings.prompt_cache_bytes
        self._runner = Runner(loaded, _suitable_bytes() if kept_bytes is None else kept_bytes)
        self._token_text = TokenText(loaded.tokenizer.token_bytes)
        self._scheduler = self._new_scheduler()
        reserved_tokens = self._settings.num_parallel * self._settings.num_ctx
        return Summary(
            tokenizer=loaded.tokenizer,
            context_length=loaded.context_length,
            size_bytes=loaded.weight_bytes + reserved_tokens * loaded.kv.bytes_per_token,
        )

    def _new_scheduler(self) -> Scheduler:
        stop_ids = self._loaded.tokenizer.eos_ids
        num_slots, budget = self._settings.num_parallel, BUDGETS[sys.platform]
        num_kept = self._runner.num_kept if self._runner.max_kept_bytes else None
        return Scheduler(num_slots, budget, stop_ids, num_kept)

    def unload(self) -> None:
        """Fail every request and free the model."""
        import mlx.core as mx

        for request in self._requests.values():
            self._events.append((request, Failed(UNLOADED, 503)))
        self._flush()
        self._requests.clear()
        self._runner.reset()
        del self._runner, self._loaded, self._scheduler
        mx.clear_cache()

    def obey(self, command: Command) -> None:
        """Take a request, or drop one."""
        match command:
            case Request() as request:
                self._admit(request)
            case Cancel(number):
                self._requests.pop(number, None)
                self._scheduler.finish(number)

    def turn(self) -> bool:
        """Take a step if there is one to take."""
        if not self._scheduler.busy:
            self._flush()
            return False
        self._step()
        return True

    def _admit(self, request: Request) -> None:
        from .runner import Draw
        from .sampling import Sampler

        ask = request.ask
        refusal = self._refusal(ask)
        if refusal is not None:
            self._events.append((request, refusal))
            return
        sampler = Sampler(ask.sampling, ask.prompt_ids)
        request.draw = Draw(sampler, ask.top_logprobs, request.matcher)
        request.text = TextStream(self._token_text, ask.stop)
        keep = ask.num_keep if ask.num_keep >= 0 else len(ask.prompt_ids)
        limits = Limits(
            max_output=bounded_output(ask.num_predict, ask.num_ctx),
            window=ask.num_ctx,
            keep=keep + self._loaded.tokenizer.add_bos,
            shift=ask.shift,
        )
        self._requests[request.number] = request
        self._scheduler.submit(Sequence(request.number, list(ask.prompt_ids), limits))

    def _refusal(self, ask: Ask) -> Failed | None:
        """Why a request cannot run; the routes should have seen to it."""
        num_prompt = len(ask.prompt_ids)
        if num_prompt == 0:
            return Failed("the prompt is empty", 400)
        if not all(0 <= one < self._loaded.vocab_size for one in ask.prompt_ids):
            return Failed("the prompt has a token that the model does not know", 400)
        if num_prompt > ask.num_ctx:
            message = (
                f"request ({num_prompt} tokens) exceeds the available context size "
                f"({ask.num_ctx} tokens), try increasing it"
            )
            return Failed(message, 400)
        return None

    def _step(self) -> None:
        """Advance every running sequence by one token, or one prefill chunk."""
        try:
            for prefix in self._scheduler.worth_keeping():
                self._runner.keep(prefix)
            self._scheduler.pace(self._runner.pace.tokens)
            plan = self._scheduler.plan()
            slots = self._scheduler.slots()
            self._start_clocks(slots.values())
            draws = {slot: self._requests[number].draw for slot, number in slots.items()}
            drawn = self._runner.run(plan, draws)
            tokens = self._scheduler.commit(plan, [one.token_id for one in drawn])
            now_ns = time.perf_counter_ns()
            for token, one in zip(tokens, drawn, strict=True):
                self._emit(token, one, now_ns)
        except Exception as error:
            log.exception("a step failed")
            self._fail_all(error)
        self._flush()

    def _start_clocks(self, numbers: Iterable[int]) -> None:
        """Prompt evaluation begins when a sequence gets its slot."""
        now_ns = time.perf_counter_ns()
        for number in numbers:
            request = self._requests[number]
            request.started_ns = request.started_ns or now_ns

    def _emit(self, token: Token, drawn: Drawn, now_ns: int) -> None:
        """Turn a token into the events of its request."""
        request = self._requests[token.sequence_id]
        matcher = request.matcher
        if matcher is not None and matcher.fault is not None:
            self._events.append((request, Failed(matcher.fault, 500)))
            self._drop(token.sequence_id)
            return
        request.num_output += 1
        request.first_ns = request.first_ns or now_ns
        piece = request.text.feed(token.token_id, drawn.scores)
        if piece is not None:
            self._events.append((request, piece))
        stopped = request.text.stopped or (matcher is not None and matcher.finished)
        reason = "stop" if stopped else token.last
        if reason is None:
            return
        rest = request.text.flush()
        if rest is not None:
            self._events.append((request, rest))
        finished = Finished(
            reason=reason,
            prompt_tokens=len(request.ask.prompt_ids),
            output_tokens=request.num_output,
            prompt_ns=request.first_ns - request.started_ns,
            output_ns=max(1, now_ns - request.first_ns),
        )
        self._events.append((request, finished))
        self._drop(token.sequence_id)

    def _drop(self, number: int) -> None:
        """Forget a request that got its last event."""
        del self._requests[number]
        self._scheduler.finish(number)

    def _fail_all(self, error: Exception) -> None:
        for request in self._requests.values():
            self._events.append((request, Failed(f"the model failed: {error}", 500)))
        self._requests.clear()
        self._scheduler = self._new_scheduler()
        self._runner.reset()

    def _flush(self) -> None:
        """Hand the events over, once for each event loop."""
        events, self._events = self._events, []
        for loop in {request.loop for request, _ in events}:
            own = [(request, event) for request, event in events if request.loop is loop]
            try:
                loop.call_soon_threadsafe(_deliver, own)
            except RuntimeError:  # the loop is closed, and its readers are gone
                for request, _ in own:
                    self._requests.pop(request.number, None)
                    self._scheduler.finish(request.number)


def _suitable_bytes() -> int:
    """What one model's kept prefixes may take: up to an eighth of the machine's memory."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(KEPT_BYTES[sys.platform], memory_bytes // 8)


def _deliver(events: list[tuple[Request, Event]]) -> None:
    """Put events into the queues of their readers; on the event loop."""
    for request, event in events:
        request.events.put_nowait(event)
