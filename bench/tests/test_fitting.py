"""Profiles, fitted to a command and to a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..fitting import Changes, Facts, FitError, altered, asks, fitted, replayed, streams
from ..load import BASELINE, Ask, Closed, Open, Point
from ..profiles import (
    AB,
    EMBED,
    LATENCY,
    LONG_CONTEXT,
    OPTIONS,
    PREFIX,
    PROFILES,
    RATE,
    REPLAY,
    SMOKE,
    SOAK,
    THROUGHPUT,
    Ladder,
    Lengths,
    Profile,
    Rates,
    Soak,
    Steps,
)
from ..trace import Arrival, point

CHAT = Facts("tiny", frozenset({"completion"}), context_length=8192, running_context=4096)


def points(profile: Profile) -> tuple[Point, ...]:
    """The points of a course of steps."""
    assert isinstance(profile.course, Steps)
    return profile.course.points


def test_profiles_are_named_as_they_are_called() -> None:
    """The command line's names are the profiles' own."""
    assert all(name == profile.name for name, profile in PROFILES.items())


def test_no_change_changes_nothing() -> None:
    """A command without options runs the profile as it is."""
    assert all(altered(profile, Changes()) == profile for profile in PROFILES.values())


def test_several_users_make_several_points() -> None:
    """A point becomes one for each number of users."""
    made = points(altered(SMOKE, Changes(concurrency=(1, 3), requests=4)))
    assert [(one.group, one.label, one.value) for one in made] == [
        ("users", "1 user", 1),
        ("users", "3 users", 3),
    ]
    assert [one.load for one in made] == [Closed(1, 4), Closed(3, 4)]


def test_several_lengths_make_several_points() -> None:
    """A profile of three lengths with two others has two points."""
    made = points(altered(LATENCY, Changes(prompt_tokens=(32, 64))))
    assert [(one.label, one.ask.prompt_tokens) for one in made] == [
        ("32 prompt tokens", 32),
        ("64 prompt tokens", 64),
    ]


def test_pairs_of_ab_keep_their_group() -> None:
    """With more users a pair is still a pair."""
    (one,) = points(altered(AB, Changes(concurrency=(4,), pairs=3)))
    assert (one.group, one.label) == ("a/b", "4 users")


def test_named_users_of_a_ladder_are_not_searched() -> None:
    """The steps that somebody names are the ones that run."""
    course = altered(THROUGHPUT, Changes(concurrency=(2, 5), pairs=2)).course
    assert isinstance(course, Ladder)
    assert (course.users, course.adaptive, course.blocks) == ((2, 5), False, 2)


def test_multiple_of_the_output_stays_one() -> None:
    """What doubles num_predict still doubles it when the answers are made shorter."""
    made = {one.label: one.ask for one in points(altered(OPTIONS, Changes(output_tokens=10)))}
    assert made[BASELINE].output_tokens == 10
    assert made["num_predict doubled"].output_tokens == 20


def test_named_rates_need_no_capacity() -> None:
    """Rates replace the shares."""
    course = altered(RATE, Changes(rate=(1.0, 2.0), requests=5)).course
    assert isinstance(course, Rates)
    assert (course.rates_per_s, course.requests) == ((1.0, 2.0), 5)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 5000.0])
def test_impossible_rate_is_refused(rate: float) -> None:
    """No load process sends nothing by second, or five thousand requests."""
    with pytest.raises(FitError, match="requests/s: "):
        altered(RATE, Changes(rate=(1.0, rate)))


@pytest.mark.parametrize(
    ("profile", "changes", "option"),
    [
        (SMOKE, Changes(rate=(1.0,)), "--rate"),
        (SMOKE, Changes(minutes=1.0), "--minutes"),
        (SOAK, Changes(pairs=2), "--pairs"),
        (RATE, Changes(concurrency=(1,)), "--concurrency"),
        (LONG_CONTEXT, Changes(concurrency=(1,)), "--concurrency"),
    ],
)
def test_option_that_would_do_nothing_is_refused(
    profile: Profile, changes: Changes, option: str
) -> None:
    """Nobody is left to believe that an option had an effect."""
    with pytest.raises(FitError, match=f"{option} does nothing in the profile {profile.name}"):
        altered(profile, changes)


def test_soak_takes_one_load() -> None:
    """Minutes and users change, and several numbers of users are refused."""
    course = altered(SOAK, Changes(minutes=2.0, concurrency=(8,))).course
    assert isinstance(course, Soak)
    assert (course.minutes, course.users) == (2.0, 8)
    with pytest.raises(FitError, match="one --concurrency"):
        altered(SOAK, Changes(concurrency=(1, 2)))


def test_other_api_keeps_conversations_chats() -> None:
    """Completions have no turns, so that a conversation goes on over the chat of that family."""
    apis = {ask.api for ask in asks(altered(PREFIX, Changes(api="openai-completions")))}
    assert apis == {"openai-completions", "openai-chat"}


@pytest.mark.parametrize(("profile", "api"), [(SMOKE, "embed"), (EMBED, "generate")])
def test_api_of_another_kind_is_refused(profile: Profile, api: str) -> None:
    """Embeddings and text are not each other's."""
    with pytest.raises(FitError, match=f"--api {api} cannot do what"):
        altered(profile, Changes(api=api))


