"""What all tests of the room need."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """The programs that tests start can be interrupted.

    Who was started in the background of a script ignores SIGINT, and so would they: an ignored
    signal is inherited, one that is handled is not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
