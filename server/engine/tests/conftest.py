"""Engines over tiny models, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..engine import Engine
from ..sequence import EngineSettings, ModelSource
from . import tiny


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random llama as a float32 GGUF."""
    return tiny.write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", tiny.weights())


@pytest.fixture(scope="session")
def engine(tiny_gguf: Path) -> Iterator[Engine]:
    """That model with four slots."""
    engine = Engine.load(ModelSource(gguf=tiny_gguf), EngineSettings(num_parallel=4))
    yield engine
    engine.close()


@pytest.fixture
def scripted() -> Path:
    """The folder of the scripted model."""
    return Path(__file__).resolve().parents[3] / "fixtures" / "models" / "scripted"
