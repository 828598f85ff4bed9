"""What the engine thread does: load, then drain the inbox and step until told to close.

Every array lives and dies on this thread. Events go back with one `call_soon_threadsafe` a
step and event loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..memory import Footprint
from .device import device
from .failures import failure, is_out_of_memory
from .model_thread import UNLOADED
from .picture import is_seen
from .request import Request, deliver
from .scheduler import Limits, Scheduler, Sequence, Token, bounded_output, budget_of
from .sequence import Ask, EngineSettings, Event, Failed, Finished, ModelSource
from .share import GiveBack, Share, suitable_kept_bytes
from .tally import Tally
from .text import TextStream, TokenText
from .wired import wire_loaded

if TYPE_CHECKING:  # MLX and numpy are imported by the thread that uses them
    from .drawing import Draw, Drawn
    from .loader import Loaded
    from .runner import Runner, Step
    from .tokenizer import Tokenizer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop this request, wherever it is."""

    number: int


Command = Request | Cancel | GiveBack


@dataclass(frozen=True, slots=True)
class Summary:
    """What others may know of a loaded model: nothing of MLX, so that unloading frees it."""

    tokenizer: Tokenizer
    context_length: int
    footprint: Footprint


class Worker:
    """The engine thread's state."""

    _loaded: Loaded
    _scheduler: Scheduler
    _runner: Runner
    _token_text: TokenText
    _in_flight: Step | None = None

    def __init__(self, source: ModelSource, settings: EngineSettings) -> None:
        self._source = source
        self._settings = settings
        self.share = Share()
        self.tally = Tally()
        self._requests: dict[int, Request] = {}
        self._events: list[tuple[Request, Event]] = []

    def load(self) -> Summary:
        """Load the model; raises LoadError."""
        from .kv_format import shape_as
        from .loader import load
        from .runner import Runner

        loaded = load(self._source, self._settings.threads)
        loaded = self._loaded = replace(loaded, kv=shape_as(loaded.kv, self._settings.kv_type))
        kept_bytes = self._settings.prompt_cache_bytes
        self._runner = Runner(loaded, suitable_kept_bytes() if kept_bytes is None else kept_bytes)
        self._token_text = TokenText(loaded.tokenizer.token_bytes)
        self._scheduler = self._new_scheduler()
        wire_loaded()
        return Summary(
            tokenizer=loaded.tokenizer,
            context_length=loaded.context_length,
            footprint=Footprint(loaded.weight_bytes, loaded.kv.bytes_per_token),
        )

    def _new_scheduler(self) -> Scheduler:
        stop_ids = self._loaded.tokenizer.eos_ids
        num_slots, budget = self._settings.num_parallel, budget_of(device())
        num_kept = self._runner.num_kept if self._runner.max_kept_bytes else None
        return Scheduler(num_slots, budget, stop_ids, num_kept, self._has_room)

    def unload(self) -> None:
        """Fail every request and free the model."""
        import mlx.core as mx

        for request in self._requests.values():
            self._events.append((request, Failed(UNLOADED, 503)))
        self._flush()
        self._requests.clear()
        self._runner.reset()
        self._in_flight = None
        del self._runner, self._loaded, self._scheduler
        mx.clear_cache()
        wire_loaded()

    def obey(self, command: Command) -> None:
        """Take a request, or drop one."""
        match command:
            case Request() as request:
                self._try_to_admit(request)
            case Cancel(number):
                self._requests.pop(number, None)
                self._scheduler.finish(number)
            case GiveBack(num_bytes, done):
                self._give_back(num_bytes)
                done()

    def turn(self) -> bool:
        """Take a step if there is one to take."""
        if not self._scheduler.busy and self._in_flight is None:
            self._flush()
            return False
        self._step()
        return True

    def _try_to_admit(self, request: Request) -> None:
        try:
            self._admit(request)
        except Exception as error:
            log.exception("a request cannot begin")
            self._events.append((request, failure(error)))

    def _admit(self, request: Request) -> None:
        from .drawing import Draw
        from .sampling import Sampler

        ask = request.ask
        if self._loaded.vision is not None:
            self._loaded.vision.show(ask.pictures)
        refusal = self._refusal(ask)
        if refusal is not None:
            self._events.append((request, refusal))
            return
        sampler = Sampler(ask.sampling, [one for one in ask.prompt_ids if not is_seen(one)])
        on_gpu = self._runner.queues
        request.draw = Draw(sampler, ask.top_logprobs, request.matcher, on_gpu)
        token_text = self._token_text.showing(self._loaded.tokenizer.shown(ask.shown))
        request.text = TextStream(token_text, ask.stop)
        keep = ask.num_keep if ask.num_keep >= 0 else len(ask.prompt_ids)
        limits = Limits(
            max_output=bounded_output(ask.num_predict, ask.num_ctx),
            window=ask.num_ctx,
            keep=keep + self._loaded.tokenizer.add_bos,
            shift=ask.shift,
        )
        self._requests[request.number] = request
        self._scheduler.submit(Sequence(request.number, list(ask.prompt_ids), limits))

    def _knows(self, token_id: int) -> bool:
        """Whether the model has a token, or was shown the picture that it is a part of."""
        vision = self._loaded.vision
        if is_seen(token_id):
            return vision is not None and vision.knows(token_id)
        return 0 <= token_id < self._loaded.vocab_size

    def _refusal(self, ask: Ask) -> Failed | None:
        """Why a request cannot run; the routes should have seen to it."""
        num_prompt = len(ask.prompt_ids)
        if num_prompt == 0:
            return Failed("the prompt is empty", 400)
        if not all(map(self._knows, ask.prompt_ids)) or is_seen(ask.prompt_ids[-1]):
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
        started_s = time.perf_counter()
        try:
            self._keep_prompts()
            step = self._in_flight or self._launch()
            if step is not None:
                self._in_flight = self._finish(step)
        except Exception as error:
            log.exception("a step failed")
            self._recover(error)
        self._flush()
        self.tally.num_running = self._settings.num_parallel - self._scheduler.num_free_slots
        self.tally.steps.observe(time.perf_counter() - started_s)

    def _keep_prompts(self) -> None:
        """Keep what is worth it, and no more than the server's memory has room for."""
        prefixes = self._scheduler.worth_keeping()
        for prefix in prefixes:
            self._runner.keep(prefix)
        if prefixes:
            self._give_back(0)

    def _give_back(self, num_bytes: int) -> None:
        """Drop so much of the kept prompts, and what there is no room for."""
        self.share.give_back(self._runner, num_bytes)
        self._scheduler.forget_kept()

    def _has_room(self, num_tokens: list[int]) -> bool:
        """Whether sequences that may grow to so many tokens each fit; kept prompts make room."""
        kept_bytes = self._runner.kept_bytes
        fits = self.share.has_room(self._runner, num_tokens, self._loaded.kv.bytes_per_token)
        if self._runner.kept_bytes < kept_bytes:
            self._scheduler.forget_kept()
        return fits

    def _launch(self) -> Step | None:
        """Begin a step of which nothing is in flight."""
        self._scheduler.pace(self._runner.pace.tokens)
        plan = self._scheduler.plan()
        slots = self._scheduler.slots()
        self._start_clocks(slots.values())
        self.tally.reuses += len(plan.reuse)
        self.tally.reused_tokens += sum(len(one.token_ids) for one in plan.reuse)
        return self._runner.launch(plan, self._draws(slots))

    def _finish(self, step: Step) -> Step | None:
        """End a step, and put the next one in flight where nothing else has to come first.

        Its graph is made while the device is at work. What the device draws itself it may go on
        with before the host has seen a token. A CPU computes in `follow`, which then holds the
        tokens back for about a step: never the first one of an answer.
        """
        runner, plan = self._runner, self._scheduler.ahead()
        follows = step.on_device and (runner.queues or self._scheduler.has_begun)
        ahead = None
        if plan is not None:
            draws = self._draws(self._scheduler.slots())
            ahead = runner.prepare(plan, draws, after=step if follows else None)
            if follows:
                runner.follow(ahead)
        drawn = runner.collect(step)
        tokens = self._scheduler.commit({slot: one.token_id for slot, one in drawn.items()})
        now_ns = time.perf_counter_ns()
        for token in tokens:
            self._try_to_emit(token, drawn[token.slot], now_ns)
        self.tally.output_tokens += len(tokens)
        self._flush()
        if ahead is None or follows:
            return ahead
        if not self._scheduler.keeps:
            runner.abandon()
            return None
        runner.dispatch(ahead, {token.slot: token.token_id for token in tokens})
        return ahead

    def _draws(self, slots: Mapping[int, int]) -> dict[int, Draw]:
        return {slot: self._requests[number].draw for slot, number in slots.items()}

    def _start_clocks(self, numbers: Iterable[int]) -> None:
        """Prompt evaluation begins when a sequence gets its slot."""
        now_ns = time.perf_counter_ns()
        for number in numbers:
            request = self._requests[number]
            request.started_ns = request.started_ns or now_ns

    def _try_to_emit(self, token: Token, drawn: Drawn, now_ns: int) -> None:
        """A row that fails does so alone."""
        try:
            if drawn.fault is not None:
                raise drawn.fault
            self._emit(token, drawn, now_ns)
        except Exception as error:
            log.exception("a row failed")
            self._fail(token.sequence_id, error)

    def _emit(self, token: Token, drawn: Drawn, now_ns: int) -> None:
        """Turn a token into the events of its request."""
        request = self._requests[token.sequence_id]
        matcher = request.matcher
        if matcher is not None and matcher.fault is not None:
            self._events.append((request, Failed(matcher.fault, 500)))
            self._drop(token.sequence_id)
            return
        request.num_output += 1
        if request.num_output == 1:
            request.first_ns = now_ns
            self.tally.prompt_tokens += len(request.ask.prompt_ids)
            self.tally.ttft.observe((now_ns - request.arrived_ns) / 1e9)
        self._events += request.told(request.text.feed(token.token_id, drawn.scores))
        stopped = request.text.stopped
        if not stopped and token.last is None and matcher is not None and matcher.finished:
            request.num_output += 1  # only the end may follow, and it counts
            stopped = True
        reason = "stop" if stopped else token.last
        if reason is None:
            return
        self._events += request.told(request.text.flush(), last=True)
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

    def _fail(self, number: int, error: Exception) -> None:
        """End one request with what went wrong."""
        request = self._requests.pop(number, None)
        if request is not None:
            self._events.append((request, failure(error)))
        self._scheduler.finish(number)

    def _recover(self, error: Exception) -> None:
        """Fail those whom a broken step concerned; what the others had is computed again.

        A lack of memory concerns the one that came last: without it there was enough.
        """
        import mlx.core as mx

        concerned = list(self._scheduler.slots().values()) or list(self._requests)
        for number in concerned[-1:] if is_out_of_memory(error) else concerned:
            self._fail(number, error)
        self._in_flight = None
        self._runner.reset()
        self._scheduler.restart()
        self._give_back(0)
        mx.clear_cache()

    def _flush(self) -> None:
        """Hand the events over, once for each event loop."""
        events, self._events = self._events, []
        for loop in {request.loop for request, _ in events}:
            own = [(request, event) for request, event in events if request.loop is loop]
            try:
                loop.call_soon_threadsafe(deliver, own)
            except RuntimeError:  # the loop is closed, and its readers are gone
                for request, _ in own:
                    self._requests.pop(request.number, None)
                    self._scheduler.finish(request.number)
