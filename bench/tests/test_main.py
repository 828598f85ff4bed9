"""The program, end to end, against the emitter."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from jsonschema import Draft202012Validator

from ..report import page
from .conftest import Serving, bench, records, summary

SCHEMAS = Path(__file__).parents[2] / "fixtures" / "schemas"
TOKENS = 8


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended."""

    status: int
    output: str
    folder: Path


@pytest.fixture(scope="module")
def ladder(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One and three users against the model that does all right."""
    return run(serving, tmp_path_factory.mktemp("ladder"), "steady", "1,3", 4)


@pytest.fixture(scope="module")
def flaky(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One user against the model that does every fourth request right."""
    return run(serving, tmp_path_factory.mktemp("flaky"), "flaky", "1", 12)


def run(serving: Serving, folder: Path, model: str, users: str, requests: int) -> Done:
    """A smoke run with these loads."""
    arguments = ("smoke", "--url", serving.url, "--model", model, "-o", str(folder))
    loads = ("--concurrency", users, "--requests", str(requests), "--output-tokens", str(TOKENS))
    ended = bench(*arguments, *loads)
    return Done(ended.returncode, ended.stdout + ended.stderr, folder)


def measured(done: Done) -> list[dict[str, Any]]:
    """The samples of a run without its warm-up."""
    return [sample for sample in records(done.folder, "sample") if not sample["warmup"]]


def validator(name: str) -> Draft202012Validator:
    """The validator of one of our documents."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_run_against_a_good_server_is_measured(ladder: Done) -> None:
    """Every request is in the document, none failed, and only a late client may spoil it."""
    assert len(measured(ladder)) == 4 + 3 * 4
    assert [point["failures"] for point in summary(ladder.folder)["points"]] == [0, 0]
    assert ladder.status == (0 if summary(ladder.folder)["valid"] else 1), ladder.output


@pytest.mark.parametrize("which", ["ladder", "flaky"])
def test_documents_follow_their_schemas(which: str, request: pytest.FixtureRequest) -> None:
    """Every line of samples.jsonl and all of summary.json is valid, whatever the server did."""
    done: Done = request.getfixturevalue(which)
    text = (done.folder / "samples.jsonl").read_text(encoding="utf-8")
    samples = validator("samples")
    for line in text.splitlines():
        samples.validate(json.loads(line))
    validator("summary").validate(summary(done.folder))


def test_no_token_is_lost_or_counted_twice(ladder: Done, serving: Serving) -> None:
    """Each record that the emitter sent for a prompt is in that prompt's sample, once."""
    emissions = serving.emissions()
    for sample in records(ladder.folder, "sample"):
        sent = emissions[sample["prompt_sha256"]].sent
        assert len(sample["arrivals"]) == sum(records for _, _, records in sent) == TOKENS
        assert sample["output_tokens"] == TOKENS


def test_nothing_arrives_sooner_than_it_was_sent(ladder: Done, serving: Serving) -> None:
    """From the first record to the last at least that time went by that the emitter took.

    The clocks of sender and receiver are one, so that only the reading of its offset may err.
    """
    emissions = serving.emissions()
    for sample in measured(ladder):
        emission = emissions[sample["prompt_sha256"]]
        first_sent_ns = emission.sent[0][0] - emission.received_ns
        assert sample["arrivals"][0][0] - sample["sent_ns"] > first_sent_ns - 200_000


def test_connection_is_made_once_a_user(ladder: Done) -> None:
    """A server that keeps connections sees one from each user, before its first request."""
    connected = [
        (sample["point"], sample["user"], sample["request"])
        for sample in records(ladder.folder, "sample")
        if sample["connect_ns"] is not None
    ]
    assert sorted(connected) == [(0, 0, 0), *((1, user, 0) for user in range(3))]


def test_users_work_at_the_same_time(ladder: Done) -> None:
    """The first measured requests of all users overlap."""
    first = [one for one in measured(ladder) if one["point"] == 1 and one["request"] == 1]
    assert len(first) == 3
    assert max(one["sent_ns"] for one in first) < min(one["finished_ns"] for one in first)


@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are Linux's")
def test_stamps_are_the_kernels_on_linux(ladder: Done) -> None:
    """Arrival times come from the kernel, of every request."""
    assert summary(ladder.folder)["stamps"] == "kernel"
    assert {sample["message"] for sample in measured(ladder)} == {None}


def test_memory_of_the_server_is_sampled(ladder: Done) -> None:
    """The process that listens at the URL is found, and each point has its peak."""
    resources = records(ladder.folder, "resource")
    assert {resource["phase"] for resource in resources} == {"idle", "point 0", "point 1"}
    assert all(point["server_rss_bytes"] > 2**20 for point in summary(ladder.folder)["points"])


def test_failures_are_classed_and_enter_no_latency(flaky: Done) -> None:
    """Of twelve requests the nine that went wrong are counted by class, the others measured."""
    point = summary(flaky.folder)["points"][0]
    assert point["errors"] == {"busy-503": 3, "in-stream": 3, "truncated": 3}
    assert (point["requests"], point["failures"]) == (12, 9)
    assert point["ttft_ms"]["n"] == point["e2e_ms"]["n"] == 3
    assert point["output_tokens"] == 3 * TOKENS
    assert "busy-503 3" in flaky.output


def test_dropped_connection_is_opened_again(flaky: Done) -> None:
    """After a truncated answer the next request connects anew."""
    samples = records(flaky.folder, "sample")
    for earlier, later in pairwise(samples):
        assert (later["connect_ns"] is not None) == (earlier["error"] == "truncated")


def test_point_where_all_failed_is_a_finding(serving: Serving, tmp_path: Path) -> None:
    """A server that is always busy ends with exit status 1 and null figures."""
    done = run(serving, tmp_path, "busy", "1", 2)
    point = summary(tmp_path)["points"][0]
    assert done.status == 1
    assert point["errors"] == {"busy-503": 2}
    assert point["output_tokens_per_s"] is None
    assert point["ttft_ms"]["p50"] is None


def stopped(serving: Serving, folder: Path, stop: Callable[[subprocess.Popen[bytes]], None]) -> int:
    """The exit status of a long run that is stopped in some way after its first sample."""
    arguments = ("latency", "--url", serving.url, "--model", "steady", "-o", str(folder))
    program = [sys.executable, "-m", "parallama.bench", *arguments, "--requests", "3000"]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for(lambda: '"kind": "sample"' in text_of(folder / "samples.jsonl"), process)
        stop(process)
        process.communicate(timeout=60)
    footer = records(folder, "footer")[0]
    assert footer["samples"] == len(records(folder, "sample")) > 0
    assert footer["interrupted"] is True
    return process.returncode


def test_interrupted_run_keeps_its_samples(serving: Serving, tmp_path: Path) -> None:
    """Ctrl-C ends with 130, a whole document that says so, and a summary that is not valid."""
    status = stopped(serving, tmp_path, lambda process: process.send_signal(signal.SIGINT))
    assert status == 130
    assert summary(tmp_path)["invalid_because"] == ["the run was interrupted"]
    assert not (tmp_path / "spool.jsonl").exists()


def test_death_of_the_load_process_is_our_fault(serving: Serving, tmp_path: Path) -> None:
    """When the load process dies, what it measured is kept and the exit status is 4."""
    status = stopped(
        serving, tmp_path, lambda process: psutil.Process(process.pid).children()[0].kill()
    )
    assert status == 4
    assert summary(tmp_path)["valid"] is False


def test_folder_that_is_a_file_is_a_usage_error(serving: Serving, tmp_path: Path) -> None:
    """An output folder that cannot be is said in one line."""
    (tmp_path / "file").touch()
    ended = bench("smoke", "--url", serving.url, "--model", "steady", "-o", str(tmp_path / "file"))
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


def test_missing_page_is_said_with_its_reason(tmp_path: Path) -> None:
    """When the reports program fails, one sentence says why there is no page."""
    assert str(page(tmp_path)).startswith("report.html was not made: ")


def text_of(path: Path) -> str:
    """What a file holds, nothing before it is there."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is true, as long as the process lives."""
    while not reached():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the process ended too early")


def test_unknown_profile_is_answered_with_those_there_are() -> None:
    """An unknown profile is a usage error that lists the profiles."""
    ended = bench("smok", "--model", "steady")
    assert ended.returncode == 2
    assert ended.stderr == (
        "parallama-bench: there is no profile 'smok'; there are: smoke, latency, throughput\n"
    )


def test_unknown_model_is_answered_with_those_there_are(serving: Serving) -> None:
    """A model that the target does not have is a usage error that lists the target's."""
    ended = bench("smoke", "--url", serving.url, "--model", "nobody")
    assert ended.returncode == 2
    assert "has no model 'nobody'; it has: busy, coalesced" in ended.stderr


def test_missing_model_is_answered_with_those_there_are(serving: Serving) -> None:
    """Without --model one is told what there is."""
    ended = bench("smoke", "--url", serving.url)
    assert ended.returncode == 2
    assert "say which model, with --model" in ended.stderr
    assert "steady" in ended.stderr


def test_unreachable_target_is_said_in_one_line() -> None:
    """A port at which nobody listens is exit status 3 and one line with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    ended = bench("smoke", "--url", f"http://127.0.0.1:{port}", "--model", "steady")
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [
        f"parallama-bench: http://127.0.0.1:{port} cannot be reached: Connection refused"
    ]


def test_url_comes_from_ollama_host() -> None:
    """Without --url the target is OLLAMA_HOST, read by Ollama's rules."""
    program = [sys.executable, "-m", "parallama.bench", "smoke", "--model", "steady"]
    environment = {**os.environ, "OLLAMA_HOST": "0.0.0.0:1"}
    ended = subprocess.run(
        program, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("parallama-bench: http://127.0.0.1:1 cannot be reached")


@pytest.mark.parametrize(
    "wrong", [("--requests", "0"), ("--concurrency", "1,1"), ("--concurrency", "x")]
)
def test_wrong_numbers_are_usage_errors(wrong: tuple[str, str]) -> None:
    """Counts that are none end with exit status 2."""
    assert bench("smoke", "--model", "steady", *wrong).returncode == 2


def test_front_imports_nothing_heavy() -> None:
    """--help needs neither Locust nor pandas nor rich nor psutil."""
    code = (
        "import sys, parallama.bench.__main__;"
        "print({'locust', 'gevent', 'pandas', 'rich', 'psutil'} & set(sys.modules))"
    )
    program = [sys.executable, "-c", code]
    ended = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "set()\n"
