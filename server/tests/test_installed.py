"""Models as they are read from the store, and what is remembered of them."""

import os
from pathlib import Path

import pytest

from .. import store as store_module
from ..installed import Catalog
from ..names import ModelName
from ..store import Store

M = ModelName.parse("m")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalog with the model `m`, whose manifest counts as old enough."""
    monkeypatch.setattr(store_module, "_SETTLED_NS", 0)
    catalog = Catalog(Store(tmp_path / "models"))
    put(catalog, "one")
    return catalog


def put(catalog: Catalog, system: str, name: ModelName = M) -> None:
    """A model of one system text."""
    store = catalog.store
    layer, _ = store.add_layer("system", system.encode())
    store.write(name, store.add_config({}), (layer,))


def manifest(catalog: Catalog) -> Path:
    """The file of `m`."""
    return catalog.store.root / "manifests" / M.host / M.namespace / M.model / M.tag


def test_a_model_is_known_once_it_was_read(catalog: Catalog) -> None:
    """Not before, as its files would have to be read."""
    assert catalog.unchanged(M) is None
    assert catalog.get(M) is catalog.unchanged(M) is not None


def test_a_manifest_of_the_same_size_and_time_is_another_model(catalog: Catalog) -> None:
    """The file is another one, though its date says otherwise."""
    catalog.get(M)
    before = manifest(catalog).stat()
    put(catalog, "two")
    os.utime(manifest(catalog), ns=(before.st_atime_ns, before.st_mtime_ns))
    after = manifest(catalog).stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert catalog.unchanged(M) is None
    found = catalog.get(M)
    assert found is not None
    assert found.system == "two"


def test_a_manifest_written_in_its_place_is_another_model(catalog: Catalog) -> None:
    """By whatever process, and of the same size: the same file, at another time."""
    was = manifest(catalog).read_bytes()
    put(catalog, "two")
    new = manifest(catalog).read_bytes()
    manifest(catalog).write_bytes(was)
    os.utime(manifest(catalog), ns=(0, 1))
    catalog.get(M)
    manifest(catalog).write_bytes(new)
    assert catalog.unchanged(M) is None
    found = catalog.get(M)
    assert found is not None
    assert found.system == "two"


def test_a_model_that_is_gone_is_not_known(catalog: Catalog) -> None:
    """Also where another process deleted it."""
    catalog.get(M)
    manifest(catalog).unlink()
    assert catalog.unchanged(M) is None
    assert catalog.get(M) is None


def test_a_young_manifest_is_read_each_time(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a file system may not tell it from one that is written right after it."""
    monkeypatch.setattr(store_module, "_SETTLED_NS", 3_600_000_000_000)
    assert catalog.get(M) is not None
    assert catalog.unchanged(M) is None


def test_not_all_models_ever_read_are_kept(catalog: Catalog) -> None:
    """Headers are large."""
    catalog.get(M)
    for number in range(64):
        other = ModelName.parse(f"m{number}")
        put(catalog, "one", other)
        catalog.get(other)
    assert catalog.unchanged(M) is None
