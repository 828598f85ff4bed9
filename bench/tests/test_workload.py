"""Requests from a seed."""

from __future__ import annotations

import json
from dataclasses import replace

from ..plan import Plan
from ..profiles import PROFILES, THROUGHPUT, Load, altered
from ..target import parse
from ..workload import Request, requests

PLAN = Plan(parse("http://[::1]:8080/base"), "tiny", THROUGHPUT, "nonce", "spool.jsonl")


def body(request: Request) -> dict[str, object]:
    """The JSON that a request carries."""
    value: dict[str, object] = json.loads(request.payload.partition(b"\r\n\r\n")[2])
    return value


def everything(plan: Plan) -> list[Request]:
    """All requests of all points."""
    return [
        request
        for point in range(len(plan.profile.loads))
        for user in requests(plan, point)
        for request in user
    ]


def test_same_plan_gives_same_bytes() -> None:
    """A run can be repeated, byte for byte, from its header."""
    assert everything(PLAN) == everything(Plan.parse(PLAN.line()))


def test_no_two_prompts_share_a_beginning() -> None:
    """Prompts differ before their twentieth character: no prompt cache helps one from another."""
    prompts = [str(body(request)["prompt"]) for request in everything(PLAN)]
    assert len({prompt[:19] for prompt in prompts}) == len(prompts)


def test_next_run_has_other_prompts() -> None:
    """Another nonce gives other prompts of about the same length."""
    others = everything(replace(PLAN, nonce="other"))
    for request, other in zip(everything(PLAN), others, strict=True):
        assert request.prompt_sha256 != other.prompt_sha256
        assert len(request.payload) == len(other.payload)


def test_each_user_has_warm_up_and_measured_requests() -> None:
    """Every user of a point has the warm-up requests more than the load says."""
    users = requests(PLAN, 2)
    assert len(users) == 16
    assert {len(user) for user in users} == {THROUGHPUT.loads[2].requests + THROUGHPUT.warmup}


def test_request_asks_for_a_known_length() -> None:
    """Every request bounds the output and carries its own seed."""
    options = [body(request)["options"] for request in everything(PLAN)]
    assert all(isinstance(one, dict) and one["num_predict"] == 64 for one in options)
    assert len({str(one) for one in options}) == len(options)


def test_head_names_host_and_length() -> None:
    """The request is one that an HTTP/1.1 server can read."""
    head, _, content = everything(PLAN)[0].payload.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /base/api/generate HTTP/1.1"
    assert "Host: [::1]:8080" in lines
    assert f"Content-Length: {len(content)}" in lines


def test_altered_profile_keeps_what_was_not_named() -> None:
    """Other concurrencies keep the number of requests where the profile has one for them."""
    profile = altered(THROUGHPUT, concurrency=(4, 2))
    assert profile.loads == (Load(4, 4), Load(2, 3))
    assert profile.output_tokens == THROUGHPUT.output_tokens


def test_profiles_are_named_as_they_are_called() -> None:
    """The command line's names are the profiles' own."""
    assert all(name == profile.name for name, profile in PROFILES.items())
