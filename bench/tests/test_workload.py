"""Requests from a seed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from ..load import APIS, Ask, Closed, Open, Point
from ..plan import PointPlan, RunPlan
from ..profiles import SAME_SERVER
from ..target import parse
from ..vocabulary import CANDIDATES, LINKS
from ..workload import LENGTHS, PATHS, Request, follow_up, prose, requests

RUN = RunPlan("spool.jsonl", "nonce", 7, 60.0)
ASK = Ask(prompt_tokens=40, output_tokens=8)
POINT = Point("users", "3 users", 3, Closed(3, requests=2, warmup=1), ASK)
PLAN = PointPlan(0, POINT, parse("http://[::1]:8080/base"), "tiny", CANDIDATES, 2)


def plan(ask: Ask = ASK, **changes: Any) -> PointPlan:  # noqa: ANN401
    """The point with another ask, or otherwise changed."""
    return replace(PLAN, point=replace(POINT, ask=ask, **changes))


def everything(plan: PointPlan, run: RunPlan = RUN) -> list[Request]:
    """All requests of a point."""
    return [request for user in requests(run, plan) for request in user]


def body(request: Request) -> dict[str, Any]:
    """The JSON that a request carries."""
    value: dict[str, Any] = json.loads(request.payload.partition(b"\r\n\r\n")[2])
    return value


def prompts(plan: PointPlan, run: RunPlan = RUN) -> list[str]:
    """The prompts of a point."""
    return [body(request)["prompt"] for request in everything(plan, run)]


def alike(one: str, other: str) -> int:
    """How many words two prompts have in common, from their front."""
    pairs = zip(one.split(), other.split(), strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), 999)


def test_same_plan_gives_same_bytes() -> None:
    """A point can be repeated, byte for byte, from its plans."""
    again = PointPlan.parse(json.loads(PLAN.line()))
    assert everything(PLAN) == everything(again, RunPlan.parse(json.loads(RUN.line())))


def test_prompt_has_the_words_that_make_its_length() -> None:
    """A digit and words, as many as are left of the length beside what the server adds."""
    for prompt in prompts(PLAN):
        digit, *words = prompt.split(" ")
        assert digit.isdigit()
        assert len(words) == ASK.prompt_tokens - PLAN.overhead_tokens
        assert set(words) <= set(CANDIDATES)


def test_no_two_prompts_share_a_beginning() -> None:
    """Prompts differ within the nonce: no prompt cache helps one from another."""
    assert max(alike(*two) for two in combinations(prompts(PLAN), 2)) < 6


@pytest.mark.parametrize(
    "other",
    [
        plan(label="4 users"),
        plan(group="options"),
        plan(block=1),
        replace(PLAN, point=replace(POINT, label="top_k 1")),
    ],
)
def test_other_point_has_other_prompts(other: PointPlan) -> None:
    """No point finds the prompts of another in the server's cache."""
    assert max(alike(one, two) for one in prompts(PLAN) for two in prompts(other)) < 6


def test_next_run_has_other_prompts() -> None:
    """Another nonce gives other prompts of the same number of words."""
    others = prompts(PLAN, replace(RUN, nonce="other"))
    assert max(alike(one, two) for one in prompts(PLAN) for two in others) < 6
    assert [len(one.split()) for one in prompts(PLAN)] == [len(one.split()) for one in others]


def test_points_of_a_block_ask_the_same_behind_the_nonce() -> None:
    """What is compared has the same prose and the same seeds."""
    for one, other in zip(everything(PLAN), everything(plan(label="top_k 1")), strict=True):
        assert body(one)["prompt"].split()[10:] == body(other)["prompt"].split()[10:]
        assert one.seed == other.seed


def test_arms_of_a_pair_get_the_same_prompts() -> None:
    """Two servers are asked the same, to the byte."""
    assert prompts(plan(arm=0)) == prompts(plan(arm=1))


def test_same_server_twice_gets_other_prompts() -> None:
    """The second arm of an A/A pair does not find the first one's prompts in the cache."""
    first, again = (prompts(plan(group=SAME_SERVER, arm=arm)) for arm in (0, 1))
    assert max(alike(*two) for two in zip(first, again, strict=True)) < 6


def test_shared_part_is_the_same_and_the_rest_is_not() -> None:
    """Of 101 words half are one prefix; from there on each prompt is its own."""
    one, other, *_ = prompts(plan(replace(ASK, prompt_tokens=102, shared=0.5)))
    assert 51 <= alike(one, other) < 57


def test_wholly_shared_prompt_still_ends_in_its_own() -> None:
    """Even a prompt that is all shared differs in its last word or so, or it would be no prompt."""
    request = everything(plan(replace(ASK, shared=1.0)))[0]
    assert len(body(request)["prompt"].split()) == 1 + 38


def test_prose_stops_where_it_asks_to_be_gone_on_with() -> None:
    """The last word links to what would come next."""
    assert {prose(CANDIDATES, 30, f"front {n}", f"rest {n}")[-1] for n in range(20)} <= set(LINKS)


