"""Class core, part four: /api/generate, and what is sent untouched to the model."""

from __future__ import annotations

from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CONTINUE, LANGCHAIN, PYTHON, SDKS
from ..reply import read
from ..schema import violation
from ..target import GREEDY, Target


@check(
    "generate/object",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-040", "GEN-041", "GEN-042", "GEN-044", "GEN-045", "GEN-047"),
    breaks=(*SDKS, CONTINUE),
)
def generate_object(target: Target) -> Verdict:
    """An unstreamed answer has model, created_at, response, done, done_reason, of these types."""
    got = target.generate()
    told = violation(got.ok.object, "generate", "final")
    return expect_that(told is None, "an answer that is valid by its schema", told, got)


@check(
    "generate/records",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-040", "GEN-042", "GEN-044"),
    breaks=(*SDKS, CONTINUE, LANGCHAIN),
)
def generate_records(target: Target) -> Verdict:
    """Every record has model, created_at, response and done."""
    got = target.generate(stream=True)
    for record in got.records:
        told = violation(record, "generate", "final" if record.get("done") is True else "chunk")
        if told is not None:
            return expect_that(False, "records that are valid by their schema", told, got)
    return PASSED


@check(
    "generate/recites",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-002", "GEN-020"),
    breaks=(*SDKS, CONTINUE, LANGCHAIN),
)
def generate_recites(target: Target) -> Verdict:
    """A prompt is rendered as a user's turn: known questions get their known answers."""
    ids = ("greeting", "prose", "raw-not")
    answers = target.several(partial(target.generate, id) for id in ids)
    return every(
        expect(read(got).text, target.recital(id).content, got)
        for id, got in zip(ids, answers, strict=True)
    )


@check(
    "generate/system",
    MUST,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-005",),
    breaks=(*SDKS, LANGCHAIN),
)
def generate_system(target: Target) -> Verdict:
    """`system` changes the answer; an empty one does not."""
    recital = target.recital("greeting-system")
    got = target.generate(system=recital.messages[0]["content"])
    empty = target.generate(system="")
    return every(
        (
            expect(read(got).text, recital.content, got),
            expect(read(empty).text, target.recital("greeting").content, empty),
        )
    )


@check(
    "generate/raw",
    MUST,
    group="core",
    source="docs/api.md#request-raw-mode",
    covers=("GEN-009", "GEN-024", "GEN-059"),
    breaks=(PYTHON, CONTINUE),
)
def generate_raw(target: Target) -> Verdict:
    """`raw` sends the prompt byte for byte: no template; turn markers in it are tokens."""
    recitals = [target.recital(id) for id in ("raw", "greeting", "history")]
    asks = (partial(target.generate, prompt=one.prompt, raw=True) for one in recitals)
    for recital, got in zip(recitals, target.several(asks), strict=True):
        reply = read(got)
        found = [reply.text, reply.count("prompt_eval_count")]
        if found != [recital.output, recital.prompt_tokens]:
            return expect(found, [recital.output, recital.prompt_tokens], got)
    return PASSED


@check(
    "generate/raw-conflicts",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-025", "ERR-013"),
)
def raw_conflicts(target: Target) -> Verdict:
    """`raw` together with template, system or context is 400, without a prompt, too."""
    exactly = "raw mode does not support template, system, or context"
    empty = target.generate(raw=True, context=[], options={"num_predict": 1})
    return every(
        (
            *(
                expect_error(target.generate(raw=True, **more), (400,), exactly=exactly)
                for more in ({"template": "x"}, {"system": "x"}, {"context": [1, 2]})
            ),
            expect_error(target.generate(raw=True, system="x", prompt=""), (400,), exactly=exactly),
            expect(empty.code, 200, empty),
        )
    )


@check(
    "generate/template",
    SHOULD,
    group="core",
    source="docs/api.md#generate-a-completion",
    covers=("GEN-006", "GEN-022"),
)
def generate_template(target: Target) -> Verdict:
    """`template` takes the place of the model's: one of the bare prompt is as good as raw."""
    recital = target.recital("greeting")
    got = target.generate(prompt=recital.prompt, template="{{ .Prompt }}")
    return expect(read(got).text, recital.output, got)


@check(
    "generate/bad-template",
    SHOULD,
    group="core",
    source="template/template.go:Parse",
    covers=("GEN-022", "ERR-033"),
)
def bad_template(target: Target) -> Verdict:
    """A template that does not parse is an error."""
    return expect_error(target.generate(template="{{ .Prompt"), (400, 500))


@check(
    "generate/blank-prompt-generates",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-029",),
)
def blank_prompt_generates(target: Target) -> Verdict:
    """A prompt of white space is a prompt: it is answered, not taken for a load."""
    got = target.generate(prompt=" ", options={"num_predict": 2})
    reply = read(got)
    holds = reply.reason != "load" and reply.count("eval_count") > 0
    told = {"done_reason": reply.reason, "eval_count": reply.count("eval_count")}
    return expect_that(holds, "an answer: tokens, and another reason than load", told, got)


@check(
    "generate/no-prompt-loads",
    MUST,
    group="core",
    source="docs/api.md#load-a-model",
    covers=("LIFE-001", "GEN-058", "STREAM-016", "GEN-030"),
    breaks=SDKS,
)
def no_prompt_loads(target: Target) -> Verdict:
    """Without a prompt the model is loaded: one object, done_reason load, an empty response."""
    wanted = {"model": target.model, "response": "", "done": True, "done_reason": "load"}
    for more in ({}, {"prompt": ""}, {"prompt": None, "images": ["aGk="]}):
        got = target.post("/api/generate", {"model": target.model, **more})
        found = {key: value for key, value in got.ok.object.items() if key != "created_at"}
        if found != wanted or got.media_type != "application/json":
            return expect_that(False, wanted, {**found, "type": got.media_type}, got)
    return PASSED


@check(
    "generate/end-token-ends",
    MUST,
    group="core",
    source="llm/server.go:Completion",
    covers=("GEN-060", "OPT-037"),
    breaks=SDKS,
)
def end_token_ends(target: Target) -> Verdict:
    """The end token ends an answer though `stop` is empty and `raw` set; it is never seen."""
    recital = target.recital("greeting")
    ask = {"model": target.model, "prompt": recital.prompt, "raw": True, "stream": False}
    got = target.post("/api/generate", ask, options={**GREEDY, "stop": [], "num_predict": 60})
    reply = read(got)
    found = [reply.text, reply.reason, reply.count("eval_count")]
    return expect(found, [recital.output, "stop", recital.output_tokens], got)
