"""Class logprobs: log probabilities are there when asked for, and are the model's own."""

from __future__ import annotations

import math
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
from ..clients import LANGCHAIN
from ..evidence import Exchange, Record, Wrong
from ..reply import read
from ..target import NOBODY, Target

TOLERANCE = 0.01  # of a probability; what rounding to f16 and 8 bits can move is less


def entries(got: Exchange) -> list[Record]:
    """All entries of a reply, in order."""
    found = [one for record in read(got).records for one in record.get("logprobs") or ()]
    if not found:
        raise Wrong("`logprobs`", got.loose_text[:200])
    return found


@check(
    "logprobs/only-when-asked",
    MUST,
    group="logprobs",
    source="api/types.go:ChatRequest",
    covers=("LOGP-002", "LOGP-005"),
    breaks=(LANGCHAIN,),
)
def only_when_asked(target: Target) -> Verdict:
    """Without `logprobs: true` there are none; `top_logprobs` alone asks for nothing."""
    bound = {"num_predict": 3}
    plain = (
        target.chat(options=bound),
        target.chat(top_logprobs=3, options=bound),
        target.generate(logprobs=False, options=bound),
    )
    got = target.chat(logprobs=True, options=bound)
    odd = [one for one in entries(got) if "top_logprobs" in one]  # not even an empty list
    return every(
        (*(expect("logprobs" in one.ok.object, False, one) for one in plain), expect(odd, [], got))
    )


@check(
    "logprobs/shape",
    MUST,
    group="logprobs",
    source="api/types.go:Logprob",
    covers=("LOGP-003", "LOGP-004", "LOGP-005"),
    breaks=(LANGCHAIN,),
)
def logprobs_shape(target: Target) -> Verdict:
    """An entry has token, logprob and the token's bytes; alternatives are sorted."""
    got = target.generate(logprobs=True, top_logprobs=3, options={"num_predict": 6})
    for entry in entries(got):
        top = entry["top_logprobs"]
        values = [one["logprob"] for one in top]
        own = [one["logprob"] for one in top if one["token"] == entry["token"]]
        fits = len(top) <= 3 and values == sorted(values, reverse=True)
        fits = fits and own[:1] == [entry["logprob"]]  # greedy: the likeliest is what was said
        if not fits or any(not _well_formed(one) for one in (entry, *top)):
            return expect_that(False, "token, logprob <= 0, bytes of the token", entry, got)
    return _of_any_script(target)


def _of_any_script(target: Target) -> Verdict:
    """Passed if bytes are those of UTF-8 where a token is more than ASCII, too.

    A character of several tokens need not have an entry.
    """
    for id in ("unicode-combining", "unicode-cjk"):
        got = target.chat(id, logprobs=True, options={"num_predict": 40})
        for entry in got.object.get("logprobs") or ():
            if not _well_formed(entry):
                return expect_that(False, "the UTF-8 bytes of the token", entry, got)
    return PASSED


def _well_formed(entry: Record) -> bool:
    token, logprob = entry["token"], entry["logprob"]
    if not isinstance(token, str) or not isinstance(logprob, int | float) or logprob > 1e-6:
        return False
    return "\ufffd" in token or entry.get("bytes", []) == list(token.encode())


@check(
    "logprobs/cover-the-text",
    SHOULD,
    group="logprobs",
    source="integration/basic_test.go",
    covers=("LOGP-006", "LOGP-007"),
    breaks=(LANGCHAIN,),
)
def cover_the_text(target: Target) -> Verdict:
    """The entries' tokens together are the text, streamed or not: one for each token."""
    bound = {"num_predict": 10}
    answers = (
        target.chat("count", logprobs=True, options=bound),
        target.generate("count", logprobs=True, stream=True, options=bound),
    )
    if not target.setup.scripted and any(read(got).thinking for got in answers):
        not_judged("the model thinks: the tokens of its tags are no text")
    return every(
        verdict
        for got in answers
        for verdict in (
            expect("".join(str(one["token"]) for one in entries(got)), read(got).text, got),
            expect(len(entries(got)), 10, got),
        )
    )


