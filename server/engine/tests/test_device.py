"""What a GPU changes, with an MLX that says it has one.

No GPU computes here: these tests hold the decisions, not the results.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

from .. import device as devices
from .. import embedding_files, loader, share
from ..device import Device, device, device_of, gpu_memory_bytes
from ..embedding_files import load_embedder
from ..scheduler import budget_of
from ..sequence import ModelSource
from . import tiny, tiny_bert

METAL_TELLS = {"memory_size": 1600, "max_recommended_working_set_size": 1200}
CUDA_TELLS = {"free_memory": 1000, "total_memory": 2000, "architecture": "sm_90"}
GPUS = [Device.METAL, Device.CUDA]


def faked(kind: mx.DeviceType, *, metal: bool, tells: object = None) -> SimpleNamespace:
    """An MLX whose default device is of this type."""
    return SimpleNamespace(
        Device=mx.Device,
        DeviceType=mx.DeviceType,
        default_device=lambda: mx.Device(kind),
        metal=SimpleNamespace(is_available=lambda: metal),
        device_info=lambda: tells,
    )


@pytest.mark.parametrize(
    ("kind", "metal", "expected"),
    [
        (mx.DeviceType.gpu, True, Device.METAL),
        (mx.DeviceType.gpu, False, Device.CUDA),
        (mx.DeviceType.cpu, False, Device.CPU),
        (mx.DeviceType.cpu, True, Device.CPU),
    ],
)
def test_the_default_device_decides(kind: mx.DeviceType, metal: bool, expected: Device) -> None:
    """A Mac that was told to use its CPU is a CPU, and a GPU without Metal is CUDA's."""
    assert device_of(faked(kind, metal=metal)) is expected


def test_this_process_asks_its_mlx() -> None:
    """The real one."""
    assert device() is device_of(mx)


@pytest.mark.parametrize(
    ("kind", "tells", "expected"),
    [
        (Device.METAL, METAL_TELLS, 1200),
        (Device.CUDA, CUDA_TELLS, 900),
        (Device.CUDA, {"total_memory": 2000}, 1800),
    ],
)
def test_a_gpu_tells_what_models_may_take(
    kind: Device, tells: dict[str, Any], expected: int
) -> None:
    """Metal what it recommends; CUDA nine tenths of what is free, of all if it does not say."""
    mlx = faked(mx.DeviceType.gpu, metal=kind is Device.METAL, tells=tells)
    assert gpu_memory_bytes(kind, mlx) == expected


@pytest.mark.parametrize("kind", GPUS)
def test_a_gpu_gets_a_model_in_its_own_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Device
) -> None:
    """Packed weights, half precision, mlx-lm's layers, and neither another BLAS nor tiles."""
    for name in ("use_fast_blas", "lay_out", "lay_out_linears", "multiplies_unpacked"):
        monkeypatch.setattr(loader, name, lambda *_: pytest.fail("is for a CPU"))
    monkeypatch.setattr(mx, "disable_compile", lambda: pytest.fail("is for a CPU"))
    monkeypatch.setattr(loader, "device", lambda: kind)
    path = tiny.write_gguf(tmp_path / "m", tiny.weights(), "Q4_0")
    loaded = loader.load(ModelSource(path), 1)
    assert loaded.kv.dtype == mx.float16
    projection = loaded.model.layers[0].self_attn.q_proj
    assert projection.weight.dtype == mx.uint32
    assert type(projection).__module__ == "mlx.nn.layers.quantized"


def test_a_cpu_gets_float32_and_a_fast_blas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ever, whatever the platform is."""
    asked: list[int] = []
    monkeypatch.setattr(loader, "use_fast_blas", asked.append)
    monkeypatch.setattr(loader, "device", lambda: Device.CPU)
    loaded = loader.load(ModelSource(tiny.write_gguf(tmp_path / "m", tiny.weights(), "Q4_0")), 3)
    assert asked == [3]
    assert loaded.kv.dtype == mx.float32


@pytest.mark.parametrize("kind", GPUS)
def test_an_encoder_has_its_own_type_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Device
) -> None:
    """Half the bytes that it takes on a CPU."""
    path = tmp_path / "bert"
    path.write_bytes(tiny_bert.gguf(tiny_bert.weights(), "F16"))
    found = {}
    for one in (Device.CPU, kind):
        monkeypatch.setattr(embedding_files, "device", lambda one=one: one)
        found[one] = load_embedder(ModelSource(path), 1).model.nbytes
    assert 2 * found[kind] == found[Device.CPU]


@pytest.mark.parametrize("kind", GPUS)
def test_a_gpu_prefills_more_when_nothing_else_runs(kind: Device) -> None:
    """And as many tokens as a CPU beside others."""
    on_gpu, on_cpu = budget_of(kind), budget_of(Device.CPU)
    assert on_gpu.alone > on_cpu.alone
    assert on_gpu.beside_decode == on_cpu.beside_decode


def test_kept_prompts_take_an_eighth_of_a_small_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of the machine around it does not count."""
    monkeypatch.setattr(devices, "device", lambda: Device.CUDA)
    monkeypatch.setattr(share, "device", lambda: Device.CUDA)
    monkeypatch.setattr(mx, "device_info", lambda: {"total_memory": 8 << 30})
    assert share.suitable_kept_bytes() == 1 << 30
    monkeypatch.setattr(mx, "device_info", lambda: {"total_memory": 80 << 30})
    assert share.suitable_kept_bytes() == 4 << 30
