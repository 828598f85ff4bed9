"""Fetching a model that the target does not have, through its own /api/pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import target
from .target import Address

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE_S = 300.0


class PullError(Exception):
    """The model could not be fetched; the message is what the server said."""


def pull(address: Address, model: str, console: Console) -> None:
    """Return when the target has the model; raises PullError, TargetError."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        *(TextColumn("pulling {task.description}"), BarColumn(), DownloadColumn()),
        TimeRemainingColumn(),
    )
    layers: dict[str, tuple[int, int]] = {}
    ended = False
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(model, total=None)
        for record in target.ask_lines(address, "/api/pull", {"model": model}, PATIENCE_S):
            if record.get("error"):
                raise PullError(str(record["error"]))
            total = record.get("total")
            if isinstance(total, int):
                layers[str(record.get("digest"))] = (int(record.get("completed") or 0), total)
                done, whole = (sum(column) for column in zip(*layers.values(), strict=True))
                progress.update(bar, completed=done, total=whole)
            ended = ended or record.get("status") == "success"
    if not ended:
        raise PullError("the stream ended before the model was there")
