"""Models on disk."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..errors import ApiError
from ..names import ModelName
from ..store import BadDigestError, Layer, Store, UnreadableError, checked_digest
from .conftest import digest_of

M = ModelName.parse("m")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "models")


def put(store: Store, name: str, text: bytes = b"hi") -> Layer:
    """A model of one system text; its layer."""
    layer, _ = store.add_layer("system", text)
    store.write(ModelName.parse(name), store.add_config({}), (layer,))
    return layer


def files(store: Store) -> set[str]:
    """Everything in the store."""
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha1:" + "0" * 40,
        "sha256:" + "g" * 64,
        "sha256:../../x",
        "sha256:" + "0" * 65,
    ],
)
def test_other_text_is_no_digest(text: str) -> None:
    """Nothing else ever becomes a path."""
    with pytest.raises(BadDigestError):
        checked_digest(text)


def test_both_spellings_of_a_digest_mean_one_blob(store: Store) -> None:
    """Colon or dash, upper or lower case."""
    layer = put(store, "m")
    assert store.has_blob(layer.digest.replace(":", "-"))
    assert store.has_blob("sha256:" + layer.digest[7:].upper())


@pytest.mark.parametrize(
    ("kind", "text", "digest"),
    [
        (
            "template",
            b"{{ .Prompt }}",
            "b507b9c2f6ca642bffcd06665ea7c91f235fd32daeefdf875a0f938db05fb315",
        ),
        (
            "template",
            b"{{ .System }} {{ .Prompt }}",
            "fe7ac77b725cda2ccad03f88a880ecdfd7a33192d6cae08fce2c0ee1455991ed",
        ),
        ("system", b"Say hi!", "f29e82a8284dbdf5910b1555580ff60b04238b8da9d5e51159ada67a4d0d5851"),
        ("system", b"Say bye!", "4c5f51faac758fecaff8db42f0b7382891a4d0c0bb885f7b86be88c814a7cc86"),
        ("license", b"MIT", "e5dcffe836b6ec8a58e492419b550e65fb8cbdc308503979e5dacb33ac7ea3b7"),
        (
            "license",
            b"Apache-2.0",
            "2af71558e438db0b73a20beab92dc278a94e1bbe974c00c1a33e3ab62d53a608",
        ),
    ],
)
def test_text_layers_have_ollamas_digests(
    store: Store, kind: str, text: bytes, digest: str
) -> None:
    """The vectors V4, V5, V6 and V11."""
    assert store.add_layer(kind, text)[0].digest == f"sha256:{digest}"


def test_a_written_model_lies_where_ollama_looks_for_it(store: Store) -> None:
    """One manifest by its name, and its blobs by their digests."""
    layer = put(store, "m")
    assert "manifests/registry.ollama.ai/library/m/latest" in files(store)
    assert f"blobs/{layer.digest.replace(':', '-')}" in files(store)
    assert len(files(store)) == 3


def test_a_manifest_is_one_line_with_ollamas_fields(store: Store) -> None:
    """Readers compare its bytes by digest."""
    put(store, "m")
    text = (store.root / "manifests/registry.ollama.ai/library/m/latest").read_text()
    assert text.endswith("\n")
    assert list(json.loads(text)) == ["schemaVersion", "mediaType", "config", "layers"]


def test_a_model_is_found_in_any_case(store: Store) -> None:
    """There are never two that differ only in case."""
    put(store, "Foo")
    assert store.find(ModelName.parse("fOO")) == ModelName.parse("Foo")


def test_files_elsewhere_are_no_models(store: Store) -> None:
    """Manifests are four folders deep and have names by the grammar."""
    put(store, "m")
    folder = store.root / "manifests/registry.ollama.ai/library"
    (folder / "m" / ".hidden").write_text("{}")
    (folder / "stray").write_text("{}")
    (folder / "m" / "deep").mkdir()
    (folder / "m" / "deep" / "x").write_text("{}")
    assert list(store.names()) == [M]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"layers":[5]}',
        '{"layers":[{"digest":"sha256:../../etc/passwd"}]}',
        '{"config":3}',
    ],
)
def test_a_damaged_manifest_is_unreadable(store: Store, text: str) -> None:
    """And it is left out of the list."""
    put(store, "m")
    (store.root / "manifests/registry.ollama.ai/library/m/latest").write_text(text)
    with pytest.raises(UnreadableError):
        store.read(M)
    assert list(store.manifests()) == []


def test_layers_may_be_null(store: Store) -> None:
    """Ollama writes that for models without any."""
    put(store, "m")
    path = store.root / "manifests/registry.ollama.ai/library/m/latest"
    path.write_text('{"schemaVersion":2,"config":{},"layers":null,"more":1}')
    assert store.read(M).layers == ()


def test_deleting_removes_what_only_this_model_used(store: Store) -> None:
    """Shared blobs stay."""
    shared = put(store, "a")
    put(store, "b")
    own = put(store, "c", b"own")
    store.delete(ModelName.parse("b"))
    store.delete(ModelName.parse("c"))
    assert store.has_blob(shared.digest)
    assert not store.has_blob(own.digest)
    store.delete(ModelName.parse("a"))
    assert files(store) == set()


def test_a_damaged_model_can_be_deleted(store: Store) -> None:
    """Its manifest goes; its blobs are unknown."""
    put(store, "m")
    (store.root / "manifests/registry.ollama.ai/library/m/latest").write_text("{")
    store.delete(M)
    assert store.find(M) is None


def test_an_upload_of_other_bytes_is_refused_and_gone(store: Store) -> None:
    """The error names both digests."""
    with store.upload() as upload:
        upload.write(b"x")
        with pytest.raises(ApiError, match="digest mismatch, expected"):
            upload.finish(digest_of(b"y"))
    assert files(store) == set()


def test_an_upload_that_stops_leaves_nothing(store: Store) -> None:
    """Neither a blob nor a temporary file."""
    with store.upload() as upload:
        upload.write(b"x")
    assert files(store) == set()


def test_blobs_are_readable_by_others(store: Store) -> None:
    """As Ollama's are."""
    layer = put(store, "m")
    assert store.blob(layer.digest).stat().st_mode & 0o777 == 0o644


