"""What the machine offers: memory for models. Read once, when the server starts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .engine.device import device, gpu_memory_bytes

PROC: Final = Path("/proc/meminfo")
CGROUP: Final = Path("/sys/fs/cgroup")
# The rest is for Python, tokenizers, the BLAS and whoever else runs on the machine.
LINUX_PERCENT: Final = 90


def model_memory_bytes() -> int:
    """How much the models may take together.

    Of a GPU what its device says, else nine tenths of what is available now.
    """
    if (kind := device()).is_gpu:
        import mlx.core as mx

        return gpu_memory_bytes(kind, mx)
    return linux_available_bytes(PROC, CGROUP) * LINUX_PERCENT // 100


def linux_available_bytes(meminfo: Path, cgroup: Path) -> int:
    """What the kernel can give, within the limit of this control group."""
    lines = (line.split() for line in meminfo.read_text().splitlines())
    available_bytes = next(int(each[1]) * 1024 for each in lines if each[0] == "MemAvailable:")
    try:
        limit = int((cgroup / "memory.max").read_text())  # "max" where there is none
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return available_bytes
    return min(available_bytes, max(0, limit - used))
