"""The vision tower against the one in NumPy that trained it, and pictures in prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from fixtures.pictures import PICTURES, normalised
from fixtures.recitation import exact
from fixtures.siglip import Sight as Sizes
from fixtures.siglip import Siglip
from fixtures.weights import read_safetensors

from ...engine.picture import Picture
from ...engine.sequence import LoadError, ModelSource
from ...engine.vision import Vision, load_vision

SEEING = Path(__file__).resolve().parents[3] / "fixtures" / "models" / "scripted-vision"
FOLDER = SEEING / "safetensors"
HIDDEN = json.loads((FOLDER / "config.json").read_text())["text_config"]["hidden_size"]
SOURCES = {
    "gguf": ModelSource(SEEING / "scripted-vision.gguf", projector=SEEING / "mmproj.gguf"),
    "safetensors": ModelSource(None, {path.name: path for path in FOLDER.iterdir()}),
}


@pytest.fixture(params=SOURCES)
def vision(request: pytest.FixtureRequest) -> Vision:
    """The tower of the scripted model, from each kind of file."""
    loaded = load_vision(SOURCES[request.param], HIDDEN)
    assert loaded is not None
    return loaded


def picture(name: str) -> Picture:
    """One of the scripted model's pictures, as the server cuts it."""
    from ...engine.sight import sight_of_gguf
    from ...gguf import read_gguf_header

    sight = sight_of_gguf(read_gguf_header(SEEING / "mmproj.gguf").metadata)
    return Picture.of(1, 1, PICTURES[name].tobytes() * 2, sight)


def features(vision: Vision, ids: list[int]) -> Any:  # noqa: ANN401 (NumPy's arrays)
    """What the tower makes of one row."""
    embeddings = mx.zeros((1, len(ids), HIDDEN))
    vision.put_into(embeddings, [ids])
    return np.array(embeddings)[0]


@pytest.mark.parametrize("name", PICTURES)
def test_features_are_those_that_it_was_trained_with(vision: Vision, name: str) -> None:
    """mlx-vlm's tower and connector agree with the trainer's, in every picture."""
    shown = picture(name)
    vision.show([shown])
    weights = exact(read_safetensors(FOLDER / "model.safetensors"))
    oracle = Siglip(Sizes(text_hidden=HIDDEN), weights)
    wanted = oracle.features(normalised(PICTURES[name])[None])[0]
    found = features(vision, list(shown.ids(0)))
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_pictures_stand_between_tokens(vision: Vision) -> None:
    """Rows without one keep their embeddings, rows with one get it at its places alone."""
    shown = picture("red")
    vision.show([shown])
    embeddings = mx.ones((2, 6, HIDDEN))
    vision.put_into(embeddings, [[5, 6, 7], [5, *shown.ids(1), 6]])
    changed = np.array(embeddings != 1).any(-1)
    assert changed.tolist() == [[False] * 6, [False, True, True, True, True, False]]


def test_a_picture_is_known_while_somebody_holds_it(vision: Vision) -> None:
    """Equal pictures are one as long as any of them is held."""
    first, second = picture("red"), picture("red")
    some_id = first.ids(1)[3]
    assert not vision.knows(some_id)
    vision.show([first])
    vision.show([second])
    del first
    assert vision.knows(some_id)
    assert not vision.knows(some_id + 1)
    del second
    assert not vision.knows(some_id)


def test_a_projector_of_another_width_is_refused() -> None:
    """The tensor that does not fit is named."""
    with pytest.raises(LoadError, match="modality_projection"):
        load_vision(SOURCES["gguf"], HIDDEN + 1)


def test_a_model_without_eyes_has_no_tower() -> None:
    """A plain llama, of either kind."""
    plain = SEEING.parent / "scripted"
    files = {path.name: path for path in (plain / "safetensors").iterdir()}
    assert load_vision(ModelSource(None, files), HIDDEN) is None
    assert load_vision(ModelSource(plain / "scripted.gguf"), HIDDEN) is None
