"""The Locust user: does one job of a round after another. Imported by `drive` alone.

Locust says how many users there are, and on which worker; what each of them does is in `rounds`.
"""

from __future__ import annotations

from typing import ClassVar

from gevent.queue import Queue
from locust import User, task


class StreamUser(User):
    """A seat in a closed loop, or the dispatcher of an open one, for as long as a point runs."""

    jobs: ClassVar[Queue] = Queue()

    @task
    def work(self) -> None:
        """Take the next job and do it to its end."""
        self.jobs.get()()
