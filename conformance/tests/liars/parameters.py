"""Liars about single options: refused, ignored, or worked out wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...parameters import PARAMETERS
from ..honest import Lie
from ..lies import forgets_option, options, refuses
from .liar import Liar

Given = dict[str, Any]


def _without(name: str) -> Lie:
    """Any request with this option is refused."""
    return refuses("/api/chat", lambda one: name in (one.get("options") or {}))


def _instead(name: str, change: Callable[[Any], Any]) -> Lie:
    """An option is read as another value."""

    def changed(given: Given) -> None:
        if isinstance(given.get(name), int | float):
            given[name] = change(given[name])

    return options(changed)


def _moved(name: str, other: str) -> Lie:
    """An option is read as another one."""

    def changed(given: Given) -> None:
        if name in given:
            given[other] = given.pop(name)

    return options(changed)


def _hot(given: Given) -> None:
    """A temperature above 1 levels first, so that no filter finds anything to take away."""
    if given.get("temperature", 0) > 1:
        given.update(top_p=1.0, min_p=0.0)


def _greedy(given: Given) -> None:
    """Penalties are left out where one token is wanted anyway."""
    if given.get("top_k") == 1:
        given.update(presence_penalty=0.0, frequency_penalty=0.0)


def _whole(given: Given) -> None:
    """`top_p` counts by all there was, not by what `top_k` left."""
    if given.get("top_k") == 2 and given.get("top_p", 1.0) < 1:
        given.update(top_k=0)


PARAMETER = [
    *(Liar(f"refuses {one.name}", one.accepts, _without(one.name)) for one in PARAMETERS),
    *(
        Liar(f"accepts {one.name} and ignores it", one.heeds, forgets_option(one.name))
        for one in PARAMETERS
    ),
    Liar(
        "presence as often as it was said",
        "options/presence-threshold",
        _moved("presence_penalty", "frequency_penalty"),
    ),
    Liar(
        "negative presence is none",
        "options/presence-threshold",
        _instead("presence_penalty", lambda one: max(one, 0.0)),
    ),
    Liar(
        "half a presence penalty",
        "options/presence-threshold",
        _instead("presence_penalty", lambda one: one / 2),
    ),
    Liar(
        "frequency once, however often",
        "options/frequency-threshold",
        _moved("frequency_penalty", "presence_penalty"),
    ),
    Liar(
        "twice the frequency penalty",
        "options/frequency-threshold",
        _instead("frequency_penalty", lambda one: one * 2),
    ),
    Liar(
        "divides negative logits",
        "options/repeat-threshold",
        _instead("repeat_penalty", lambda one: 1 / one),
    ),
    Liar(
        "multiplies positive logits",
        "options/repeat-of-positive",
        _instead("repeat_penalty", lambda one: 1 / one),
    ),
    Liar(
        "a penalty of 2 at most",
        "options/repeat-of-positive",
        _instead("repeat_penalty", lambda one: min(one, 2.0)),
    ),
    Liar(
        "a window one too wide",
        "options/repeat-window",
        _instead("repeat_last_n", lambda one: one + 1),
    ),
    Liar(
        "a window one too narrow",
        "options/repeat-window",
        _instead("repeat_last_n", lambda one: one - 1),
    ),
    Liar(
        "does not look at the prompt",
        "options/repeat-window",
        _instead("repeat_last_n", lambda one: 0),
    ),
    Liar("greedy without penalties", "options/penalties-come-first", options(_greedy)),
    Liar("top_p of all there was", "options/filters-in-order", options(_whole)),
    Liar("temperature first", "options/temperature-comes-last", options(_hot)),
    Liar(
        "a temperature of 2 at most",
        "options/temperature-levels",
        _instead("temperature", lambda one: min(one, 2.0)),
    ),
    Liar(
        "a temperature of 1 at least",
        "options/temperature-levels",
        _instead("temperature", lambda one: max(one, 1.0)),
    ),
    Liar(
        "the inverse of the temperature",
        "options/temperature-levels",
        _instead("temperature", lambda one: 1 / one if one else one),
    ),
    Liar(
        "top_p a little too small",
        "options/top-p-edges",
        _instead("top_p", lambda one: one - 0.04),
    ),
    Liar(
        "top_p a little too large",
        "options/top-p-edges",
        _instead("top_p", lambda one: min(one + 0.04, 1.0)),
    ),
    Liar(
        "min_p as a probability",
        "options/min-p-edges",
        _instead("min_p", lambda one: one / 0.6),
    ),
    Liar(
        "min_p of the sum",
        "options/min-p-edges",
        _instead("min_p", lambda one: one * 0.6),
    ),
    Liar("num_keep without the begin token", "context/num-keep-counts",
         _instead("num_keep", lambda one: one - 1 if one > 0 else one)),
    Liar("a negative num_keep is none", "context/num-keep-counts",
         _instead("num_keep", lambda one: max(one, 0))),
]  # fmt: skip
