"""What `/metrics` tells, gathered when it is asked for (`prometheus/docs: exposition_formats`).

Requests are counted as they end; all else is read from what pool and engines count anyway.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from .engine.tally import Histogram
from .memory import Use
from .pool import Pool
from .version import VERSION

# field of `Tally`, name, help
_COUNTS = (
    ("prompt_tokens", "prompt_tokens", "Tokens of prompts, those from the prompt cache too."),
    ("output_tokens", "output_tokens", "Tokens generated."),
    ("reused_tokens", "prompt_cache_tokens", "Prompt tokens that were not computed again."),
    ("reuses", "prompt_cache_hits", "Prompts that began with kept tokens."),
)
_TIMES = (
    ("ttft", "ttft_seconds", "From a prompt's arrival to its first token."),
    ("steps", "step_seconds", "One turn of an engine: prefill, decode, sampling."),
)


@dataclass(frozen=True, slots=True)
class MLXMemory:
    """What MLX says of itself; zeros before it is used."""

    active: int = 0
    peak: int = 0
    cache: int = 0
    device: str = ""


def mlx_memory() -> MLXMemory:
    """MLX's bytes; not for the event loop. It is not imported for this."""
    mlx = sys.modules.get("mlx.core")
    if mlx is None:
        return MLXMemory()
    return MLXMemory(
        active=mlx.get_active_memory(),
        peak=mlx.get_peak_memory(),
        cache=mlx.get_cache_memory(),
        device=str(mlx.device_info().get("device_name", "")),
    )


class Metrics:
    """The server's metrics, in a registry of their own. Event loop only."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        self._state = _State(pool)
        self._registry.register(self._state)

    def answered(self, route: str, status: int) -> None:
        """Count a request."""
        self._state.answered[route, status] += 1

    def text(self, mlx: MLXMemory) -> bytes:
        """The exposition."""
        self._state.mlx = mlx
        return generate_latest(self._registry)


class _State(Collector):
    """What holds at this moment."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.mlx = MLXMemory()
        self.answered = Counter[tuple[str, int]]()

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield InfoMetricFamily(
            "parallama", "This server.", {"version": VERSION, "device": self.mlx.device}
        )
        tells = "Requests answered; status 499: the client left."
        answered = CounterMetricFamily("parallama_requests", tells, labels=["route", "status"])
        for (route, status), number in self.answered.items():
            answered.add_metric([route, str(status)], number)
        yield answered
        yield from self._memory()
        yield from self._models()
        tallies = self._pool.tallies.items()
        for field, name, tells in _COUNTS:
            counts = CounterMetricFamily(f"parallama_{name}", tells, labels=["model"])
            for model, tally in tallies:
                counts.add_metric([model], getattr(tally, field))
            yield counts
        for field, name, tells in _TIMES:
            times = HistogramMetricFamily(f"parallama_{name}", tells, labels=["model"])
            for model, tally in tallies:
                values: Histogram = getattr(tally, field)
                times.add_metric([model], values.cumulative(), values.total)
            yield times

    def _memory(self) -> Iterator[Metric]:
        mlx = GaugeMetricFamily("parallama_mlx_memory_bytes", "MLX's memory.", labels=["kind"])
        for kind in ("active", "peak", "cache"):
            mlx.add_metric([kind], getattr(self.mlx, kind))
        yield mlx
        ledger = self._pool.ledger
        for name, tells, value in (
            ("parallama_memory_budget_bytes", "What all models may take.", ledger.budget_bytes),
            ("parallama_memory_booked_bytes", "What all models hold.", ledger.booked_bytes),
        ):
            yield GaugeMetricFamily(name, tells, value)
        tells = "What each loaded model holds; kv is what its running requests may grow to."
        held = GaugeMetricFamily("parallama_model_memory_bytes", tells, labels=["model", "use"])
        for model in self._pool.loaded:
            for use in Use:
                held.add_metric([model.wanted.name, use], model.account.booked(use))
        yield held

    def _models(self) -> Iterator[Metric]:
        loaded = self._pool.loaded
        yield GaugeMetricFamily("parallama_models_loaded", "Loaded models.", len(loaded))
        tells = "Requests: running, waiting for a slot, waiting for a model to be loaded."
        requests = GaugeMetricFamily("parallama_requests_open", tells, labels=["state"])
        tallies = [model.engine.tally for model in loaded]
        running = sum(min(one.num_running, one.num_open) for one in tallies)
        requests.add_metric(["running"], running)
        requests.add_metric(["waiting"], sum(one.num_waiting for one in tallies))
        requests.add_metric(["loading"], self._pool.num_waiting)
        yield requests
