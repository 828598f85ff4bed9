"""Class options, part one: what bounds an answer, and what is done to greedy ones."""

from __future__ import annotations

from functools import partial

from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import CHATTERS, CONTINUE, JS, LANGCHAIN, LLAMAINDEX, PYTHON, SDKS
from ..evidence import Exchange
from ..likeness import expect_again
from ..reply import read
from ..target import Target

RETIRED = {
    "mirostat": 1,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "tfs_z": 1.0,
    "numa": False,
    "penalize_newline": True,
    "low_vram": False,
    "f16_kv": True,
    "vocab_only": False,
    "use_mlock": False,
    "logits_all": False,
    "embedding_only": False,
    "parallama": 1,
}
DRAWS = 6  # of equals: all alike by chance once in thousands
MIN_WORDS = 30  # of an ordinary model's answer, for a bound of 12 tokens to be felt


@check(
    "options/num-predict",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-002", "OPT-042", "MET-006"),
    breaks=CHATTERS,
)
def num_predict(target: Target) -> Verdict:
    """`num_predict` bounds the tokens; at the bound done_reason is length and the count is it."""
    for bound in (1, 10, 33):
        for got in target.several(
            (
                partial(target.chat, "count", options={"num_predict": bound}),
                partial(target.generate, "count", stream=True, options={"num_predict": bound}),
            )
        ):
            reply = read(got)
            found = [reply.reason, reply.count("eval_count")]
            if not target.setup.scripted and reply.reason == "stop" and 1 < found[1] < bound:
                not_judged(f"the answer ends by itself after {found[1]} tokens")
            if found != ["length", bound]:
                return expect(found, ["length", bound], got)
    return PASSED


@check(
    "options/cut-is-a-prefix",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-002", "OPT-039"),
    breaks=CHATTERS,
)
def cut_is_a_prefix(target: Target) -> Verdict:
    """A bounded answer is the beginning of the unbounded one."""
    longer = read(target.chat("prose", options={"num_predict": 30})).text
    got = target.chat("prose", options={"num_predict": 12})
    shorter = read(got).text
    if not target.setup.scripted and len(longer.split()) < MIN_WORDS:
        not_judged(f"the unbounded answer is short itself: {longer!r}")
    begins = expect_again(target, shorter, longer[: len(shorter)], got)
    cut = 0 < len(shorter) < len(longer)
    return every((begins, expect_that(cut, f"a beginning of {longer!r}", shorter, got)))


@check(
    "options/num-predict-negative",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-040", "OPT-042"),
    breaks=(LANGCHAIN, PYTHON),
)
def num_predict_negative(target: Target) -> Verdict:
    """A negative `num_predict` means until the answer ends by itself."""
    recital = target.recital("greeting")
    for bound in (-1, -2):
        got = target.chat(options={"num_predict": bound})
        found = [read(got).text, read(got).reason]
        if found != [recital.content, "stop"]:
            return expect(found, [recital.content, "stop"], got)
    return PASSED


@check(
    "options/fractions-cut",
    SHOULD,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-031",),
    breaks=(JS,),
)
def fractions_cut(target: Target) -> Verdict:
    """A whole-number option given with a fraction is cut towards zero."""
    got = target.chat("count", options={"num_predict": 7.9})
    return expect(read(got).count("eval_count"), 7, got)


@check(
    "options/unknown-ignored",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-033", "CLIENT-PY-OLL-24"),
    breaks=(PYTHON, LANGCHAIN),
)
def unknown_ignored(target: Target) -> Verdict:
    """Unknown and retired options are ignored; clients still send them."""
    plain = read(target.chat()).text
    got = target.chat(options=RETIRED)
    return expect_again(target, read(got).text, plain, got)


@check(
    "options/nulls-ignored",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-034", "CLIENT-LI-04", "CLIENT-LC-PY-08"),
    breaks=(LANGCHAIN, LLAMAINDEX),
)
def nulls_ignored(target: Target) -> Verdict:
    """An option that is null is as good as absent."""
    nulls = dict.fromkeys(("seed", "top_k", "top_p", "min_p", "num_ctx", "stop", "repeat_penalty"))
    plain = read(target.chat()).text
    got = target.chat(options=nulls)
    if not target.setup.scripted:
        return expect_again(target, read(got).text, plain, got)
    usual, drawn = (
        [read(got).text for got in target.draws("uniform", range(DRAWS), temperature=heat)]
        for heat in (0.8, None)
    )
    return every((expect(read(got).text, plain, got), expect(drawn, usual)))


