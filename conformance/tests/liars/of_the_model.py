"""Liars about models' parameters: what a server has by default is in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..honest import Lie
from ..house import DEFAULTS
from ..lies import TALK, Fields, hears, options
from .liar import Liar

CHECK = "options/of-the-model"
NAMES = (
    "temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "num_predict", "num_ctx",
    "repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty",
)  # fmt: skip


def _own_default(*names: str, when: Callable[[Fields], bool] = bool, of: Fields = DEFAULTS) -> Lie:
    """What a request does not give is what the server has by default, whatever the model has."""

    def changed(fields: Fields) -> None:
        if when(fields) and isinstance(fields.get("options") or {}, dict):
            given = fields.get("options") or {}
            fields["options"] = {**{name: of[name] for name in names}, **given}

    return hears(changed, *TALK)


def _obstinate(name: str) -> Lie:
    """What a model has a request does not change."""

    def changed(fields: Fields) -> None:
        given: Any = fields.get("options")
        if "/own-" in str(fields.get("model")) and isinstance(given, dict):
            given.pop(name, None)

    return hears(changed, *TALK)


def _null_is_default() -> Lie:
    """An option that is null is what the server has by default."""

    def changed(given: Fields) -> None:
        given.update({name: DEFAULTS[name] for name in NAMES if given.get(name, 0) is None})

    return options(changed)


def _stays(name: str) -> Lie:
    """What a request gave is the model's from then on."""
    kept: dict[str, Any] = {}

    def changed(fields: Fields) -> None:
        given, model = fields.get("options"), str(fields.get("model"))
        if isinstance(given, dict) and given.get(name) is not None:
            kept[model] = given[name]
        elif model in kept:
            fields["options"] = {**(given or {}), name: kept[model]}

    return hears(changed, *TALK)


def _own_stops(stops: list[str]) -> Lie:
    """Of the stop strings of a model only some are known."""

    def changed(fields: Fields) -> None:
        given = fields.get("options") or {}
        if str(fields.get("model")).endswith("/stops") and given.get("stop") is None:
            fields["options"] = {**given, "stop": stops}

    return hears(changed, *TALK)


def _of(word: str) -> Callable[[Fields], bool]:
    return lambda fields: str(fields.get("model")).endswith(word)


OF_THE_MODEL = [
    *(
        Liar(f"own default of {name}", f"{CHECK}/{name.replace('_', '-')}", _own_default(name))
        for name in NAMES
    ),
    *(
        Liar(f"{name} of models is fixed", f"{CHECK}/{name.replace('_', '-')}", _obstinate(name))
        for name in NAMES
    ),
    Liar("own default of num_keep", f"{CHECK}/num-ctx", _own_default("num_keep")),
    Liar("num_keep of models is fixed", f"{CHECK}/num-ctx", _obstinate("num_keep")),
    Liar(
        "own temperature in streams",
        f"{CHECK}/temperature",
        _own_default("temperature", when=lambda fields: fields.get("stream") is not False),
    ),
    Liar(
        "own top_k in chat",
        f"{CHECK}/top-k",
        _own_default("top_k", when=lambda fields: "messages" in fields),
    ),
    Liar(
        "any option puts the model's out of force",
        CHECK,
        _own_default(*NAMES, when=lambda fields: bool(fields.get("options"))),
    ),
    Liar(
        "defaults where no options are given",
        CHECK,
        _own_default(*NAMES, when=lambda fields: fields.get("options") is None),
    ),
    Liar(
        "defaults where options are empty",
        CHECK,
        _own_default(*NAMES, when=lambda fields: fields.get("options") == {}),
    ),
    Liar("what was given stays with the model", CHECK, _stays("num_predict")),
    Liar("null is the default", CHECK, _null_is_default()),
    Liar("the first stop of models counts", "options/stop-replaces", _own_stops([" 9 "])),
    Liar("the last stop of models counts", "options/stop-replaces", _own_stops([" 8 "])),
    Liar("copies have no options", CHECK, _own_default(*NAMES, when=_of("/own-twin"))),
    Liar(
        "options of a base are lost beside one's own",
        CHECK,
        _own_default(*NAMES, when=_of("/own-child"), of={**DEFAULTS, "repeat_last_n": 64}),
    ),
]
