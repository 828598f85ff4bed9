"""Wiring the memory of loaded models, with an MLX that only notes what it is told."""

from __future__ import annotations

from types import SimpleNamespace

import mlx.core as mx
import pytest

from ..wired import wire_loaded


def metal(active_bytes: int, *, is_available: bool = True, limits: list[int]) -> SimpleNamespace:
    """An MLX of a Mac for which Metal recommends 1000 bytes."""
    return SimpleNamespace(
        metal=SimpleNamespace(is_available=lambda: is_available),
        get_active_memory=lambda: active_bytes,
        device_info=lambda: {"max_recommended_working_set_size": 1000},
        set_wired_limit=limits.append,
    )


def test_what_the_models_hold_is_wired() -> None:
    """No more: KV caches grow later."""
    limits: list[int] = []
    wire_loaded(metal(600, limits=limits))
    assert limits == [600]


def test_no_more_is_wired_than_metal_recommends(caplog: pytest.LogCaptureFixture) -> None:
    """The log says that the models are too large."""
    limits: list[int] = []
    wire_loaded(metal(1600, limits=limits))
    assert limits == [1000]
    assert "1600 bytes" in caplog.text


def test_without_metal_nothing_is_called() -> None:
    """As on Linux."""
    limits: list[int] = []
    wire_loaded(metal(600, is_available=False, limits=limits))
    assert limits == []


def test_a_limit_that_the_system_refuses_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """The model runs, pageable."""

    def refuse(limit: int) -> None:
        raise ValueError("limit too large")

    mlx = metal(600, limits=[])
    mlx.set_wired_limit = refuse
    wire_loaded(mlx)
    assert "stay pageable" in caplog.text


@pytest.mark.skipif(mx.metal.is_available(), reason="this machine has Metal")
def test_linux_never_touches_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real MLX."""
    monkeypatch.setattr(mx, "set_wired_limit", lambda limit: pytest.fail("touched"))
    wire_loaded()