def test_model_that_only_embeds_is_not_asked_for_text() -> None:
    """It is said which profile measures such a model; that one takes it."""
    facts = Facts("minilm", frozenset({"embedding"}), context_length=512)
    with pytest.raises(FitError, match="minilm only embeds"):
        fitted(SMOKE, facts)
    assert asks(fitted(EMBED, facts)) == asks(EMBED)


def test_climb_of_lengths_stops_at_the_context() -> None:
    """Only prompts for which the model has room are tried, and all with one num_ctx."""
    profile = fitted(LONG_CONTEXT, CHAT)
    assert isinstance(profile.course, Lengths)
    assert profile.course.tokens == (512, 1024, 2048, 4096, 8192 - 16 - 16)
    assert profile.course.ask.options == {"num_ctx": 8192}
    assert "num_ctx 8192" in profile.notes[0]


def test_named_lengths_are_all_tried() -> None:
    """Whoever names lengths has the patience for them."""
    course = altered(LONG_CONTEXT, Changes(prompt_tokens=(3000, 100))).course
    assert isinstance(course, Lengths)
    assert (course.tokens, course.patience_s) == ((100, 3000), None)


def test_prompt_that_fits_needs_no_num_ctx() -> None:
    """A model runs as it was loaded where that is enough."""
    assert fitted(LATENCY, CHAT) == LATENCY


def test_openai_api_has_no_num_ctx() -> None:
    """A server that cannot be told is trusted, and that is noted."""
    profile = fitted(altered(LONG_CONTEXT, Changes(api="openai-chat")), replace(CHAT, native=False))
    assert not asks(profile)[0].options
    assert "what the server runs with is not known" in profile.notes[0]


def test_prompt_longer_than_the_context_is_refused() -> None:
    """One sentence says how much room there is."""
    with pytest.raises(FitError, match="do not fit into the context of tiny, 8192 tokens"):
        fitted(altered(SMOKE, Changes(prompt_tokens=(9000,))), CHAT)


def test_whole_conversation_must_fit() -> None:
    """Six turns take six prompts and answers."""
    with pytest.raises(FitError, match="6 turns of 96 prompt and 32 output tokens"):
        fitted(PREFIX, replace(CHAT, context_length=700))


def test_options_are_those_that_the_model_has() -> None:
    """A doubled context where there is room; nothing that the model cannot do."""
    profile = fitted(OPTIONS, CHAT)
    labels = [one.label for one in points(profile)]
    assert "num_ctx 8192" in labels
    assert not {"think on", "tools"} & set(labels)
    assert set(profile.notes) >= {"think on: the model cannot", "tools: the model cannot"}


def test_thinking_and_tools_have_a_baseline_of_their_own() -> None:
    """Both are asked for in chats, and so is what they are compared with; it does not think."""
    able = replace(CHAT, capabilities=frozenset({"completion", "thinking", "tools"}))
    made = [one for one in points(fitted(OPTIONS, able)) if one.group == "chat options"]
    assert [one.label for one in made] == [BASELINE, "think on", "tools"]
    assert [one.ask.fields.get("think") for one in made] == [False, True, False]
    assert {one.ask.api for one in made} == {"chat"}


def test_context_that_cannot_be_doubled_is_noted() -> None:
    """A model that already runs with all of its context has no such point."""
    profile = fitted(OPTIONS, replace(CHAT, running_context=8192))
    assert "num_ctx was not doubled: it is 8192 of 8192" in profile.notes


def test_trace_can_be_made_shorter() -> None:
    """Prompts and outputs beyond a length are cut to it."""
    trace = point((Arrival(0.0, 9000, 3), Arrival(1.0, 50, 900)), "trace")
    cut = replayed(REPLAY, trace, Changes(prompt_tokens=(100,), output_tokens=20))
    warm, ask = asks(cut)
    assert (warm.prompt_tokens, warm.output_tokens, warm.fields) == (100, 3, {})
    assert (ask.prompt_tokens, ask.output_tokens) == (100, 20)
    assert isinstance(points(cut)[1].load, Open)
    assert next(iter(ask.fields.values())) == [[100, 3], [50, 20]]
    with pytest.raises(FitError, match="do not fit"):
        fitted(replayed(REPLAY, trace, Changes()), CHAT)


def test_trace_with_impossible_rate_is_refused() -> None:
    """A trace that nobody can send on time is not begun."""
    crowd = tuple(Arrival(0.0, 1, 1) for _ in range(2000))
    with pytest.raises(FitError, match="no load process sends more"):
        replayed(REPLAY, point(crowd, "trace"), Changes())


def test_streams_are_those_of_the_largest_point() -> None:
    """The client is calibrated for the most that a profile does at once."""
    most = {profile.name: streams(profile) for profile in (SMOKE, THROUGHPUT, RATE, SOAK, AB)}
    assert most == {"smoke": 1, "throughput": 64, "rate": 16, "soak": 4, "ab": 1}


def test_smallest_ask_is_a_request() -> None:
    """The notes of a profile are no course of their own."""
    assert asks(SMOKE) == (Ask("generate", 24, 16),)
