"""Who goes first on a busy machine: what measures, and what it is measured by."""

from __future__ import annotations

import contextlib
import os

NICENESS = -10


def hurry() -> str:
    """Go before the server and its neighbours, as far as we may: what waits for a CPU would
    measure the queue for it. Says how.

    Niceness alone does little: Linux weighs sessions against each other first (sched(7),
    autogroup), and this one is ours alone.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):  # only root may
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return "real-time"
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
        return f"niceness {NICENESS}"
    return "ordinary"
