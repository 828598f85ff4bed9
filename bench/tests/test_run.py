"""A run that is interrupted at the worst moments."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from .. import run
from ..calibrate import run_into
from ..load import Ask, Closed, Point
from ..sample import Sample
from ..writer import Writer
from .conftest import Serving, records

POINT = Point("users", "1 user", 1, Closed(users=1, requests=400, warmup=0), Ask(output_tokens=4))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_interruption_between_writing_and_counting_doubles_no_sample(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The line is out, and the signal comes before anything has noted that."""
    monkeypatch.setattr(Writer, "sample", interrupted(number))
    before = signal.signal(number, signal.default_int_handler)
    try:
        assert run_into(tmp_path, serving.address, POINT).execute()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    written = records(tmp_path, "sample")
    (footer,) = records(tmp_path, "footer")
    assert footer["samples"] == len(written) == len({one["request"] for one in written}) < 400
    assert footer["because"] == run.INTERRUPTED


def interrupted(number: signal.Signals) -> object:
    """What writes a sample, with the signal right after the line."""
    plain = Writer._write

    def sample(self: Writer, one: Sample) -> None:
        plain(self, one.record())
        signal.raise_signal(number)
        self._samples += 1

    return sample
