"""The thread that owns a loaded model: it loads, obeys its inbox, takes turns, and unloads.

What it loads and what a turn is comes as `Work`. Everything of MLX lives and dies on this
thread; the methods of `ModelThread` are for any other.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from concurrent.futures import Future
from typing import Final, Generic, Protocol, TypeVar

from .sequence import LoadError
from .thread_pool import ThreadPool

log = logging.getLogger(__name__)

UNLOADED: Final = "the model was unloaded"

_threads = ThreadPool("model")

Command_contra = TypeVar("Command_contra", contravariant=True)
Summary_co = TypeVar("Summary_co", covariant=True)
Command = TypeVar("Command")
Summary = TypeVar("Summary")


class Work(Protocol[Command_contra, Summary_co]):
    """What one kind of model does; called on its thread only."""

    def load(self) -> Summary_co:
        """Load the model; what others may know of it. Raises LoadError."""

    def obey(self, command: Command_contra) -> None:
        """Take a command."""

    def turn(self) -> bool:
        """Do one thing; False if there was nothing to do."""

    def unload(self) -> None:
        """Tell all who wait that it is over, and free the model."""


class ModelThread(Generic[Command, Summary]):
    """One loaded model's thread and the inbox through which it is reached."""

    def __init__(self, work: Work[Command, Summary]) -> None:
        self._work = work
        self._inbox: deque[Command] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self._summary: Future[Summary] = Future()
        atexit.register(self.close)  # before the thread is told to end
        self._done = _threads.run(self._main)

    def loaded(self) -> Summary:
        """What the model is, once it is loaded; raises LoadError."""
        return self._summary.result()

    def put(self, command: Command) -> bool:
        """Whether the command will be obeyed: not after `close`."""
        with self._lock:
            if not self._closed:
                self._inbox.append(command)
                self._wake.set()
            return not self._closed

    def close(self) -> None:
        """Unload the model and wait for the thread; again does nothing."""
        with self._lock:
            self._closed = True
            self._wake.set()
        self._done.result()

    def _main(self) -> None:
        try:
            self._live()
        finally:
            atexit.unregister(self.close)

    def _live(self) -> None:
        try:
            self._summary.set_result(self._work.load())
        except LoadError as error:
            self._summary.set_exception(error)
            return
        except BaseException as error:  # a panic inside tokenizers is no Exception
            log.exception("loading failed")
            self._summary.set_exception(LoadError(f"the model cannot be loaded: {error!r}"))
            return
        while not self._closed:
            self._wake.clear()
            self._obey_all()
            if not self._work.turn() and not self._closed:
                self._wake.wait()
        self._obey_all()  # whoever asked before the end is told of it
        self._work.unload()

    def _obey_all(self) -> None:
        while self._inbox:
            self._work.obey(self._inbox.popleft())
