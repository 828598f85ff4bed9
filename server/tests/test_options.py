"""The options of a model and a request."""

from collections.abc import Mapping

import pytest

from ..decode import Json
from ..engine.sequence import Sampling
from ..errors import ApiError
from ..options import Options, merge


def merged(requested: Mapping[str, Json], parameters: Mapping[str, Json] | None = None) -> Options:
    """The options of a model trained for 8192 tokens."""
    return merge(parameters or {}, requested, default_num_ctx=4096, max_num_ctx=8192)


def test_without_options_ollamas_defaults_hold() -> None:
    """Nothing given gives the table's defaults."""
    assert merged({}) == Options(Sampling(), (), num_ctx=4096, num_predict=-1, num_keep=4)


def test_request_wins_over_the_model() -> None:
    """What the request does not name keeps the model's value."""
    options = merged({"top_k": 5}, {"top_k": 7, "temperature": 0.1})
    assert (options.sampling.top_k, options.sampling.temperature) == (5, 0.1)


def test_null_keeps_the_inherited_value() -> None:
    """LangChain sends many nulls."""
    assert merged({"temperature": None, "stop": None}, {"stop": ["x"]}).stop == ("x",)


@pytest.mark.parametrize(("stop", "expected"), [([], ()), (["a"], ("a",)), (["", "b"], ("b",))])
def test_stop_replaces_the_models_list(stop: Json, expected: tuple[str, ...]) -> None:
    """There is no merging; empty strings stop nothing."""
    assert merged({"stop": stop}, {"stop": ["x", "y"]}).stop == expected


def test_unknown_options_are_ignored() -> None:
    """Retired ones are still sent by clients."""
    assert merged({"mirostat": 1, "tfs_z": "x", "numa": [], "foo": {}}) == merged({})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("num_ctx", "4096", "of type integer"),
        ("seed", True, "of type integer"),
        ("temperature", "hot", "of type float32"),
        ("use_mmap", 1, "of type boolean"),
        ("stop", "x", "of type array"),
        ("stop", [1], "of an array of strings"),
    ],
)
def test_wrong_type_names_the_option(name: str, value: Json, kind: str) -> None:
    """The message is Ollama's; the status says that the client is wrong."""
    with pytest.raises(ApiError) as refused:
        merged({name: value})
    assert (str(refused.value), refused.value.status) == (f'option "{name}" must be {kind}', 400)


def test_wrong_type_in_the_model_surfaces_too() -> None:
    """Creation does not check parameters."""
    with pytest.raises(ApiError, match='"temperature" must be of type float32'):
        merged({}, {"temperature": "hot"})


def test_fractions_of_integers_are_cut() -> None:
    """10.9 tokens are 10."""
    assert merged({"num_predict": 10.9}).num_predict == 10


@pytest.mark.parametrize(
    ("asked", "given"), [(-1, 4), (0, 4), (1, 4), (100, 100), (10**9, 8192), (10**500, 8192)]
)
def test_num_ctx_is_kept_in_bounds(asked: int, given: int) -> None:
    """At least 4, at most what the model was trained for."""
    assert merged({"num_ctx": asked}).num_ctx == given


@pytest.mark.parametrize(
    ("asked", "seed"), [(-1, None), (2**32 - 1, None), (0, 0), (2**32, 0), (42, 42)]
)
def test_seed_keeps_its_low_bits(asked: int, seed: int | None) -> None:
    """-1 in 32 bits is a random seed."""
    assert merged({"seed": asked}).sampling.seed == seed


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [("temperature", -5, 0.0), ("top_k", -5, 0), ("top_p", 5, 1.0), ("min_p", -1, 0.0)],
)
def test_values_out_of_range_become_the_nearest_sensible(
    name: str, value: float, given: float
) -> None:
    """There is no range check."""
    assert getattr(merged({name: value}).sampling, name) == given


def test_negative_repeat_window_is_the_whole_context() -> None:
    """As the documentation has it."""
    assert merged({"repeat_last_n": -1, "num_ctx": 100}).sampling.repeat_last_n == 100


def test_repeat_penalty_of_zero_is_refused() -> None:
    """Dividing by it has no meaning."""
    with pytest.raises(ApiError, match="repeat_penalty"):
        merged({"repeat_penalty": 0})