@check(
    "options/out-of-range",
    SHOULD,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-035",),
)
def out_of_range(target: Target) -> Verdict:
    """Numbers out of range are clamped or refused with 4xx; the server survives them."""
    for given in (
        {"temperature": -5},
        {"top_k": -5},
        {"top_p": 5},
        {"min_p": -1},
        {"repeat_penalty": 0},
        {"seed": 2**40},
    ):
        got = target.chat(options={"num_predict": 3, **given})
        if got.code != 200 and not 400 <= got.code < 500:
            return expect_that(False, "200 or 4xx", f"{given}: {got.status}", got)
    return expect(read(target.chat()).final["done"], True)


@check(
    "options/temperature-zero",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-008", "OPT-039"),
    breaks=CHATTERS,
)
def temperature_zero(target: Target) -> Verdict:
    """At temperature 0 the likeliest token is taken, whatever the seed."""
    for id in ("steep", "long-tailed"):
        wanted = target.distribution(id).probabilities[0][0]
        for got in target.draws(id, range(12), temperature=0):
            if read(got).text != wanted:
                return expect(read(got).text, wanted, got)
    return PASSED


@check(
    "options/stop",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-012", "OPT-047", "OPT-042", "STREAM-018"),
    breaks=(*SDKS, CONTINUE, LANGCHAIN),
)
def stop(target: Target) -> Verdict:
    """A stop string ends the answer just before it; done_reason is stop; it is never seen."""
    whole = target.recital("count").content
    return every(
        cut_at(
            found,
            whole,
            *target.several(
                (
                    partial(target.chat, "count", options={"stop": [found]}),
                    partial(target.generate, "count", stream=True, options={"stop": [found]}),
                )
            ),
        )
        for found in (" 17 ", "19", "3 24 2")
    )


def cut_at(found: str, whole: str, *answers: Exchange) -> Verdict:
    """Passed if each is the whole text up to a stop string, and says that it stopped."""
    wanted = [whole[: whole.index(found)], "stop"]
    replies = ((read(got), got) for got in answers)
    return every(expect([reply.text, reply.reason], wanted, got) for reply, got in replies)


@check(
    "options/stop-first-match",
    MUST,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-047",),
    breaks=(CONTINUE, LANGCHAIN),
)
def stop_first_match(target: Target) -> Verdict:
    """Of several stop strings the one that comes first in the answer ends it; case matters."""
    whole = target.recital("prose").content
    got = target.chat("prose", options={"stop": ["weather", "HARBOUR", "keeper", "glass"]})
    return expect(read(got).text, whole[: whole.index("keeper")], got)


@check(
    "options/stop-withheld",
    MUST,
    group="options",
    source="docs/api/streaming.mdx",
    covers=("STREAM-018",),
    breaks=(*SDKS, CONTINUE),
)
def stop_withheld(target: Target) -> Verdict:
    """What might begin a stop string but does not become one is delivered in the end."""
    wanted = target.recital("greeting").content
    got = target.chat(stream=True, options={"stop": ["today? No", "Hello? ", "you do"]})
    return expect(read(got).text, wanted, got)


@check(
    "options/stop-must-be-a-list",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032",),
)
def stop_must_be_a_list(target: Target) -> Verdict:
    """A stop list of anything but strings is an error."""
    got = target.chat(options={"stop": [1]})
    return expect_error(got, (400, 500), containing="stop")


@check(
    "options/presence-penalty",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-010", "OPT-043"),
)
def presence_penalty(target: Target) -> Verdict:
    """A great `presence_penalty` breaks a loop, even at temperature 0."""
    return _breaks_loop(target, presence_penalty=100.0)


@check(
    "options/frequency-penalty",
    SHOULD,
    group="options",
    source="docs/openapi.yaml:ModelOptions",
    covers=("OPT-011", "OPT-043"),
)
def frequency_penalty(target: Target) -> Verdict:
    """A great `frequency_penalty` breaks a loop."""
    return _breaks_loop(target, frequency_penalty=100.0)


@check(
    "options/repeat-penalty",
    SHOULD,
    group="options",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-009", "OPT-007"),
    breaks=(LANGCHAIN,),
)
def repeat_penalty(target: Target) -> Verdict:
    """A great `repeat_penalty` breaks a loop; with `repeat_last_n` 0 it does nothing."""
    broken = _breaks_loop(target, repeat_penalty=20.0)
    plain = target.chat("loop", options=_loop())
    got = target.chat("loop", options=_loop(repeat_penalty=20.0, repeat_last_n=0))
    return every((broken, expect(read(got).text, read(plain).text, got)))


def _loop(**given: float) -> dict[str, float]:
    return {"num_predict": 40, "repeat_last_n": 64, **given}


def _breaks_loop(target: Target, **given: float) -> Verdict:
    looped = target.recital("loop").content
    plain, got = target.several(
        partial(target.chat, "loop", options=one) for one in (_loop(), _loop(**given))
    )
    text = read(got).text
    return every(
        (
            expect_that(looped.startswith(read(plain).text), "the loop", read(plain).text, plain),
            expect_that(text != read(plain).text, "anything but the loop", text, got),
        )
    )
