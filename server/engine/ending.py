"""The end of a model, which makes logits of the tokens that are drawn from, and of no other.

Engine thread only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module


class Ending(Module):
    """The last norm of a model; told so, it passes on one token a row."""

    def __init__(self, norm: Any) -> None:  # noqa: ANN401 (of mlx-lm or ours)
        super().__init__()  # type: ignore[no-untyped-call]
        self.norm = norm
        self._places: tuple[int, ...] | None = None

    def __call__(self, x: mx.array) -> mx.array:
        """Hidden states `(B, L, hidden)` normed, or those at the places alone: `(B, 1, hidden)`."""
        if self._places is not None:
            if len(set(self._places)) == 1:
                x = x[:, self._places[0]][:, None]
            else:
                x = x[mx.arange(len(x)), mx.array(self._places)][:, None]
        out: mx.array = self.norm(x)
        return out

    @contextmanager
    def only(self, places: Sequence[int]) -> Iterator[None]:
        """Pass on the token at this place of each row, of what is called meanwhile."""
        self._places = tuple(places)
        try:
            yield
        finally:
            self._places = None


def with_ending(model: Any) -> Ending:  # noqa: ANN401 (of mlx-lm)
    """The ending of a model, put in the place of its last norm."""
    model.model.norm = ending = Ending(model.model.norm)
    return ending
