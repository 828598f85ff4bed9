"""The machine that the bench runs on, and the bench's own version."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import psutil


def describe() -> dict[str, Any]:
    """The `machine` of both documents."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def processor() -> str | None:
    """The processor's name, where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or None


def version() -> str:
    """The version of this distribution; `checkout` where it is not installed."""
    try:
        return importlib.metadata.version("parallama")
    except importlib.metadata.PackageNotFoundError:
        return "checkout"
