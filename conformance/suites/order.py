"""Class core, part seven: which of several errors a request is told."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import PYTHON, SDKS
from ..evidence import Json
from ..target import NOBODY, Target


@check(
    "errors/order-in-generate",
    SHOULD,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("ERR-050", "ERR-006"),
)
def order_in_generate(target: Target) -> Verdict:
    """In generate the body is looked at first, then the name, the model, raw, thinking, options."""

    def ask(**fields: Json) -> Json:
        return target.post("/api/generate", {"prompt": "x", "stream": False, **fields})

    bad = {"options": {"temperature": "hot"}}
    return every(
        (
            expect_error(ask(model=NOBODY, top_logprobs=21), (400,), containing="top_logprobs"),
            expect_error(ask(model="a b", top_logprobs=21), (400,), containing="top_logprobs"),
            expect_error(ask(model=NOBODY, keep_alive="soon"), (400,), containing="time"),
            expect_error(ask(model=NOBODY, raw=True, system="x"), (404,), containing="not found"),
            expect_error(
                ask(model=target.model, raw=True, system="x", **bad), (400,), containing="raw mode"
            ),
            expect_error(
                ask(model=target.plain, raw=True, system="x", think=True),
                (400,),
                containing="raw mode",
            ),
            expect_error(ask(model=target.plain, think=True, **bad), (400,), containing="thinking"),
        )
    )


@check(
    "errors/order-in-chat",
    SHOULD,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("ERR-051", "ERR-006"),
)
def order_in_chat(target: Target) -> Verdict:
    """In chat the body is looked at first, then the name, the model, thinking, tools, options."""
    turns = [{"role": "user", "content": "Hello"}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]

    def ask(**fields: Json) -> Json:
        return target.post("/api/chat", {"messages": turns, "stream": False, **fields})

    bad = {"options": {"temperature": "hot"}}
    return every(
        (
            expect_error(ask(model=NOBODY, top_logprobs=21), (400,), containing="top_logprobs"),
            expect_error(ask(model="", top_logprobs=-1), (400,), containing="top_logprobs"),
            expect_error(ask(model=NOBODY, **bad), (404,), containing="not found"),
            expect_error(
                ask(model=target.plain, think=True, tools=tools), (400,), containing="thinking"
            ),
            expect_error(ask(model=target.plain, tools=tools, **bad), (400,), containing="tools"),
        )
    )


@check(
    "errors/counts-are-whole",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-008",),
    breaks=(PYTHON,),
)
def whole_numbers(target: Target) -> Verdict:
    """Numbers that count, and the ids of a context, are whole: a fraction or a text is 400."""
    asks: list[dict[str, Json]] = [
        {"top_logprobs": 1.5, "logprobs": True},
        {"top_logprobs": "2", "logprobs": True},
        {"context": [1.5]},
        {"context": ["1"]},
        {"context": "1"},
    ]
    asked = [
        target.post("/api/generate", {"model": target.model, "prompt": "x", "stream": False, **one})
        for one in asks
    ]
    return every(expect_error(got, (400,)) for got in asked)


@check(
    "errors/told-in-full",
    MUST,
    group="core",
    source="server/routes.go",
    covers=("ERR-045", "ERR-054", "HTTP-012"),
    breaks=SDKS,
)
def told_in_full(target: Target) -> Verdict:
    """An error of any kind is one object with `error`, whole, and its length is what is said."""
    model = target.model
    asked = [
        target.post("/api/generate", model=model, prompt="x", template="{{ .Nope"),
        target.post("/api/generate", model=model, prompt="x", options={"num_predict": "x"}),
        target.post("/api/chat", model=model, messages="x"),
        target.post("/api/chat", model=f"{NOBODY}:tag"),
        target.request("POST", "/api/generate", b'{"model": '),
        target.request("POST", "/api/chat", b""),
    ]
    for got in asked:
        if got.code < 400 or list(got.object) != ["error"] or not got.error_text.strip():
            return expect_that(
                False, "4xx or 5xx with `error`", f"{got.status}: {got.loose_text}", got
            )
    return expect(got.media_type, "application/json")
