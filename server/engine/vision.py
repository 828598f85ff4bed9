"""The part of a model that sees: pictures become embeddings, in the place of a token's.

The tower and the connector are mlx-vlm's, which is imported here and for vision models only.
Engine thread only.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakSet

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from .picture import Picture, is_seen, place_of
from .sequence import LoadError, ModelSource
from .sight import SEEING_TYPES, Sight, can_see

log = logging.getLogger(__name__)

MAX_KEPT_VIEWS: Final = 128  # of 64 tokens and width 576: 18 MB


class Vision:
    """A vision tower with its connector, the pictures shown to it, and what it made of them."""

    def __init__(self, sight: Sight, arrays: dict[str, mx.array], hidden_size: int) -> None:
        self._sight = sight
        self._tower, self._connector = _modules(sight, hidden_size)
        _fill(self._tower, arrays, "tower.")
        _fill(self._connector, arrays, "connector.")
        self.weight_bytes = sum(int(array.nbytes) for array in arrays.values())
        # by key; whoever asked holds the picture, and with the last of them it is gone
        self._shown: dict[int, WeakSet[Picture]] = {}
        self._views: OrderedDict[tuple[int, int], mx.array] = OrderedDict()

    def show(self, pictures: Sequence[Picture]) -> None:
        """Make pictures known as long as the caller holds them."""
        self._shown = {key: held for key, held in self._shown.items() if held}
        for picture in pictures:
            self._shown.setdefault(picture.key, WeakSet()).add(picture)

    def knows(self, token_id: int) -> bool:
        """Whether an id stands for a part of a picture that was shown."""
        key, place = place_of(token_id)
        return any(place < one.num_views * one.tokens_per_view for one in self._shown.get(key, ()))

    def look(self, rows: Sequence[Sequence[int]]) -> None:
        """Make the features of every view that rows of ids have a part of."""
        for token_id in (one for row in rows for one in row):
            if is_seen(token_id):
                self._feature(token_id)

    def put_into(self, embeddings: mx.array, rows: Sequence[Sequence[int]]) -> None:
        """Put pictures into the embeddings `(B, L, hidden)` of rows, at least one."""
        spots = [
            (number, at, token_id)
            for number, row in enumerate(rows)
            for at, token_id in enumerate(row)
            if is_seen(token_id)
        ]
        features = mx.stack([self._feature(token_id) for _, _, token_id in spots])
        places = mx.array([spot[0] for spot in spots]), mx.array([spot[1] for spot in spots])
        embeddings[places] = features.astype(embeddings.dtype)

    def _feature(self, token_id: int) -> mx.array:
        key, place = place_of(token_id)
        view, at = divmod(place, self._sight.tokens_per_view)
        return self._view(key, view)[at]

    def _view(self, key: int, number: int) -> mx.array:
        """The features `(tokens, hidden)` of one view, made when they are first needed."""
        features = self._views.get((key, number))
        if features is None:
            picture = next(iter(self._shown[key]))
            features = self._views[key, number] = self._look(picture, number)
            if len(self._views) > MAX_KEPT_VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end((key, number))
        return features

    def _look(self, picture: Picture, number: int) -> mx.array:
        size = self._sight.image_size
        num_bytes = 3 * size * size
        raw = np.frombuffer(picture.pixels, np.uint8, num_bytes, number * num_bytes)
        pixels = mx.array(raw.reshape(1, size, size, 3)).astype(mx.float32) / 255
        pixels = (pixels - mx.array(self._sight.mean)) / mx.array(self._sight.std)
        features: mx.array = self._connector(self._tower(pixels)[0])[0]
        mx.eval(features)
        return features


def load_vision(source: ModelSource, hidden_size: int) -> Vision | None:
    """The part of a model that sees; None where it has none, or mlx-vlm is not installed.

    Raises LoadError.
    """
    from .tokenizer import read_json
    from .vision_weights import read_projector, read_tower

    files = source.safetensors or {}
    config = read_json(files, "config.json") if source.gguf is None else {}
    if source.projector is None and config.get("model_type") not in SEEING_TYPES:
        return None
    if not can_see():
        log.warning("the model could see: pip install parallama[vision]")
        return None
    if source.projector is not None:
        return Vision(*read_projector(source.projector), hidden_size)
    found = "preprocessor_config.json" in files
    preprocessor = read_json(files, "preprocessor_config.json") if found else {}
    return Vision(*read_tower(files, config, preprocessor), hidden_size)


def inputs_of(
    rows: Sequence[Sequence[int]],
    model: Any,  # noqa: ANN401 (of mlx-lm)
    vision: Vision | None,
) -> tuple[mx.array, mx.array | None]:
    """Rows of ids padded behind, `(B, L)`, and their embeddings where a picture is in them."""
    token_ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for number, row in enumerate(rows):
        plain = row if vision is None else [0 if is_seen(one) else one for one in row]
        token_ids[number, : len(row)] = plain
    inputs = mx.array(token_ids)
    if vision is None or not any(map(is_seen, (one for row in rows for one in row))):
        return inputs, None
    embeddings: mx.array = model.model.embed_tokens(inputs)
    vision.put_into(embeddings, rows)
    return inputs, embeddings


def _modules(sight: Sight, hidden_size: int) -> tuple[Any, Any]:
    """An empty tower and connector."""
    from mlx_vlm.models.idefics3.config import ModelConfig, TextConfig, VisionConfig
    from mlx_vlm.models.idefics3.idefics3 import Idefics3Connector
    from mlx_vlm.models.idefics3.vision import VisionModel

    vision = VisionConfig(
        model_type="idefics3_vision",
        hidden_size=sight.hidden_size,
        num_attention_heads=sight.num_heads,
        patch_size=sight.patch_size,
        num_hidden_layers=sight.num_layers,
        intermediate_size=sight.intermediate_size,
        image_size=sight.image_size,
        layer_norm_eps=sight.epsilon,
    )
    text = TextConfig(  # of which the connector reads the width alone
        model_type="llama",
        hidden_size=hidden_size,
        intermediate_size=1,
        num_attention_heads=1,
        rms_norm_eps=1e-5,
        vocab_size=1,
        num_key_value_heads=1,
    )
    whole = ModelConfig(text, vision, model_type="idefics3", scale_factor=sight.merge)
    tower = VisionModel(vision)
    tower.post_layernorm.eps = sight.epsilon  # mlx-vlm leaves it at 1e-5
    return tower, Idefics3Connector(whole)


def _fill(module: Any, arrays: dict[str, mx.array], prefix: str) -> None:  # noqa: ANN401
    """Put the arrays of this name into their places, all of them and no other."""
    own = {
        name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)
    }
    flat: Any = tree_flatten(module.parameters())
    wanted = {name: tuple(one.shape) for name, one in flat}
    found = {name: tuple(one.shape) for name, one in own.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise LoadError(
                f"vision tensor {name!r} is {found.get(name)}, expected {wanted.get(name)}"
            )
    module.load_weights(list(own.items()))
    mx.eval(module.parameters())
