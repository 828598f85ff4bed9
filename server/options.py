"""The options of a request and of a model: which there are, their types, how they are merged.

Pure. Precedence: built-in default, `OLLAMA_CONTEXT_LENGTH` (num_ctx only), the model's
parameters, the request (OPT-030).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .decode import Json
from .engine.sequence import Sampling
from .errors import ApiError

_INTEGERS = frozenset(
    [
        "seed",
        "num_predict",
        "top_k",
        "repeat_last_n",
        "num_keep",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    ]
)
_FLOATS = frozenset(
    [
        "temperature",
        "top_p",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    ]
)
_BOOLEANS = frozenset({"use_mmap"})
IDLE = frozenset(
    ["num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict"]
)
"""Options of which the type is checked, and that is all: they are llama.cpp's."""
KNOWN = _INTEGERS | _FLOATS | _BOOLEANS | {"stop"}
_RANDOM_SEED = 0xFFFFFFFF  # the runner keeps the low 32 bits of a seed, and this is its -1
_INT64 = 1 << 63

Option = int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """The options in force for one generation."""

    sampling: Sampling
    stop: tuple[str, ...]
    num_ctx: int
    num_predict: int
    num_keep: int


def merge(
    parameters: Mapping[str, Json],
    requested: Mapping[str, Json],
    *,
    default_num_ctx: int,
    max_num_ctx: int,
) -> Options:
    """The options that hold when a request asks a model with `parameters`; checks all types.

    `max_num_ctx` is what the model was trained for.
    """
    found = checked(parameters) | checked(requested)
    num_ctx = _whole(found, "num_ctx", default_num_ctx)
    num_ctx = max(4, min(num_ctx, max_num_ctx))  # CTX-002
    stop = found.get("stop", ())
    num_predict = _whole(found, "num_predict", -1)
    return Options(
        sampling=_sampling(found, num_ctx),
        stop=tuple(each for each in stop if each) if isinstance(stop, tuple) else (),
        num_ctx=num_ctx,
        num_predict=num_predict or -1,  # the original drops a 0, which leaves no limit (OPT-041)
        num_keep=_whole(found, "num_keep", 4),
    )


def checked(options: Mapping[str, Json]) -> dict[str, Option]:
    """The known options that are not null; raises `ApiError` for a wrong type (OPT-032)."""
    found = ((name, _checked(name, value)) for name, value in options.items() if value is not None)
    return {name: value for name, value in found if value is not None}


def without_effect(options: Mapping[str, Json]) -> list[str]:
    """The names among these options that change nothing here, unknown and retired ones too."""
    return [
        name
        for name, value in options.items()
        if value is not None and (name in IDLE or name not in KNOWN)
    ]


def _checked(name: str, value: Json) -> Option | None:
    if name in _INTEGERS:
        return math.trunc(max(-_INT64, min(_number(name, value, "integer"), _INT64 - 1)))
    if name in _FLOATS:
        return float(_number(name, value, "float32"))
    if name in _BOOLEANS:
        if not isinstance(value, bool):
            raise _wrong(name, "boolean")
        return value
    if name != "stop":
        return None
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise _wrong(name, "array")
    if not all(isinstance(each, str) for each in value):
        raise ApiError(400, f'option "{name}" must be of an array of strings')
    return tuple(str(each) for each in value)


def _number(name: str, value: Json, kind: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, kind)
    return max(-1e300, min(value, 1e300)) if isinstance(value, int) else value


def _wrong(name: str, kind: str) -> ApiError:
    """400, where the original has 500 for a client's mistake (ERR-020 allows both)."""
    return ApiError(400, f'option "{name}" must be of type {kind}')


def _sampling(found: Mapping[str, Option], num_ctx: int) -> Sampling:
    plain = Sampling()
    seed = _whole(found, "seed", -1) & _RANDOM_SEED
    repeat_last_n = _whole(found, "repeat_last_n", plain.repeat_last_n)
    repeat_penalty = _real(found, "repeat_penalty", plain.repeat_penalty)
    if repeat_penalty <= 0:
        raise ApiError(400, 'option "repeat_penalty" must be greater than 0')
    return Sampling(
        seed=None if seed == _RANDOM_SEED else seed,
        temperature=max(0.0, _real(found, "temperature", plain.temperature)),
        top_k=max(0, _whole(found, "top_k", plain.top_k)),
        top_p=_share(found, "top_p", plain.top_p),
        min_p=_share(found, "min_p", plain.min_p),
        typical_p=_share(found, "typical_p", plain.typical_p),
        repeat_last_n=num_ctx if repeat_last_n < 0 else repeat_last_n,
        repeat_penalty=repeat_penalty,
        presence_penalty=_real(found, "presence_penalty", plain.presence_penalty),
        frequency_penalty=_real(found, "frequency_penalty", plain.frequency_penalty),
    )


def _whole(found: Mapping[str, Option], name: str, default: int) -> int:
    value = found.get(name, default)
    return value if isinstance(value, int) else default


def _real(found: Mapping[str, Option], name: str, default: float) -> float:
    value = found.get(name, default)
    return float(value) if isinstance(value, (int, float)) else default


def _share(found: Mapping[str, Option], name: str, default: float) -> float:
    """A probability; what lies outside 0..1 behaves as the nearer end (OPT-035)."""
    return max(0.0, min(1.0, _real(found, name, default)))
