"""What computes: MLX's default device. Whoever needs to know asks here, and not for a platform."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import cache
from typing import Any, Final

CUDA_PERCENT: Final = 90  # the rest is for CUDA's context, libraries and kernels


class Device(StrEnum):
    """A kind of processor with memory of its kind."""

    CPU = "cpu"
    METAL = "metal"  # shares its memory with the CPU
    CUDA = "cuda"

    @property
    def is_gpu(self) -> bool:
        """Whether it multiplies native and packed types fast, and takes work while it is busy."""
        return self is not Device.CPU


@cache
def device() -> Device:
    """The device of this process."""
    import mlx.core as mx

    return device_of(mx)


def device_of(mlx: Any) -> Device:  # noqa: ANN401 (the module, or what a test has for it)
    """The default device of an MLX."""
    if mlx.default_device() != mlx.Device(mlx.DeviceType.gpu):
        return Device.CPU
    return Device.METAL if mlx.metal.is_available() else Device.CUDA


def total_memory_bytes() -> int:
    """The memory that arrays lie in, all of it."""
    if device() is Device.CUDA:
        import mlx.core as mx

        return int(mx.device_info()["total_memory"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gpu_memory_bytes(kind: Device, mlx: Any) -> int:  # noqa: ANN401
    """How much a GPU has for models, by the fields of MLX's `device_info` for its kind.

    Metal recommends a part of the memory that it shares. CUDA tells what is free now, of all
    processes where NVML answers; a part of that is left for what MLX does not count.
    """
    told = mlx.device_info()
    if kind is Device.METAL:
        return int(told["max_recommended_working_set_size"])
    return int(told.get("free_memory", told["total_memory"])) * CUDA_PERCENT // 100
