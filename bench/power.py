"""Power, where a library tells it without root: of the whole system, never of one process.

Apple silicon through `zeus-apple-silicon`, NVIDIA through `nvidia-ml-py`; without either there is
no figure. Both count energy, and power is what was counted between two looks.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

APPLE_PARTS = ("cpu_total_mj", "gpu_mj", "gpu_sram_mj", "ane_mj", "dram_mj")


@dataclass(frozen=True, slots=True)
class Meter:
    """A counter of energy in mJ, and what it counts."""

    source: str
    energy_mj: Callable[[], int | None]


def find_meter() -> Meter | None:
    """The meter of this machine; None where no library has one."""
    for meter in (apple, nvidia):
        try:
            found = meter()
            if found.energy_mj() is not None:
                return found
        except Exception:  # whatever a vendor's library raises where its hardware is absent
            continue
    return None


def apple() -> Meter:
    """CPU, GPU, neural engine and memory of Apple silicon."""
    monitor = importlib.import_module("zeus_apple_silicon").AppleEnergyMonitor()

    def energy_mj() -> int | None:
        taken = monitor.get_cumulative_energy()
        parts = [getattr(taken, name, None) for name in APPLE_PARTS]
        known = [part for part in parts if part is not None]
        return sum(known) if known else None

    return Meter("Apple IOReport: CPU, GPU, ANE, DRAM", energy_mj)


def nvidia() -> Meter:
    """All NVIDIA GPUs of the machine, and nothing but them."""
    library: Any = importlib.import_module("pynvml")
    library.nvmlInit()
    gpus = [library.nvmlDeviceGetHandleByIndex(n) for n in range(library.nvmlDeviceGetCount())]

    def energy_mj() -> int | None:
        counted = [int(library.nvmlDeviceGetTotalEnergyConsumption(gpu)) for gpu in gpus]
        return sum(counted) if counted else None

    return Meter("NVML: GPU", energy_mj)


class Power:
    """Watts between looks."""

    def __init__(
        self, meter: Meter | None, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._meter = meter
        self._clock_ns = clock_ns
        self._last: tuple[int, int] | None = None

    @property
    def source(self) -> str | None:
        """What is counted; None without a meter."""
        return self._meter.source if self._meter else None

    def look(self) -> float | None:
        """The mean power in W since the last look; None at the first, and without a meter."""
        if self._meter is None:
            return None
        energy_mj, at_ns = self._meter.energy_mj(), self._clock_ns()
        if energy_mj is None:
            return None
        last, self._last = self._last, (energy_mj, at_ns)
        if last is None or at_ns <= last[1] or energy_mj < last[0]:
            return None
        return (energy_mj - last[0]) / (at_ns - last[1]) * 1e6
