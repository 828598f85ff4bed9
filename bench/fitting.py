"""Fitting a profile: to what the command line asks for, and to what a model can do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from .load import BASELINE, EMBEDDING_APIS, Ask, Closed, Open, Point
from .profiles import (
    MAX_RATE_PER_S,
    Ladder,
    Lengths,
    Plot,
    Profile,
    Rates,
    Soak,
    Steps,
    users_point,
)
from .workload import CHAT_APIS, LENGTHS, NATIVE_APIS

SPARE_TOKENS = 16
"""Left free in a context, for the template and the end."""
USUAL_CONTEXT = 4096
"""With how much Ollama loads a model when nothing is said (docs/context-length.mdx)."""
MUCH_LONGER = 1.2
OPEN_STREAMS = 16
"""About how many answers an open loop has under way."""
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
Asking = TypeVar("Asking", Ladder, Lengths, Rates, Soak)


class FitError(ValueError):
    """A profile cannot be run as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the command line changes in a profile; None leaves it."""

    api: str | None = None
    concurrency: tuple[int, ...] | None = None
    requests: int | None = None
    output_tokens: int | None = None
    prompt_tokens: tuple[int, ...] | None = None
    pairs: int | None = None
    minutes: float | None = None
    rate: tuple[float, ...] | None = None


TAKES: dict[type, frozenset[str]] = {
    Steps: frozenset({"concurrency", "requests", "pairs"}),
    Ladder: frozenset({"concurrency", "requests", "pairs"}),
    Lengths: frozenset({"requests"}),
    Rates: frozenset({"requests", "pairs", "rate"}),
    Soak: frozenset({"concurrency", "minutes"}),
}
"""What can be changed in each kind of course, beside lengths and API."""


def altered(profile: Profile, changes: Changes) -> Profile:
    """The profile with these changes; raises FitError where one would do nothing."""
    given = {field.name for field in fields(changes) if getattr(changes, field.name) is not None}
    idle = given - TAKES[type(profile.course)] - {"api", "output_tokens", "prompt_tokens"}
    if idle:
        option = min(idle).replace("_", "-")
        raise FitError(f"--{option} does nothing in the profile {profile.name}")
    course: Plot = profile.course
    match course:
        case Steps():
            course = altered_steps(course, changes)
        case Ladder():
            course = altered_ladder(asking(course, changes), changes)
        case Lengths():
            course = asking(replace(course, requests=changes.requests or course.requests), changes)
            if changes.prompt_tokens is not None:
                tokens = tuple(sorted(changes.prompt_tokens))
                course = replace(course, tokens=tokens, patience_s=None)
        case Rates():
            course = altered_rates(asking(course, changes), changes)
        case Soak():
            users = changes.concurrency[0] if changes.concurrency else course.users
            if len(changes.concurrency or ()) > 1:
                raise FitError(f"the profile {profile.name} takes one --concurrency")
            course = replace(course, users=users, minutes=changes.minutes or course.minutes)
            course = asking(course, changes)
    return dispatchable(replace(profile, course=course))


def asking(course: Asking, changes: Changes) -> Asking:
    """A course of one ask, with other lengths or another API."""
    lengths = changes.prompt_tokens or (course.ask.prompt_tokens,)
    if len(lengths) > 1 and not isinstance(course, Lengths):
        raise FitError("this profile takes one --prompt-tokens")
    ask = new_api(replace(course.ask, prompt_tokens=lengths[0]), changes.api)
    return replace(
        course, ask=replace(ask, output_tokens=changes.output_tokens or ask.output_tokens)
    )


def altered_steps(steps: Steps, changes: Changes) -> Steps:
    """Points with other loads and lengths; several users or lengths make several points of one."""
    base = steps.points[0].ask.output_tokens if steps.points else 0
    points = []
    for point in steps.points:
        ask = new_api(point.ask, changes.api)
        if changes.output_tokens is not None and base:
            # An option that is a multiple of the length stays that multiple.
            ask = replace(ask, output_tokens=changes.output_tokens * ask.output_tokens // base)
        load = point.load
        if changes.requests is not None:
            load = replace(load, requests=changes.requests)
        points += [replace(point, ask=ask, load=load)]
    if changes.prompt_tokens is not None:
        points = spread(points, changes.prompt_tokens, longer)
    if changes.concurrency is not None:
        points = spread(points, changes.concurrency, crowded)
    return replace(steps, points=tuple(points), blocks=changes.pairs or steps.blocks)


def spread(
    points: Sequence[Point], numbers: Sequence[int], change: Callable[[Point, int, bool], Point]
) -> list[Point]:
    """Each point with each of the numbers, points that become equal but once."""
    several = len(points) > 1
    made = [change(point, number, several) for number in numbers for point in points]
    return [point for place, point in enumerate(made) if point not in made[:place]]


def longer(point: Point, tokens: int, several: bool) -> Point:
    """A point with prompts of another length."""
    ask = replace(point.ask, prompt_tokens=tokens)
    if point.group == "prompt" or not several:
        return replace(
            point, group="prompt", label=f"{tokens} prompt tokens", value=tokens, ask=ask
        )
    return replace(point, ask=ask)


def crowded(point: Point, users: int, several: bool) -> Point:
    """A closed loop with another number of users."""
    if not isinstance(point.load, Closed):
        return point
    load = replace(point.load, users=users)
    named = users_point(users, point.ask, load.requests)
    if point.group == "users" or not several:
        group = point.group if "/" in point.group else "users"
        return replace(point, group=group, label=named.label, value=users, load=load)
    return replace(point, load=load)


def altered_ladder(ladder: Ladder, changes: Changes) -> Ladder:
    """Named users are gone through as they are, without a search."""
    users = changes.concurrency or ladder.users
    return replace(
        ladder,
        users=users,
        adaptive=ladder.adaptive and changes.concurrency is None,
        requests=changes.requests or ladder.requests,
        blocks=changes.pairs or ladder.blocks,
    )


def altered_rates(rates: Rates, changes: Changes) -> Rates:
    """Named rates need no capacity."""
    return replace(
        rates,
        rates_per_s=changes.rate or rates.rates_per_s,
        requests=changes.requests or rates.requests,
        blocks=changes.pairs or rates.blocks,
    )


def new_api(ask: Ask, api: str | None) -> Ask:
    """The same over another API; conversations stay chats."""
    if api is None:
        return ask
    if (api in EMBEDDING_APIS) != (ask.api in EMBEDDING_APIS):
        raise FitError(f"--api {api} cannot do what {ask.api} does in this profile")
    if ask.turns > 1 and api not in CHAT_APIS:
        api = "openai-chat" if api.startswith("openai") else "chat"
    return replace(ask, api=api)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a profile must know of the model that it is put on."""

    name: str
    capabilities: frozenset[str] = frozenset()
    context_length: int | None = None
    """What the model was made for."""
    running_context: int | None = None
    """With what it is loaded."""
    native: bool = True
    """Whether the server has Ollama's API."""


