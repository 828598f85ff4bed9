"""One arm observed while a run goes on: its process tree, what it declares, and power."""

from __future__ import annotations

import time

from prometheus_client.parser import text_string_to_metric_families

from . import target
from .power import Power
from .resources import Watch, find_server
from .sample import Resource
from .target import Address

ASK_EVERY_NS = 1_000_000_000
"""A look at the process tree costs the server nothing; a question over HTTP does."""
MLX_MEMORY = "parallama_mlx_memory_bytes"


class Observer:
    """Looks at an arm's server. What is asked over HTTP is asked once a second and at the ends of
    phases, and not at all once the server does not know the route."""

    def __init__(self, arm: int, address: Address, model: str, power: Power) -> None:
        self._arm = arm
        self._address = address
        self._model = model
        self._power = power
        self._watch = Watch(find_server(address))
        self._asked_ns: int | None = None
        self._declared: int | None = None
        self._mlx: dict[str, int] | None = {}

    def look(self, at_ns: int, phase: str, ask: bool = False) -> Resource:
        """What the arm takes now; `at_ns` counts from the run's start."""
        now_ns = time.monotonic_ns()
        if ask or self._asked_ns is None or now_ns - self._asked_ns >= ASK_EVERY_NS:
            self._asked_ns = now_ns
            self._declared = target.declared_bytes(self._address, self._model)
            self._mlx = None if self._mlx is None else mlx_bytes(self._address)
        tree = self._watch.look()
        mlx = self._mlx or {}
        power_w = self._power.look()
        return Resource(
            at_ns=at_ns,
            phase=phase,
            arm=self._arm,
            processes=tree.processes,
            rss_bytes=tree.rss_bytes,
            pss_bytes=tree.pss_bytes,
            anonymous_bytes=tree.anonymous_bytes,
            file_bytes=tree.file_bytes,
            footprint_bytes=tree.footprint_bytes,
            declared_bytes=self._declared,
            mlx_active_bytes=mlx.get("active"),
            mlx_peak_bytes=mlx.get("peak"),
            mlx_cache_bytes=mlx.get("cache"),
            power_w=power_w,
            power_source=self._power.source if power_w is not None else None,
        )


def mlx_bytes(address: Address) -> dict[str, int] | None:
    """MLX's memory by kind, as parallama's server publishes it; None from any other server."""
    try:
        text = target.ask_text(address, "/metrics")
        families = list(text_string_to_metric_families(text or ""))
    except (target.TargetError, ValueError):
        return None
    samples = [one for family in families for one in family.samples if one.name == MLX_MEMORY]
    return {one.labels.get("kind", ""): int(one.value) for one in samples} or None
