"""Profiles from TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..course import Course
from ..custom import ProfileError, parse
from ..load import Ask, Closed, Open, Slo
from ..profiles import Ladder, Profile, Steps

LADDER = """
name = "evening"
about = "after work"
seed = 3
slo = {ttft_ms = 500, tpot_ms = 50}

[course]
kind = "ladder"
users = [1, 4, 16]
ask = {prompt_tokens = 256, options = {top_k = 1}}
"""
STEPS = """
name = "steps"

[course]
kind = "steps"
blocks = 2

[[course.points]]
label = "four"
load = {users = 4, requests = 3}
ask = {}

[[course.points]]
label = "now and then"
load = {rate_per_s = 0.5, requests = 20}
ask = {api = "chat", turns = 2}
"""


def test_file_says_all_that_a_profile_can() -> None:
    """What is written is what runs; the rest is as ever."""
    profile = parse(LADDER)
    ladder = Ladder(Ask(prompt_tokens=256, options={"top_k": 1}), users=(1, 4, 16))
    assert profile == Profile("evening", "after work", ladder, seed=3, slo=Slo(500.0, 50.0))


def test_points_have_closed_and_open_loads() -> None:
    """A load with a rate is open, one with users closed."""
    profile = parse(STEPS)
    assert isinstance(profile.course, Steps)
    assert [point.load for point in profile.course.points] == [Closed(4, 3), Open(0.5, 20)]
    assert Course(profile).planned == 4


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("kind = ", "knd = "), "course.kind must be one of steps, ladder, lengths, rates, soak"),
        (("users = [1, 4, 16]", ""), "course.users is missing"),
        (("users = [1, 4, 16]", "users = [4, 1]"), "course.users must ascend"),
        (("users = [1, 4, 16]", "users = []"), "course.users must be a list with something in it"),
        (("users = [1, 4, 16]", "users = [1, 0]"), "course.users[1] must be greater than 0, not 0"),
        (("users = [1, 4, 16]", 'users = ["x"]'), "course.users[0] must be a whole number"),
        (("users = [1, 4, 16]", "users = [1.5]"), "course.users[0] must be a whole number"),
        (("users = [1, 4, 16]", "users = [true]"), "course.users[0] must be a number"),
        (("prompt_tokens", "prompt_token"), "course.ask.prompt_token is unknown; there are: api,"),
        (("prompt_tokens = 256", 'api = "soup"'), "course.ask.api must be one of generate"),
        (("prompt_tokens = 256", "shared = 1.5"), "course.ask.shared must be from 0 to 1"),
        (("prompt_tokens = 256", "turns = 3"), "course.ask.turns needs one of chat, openai-chat"),
        (("prompt_tokens = 256", "inputs = 3"), "course.ask.inputs needs one of embed"),
        (("prompt_tokens = 256", "output_tokens = 0"), "course.ask.output_tokens must be greater"),
        (("seed = 3", "seed = -3"), "seed must be greater than 0, not -3"),
        (("seed = 3", 'timeout_s = "soon"'), "timeout_s must be a number, not 'soon'"),
        (("seed = 3", "timeout_s = inf"), "timeout_s must be greater than 0, not inf"),
        (("ttft_ms = 500", "ttft = 500"), "slo.ttft is unknown; there are: ttft_ms, tpot_ms"),
        (('name = "evening"', ""), "name is missing"),
        (('name = "evening"', "name = 3"), "name must be a text, not 3"),
        (("seed = 3", "seed ="), "it is not TOML: "),
    ],
)
def test_mistake_is_named_with_its_key(change: tuple[str, str], mistake: str) -> None:
    """Whatever is wrong is said with the key at which it is."""
    with pytest.raises(ProfileError) as caught:
        parse(LADDER.replace(*change))
    assert mistake in str(caught.value)


def test_every_mistake_is_named() -> None:
    """Nobody has to run the program five times to learn of five mistakes."""
    with pytest.raises(ProfileError) as caught:
        parse(
            STEPS.replace("users = 4", "users = 0").replace("0.5", "nan").replace("turns", "tuns")
        )
    keys = [mistake.split(" ")[0] for mistake in str(caught.value).split("; ")]
    assert {
        "course.points[0].load.users",
        "course.points[1].load.rate_per_s",
        "course.points[1].ask.tuns",
    } <= set(keys)


@pytest.mark.parametrize("rates", ["", "shares = [0.5]\nrates_per_s = [1]"])
def test_rates_are_either_shares_or_rates(rates: str) -> None:
    """Both, or none of them, is a mistake."""
    with pytest.raises(ProfileError, match="course needs either shares or rates_per_s"):
        parse(f'name = "x"\n[course]\nkind = "rates"\nask = {{}}\n{rates}')


def test_example_of_the_documentation_is_a_profile() -> None:
    """What docs/bench.md shows can be run as it stands there."""
    page = Path(__file__).resolve().parents[2] / "docs" / "bench.md"
    example = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    profile = parse(example)
    assert isinstance(profile.course, Steps)
    assert [point.label for point in profile.course.points] == ["four people", "a trickle"]
    assert (profile.slo.ttft_ms, profile.course.blocks) == (1500, 3)
