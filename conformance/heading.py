"""The header of run.jsonl: who judges whom, where, when, and by what selection."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from .reference import Reference
from .settings import Settings
from .setup import Setup


def now() -> str:
    """The time, as documents have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def header(setup: Setup, settings: Settings, reference: Reference | None = None) -> dict[str, Any]:
    """The header of run.jsonl."""
    beside = {"name": reference.name, "version": reference.version} if reference else None
    made: dict[str, Any] = {
        "kind": "header",
        "schema": "parallama/run/1",
        "suite_version": _suite_version(),
        "started_at": now(),
        "target": {
            "url": setup.url,
            "version": setup.version,
            "server": setup.server,
            "model": setup.model,
            "scripted": setup.scripted,
        },
        "selection": settings.selection,
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "calibration": {
            "trusts_status": setup.calibration.trusts_status,
            "notes": list(setup.calibration.notes),
        },
    }
    return {**made, "reference": beside} if beside else made


def _suite_version() -> str:
    try:
        return metadata.version("parallama")
    except metadata.PackageNotFoundError:
        return "0"