def asks(profile: Profile) -> tuple[Ask, ...]:
    """Every ask that the profile can come to."""
    match profile.course:
        case Steps(points=points):
            return tuple(point.ask for point in points)
        case Lengths() as lengths:
            return tuple(replace(lengths.ask, prompt_tokens=one) for one in lengths.tokens)
        case Ladder(ask=ask) | Rates(ask=ask) | Soak(ask=ask):
            return (ask,)
    raise AssertionError


def streams(profile: Profile) -> int:
    """How many answers may be under way at once, as far as that is known beforehand."""
    match profile.course:
        case Steps(points=points):
            users = [one.load.users for one in points if isinstance(one.load, Closed)]
            crowd = any(isinstance(one.load, Open) for one in points)
            return max([*users, *([OPEN_STREAMS] if crowd else [])], default=1)
        case Ladder(users=users):
            return max(users)
        case Rates() as rates:
            return max(rates.probe_users, OPEN_STREAMS)
        case Soak() as soak:
            return soak.users
        case Lengths():
            return 1
    raise AssertionError


def need_of(ask: Ask) -> int:
    """How much context a request takes, all turns of a conversation together."""
    return ask.turns * (ask.prompt_tokens + ask.output_tokens) + SPARE_TOKENS


def fitted(profile: Profile, facts: Facts) -> Profile:
    """The profile as this model can run it; raises FitError where it cannot."""
    wanted = asks(profile)
    only_embeds = "embedding" in facts.capabilities and "completion" not in facts.capabilities
    if only_embeds and any(ask.api not in EMBEDDING_APIS for ask in wanted):
        raise FitError(f"{facts.name} only embeds: the profile embed measures that")
    if profile.name == "options":
        profile = with_what_the_model_can(profile, facts)
    profile = within_context(profile, facts)
    need = max(map(need_of, asks(profile)), default=0)
    running = facts.running_context or USUAL_CONTEXT
    unknown = facts.context_length is None and facts.running_context is None
    if need <= running or unknown:
        return profile
    if not facts.native:
        note = f"prompts need a context of {need} tokens; what the server runs with is not known"
        return replace(profile, notes=(*profile.notes, note))
    note = f"num_ctx {need}, because prompts are longer than the {running} tokens it runs with"
    profile = everywhere(profile, lambda ask: with_context(ask, need))
    return replace(profile, notes=(*profile.notes, note))


def within_context(profile: Profile, facts: Facts) -> Profile:
    """Without the prompts of a climb that the model has no room for; raises FitError at others."""
    room = facts.context_length
    if room is None:
        return profile
    if isinstance(profile.course, Lengths):
        profile = replace(profile, course=climbable(profile.course, room))
    for ask in asks(profile):
        if need_of(ask) > room:
            turns = f"{ask.turns} turns of " if ask.turns > 1 else ""
            raise FitError(
                f"{turns}{ask.prompt_tokens} prompt and {ask.output_tokens} output tokens do not "
                f"fit into the context of {facts.name}, {room} tokens"
            )
    return profile


