"""What a client is told when a model fails while it runs. The log has the rest."""

from __future__ import annotations

from typing import Final

from .sequence import Failed

# How MLX says that there is no memory: its allocators on CPU, Metal and CUDA, a command buffer
# of Metal, and C++ (`ml-explore/mlx:mlx/backend/*/allocator.cpp`, `metal/device.cpp`).
_NO_MEMORY: Final = (
    "[malloc]",
    "[malloc_or_wait]",
    "[metal::malloc]",
    "attempting to allocate",
    "unable to allocate",
    "failed to allocate",
    "insufficient memory",
    "out of memory",
    "outofmemory",
    "bad_alloc",
)
# `llm/llama_server.go`: a runner that fails amid a generation (ERR-037)
_RUNNING: Final = "an error was encountered while running the model: "


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no memory for what was tried."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY)


def failure_message(error: BaseException) -> str:
    """The original's words (ERR-037); clients look for `out of memory` in them."""
    return _RUNNING + ("out of memory" if is_out_of_memory(error) else str(error))


def failure(error: BaseException) -> Failed:
    """The last event of a request that the error concerns."""
    return Failed(failure_message(error), 500)
