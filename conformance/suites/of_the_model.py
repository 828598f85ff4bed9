"""Class options, part eight: what a model was created with is in force, and gives way to requests.

One model has a value of its own for every option. Where a request gives all options but one, only
that one of the model's is in force: it leaves a single token to say, or a number of tokens, in
every way of asking. Where the request gives this one, too, the model's is not felt any more.
Models' stop lists are judged by `options/stop-replaces`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..arithmetic import Sampling, chances, load_logits
from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, LANGCHAIN, LLAMAINDEX, SDKS
from ..evidence import Json
from ..parameters import PARAMETERS, Parameter
from ..reply import read
from ..target import GREEDY, Target
from .edges import WINDOW
from .every_way import BARE, in_every_way
from .parameters import LONG
from .shown import made

# of the model: each leaves one token to say, or so many tokens to say it in
OWN: dict[str, Json] = {
    "temperature": 0.0, "top_k": 1, "top_p": 0.1, "min_p": 0.95, "typical_p": 0.01, "seed": 7,
    "num_predict": 1, "repeat_penalty": 1.3, "presence_penalty": 2.0, "frequency_penalty": 2.0,
    "repeat_last_n": 7,
}  # fmt: skip
# of a request: with these hundreds of tokens are as good as equally likely
OPEN: dict[str, Json] = {
    "temperature": 50.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "num_predict": 1,
    "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repeat_last_n": 64,
}  # fmt: skip
COLD: dict[str, Json] = {"temperature": 0.0}
# after which prompt an option is felt, and beside what of a request
FELT: dict[str, tuple[str, dict[str, Json]]] = {
    "temperature": ("long-tailed", {}),
    "top_k": ("long-tailed", {}),
    "top_p": ("long-tailed", {}),
    "min_p": ("long-tailed", {}),
    "typical_p": ("steep", {}),
    "repeat_penalty": ("after-a", COLD),
    "presence_penalty": ("after-a", COLD),
    "frequency_penalty": ("after-a", COLD),
    "repeat_last_n": ("after-a", {**COLD, "presence_penalty": 2.0}),
}
SEEDS = (1, 2)
OTHER_SEEDS = (1, 2, 3)  # of hundreds of tokens all three are one with a chance of 4e-8
BOUND = 5  # tokens
KEPT = 100  # tokens of a prompt that stay when it is cut
ROOM = 2048  # tokens, which hold all of a prompt
LITTLE: tuple[dict[str, Json] | None, ...] = (
    None, {"temperature": 50.0}, {"top_k": 0, "seed": 3}, {"num_predict": BOUND},
    {"repeat_last_n": 64}, {"repeat_last_n": 64, "temperature": 50.0}, dict.fromkeys(OWN), {},
)  # fmt: skip
WIDE: dict[str, Json] = {"repeat_last_n": 64}


def owner(target: Target, word: str, **more: object) -> str:
    """A model with a value of its own for every option, whose template is the bare prompt."""
    word = f"own-{word.replace('_', '-')}"
    return made(target, word, **{"template": BARE, "parameters": OWN, **more})


def likeliest(target: Target, id: str, given: Mapping[str, Json]) -> str:
    """The token that comes first: by arithmetic where it can be, else the likeliest of all."""
    if id not in load_logits():
        return target.distribution(id).probabilities[0][0]
    known = {key: one for key, one in given.items() if key in Sampling.__dataclass_fields__}
    return next(iter(chances(load_logits()[id], Sampling(**known))))


def prompt_of(target: Target, id: str) -> str:
    """The prompt of a known distribution."""
    return load_logits()[id].prompt if id in load_logits() else target.distribution(id).prompt


def sampled(target: Target, name: str) -> Verdict:
    """Passed if an option of the model decides what is said until a request gives another."""
    _ = target.script
    id, beside = FELT[name]
    model, prompt, given = owner(target, name), prompt_of(target, id), {**OPEN, **beside}
    left = {key: one for key, one in given.items() if key != name}
    wanted = likeliest(target, id, {**left, name: OWN[name]})
    for seed in SEEDS:
        for way, got in in_every_way(target, model, prompt, {**left, "seed": seed}):
            if read(got).text != wanted:
                told = f"{way}: {wanted!r}, as with {name} {OWN[name]}, which is the model's own"
                return expect_that(False, told, read(got).text, got)
    said: dict[str, list[str]] = {}
    for seed in OTHER_SEEDS[: 1 if beside else None]:
        for way, got in in_every_way(target, model, prompt, {**given, "seed": seed}):
            said.setdefault(way, []).append(read(got).text)
    odd = [texts for texts in said.values() if set(texts) == {wanted}]
    if beside:
        odd = [texts for texts in said.values() if texts != [likeliest(target, id, given)]]
    told = f"another text than {wanted!r}, for the request gives {name} {OPEN[name]}"
    return expect_that(not odd, told, said)


def seeded(target: Target) -> Verdict:
    """A seed of the model draws the same token in every way, until a request gives another."""
    prompt, model = target.distribution("long-tailed").prompt, owner(target, "seed")

    def draw(**options: Json) -> list[str]:
        ways = in_every_way(target, model, prompt, {**OPEN, **options})
        return [read(got).text for _, got in ways]

    own, others = draw() + draw(), [draw(seed=seed)[0] for seed in OTHER_SEEDS]
    wanted = draw(seed=OWN["seed"])
    return every(
        (
            expect(own, wanted * 2),
            expect_that(set(others) != set(own), "other texts by other seeds", [own, others]),
        )
    )


def bounded(target: Target) -> Verdict:
    """A bound of the model ends answers in every way, until a request gives another."""
    prompt, model = target.recital("count").prompt, owner(target, "num_predict")
    for given, wanted in (({}, OWN["num_predict"]), ({"num_predict": BOUND}, BOUND)):
        options = {**{key: one for key, one in OPEN.items() if key != "num_predict"}, **COLD}
        for way, got in in_every_way(target, model, prompt, {**options, **given}):
            told = [way, read(got).count("eval_count"), read(got).reason]
            if told != [way, wanted, "length"]:
                return expect(told, [way, wanted, "length"], got)
    return expect(got.code, 200)


def read_tokens(target: Target, model: str, **options: Json) -> int:
    """How many tokens of a prompt of a thousand are read."""
    ask = {"model": model, "prompt": LONG, "raw": True, "stream": False}
    got = target.post("/api/generate", ask, options={**GREEDY, "num_predict": 2, **options})
    return read(got).count("prompt_eval_count")


def windowed(target: Target) -> Verdict:
    """The model's window and what is kept of a prompt in it, until a request gives others."""
    _ = target.script
    model = owner(target, "window", parameters={"num_ctx": WINDOW, "num_keep": KEPT})
    cut = {kept: WINDOW - (WINDOW - kept - 1) // 2 for kept in (KEPT, 0)}
    found = [read_tokens(target, model), read_tokens(target, model, num_keep=0)]
    whole = read_tokens(target, model, num_ctx=ROOM)
    return every(
        (
            expect(found, [cut[KEPT], cut[0]]),
            expect_that(WINDOW < whole < ROOM, f"all, with num_ctx {ROOM}", whole),
        )
    )


SPECIAL: dict[str, Callable[[Target], Verdict]] = {
    "seed": seeded,
    "num_predict": bounded,
    "num_ctx": windowed,
}


def enter(one: Parameter) -> None:
    """Make the check of an option."""

    def judged(target: Target) -> Verdict:
        return SPECIAL[one.name](target) if one.name in SPECIAL else sampled(target, one.name)

    judged.__doc__ = (
        f"`{one.name}` of a model is in force in every way of asking until a request gives it."
    )
    check(
        one.of_the_model,
        MUST if one.must else SHOULD,
        group="options",
        source="server/routes.go:modelOptions",
        covers=("OPT-030", "OPT-044", "CREATE-11", one.row),
        breaks=(*SDKS, *CHATTERS, LANGCHAIN, LLAMAINDEX) if one.must else (LANGCHAIN, LLAMAINDEX),
    )(judged)


for _one in PARAMETERS:
    if _one.name not in ("stop", "num_keep"):  # one has a check of its own, one goes with num_ctx
        enter(_one)


@check(
    "options/of-the-model",
    MUST,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("OPT-030", "OPT-044", "CREATE-16", "COPY-03"),
    breaks=(*SDKS, *CHATTERS),
)
def together(target: Target) -> Verdict:
    """All options of a model hold where a request gives none, or few; so they do of those from it.

    A model that is created from it has its options but for those of its own; a copy has them all.
    """
    _ = target.script
    model = owner(target, "together")
    child = made(target, "own-child", **{"from": model, "parameters": WIDE})
    twin = target.temporary("own-twin")
    _ = target.post("/api/copy", source=model, destination=twin).ok
    prompt = load_logits()["after-a"].prompt

    cases = [(model, given) for given in LITTLE] + [(twin, None), (child, None), (child, {})]
    for name, given in cases:
        told = {key: one for key, one in (given or {}).items() if one is not None}
        own = {**OWN, **(WIDE if name == child else {}), **told}
        first = likeliest(target, "after-a", own)
        for way, got in in_every_way(target, name, prompt, given):
            found = [read(got).text[:1], read(got).count("eval_count") == 1]
            if found != [first, own["num_predict"] == 1]:
                what = f"{way} with {given}: {first!r}, and "
                what += "no more" if own["num_predict"] == 1 else "what follows"
                return expect_that(False, what, [read(got).text, read(got).reason], got)
    return expect(got.code, 200)
