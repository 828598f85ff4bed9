"""Liars about those who wait for a model, and those who have left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..honest import Lie
from ..lies import error_text, statuses, values
from .liar import Liar

BUSY = "short_queue"


def _unsized(told: dict[str, Any]) -> None:
    for one in told["models"]:
        one.update(size=0, size_vram=0)


WAITING = [
    Liar("listed too soon", "lifecycle/listed-when-whole", Lie(flaw="listed too soon")),
    Liar(
        "listed before its size is known",
        "lifecycle/listed-when-whole",
        replace(values(_unsized, "/api/ps"), flaw="listed too soon"),
    ),
    Liar("delete unloads", "lifecycle/deleted-while-loaded", Lie(flaw="delete unloads")),
    Liar(
        "serves who left the line",
        "lifecycle/leaving-the-line",
        Lie(flaw="serves_who_left_the_line"),
    ),
    Liar("loads for nobody", "lifecycle/leaving-before-a-load", Lie(flaw="loads for nobody")),
    Liar(
        "reads prompts of nobody",
        "lifecycle/leaving-while-the-prompt-is-read",
        Lie(flaw="reads_to_the_end"),
    ),
    Liar(
        "reads prompts of nobody slowly",
        "lifecycle/leaving-while-the-prompt-is-read",
        Lie(flaw="reads_slowly_to_the_end"),
    ),
    Liar("busy is a fault", "concurrency/line-for-a-load", replace(statuses(503, 500), flaw=BUSY)),
    Liar(
        "busy is too many",
        "concurrency/line-for-a-load",
        replace(statuses(503, 429), flaw=BUSY),
    ),
    Liar(
        "busy says something else",
        "concurrency/line-for-a-load",
        replace(error_text("overloaded", status=503), flaw=BUSY),
    ),
    Liar(
        "who waits for a load gets less",
        "concurrency/line-for-a-load",
        Lie(flaw="shares_prompts"),
    ),
]
