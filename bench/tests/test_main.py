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

from .conftest import Serving, bench, records, summary

SCHEMAS = Path(__file__).parents[2] / "fixtures" / "schemas"
TOKENS = 8
SHORT = ("--output-tokens", "4", "--no-calibrate")


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
    points = summary(ladder.folder)["points"]
    assert all(point["memory"]["rss_bytes"] > 2**20 for point in points)


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
    sizes = ("--requests", "3000", "--no-calibrate")
    program = [sys.executable, "-m", "parallama.bench", *arguments, *sizes]
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


def test_folder_that_is_a_file_is_a_usage_error(tmp_path: Path) -> None:
    """An output folder that cannot be is said in one line, before any server is asked."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        ended = bench("smoke", "--url", "127.0.0.1:1", "--model", "steady", "-o", str(folder))
        assert ended.returncode == 2
        assert ended.stderr == (
            f"parallama-bench: {folder} cannot be written to: {tmp_path / 'file'} is no folder\n"
        )


def test_mistake_leaves_no_folder_behind(tmp_path: Path) -> None:
    """Nothing is made until there is something to write."""
    folder = tmp_path / "deep" / "out"
    assert bench("smoke", "--url", "127.0.0.1:1", "-o", str(folder)).returncode == 3
    assert not folder.parent.exists()


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


def test_unknown_model_is_answered_with_those_there_are(serving: Serving) -> None:
    """A model that the target does not have is a usage error that lists the target's."""
    ended = bench("smoke", "--url", serving.url, "--model", "nobody")
    assert ended.returncode == 2
    assert "has no model 'nobody'; it has: busy, coalesced" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_missing_model_is_answered_with_those_there_are(serving: Serving) -> None:
    """Without --model one is told what there is."""
    ended = bench("smoke", "--url", serving.url)
    assert ended.returncode == 2
    assert "say which model, with --model" in ended.stderr
    assert "steady" in ended.stderr


def test_expected_points_are_said(ladder: Done) -> None:
    """How much is to come stands at the beginning."""
    assert "smoke: 2 points" in ladder.output


def test_prompts_have_the_length_asked_for(ladder: Done) -> None:
    """The server counts what the profile says, to the token, in every request."""
    asked = {point["ask"]["prompt_tokens"] for point in records(ladder.folder, "point")}
    assert asked == {24}
    assert {sample["prompt_tokens"] for sample in records(ladder.folder, "sample")} == asked


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
    "wrong",
    [
        ("--requests", "0"),
        ("--concurrency", "1,1"),
        ("--concurrency", "x"),
        ("--minutes", "nan"),
        ("--rate", "fast"),
        ("--api", "soup"),
    ],
)
def test_wrong_numbers_are_usage_errors(wrong: tuple[str, str]) -> None:
    """Counts that are none end with exit status 2."""
    assert bench("smoke", "--model", "steady", *wrong).returncode == 2


def test_pairs_alternate_over_two_models(serving: Serving, tmp_path: Path) -> None:
    """Two arms are asked the same in turns, the second pair the other way round."""
    arguments = ("ab", "--url", serving.url, "--model", "steady", "--against-model", "coalesced")
    sizes = ("--pairs", "2", "--requests", "1", "--output-tokens", str(TOKENS))
    ended = bench(*arguments, *sizes, "--no-calibrate", "-o", str(tmp_path))
    points = records(tmp_path, "point")
    arms = [point["arm"] for point in points]
    assert arms in ([0, 1, 1, 0], [1, 0, 0, 1]), ended.stderr
    prompts = {
        (arm, block): [
            one["prompt_sha256"]
            for one in records(tmp_path, "sample")
            if (points[one["point"]]["arm"], points[one["point"]]["block"]) == (arm, block)
        ]
        for arm in (0, 1)
        for block in (0, 1)
    }
    assert prompts[0, 0] == prompts[1, 0] != prompts[0, 1] == prompts[1, 1]
    header = records(tmp_path, "header")[0]
    assert [arm["name"] for arm in header["arms"]] == ["steady", "coalesced"]


def test_ladder_goes_on_from_what_it_finds(serving: Serving, tmp_path: Path) -> None:
    """A run of two named steps in two blocks has four points, all of them measured."""
    arguments = ("throughput", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    bench(*arguments, "--concurrency", "1,2", "--pairs", "2", *SHORT)
    points = summary(tmp_path)["points"]
    assert sorted((point["block"], point["value"]) for point in points) == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    ]
    assert all(point["failures"] == 0 < point["requests"] for point in points)


