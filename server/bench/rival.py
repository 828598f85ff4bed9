"""mlx-lm's BatchGenerator behind a least HTTP server: the rival of the engine.

It runs the model as the engine loads it, with the same weights, layers and BLAS. One thread
owns it; there is no more to it than a server of a few lines would have.
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
Job = tuple[str, int, asyncio.AbstractEventLoop, Answers]


class Rival:
    """One thread that asks BatchGenerator for tokens."""

    def __init__(self, gguf: Path, num_users: int) -> None:
        self._gguf = gguf
        self._num_users = num_users
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.ready = threading.Event()
        threading.Thread(target=self._main, daemon=True).start()

    def submit(self, prompt: str, num_predict: int) -> Answers:
        """A queue that gets each token's text and whether it is the last."""
        answers: Answers = asyncio.Queue()
        self._jobs.put((prompt, num_predict, asyncio.get_running_loop(), answers))
        return answers

    def _main(self) -> None:
        import mlx.core as mx
        from mlx_lm.generate import BatchGenerator

        from ..engine.loader import load

        loaded = load(ModelSource(self._gguf), 1)
        generator: Any = BatchGenerator(
            loaded.model,
            stop_tokens=[[one] for one in loaded.tokenizer.eos_ids],
            completion_batch_size=self._num_users,
            stream=mx.default_stream(mx.default_device()),
        )
        running: dict[int, tuple[asyncio.AbstractEventLoop, Answers]] = {}
        self.ready.set()
        while True:
            while not running or not self._jobs.empty():
                prompt, num_predict, loop, answers = self._jobs.get()
                ids = loaded.tokenizer.encode(prompt)
                running[generator.insert([ids], [num_predict])[0]] = loop, answers
            for one in generator.next_generated():
                loop, answers = running[one.uid]
                last = one.finish_reason is not None
                said = loaded.tokenizer.decode([one.token]), last
                loop.call_soon_threadsafe(answers.put_nowait, said)
                if last:
                    del running[one.uid]


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
        await response.write(json.dumps({"response": text, "done": False}).encode() + b"\n")
    await response.write(json.dumps({"done": True, "eval_count": num_tokens}).encode() + b"\n")
    return response


async def ready(_: web.Request) -> web.Response:
    """Nothing, once the model is loaded."""
    return web.Response()


RIVAL: web.AppKey[Rival] = web.AppKey("rival", Rival)


def main() -> None:
    """Serve the GGUF of the first argument on the port of the second, for so many users."""
    gguf, port, num_users = sys.argv[1:]
    rival = Rival(Path(gguf), int(num_users))
    rival.ready.wait()
    app = web.Application()
    app[RIVAL] = rival
    app.router.add_post("/api/generate", generate)
    app.router.add_get("/", ready)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None)


if __name__ == "__main__":
    main()