def make_old(store: Store) -> None:
    """Set every blob back by two hours."""
    for path in (store.root / "blobs").iterdir():
        stamp = path.stat().st_mtime - 7200
        os.utime(path, (stamp, stamp))


def test_pruning_removes_old_files_of_no_model(store: Store) -> None:
    """Temporary files and blobs; what a model uses stays."""
    layer = put(store, "m")
    orphan, _ = store.add_layer("system", b"orphan")
    (store.root / "blobs" / "sha256-1234").write_bytes(b"")
    make_old(store)
    young, _ = store.add_layer("system", b"young")
    assert store.prune()
    there = [store.has_blob(each.digest) for each in (layer, orphan, young)]
    assert there == [True, False, True]
    assert not (store.root / "blobs" / "sha256-1234").exists()


def test_pruning_does_nothing_beside_a_damaged_manifest(store: Store) -> None:
    """Which blobs it uses is unknown."""
    put(store, "m")
    (store.root / "manifests/registry.ollama.ai/library/m/latest").write_text("{")
    make_old(store)
    before = files(store)
    assert not store.prune()
    assert files(store) == before


def test_deleting_a_linked_blob_leaves_its_target(store: Store, tmp_path: Path) -> None:
    """Links inside the store are followed for reading only."""
    layer = put(store, "m")
    target = tmp_path / "elsewhere"
    store.blob(layer.digest).rename(target)
    store.blob(layer.digest).symlink_to(target)
    store.delete(M)
    assert target.read_bytes() == b"hi"


def test_blobs_of_early_releases_get_their_new_names(store: Store) -> None:
    """A colon in the name becomes a dash."""
    blobs = store.root / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "sha256:abcd").write_bytes(b"")
    (blobs / "other:abcd").write_bytes(b"")
    store.adopt_old_names()
    assert {path.name for path in blobs.iterdir()} == {"sha256-abcd", "other:abcd"}


def test_a_folder_that_goes_while_models_are_listed_is_no_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request deletes the last model of a namespace: the others are listed."""
    put(store, "a/gone")
    put(store, "b/stays")
    gone = store.root / "manifests/registry.ollama.ai/a"
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder == gone:
            raise FileNotFoundError(folder)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert [name.short for name in store.names()] == ["b/stays:latest"]