def climbable(lengths: Lengths, room: int) -> Lengths:
    """The lengths for which there is room, and the longest one, where that is much longer."""
    longest = room - need_of(replace(lengths.ask, prompt_tokens=0))
    fits = tuple(one for one in lengths.tokens if one <= longest)
    if fits and fits != lengths.tokens and longest >= MUCH_LONGER * fits[-1]:
        fits = (*fits, longest)
    return replace(lengths, tokens=fits or lengths.tokens)


def with_context(ask: Ask, tokens: int) -> Ask:
    """An ask that has the model loaded with so much context, unless it says how much itself."""
    if ask.api not in NATIVE_APIS or "num_ctx" in ask.options:
        return ask
    return replace(ask, options={**ask.options, "num_ctx": tokens})


def everywhere(profile: Profile, change: Callable[[Ask], Ask]) -> Profile:
    """The profile with every ask changed."""
    course: Plot = profile.course
    match course:
        case Steps(points=points):
            changed = tuple(replace(point, ask=change(point.ask)) for point in points)
            course = replace(course, points=changed)
        case Ladder() | Lengths() | Rates() | Soak():
            course = replace(course, ask=change(course.ask))
    return replace(profile, course=course)


def everywhere_group(profile: Profile, group: str) -> Profile:
    """A profile of steps with all its points in one group."""
    assert isinstance(profile.course, Steps)
    points = tuple(replace(point, group=group) for point in profile.course.points)
    return replace(profile, course=replace(profile.course, points=points))


def with_what_the_model_can(profile: Profile, facts: Facts) -> Profile:
    """The options profile with a doubled context, thinking and tools, where the model has them."""
    assert isinstance(profile.course, Steps)
    base = next(point for point in profile.course.points if point.label == BASELINE)
    points = list(profile.course.points)
    notes = list(profile.notes)
    running = facts.running_context or USUAL_CONTEXT
    if facts.context_length is not None and 2 * running <= facts.context_length:
        ask = with_context(base.ask, 2 * running)
        points.append(replace(base, label=f"num_ctx {2 * running}", ask=ask))
    else:
        notes.append(f"num_ctx was not doubled: it is {running} of {facts.context_length}")
    asked: dict[str, dict[str, Any]] = {
        "think on": {"think": True},
        "tools": {"tools": [TOOL]},
    }
    offered = {"think on": "thinking", "tools": "tools"}
    there = [label for label, needed in offered.items() if needed in facts.capabilities]
    if there:
        ask = replace(base.ask, api="chat")
        quiet = {"think": False} if "think on" in there else {}
        plain = replace(base, group="chat options", ask=replace(ask, fields=quiet))
        points.append(plain)
        points += [
            replace(plain, label=label, ask=replace(ask, fields=quiet | asked[label]))
            for label in there
        ]
    notes += [f"{label}: the model cannot" for label in offered if label not in there]
    course = replace(profile.course, points=tuple(points))
    return replace(profile, course=course, notes=tuple(notes))


def replayed(profile: Profile, point: Point, changes: Changes) -> Profile:
    """The replay profile with its load; prompts and outputs cut to so many tokens where asked."""
    if len(changes.prompt_tokens or ()) > 1:
        raise FitError("a trace takes one --prompt-tokens, the most that a prompt may have")
    (most_prompt,) = changes.prompt_tokens or (point.ask.prompt_tokens,)
    most_output = changes.output_tokens or point.ask.output_tokens
    lengths = [
        [min(prompt, most_prompt), min(output, most_output)]
        for prompt, output in point.ask.fields[LENGTHS]
    ]
    ask = replace(
        new_api(point.ask, changes.api),
        prompt_tokens=max(prompt for prompt, _ in lengths),
        output_tokens=max(output for _, output in lengths),
        fields={LENGTHS: lengths},
    )
    (prompt, output), *_ = lengths
    first = replace(ask, prompt_tokens=prompt, output_tokens=output, fields={})
    warm = Point("probe", "one request, to warm up", None, Closed(1, 1, warmup=1), first)
    return dispatchable(replace(profile, course=Steps((warm, replace(point, ask=ask)))))


def dispatchable(profile: Profile) -> Profile:
    """The profile, where all its rates can be; raises FitError."""
    rates: list[float] = []
    match profile.course:
        case Rates() as course:
            rates += course.rates_per_s
        case Steps() as course:
            rates += [one.load.rate_per_s for one in course.points if isinstance(one.load, Open)]
    for rate in rates:
        if not rate > 0:
            raise FitError(f"{rate:g} requests/s: a rate is greater than 0")
        if rate > MAX_RATE_PER_S:
            raise FitError(
                f"{rate:g} requests/s: no load process sends more than {MAX_RATE_PER_S:g} on time"
            )
    return profile
