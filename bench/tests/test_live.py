"""The live page, and what its buttons do."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ..load import Closed
from .conftest import Serving
from .driving import Driven, driving, point_plan

SECOND = {
    "kind": "live",
    "at_s": 1.0,
    "point": "2 users",
    "load": "2 users",
    "done": 3,
    "errors": 0,
    "tokens_per_s": 812.34,
    "ttft_p50_ms": 20.0,
    "ttft_p95_ms": None,
}


def text_of(url: str, method: str = "GET") -> str:
    """What a URL of the page answers."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
        body: bytes = answer.read()
        return body.decode()


def shown(driven: Driven, url: str) -> list[dict[str, Any]]:
    """The seconds that the page draws, once one has come."""
    driven.tell(json.dumps(SECOND) + "\n")
    while not (seconds := json.loads(text_of(f"{url}/parallama/live"))):
        continue
    found: list[dict[str, Any]] = seconds
    return found


def test_page_shows_our_figures_and_lets_nobody_spoil_the_run(
    serving: Serving, tmp_path: Path
) -> None:
    """Locust's page has our charts and table; users are not started from it; stopping is told."""
    with driving(tmp_path / "spool", "--web") as driven:
        url = driven.wait_for("stamps")[0]["page"]
        page = text_of(url)
        assert "Time to first token, ms" in page
        assert "TTFT and tokens/s" in page
        assert [second["tokens_per_s"] for second in shown(driven, url)] == [812.34]
        assert json.loads(text_of(f"{url}/parallama/live?after=1")) == []
        driven.tell(point_plan(serving.url, Closed(2, requests=1)).line())
        driven.wait_for("over")
        stats = json.loads(text_of(f"{url}/stats/requests"))
        row = stats["extended_stats"][0]["data"][0]
        assert (row["tokens_per_s"], row["ttft_p95_ms"]) == (812.3, "-")
        assert stats["stats"][-1]["num_requests"] == 4
        with pytest.raises(urllib.error.HTTPError, match="409"):
            text_of(f"{url}/swarm", "POST")
        text_of(f"{url}/stop")
        assert driven.wait_for("stopped")


def test_stop_button_ends_the_run_as_an_interruption(serving: Serving, tmp_path: Path) -> None:
    """Stopped from the page, a run keeps what it measured and says who ended it."""
    arguments = ("latency", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    program = [sys.executable, "-m", "parallama.bench", *arguments, "--web"]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        driven = Driven(process, tmp_path / "spool.jsonl")  # type: ignore[arg-type]
        url = driven.wait_for("stamps")[0]["page"]
        driven.wait_for("exchange")
        text_of(f"{url}/stop")
        process.communicate(timeout=60)
    footer = json.loads((tmp_path / "samples.jsonl").read_text().splitlines()[-1])
    assert process.returncode == 130
    assert footer["because"] == "stopped from the live page"
    assert footer["samples"] > 0