def test_rates_follow_the_capacity(serving: Serving, tmp_path: Path) -> None:
    """Named rates are offered as they are, and requests leave when they were planned."""
    arguments = ("rate", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    bench(*arguments, "--rate", "20,40", "--requests", "6", *SHORT)
    points = summary(tmp_path)["points"]
    assert [point["value"] for point in points] == [20, 40]
    assert [point["load"]["kind"] for point in points] == ["open", "open"]


def test_trace_is_replayed_with_its_lengths(serving: Serving, tmp_path: Path) -> None:
    """Each request has the length that its line says, at the time that it says."""
    trace = tmp_path / "trace.jsonl"
    lines = [
        {"timestamp": 0, "input_length": 20, "output_length": 2},
        {"timestamp": 150, "input_length": 30, "output_length": 3},
    ]
    trace.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    arguments = ("replay", "--trace", str(trace), "--url", serving.url, "--model", "steady")
    bench(*arguments, "--no-calibrate", "-o", str(tmp_path))
    samples = [one for one in records(tmp_path, "sample") if one["point"] == 1]
    samples.sort(key=lambda one: one["user"])
    assert [(one["prompt_tokens"], one["output_tokens"]) for one in samples] == [(20, 2), (30, 3)]
    assert samples[1]["planned_ns"] - samples[0]["planned_ns"] == 150_000_000


def test_conversation_grows_by_what_was_answered(serving: Serving, tmp_path: Path) -> None:
    """Each turn has the earlier ones in it, the server's answers too."""
    profile = tmp_path / "talk.toml"
    profile.write_text(
        """
        name = "talk"
        [course]
        kind = "steps"
        [[course.points]]
        label = "talk"
        load = {users = 1, requests = 1}
        ask = {api = "chat", turns = 3, prompt_tokens = 20, output_tokens = 5}
        """,
        encoding="utf-8",
    )
    arguments = ("--profile-file", str(profile), "--url", serving.url, "--model", "steady")
    ended = bench(*arguments, "--no-calibrate", "-o", str(tmp_path))
    samples = [one for one in records(tmp_path, "sample") if not one["warmup"]]
    assert [one["turn"] for one in samples] == [0, 1, 2], ended.stderr
    assert [one["error"] for one in samples] == [None] * 3


def test_calibration_stands_in_the_header(serving: Serving, tmp_path: Path) -> None:
    """The client's own error is taken before the run and kept with it; smoke goes without."""
    arguments = ("smoke", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    bench(*arguments)
    assert records(tmp_path, "header")[0]["calibration"] is None
    bench(*arguments, "--calibrate")
    calibration = records(tmp_path, "header")[0]["calibration"]
    assert (calibration["streams"], calibration["lost"], calibration["doubled"]) == (1, 0, 0)


def test_conformance_verdict_stands_in_the_header(serving: Serving, tmp_path: Path) -> None:
    """What the suite found of this target is carried along."""
    run_file = tmp_path / "run.jsonl"
    target = {"url": serving.url, "version": None, "model": None, "scripted": False}
    header = {"kind": "header", "schema": "parallama/run/1", "suite_version": "1"}
    footer = {"finished_at": "2026-11-21T00:00:00Z", "headline": "2/2 MUST", "exit_status": 0}
    document = [header | {"target": target}, {"kind": "footer"} | footer]
    run_file.write_text("\n".join(map(json.dumps, document)), encoding="utf-8")
    arguments = ("smoke", "--url", serving.url, "--model", "steady", "-o", str(tmp_path))
    bench(*arguments, "--conformance", str(run_file), "--output-tokens", "2")
    (arm,) = records(tmp_path, "header")[0]["arms"]
    assert arm["conformance"] == footer | {"suite_version": "1"}
    validator("samples").validate(records(tmp_path, "header")[0])


def test_front_imports_nothing_heavy() -> None:
    """--help needs neither Locust nor numpy nor rich nor psutil."""
    code = (
        "import sys, parallama.bench.__main__;"
        "print({'locust', 'gevent', 'numpy', 'rich', 'psutil'} & set(sys.modules))"
    )
    program = [sys.executable, "-c", code]
    ended = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "set()\n"
