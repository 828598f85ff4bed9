"""Memory that macOS may not page out: as much as the loaded models hold, and nothing elsewhere.

The KV that grows later stays pageable, so that it need not be reserved beforehand
(`x/mlxrunner/runner.go:configureWiredMemory`).
"""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger(__name__)


def wire_loaded(mlx: Any = None) -> None:  # noqa: ANN401 (the module, or what a test has for it)
    """Wire what MLX holds now; after each model that is loaded or unloaded, on any thread.

    Only where there is Metal: elsewhere nothing is called.
    """
    if mlx is None:
        import mlx.core as mlx
    if not mlx.metal.is_available():
        return
    active_bytes = mlx.get_active_memory()
    recommended_bytes = mlx.device_info()["max_recommended_working_set_size"]
    if active_bytes > recommended_bytes:
        log.warning(
            "the models take %d bytes, more than the %d that Metal recommends: expect paging",
            active_bytes,
            recommended_bytes,
        )
    try:
        mlx.set_wired_limit(min(active_bytes, recommended_bytes))
    except (RuntimeError, ValueError) as error:  # beyond the system's own limit
        log.warning("the models stay pageable: %s", error)
