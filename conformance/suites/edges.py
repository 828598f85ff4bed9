"""Edges: of what options do to a loaded model, of the window and of log probabilities."""

from __future__ import annotations

from functools import partial

from ..check import (
    MAY,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import LANGCHAIN, LANGCHAIN_JS
from ..evidence import Json, Wrong
from ..provision import create
from ..reply import read
from ..target import Target
from .every_way import WAYS, way_name
from .lifecycle import unload
from .logprobs import entries
from .parameters import LONG, prompt_tokens

WINDOW = 256  # tokens; the reference rounds its window up to a multiple of this (CTX-008)
SMALL = 56  # tokens: the bound of an answer is ten times that, more than servers' own
CHANGES: tuple[dict[str, Json], ...] = (
    {"temperature": 0.5},
    {"top_k": 3, "top_p": 0.5, "min_p": 0.1},
    {"seed": 3, "stop": ["x"], "num_predict": 4},
    {"repeat_penalty": 1.3, "num_keep": 7},
)


@check(
    "options/not-read-on-unload",
    SHOULD,
    group="options",
    alone=True,
    source="server/routes.go:GenerateHandler",
    covers=("OPT-046",),
)
def not_read_on_unload(target: Target) -> Verdict:
    """Options are checked where a model is loaded, and not where it is unloaded."""
    wrong: dict[str, Json] = {"model": target.model, "options": {"num_ctx": "x"}}
    refused = target.post("/api/generate", wrong)
    got = target.post("/api/generate", wrong, keep_alive=0)
    return every(
        (
            expect_error(refused, (400, 500), containing="num_ctx"),
            expect(got.ok.object.get("done_reason"), "unload", got),
        )
    )


@check(
    "options/no-reload",
    SHOULD,
    group="options",
    alone=True,
    race=True,
    source="server/sched.go:needsReload",
    covers=("OPT-048",),
    breaks=(LANGCHAIN,),
)
def no_reload(target: Target) -> Verdict:
    """Options of a request do not load the model again: `load_duration` stays small."""
    unload(target)
    cold = _load_ns(target, {})
    warm = {str(given): _load_ns(target, given) for given in CHANGES}
    holds = max(warm.values()) <= 0.5 * cold + 10e6
    return expect_that(holds, f"much less than the {cold} ns of loading", warm)


def _load_ns(target: Target, given: dict[str, Json]) -> int:
    final = read(target.chat(options={"num_predict": 2, **given})).final
    found = final.get("load_duration", 0)
    if type(found) is not int:
        raise Wrong("a load_duration in whole nanoseconds", found)
    return found


@check(
    "context/num-keep-counts",
    SHOULD,
    group="context",
    source="llm/llama_server.go:contextShiftPromptLimit",
    covers=("OPT-013", "CTX-006"),
)
def num_keep_counts(target: Target) -> Verdict:
    """A prompt that is cut keeps its first num_keep tokens and half of what else fits."""
    _ = target.script  # its begin token is kept in addition
    wanted = {}
    for kept in (0, 4, 100, -1):
        first = WINDOW - 1 if kept < 0 else kept + 1
        wanted[kept] = WINDOW - max((WINDOW - first) // 2, 1)
    found = {kept: prompt_tokens(target, num_keep=kept) for kept in wanted}
    ways = {
        way_name(path, stream): prompt_tokens(target, path, stream=stream, num_keep=100)
        for path, stream in WAYS
    }
    return every((expect(found, wanted), expect(ways, dict.fromkeys(ways, wanted[100]))))


@check(
    "context/no-shift-no-cut",
    SHOULD,
    group="context",
    source="llm/llama_server.go:completionPromptForRequest",
    covers=("CTX-007", "ERR-031"),
    breaks=(LANGCHAIN_JS,),
)
def no_shift_no_cut(target: Target) -> Verdict:
    """With `shift` false a prompt that cannot fit is 400, and the text says context length."""
    _ = target.script
    options: dict[str, Json] = {"num_ctx": WINDOW, "num_predict": 4}
    return every(
        (
            expect_error(
                target.generate(prompt=LONG, shift=False, options=options),
                (400,),
                containing="context length",
            ),
            expect_error(
                target.chat(
                    messages=[{"role": "user", "content": LONG}], shift=False, options=options
                ),
                (400,),
                containing="context length",
            ),
        )
    )


@check(
    "context/answers-are-bounded",
    SHOULD,
    group="context",
    source="llm/llama_server.go:boundedNumPredict",
    covers=("CTX-012", "OPT-040"),
)
def answers_are_bounded(target: Target) -> Verdict:
    """No answer is longer than ten windows, whatever `num_predict` says; then it is length."""
    _ = target.script
    asks = (
        partial(target.chat, "endless", options={"num_ctx": SMALL, **given})
        for given in ({"num_predict": 10 * SMALL + 80}, {})  # without one, that is the only bound
    )
    return every(
        expect([read(got).reason, read(got).count("eval_count")], ["length", 10 * SMALL], got)
        for got in target.several(asks)
    )


@check(
    "context/embedded-turns-go-first",
    SHOULD,
    group="context",
    source="server/routes.go:GenerateHandler",
    covers=("CTX-013",),
)
def embedded_turns_go_first(target: Target) -> Verdict:
    """Of what does not fit, generate drops the turns of the model, not system and prompt."""
    recital = target.recital("greeting-system")
    if "create" in target.setup.absent:
        not_judged("needs a model with turns of its own, and none can be created")
    name = target.temporary("turns")
    turns = [{"role": "user", "content": LONG[:1200]}]
    create(target, name, **{"from": target.model}, messages=turns)
    system, hello = recital.messages
    got = target.generate(
        model=name,
        prompt=hello["content"],
        system=system["content"],
        options={"num_ctx": WINDOW},
    )
    count = read(got).count("prompt_eval_count")
    return every(
        (
            expect_that(count <= WINDOW, f"at most {WINDOW} tokens", count, got),
            expect(read(got).text, recital.content, got),
        )
    )


@check(
    "logprobs/withheld-are-kept",
    SHOULD,
    group="logprobs",
    source="server/routes.go:ChatHandler",
    covers=("LOGP-008",),
)
def withheld_are_kept(target: Target) -> Verdict:
    """The entries of a tool call's tokens are sent, though its text is not."""
    recital = target.recital("tool-call")
    return every(
        expect("".join(str(one["token"]) for one in entries(got)), recital.output, got)
        for got in target.in_both_forms(partial(target.chat, "tool-call", logprobs=True))
    )


@check(
    "logprobs/none-at-the-end",
    MAY,
    group="logprobs",
    source="llm/llama_server.go:Completion",
    covers=("LOGP-009",),
)
def none_at_the_end(target: Target) -> Verdict:
    """The last record of a stream adds no text, and no entries."""
    got = target.chat(stream=True, logprobs=True)
    return expect("logprobs" in got.last, False, got)