def test_few_words_make_a_longer_nonce() -> None:
    """With two words a nonce takes forty of them."""
    one, other = (prose(("the", "a"), 60, front, "rest") for front in ("one", "other"))
    assert one[:40] != other[:40]
    assert one[40:] == other[40:]


def test_each_user_has_warm_up_and_measured_requests() -> None:
    """Every user has the warm-up requests more than the load says, and they come first."""
    users = requests(RUN, PLAN)
    assert [[request.warmup for request in user] for user in users] == [[True, False, False]] * 3
    assert [[request.number for request in user] for user in users] == [[0, 1, 2]] * 3


def test_each_arrival_is_a_user_of_its_own() -> None:
    """An open loop has a list for each arrival, the warm-up first."""
    arrivals = requests(RUN, plan(load=Open(5.0, requests=3, warmup=2)))
    assert [[(one.user, one.number, one.warmup) for one in each] for each in arrivals] == [
        [(user, 0, user < 2)] for user in range(5)
    ]


def test_arrivals_of_a_trace_have_lengths_of_their_own() -> None:
    """Each arrival takes its lengths from the trace; the list itself is not sent."""
    ask = replace(ASK, fields={LENGTHS: [[20, 3], [30, 5]]})
    sent = [body(one) for one in everything(plan(ask, load=Open(5.0, requests=2)))]
    assert [len(one["prompt"].split()) for one in sent] == [19, 29]
    assert [one["options"]["num_predict"] for one in sent] == [3, 5]
    assert all(LENGTHS not in one for one in sent)


def test_request_asks_for_a_known_length() -> None:
    """Every request bounds the output and carries its own seed."""
    options = [body(request)["options"] for request in everything(PLAN)]
    assert all(one["num_predict"] == 8 and one["temperature"] == 0.8 for one in options)
    assert len({one["seed"] for one in options}) == len(options)


def test_options_and_fields_of_the_ask_win() -> None:
    """What a point is about stands over the defaults."""
    asked = body(everything(plan(replace(ASK, options={"seed": 1}, fields={"keep_alive": 0})))[0])
    assert asked["options"]["seed"] == 1
    assert asked["keep_alive"] == 0


def test_point_with_a_model_of_its_own_asks_that() -> None:
    """A point's model stands over the arm's."""
    assert body(everything(plan(model="other"))[0])["model"] == "other"


@pytest.mark.parametrize("api", APIS)
def test_head_names_path_host_and_length(api: str) -> None:
    """The request is one that an HTTP/1.1 server can read, whatever the API."""
    head, _, content = everything(plan(replace(ASK, api=api)))[0].payload.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /base{PATHS[api]} HTTP/1.1"
    assert "Host: [::1]:8080" in lines
    assert f"Content-Length: {len(content)}" in lines


def test_generate_is_raw() -> None:
    """A template could end the text early."""
    asked = body(everything(PLAN)[0])
    assert (asked["raw"], asked["stream"], asked["model"]) == (True, True, "tiny")


@pytest.mark.parametrize("api", ["openai-chat", "openai-completions"])
def test_openai_streams_say_what_was_used(api: str) -> None:
    """A stream is asked for its usage; where nothing streams the option would be an error."""
    asked = body(everything(plan(replace(ASK, api=api)))[0])
    assert asked["stream_options"] == {"include_usage": True}
    assert asked["max_tokens"] == 8
    whole = body(everything(plan(replace(ASK, api=api, stream=False)))[0])
    assert "stream_options" not in whole


@pytest.mark.parametrize("api", ["embed", "openai-embeddings"])
def test_each_text_to_be_embedded_is_unique(api: str) -> None:
    """Several texts go in one request, none of them twice."""
    ask = replace(ASK, api=api, inputs=4)
    texts = [text for request in everything(plan(ask)) for text in body(request)["input"]]
    assert len(texts) == len(set(texts)) == 9 * 4
    assert {len(text.split()) for text in texts} == {39}


def test_later_turn_holds_all_earlier_ones() -> None:
    """A conversation grows by an answer and what is said next; what was said stays, to the byte."""
    talk = plan(replace(ASK, api="chat", turns=3))
    first = requests(RUN, talk)[1][2]
    second = follow_up(RUN, talk, first, ["one"])
    third = follow_up(RUN, talk, second, ["one", "two"])
    messages = body(third)["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant"] * 2 + ["user"]
    assert messages[:3] == body(second)["messages"]
    assert messages[:1] == body(first)["messages"]
    assert [messages[1]["content"], messages[3]["content"]] == ["one", "two"]
    assert [(one.user, one.number, one.turn) for one in (first, second, third)] == [
        (1, 6, 0),
        (1, 7, 1),
        (1, 8, 2),
    ]


def test_conversations_number_their_requests_turn_by_turn() -> None:
    """First turns leave room for the later ones."""
    user = requests(RUN, plan(replace(ASK, api="chat", turns=3)))[0]
    assert [request.number for request in user] == [0, 3, 6]