@check(
    "logprobs/range",
    MUST,
    group="logprobs",
    source="server/routes.go:ChatHandler",
    covers=("LOGP-001", "ERR-006", "GEN-017"),
)
def logprobs_range(target: Target) -> Verdict:
    """`top_logprobs` outside 0 to 20 is 400, before the model is looked for."""
    exactly = "top_logprobs must be between 0 and 20"
    return every(
        expect_error(
            target.post("/api/generate", model=NOBODY, prompt="a", top_logprobs=number),
            (400,),
            exactly=exactly,
        )
        for number in (-1, 21)
    )


@check(
    "logprobs/known-distribution",
    SHOULD,
    group="logprobs",
    source="llm/server.go:Completion",
    covers=("LOGP-010", "LOGP-005"),
)
def known_distribution(target: Target) -> Verdict:
    """The probabilities are the model's, before temperature and top_k: known ones come out."""
    for id in ("steep", "tied", "long-tailed"):
        wanted = dict(target.distribution(id).probabilities[:8])
        got = target.generate(
            prompt=target.distribution(id).prompt,
            raw=True,
            logprobs=True,
            top_logprobs=8,
            options={"temperature": 0.3, "top_k": 3, "num_predict": 1, "seed": 1},
        )
        top = {
            str(one["token"]): math.exp(one["logprob"]) for one in entries(got)[0]["top_logprobs"]
        }
        off = {
            text: (wanted[text], top.get(text))
            for text in wanted
            if abs(top.get(text, 0.0) - wanted[text]) > TOLERANCE
        }
        if off:
            return expect_that(False, f"probabilities of {id} within {TOLERANCE}", off, got)
    return PASSED


@check(
    "logprobs/of-the-drawn-token",
    SHOULD,
    group="logprobs",
    source="api/types.go:Logprob",
    covers=("LOGP-004", "LOGP-010"),
)
def of_the_drawn_token(target: Target) -> Verdict:
    """An entry is about the token that was drawn, also where that is not the likeliest."""
    wanted = dict(target.distribution("steep").probabilities)
    ask = partial(
        target.generate,
        prompt=target.distribution("steep").prompt,
        raw=True,
        logprobs=True,
        top_logprobs=5,
    )
    drawn = {"temperature": 1, "top_k": 3, "num_predict": 1}
    for got in target.several(partial(ask, options={**drawn, "seed": n}) for n in range(12)):
        entry, text = entries(got)[0], read(got).text
        near = abs(math.exp(entry["logprob"]) - wanted.get(text, 0.0)) <= TOLERANCE
        if entry["token"] != text or not near:
            return expect_that(False, f"{text!r} with {wanted.get(text)}", entry, got)
        values = [one["logprob"] for one in entry["top_logprobs"]]
        if values != sorted(values, reverse=True):
            return expect_that(False, "the likeliest first, whichever was drawn", values, got)
    return _as_among_the_rest(target)


def _as_among_the_rest(target: Target) -> Verdict:
    """Passed if each of several drawn tokens has the value that it has among its alternatives."""
    hot = {"temperature": 50, "top_k": 4, "top_p": 1.0, "seed": 3, "num_predict": 12}
    got = target.chat("prose", logprobs=True, top_logprobs=8, options=hot)
    for entry in entries(got):
        among = [one["logprob"] for one in entry["top_logprobs"] if one["token"] == entry["token"]]
        close = [value for value in among if abs(value - entry["logprob"]) <= TOLERANCE]
        if not close and "\ufffd" not in entry["token"]:  # as parts of characters are shown
            return expect_that(False, f"{among}, as among the alternatives", entry, got)
    return PASSED


@check(
    "logprobs/of-thinking",
    SHOULD,
    group="logprobs",
    source="server/routes.go:ChatHandler",
    covers=("LOGP-006", "LOGP-008"),
    breaks=(LANGCHAIN,),
)
def of_thinking(target: Target) -> Verdict:
    """The tokens of the thinking have entries as those of the answer have, streamed or not."""
    recital = target.recital("think")
    for got in target.in_four_ways("think", logprobs=True):
        found = "".join(str(one["token"]) for one in entries(got))
        told = (recital.thinking in found, recital.content in found)
        if told != (True, True):
            wanted = f"entries for {recital.thinking!r} and {recital.content!r}"
            return expect_that(False, wanted, found, got)
    return PASSED
