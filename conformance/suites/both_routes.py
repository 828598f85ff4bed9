"""Class core, part ten: what /api/chat and /api/generate have in common, they do alike."""

from __future__ import annotations

from collections.abc import Sequence

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, SDKS
from ..evidence import Record
from ..reply import read
from ..target import Target
from .context import WINDOW, WORDS
from .logprobs import entries

NEAR = 0.02  # between two evaluations of one prompt
ALTERNATIVES = 2
BOUND = 6


@check(
    "options/on-both-routes",
    MUST,
    group="options",
    source="server/routes.go:modelOptions",
    covers=("GEN-012", "CHAT-007", "OPT-002"),
    breaks=(*SDKS, *CHATTERS),
)
def options_on_both(target: Target) -> Verdict:
    """`options` are obeyed by chat and by generate, streamed and not."""
    _ = target.script
    cut, stopped = {"num_predict": BOUND}, {"stop": [" 4 "], "num_predict": 40}
    return every(
        (
            *(
                expect([read(got).count("eval_count"), read(got).reason], [BOUND, "length"], got)
                for got in target.in_four_ways("count", options=cut)
            ),
            *(
                expect([read(got).text, read(got).reason], ["1 2 3", "stop"], got)
                for got in target.in_four_ways("count", options=stopped)
            ),
        )
    )


@check(
    "logprobs/on-both-routes",
    SHOULD,
    group="logprobs",
    source="server/routes.go:ChatHandler",
    covers=("GEN-016", "GEN-017", "GEN-049", "CHAT-011", "CHAT-050", "LOGP-005", "LOGP-006"),
    breaks=(LANGCHAIN, LANGCHAIN_JS),
)
def logprobs_on_both(target: Target) -> Verdict:
    """Chat and generate, streamed and not, give the same entries, with as many alternatives."""
    asked = {"logprobs": True, "top_logprobs": ALTERNATIVES}
    answers = target.in_four_ways("count", options={"num_predict": BOUND}, **asked)
    first = entries(answers[0])
    return every(
        verdict
        for got in answers
        for verdict in (
            expect([one["token"] for one in entries(got)], [one["token"] for one in first], got),
            expect(_alternatives(entries(got)), [ALTERNATIVES] * BOUND, got),
            expect_that(_near(entries(got), first), "the same values", entries(got), got),
        )
    )


def _alternatives(found: Sequence[Record]) -> list[int]:
    return [len(one["top_logprobs"]) for one in found]


def _near(found: Sequence[Record], wanted: Sequence[Record]) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(abs(one["logprob"] - other["logprob"]) <= NEAR for one, other in pairs)


@check(
    "context/chat-is-not-cut-on-demand",
    SHOULD,
    group="context",
    source="server/prompt.go:chatPrompt",
    covers=("CHAT-009", "CTX-007", "ERR-031"),
    breaks=(LANGCHAIN_JS,),
)
def chat_is_not_cut(target: Target) -> Verdict:
    """With `truncate` false a conversation that does not fit is 4xx; without it, it is answered."""
    long = [
        {"role": role, "content": WORDS[:300]} for _ in range(12) for role in ("user", "assistant")
    ]
    messages = [*long, {"role": "user", "content": "Hello"}]
    options = {"num_ctx": WINDOW, "num_predict": 4}
    kept = target.chat(messages=messages, truncate=False, options=options)
    cut = target.chat(messages=messages, options=options)
    return every(
        (
            expect_error(kept, (400, 413, 422), containing="context"),
            expect(cut.code, 200, cut),
        )
    )
