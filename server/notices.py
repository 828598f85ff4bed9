"""What the log says once, however often it happens."""

from collections.abc import Sequence

import structlog

log = structlog.get_logger("parallama")

MAX_NAMES = 100
"""Clients choose the names of options: no more of them are remembered, or named."""
MAX_CHARACTERS = 40


class Notices:
    """The notices of one server, and which of them were given."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def idle_options(self, names: Sequence[str]) -> None:
        """Warn of options that have no effect here, of each in the first request that has it."""
        fresh = [name for name in dict.fromkeys(names) if name not in self._named]
        fresh = fresh[: MAX_NAMES - len(self._named)]
        if not fresh:
            return
        self._named.update(fresh)
        shown = [name[:MAX_CHARACTERS] for name in fresh]
        log.warning("options without effect on this server", options=shown, see="docs/options.md")
