"""mlx-lm's BatchGenerator behind a least HTTP server: the rival of the engine.

It runs the model as the engine loads it, with the same weights and BLAS, and the same layers or
mlx-lm's own. One thread owns it; there is no more to it than a server of a few lines would have.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sys
import threading
from pathlib import Path
from typing import Any

from aiohttp import web

from ..engine.sequence import ModelSource

Answers = asyncio.Queue[tuple[str, bool]]
Job = tuple[str, int, Answers]


class Rival:
    """One thread that asks BatchGenerator for tokens, for the readers of one event loop."""

    def __init__(self, gguf: Path, num_users: int, num_prompts: int, own_layers: bool) -> None:
        self._gguf = gguf
        self._num_users = num_users
        self._num_prompts = num_prompts
        self._own_layers = own_layers
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ready = threading.Event()
        threading.Thread(target=self._main, daemon=True).start()

    def submit(self, prompt: str, num_predict: int) -> Answers:
        """A queue that gets each token's text and whether it is the last."""
        self._loop = asyncio.get_running_loop()
        answers: Answers = asyncio.Queue()
        self._jobs.put((prompt, num_predict, answers))
        return answers

    def _main(self) -> None:
        import mlx.core as mx
        from mlx_lm.generate import BatchGenerator

        from ..engine.loader import load

        loaded = load(ModelSource(self._gguf), 1, own_layers=self._own_layers)
        generator: Any = BatchGenerator(
            loaded.model,
            stop_tokens=[[one] for one in loaded.tokenizer.eos_ids],
            completion_batch_size=self._num_users,
            prefill_batch_size=self._num_prompts,
            stream=mx.default_stream(mx.default_device()),
        )
        running: dict[int, Answers] = {}
        self.ready.set()
        while True:
            while not running or not self._jobs.empty():
                prompt, num_predict, answers = self._jobs.get()
                ids = loaded.tokenizer.encode(prompt)
                running[generator.insert([ids], [num_predict])[0]] = answers
            said = []
            for one in generator.next_generated():
                last = one.finish_reason is not None
                said.append((running[one.uid], loaded.tokenizer.decode([one.token]), last))
                if last:
                    del running[one.uid]
            if said and self._loop is not None:
                self._loop.call_soon_threadsafe(_deliver, said)


def _deliver(said: list[tuple[Answers, str, bool]]) -> None:
    for answers, text, last in said:
        answers.put_nowait((text, last))


async def generate(request: web.Request) -> web.StreamResponse:
    """`/api/generate`, as far as the benchmark asks."""
    body = await request.json()
    answers = request.app[RIVAL].submit(body["prompt"], body["options"]["num_predict"])
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    last, num_tokens = False, 0
    while not last:
        text, last = await answers.get()
        num_tokens += 1
        await response.write(_line({"response": text, "done": False}))
    await response.write(_line({"done": True, "eval_count": num_tokens}))
    return response


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


async def ready(_: web.Request) -> web.Response:
    """Nothing, once the model is loaded."""
    return web.Response()


RIVAL: web.AppKey[Rival] = web.AppKey("rival", Rival)


def main() -> None:
    """Serve a GGUF on a port: so many users, so many prompts at once, our layers or mlx-lm's."""
    gguf, port, num_users, num_prompts, layers = sys.argv[1:]
    rival = Rival(Path(gguf), int(num_users), int(num_prompts), own_layers=layers == "ours")
    rival.ready.wait()
    app = web.Application()
    app[RIVAL] = rival
    app.router.add_post("/api/generate", generate)
    app.router.add_get("/", ready)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
