"""How a vision model sees: its numbers from a projector's header or from Hugging Face's files.

No arrays. Known is one kind: Idefics3 and SmolVLM, a SigLIP tower whose patches are merged by
pixel shuffle and one matrix. Every number is held within reason before anything is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from .sequence import LoadError

SEEING_TYPES: Final = ("idefics3", "smolvlm")  # of config.json
MAX_TILES: Final = 256
_MAX_DIMENSION: Final = 1 << 16
_MAX_LAYERS: Final = 256
_MAX_TOKENS: Final = 2048
_HALF: Final = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Sight:
    """The sizes of a vision tower, and how pictures are cut for it."""

    image_size: int  # pixels a side of one view
    longest_edge: int  # pixels that the longer side of a picture is made before it is cut
    patch_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    epsilon: float
    merge: int  # patches a side that become one token
    mean: tuple[float, ...] = _HALF
    std: tuple[float, ...] = _HALF

    @property
    def tokens_per_view(self) -> int:
        """How many tokens one tile, or the whole seen small, becomes."""
        return (self.image_size // self.patch_size // self.merge) ** 2


def can_see() -> bool:
    """Whether mlx-vlm is installed, without which nothing is seen."""
    return find_spec("mlx_vlm") is not None


def sight_of_gguf(metadata: Mapping[str, Any]) -> Sight:
    """The numbers of a projector GGUF; raises LoadError for another kind of projector."""
    kind = metadata.get("clip.projector_type", metadata.get("clip.vision.projector_type"))
    if kind != "idefics3":
        raise LoadError(f"projector type {kind!r} is not supported: 'idefics3' is")
    vision = {
        key.removeprefix("clip.vision."): value
        for key, value in metadata.items()
        if key.startswith("clip.vision.")
    }
    size = vision.get("image_size")
    return checked(
        image_size=size,
        longest_edge=vision.get("preproc_image_size", size),
        patch_size=vision.get("patch_size"),
        hidden_size=vision.get("embedding_length"),
        intermediate_size=vision.get("feed_forward_length"),
        num_layers=vision.get("block_count"),
        num_heads=vision.get("attention.head_count"),
        epsilon=vision.get("attention.layer_norm_epsilon", 1e-6),
        merge=vision.get("projector.scale_factor", 2),
        mean=vision.get("image_mean", _HALF),
        std=vision.get("image_std", _HALF),
    )


def sight_of_config(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Sight:
    """The numbers of config.json and preprocessor_config.json, SmolVLM's defaults among them."""
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        raise LoadError("config.json: vision_config is missing")
    hidden = vision.get("hidden_size", 1152)
    image = vision.get("image_size", 384)
    size = preprocessor.get("size")
    longest = size.get("longest_edge", image) if isinstance(size, Mapping) else image
    return checked(
        image_size=image,
        longest_edge=longest,
        patch_size=vision.get("patch_size", 32),
        hidden_size=hidden,
        intermediate_size=vision.get("intermediate_size", 3072),
        num_layers=vision.get("num_hidden_layers", 12),
        num_heads=vision.get("num_attention_heads", 16),
        epsilon=vision.get("layer_norm_eps", 1e-6),
        merge=config.get("scale_factor", 2),
        mean=preprocessor.get("image_mean", _HALF),
        std=preprocessor.get("image_std", _HALF),
    )


def checked(**numbers: Any) -> Sight:  # noqa: ANN401 (whatever the file says)
    """The numbers, each of its type and within reason; raises LoadError."""
    for name in ("image_size", "longest_edge", "patch_size", "hidden_size", "intermediate_size",
                 "num_layers", "num_heads", "merge"):  # fmt: skip
        value = numbers[name]
        if type(value) is not int or not 0 < value <= _MAX_DIMENSION:
            raise LoadError(f"lying vision model: {name} is {value!r}")
    if not isinstance(numbers["epsilon"], float) or not 0 < numbers["epsilon"] < 1:
        raise LoadError(f"lying vision model: the epsilon is {numbers['epsilon']!r}")
    for name in ("mean", "std"):
        numbers[name] = _three(numbers[name], name)
    sight = Sight(**numbers)
    side, left = divmod(sight.image_size, sight.patch_size)
    if left or side % sight.merge or sight.hidden_size % sight.num_heads:
        raise LoadError(f"lying vision model: {sight.image_size} pixels in {sight.patch_size}")
    tiles = math.ceil(sight.longest_edge / sight.image_size) ** 2
    if sight.tokens_per_view > _MAX_TOKENS:
        raise LoadError(f"lying vision model: {sight.tokens_per_view} tokens for a view")
    if sight.num_layers > _MAX_LAYERS or tiles > MAX_TILES:
        raise LoadError(f"lying vision model: {sight.num_layers} layers, {tiles} tiles")
    return sight


def _three(value: object, name: str) -> tuple[float, ...]:
    """A number for each colour, which may be divided by."""
    found = tuple(value) if isinstance(value, tuple | list) else ()
    if len(found) != 3 or not all(isinstance(one, float | int) for one in found):
        raise LoadError(f"lying vision model: image {name} is {value!r}")
    numbers = tuple(float(one) for one in found)
    if not all(math.isfinite(one) for one in numbers) or (name == "std" and min(numbers) <= 0):
        raise LoadError(f"lying vision model: image {name} is {value!r}")
    return numbers
