"""Rivals are judged by what they wrote down, each request against the emitter's own time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ..calibrate import Emission
from ..rivals import Order, Seen, aiperf, guidellm, run, ttft_errors

MS = 1_000_000


def emission(received_ms: int, first_ms: int) -> Emission:
    """A request that came then, and whose first record left so much later."""
    left = (received_ms + first_ms) * MS
    return Emission(received_ms * MS, ((left, left, 1),))


def order(folder: Path) -> Order:
    """One stream, two requests."""
    return Order("http://127.0.0.1:1", "steady", 1, 2, 4, folder)


def test_error_is_what_was_said_against_what_was() -> None:
    """Pairs by order, whatever the clocks; the first request of each stream is left out."""
    seen = [Seen(50.2, 26.0), Seen(50.1, 90.0)]
    emissions = [emission(200, 21), emission(100, 20)]
    assert ttft_errors(seen, emissions, 1) == [5.0]


def test_request_that_only_asked_whether_the_server_lives_is_passed_over() -> None:
    """Probes before the run are in the emitter's journal, not in the rival's report."""
    emissions = [emission(1, 900), emission(100, 20), emission(200, 20)]
    assert ttft_errors([Seen(1.0, 20.0), Seen(2.0, 23.0)], emissions, 1) == [3.0]


def test_rival_that_fails_is_said_with_its_last_words(tmp_path: Path) -> None:
    """What it printed last is in the message."""
    with pytest.raises(RuntimeError, match="status 3: no such thing"):
        run(
            sys.executable,
            "-c",
            "print('no such thing'); raise SystemExit(3)",
            log=tmp_path / "log",
        )


def program(folder: Path, writes: Path, text: str) -> Path:
    """A program that writes a report and nothing else."""
    made = folder / "rival"
    made.write_text(
        f"#!{sys.executable}\nfrom pathlib import Path\npath = Path({str(writes)!r})\n"
        f"path.parent.mkdir(exist_ok=True)\npath.write_text({text!r})\n"
    )
    made.chmod(0o755)
    return made


def test_report_of_guidellm_is_read(tmp_path: Path) -> None:
    """TTFT is from the start of a request to its first token."""
    timings = {"request_start": 10.0, "first_token_iteration": 10.025}
    told = {"benchmarks": [{"requests": {"successful": [{"info": {"timings": timings}}]}}]}
    rival = program(tmp_path, tmp_path / "guidellm.json", json.dumps(told))
    (seen,) = guidellm(rival, order(tmp_path))
    assert (seen.started_s, round(seen.ttft_ms, 6)) == (10.0, 25.0)


def test_report_of_aiperf_is_read(tmp_path: Path) -> None:
    """A record without a TTFT is no answer."""
    lines = [
        {
            "metadata": {"request_start_ns": 5_000_000_000},
            "metrics": {"time_to_first_token": {"value": 7.5}},
        },
        {"metadata": {"request_start_ns": 6_000_000_000}, "metrics": {}},
    ]
    text = "\n".join(map(json.dumps, lines))
    rival = program(tmp_path, tmp_path / "aiperf" / "profile_export.jsonl", text)
    assert aiperf(rival, order(tmp_path)) == [Seen(5.0, 7.5)]
