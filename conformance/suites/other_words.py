"""Class core, part fourteen: what other servers call things is nothing here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, LLAMAINDEX, PYTHON, SDKS
from ..evidence import Exchange, Json
from ..reply import read
from ..target import Target

PATTERNS = ("t.e", ".*", "[a-m]", "h|x", "^T", "$", "\\w", "e+r", "*", "?", "(", "%20", "s*")
ROLES = ("developer", "function", "model", "human", "critic", "")
SCHEMA: Json = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
ELSEWHERE: dict[str, Json] = {  # as OpenAI, llama.cpp, vLLM and others have them
    "max_tokens": 2,
    "max_completion_tokens": 2,
    "max_new_tokens": 2,
    "max_length": 2,
    "maxOutputTokens": 2,
    "n_predict": 2,
    "stop_sequences": ["e"],
    "stop_strings": ["e"],
    "stopSequences": ["e"],
    "logit_bias": {"1": 100},
    "response_format": {"type": "json_object"},
    "json_schema": SCHEMA,
    "grammar": 'root ::= "a"',
    "guided_json": SCHEMA,
    "ignore_eos": True,
    "echo": True,
    "n": 2,
    "best_of": 2,
    "n_probs": 2,
    "reasoning_effort": "high",
    "enable_thinking": True,
    "chat_template_kwargs": {"enable_thinking": True},
    "add_generation_prompt": False,
    "stream_options": {"include_usage": True},
    "parallel_tool_calls": False,
}
OF_REQUESTS: dict[str, Json] = {  # fields of a request, which are no options
    "format": SCHEMA,
    "raw": True,
    "system": "You are a pirate.",
    "template": "{{ .Prompt }} no",
    "logprobs": True,
    "top_logprobs": 2,
    "stream": False,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "keep_alive": 0,
    "context": [1, 2, 3],
}
OF_OPTIONS: dict[str, Json] = {"num_predict": 2, "stop": ["e"], "top_k": 1, "num_ctx": 16,
                               "repeat_penalty": 9.0, "presence_penalty": 9.0}  # fmt: skip
OF_GENERATE: dict[str, Json] = {
    name: OF_REQUESTS[name] for name in ("raw", "system", "template", "context")
} | {"prompt": "Tell me a story.", "suffix": "the end"}
OF_CHAT: dict[str, Json] = {
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "tools": OF_REQUESTS["tools"],
}
OPEN: dict[str, Json] = {"temperature": 1, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
DRAWS = 8  # of ten letters: all alike by chance once in ten millions
KNOWN = ("num_predict", "stop", "temperature", "seed", "top_k", "top_p", "min_p", "typical_p",
         "repeat_last_n", "repeat_penalty", "presence_penalty", "frequency_penalty", "num_keep",
         "num_ctx", "num_batch", "num_gpu", "num_thread", "use_mmap")  # fmt: skip


def _greets(target: Target, got: Exchange) -> Verdict:
    """Passed if it is the greeting, whole, and no more than that."""
    recital, reply = target.recital("greeting"), read(got)
    found = [reply.text, reply.reason, reply.count("eval_count"), "logprobs" in got.loose_text]
    return expect(found, [recital.content, "stop", recital.output_tokens, False], got)


@check(
    "options/names-of-other-servers",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-033", "REQ-003"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM, PYTHON),
)
def names_of_other_servers(target: Target) -> Verdict:
    """Among the options, other servers' names of them and the fields of requests mean nothing."""
    _ = target.script
    given = {**ELSEWHERE, **OF_REQUESTS}
    return every(
        _greets(target, got)
        for got in (
            target.chat(model=target.plain, options=given, stream=True),
            target.generate(model=target.plain, options=given),
        )
    )


@check(
    "errors/fields-of-elsewhere",
    SHOULD,
    group="core",
    source="api/types.go:GenerateRequest",
    covers=("REQ-003", "GEN-031"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def fields_of_elsewhere(target: Target) -> Verdict:
    """Options beside `options`, other servers' fields, and fields of the other route mean nothing.

    They are no reason to refuse a request, either.
    """
    _ = target.script
    given = {**ELSEWHERE, **OF_OPTIONS}
    return every(
        _greets(target, got)
        for got in (
            target.chat(model=target.plain, **given, **OF_GENERATE),
            target.generate(model=target.plain, **given, **OF_CHAT, stream=True),
        )
    )


@check(
    "options/only-in-options",
    SHOULD,
    group="options",
    source="api/types.go:GenerateRequest",
    covers=("GEN-031", "REQ-003"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def only_in_options(target: Target) -> Verdict:
    """Samplers that stand beside `options` bind nothing: what is drawn is what the options say."""
    prompt = target.distribution("uniform").prompt

    def draws(options: Mapping[str, Json], **beside: Json) -> list[str]:
        ask = {"model": target.model, "prompt": prompt, "raw": True, "stream": False, **beside}
        asks = (
            partial(
                target.post,
                "/api/generate",
                ask,
                options={**OPEN, "num_predict": 1, "seed": seed, **options},
            )
            for seed in range(DRAWS)
        )
        return [read(got).text for got in target.several(asks)]

    free = draws({"seed": None}, seed=7)
    cool = draws({"temperature": None, "top_k": None}, temperature=0, top_k=1)
    usual = draws({"temperature": None, "top_k": None})
    several = expect_that(
        len(set(free)) > 1, "several texts, for no seed is among the options", free
    )
    return every((expect(cool, usual), several))


@check(
    "generate/line-feeds",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-061", "OPT-012", "OPT-047"),
    breaks=(*SDKS, *CHATTERS),
)
def line_feeds(target: Target) -> Verdict:
    """Line feeds are text, at the beginning and the end of an answer, and may be a stop string."""
    recital = target.recital("think")
    before, _, after = recital.output.partition("</think>")
    ask: dict[str, Json] = {"model": target.plain, "raw": True, "prompt": None}
    ask["prompt"] = f"{recital.prompt}{before}</think>"

    def said(stream: bool, **options: Json) -> str:
        return read(target.post("/api/generate", ask, stream=stream, options=options)).text

    few = {"temperature": 0, "num_predict": 1}
    first = said(True, **few)
    return every(
        (
            expect_that(first.strip("\n") == "" != first, "line feeds", first),
            *(
                expect([said(stream, **few), said(stream, temperature=0)], [first, after])
                for stream in (False, True)
            ),
            *(expect(said(stream, temperature=0, stop=["\n"]), "") for stream in (False, True)),
        )
    )


@check(
    "lifecycle/of-the-other-route",
    MUST,
    group="lifecycle",
    source="server/routes.go:ChatHandler",
    covers=("LIFE-001", "LIFE-002", "REQ-003"),
    breaks=SDKS,
)
def of_the_other_route(target: Target) -> Verdict:
    """A chat with nothing but a `prompt`, and a generate with nothing but messages, only load."""
    return every(
        expect(got.ok.object["done_reason"], "load", got)
        for path, given in (("/api/chat", OF_GENERATE), ("/api/generate", OF_CHAT))
        for got in (
            target.post(
                path,
                {name: one for name, one in given.items() if name not in ("raw", "suffix")},
                model=target.model,
                stream=False,
            ),
        )
    )


@check(
    "options/nulls-bound-nothing",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-034", "OPT-040", "REQ-005"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX),
)
def nulls_bound_nothing(target: Target) -> Verdict:
    """Where every option but the temperature is null a long answer is whole."""
    prose = target.recital("prose")
    nulls = {name: None for name in KNOWN if name != "temperature"}

    def found() -> Iterator[Verdict]:
        for got in target.several(
            (
                partial(target.chat, "prose", options=nulls, stream=True),
                partial(target.generate, "prose", options=nulls),
            )
        ):
            told = [read(got).text, read(got).reason]
            yield expect(told, [prose.content, "stop"], got)

    return every(found())


@check(
    "chat/roles-of-other-servers",
    SHOULD,
    group="core",
    source="api/types.go:Message.UnmarshalJSON",
    covers=("CHAT-015", "CHAT-025"),
    breaks=(*SDKS, LITELLM),
)
def roles_of_other_servers(target: Target) -> Verdict:
    """A role that the template does not know is not taken for one that it knows."""
    _ = target.script
    hello = list(target.recital("greeting").messages)
    return every(
        _greets(target, got)
        for got in target.several(
            partial(target.chat, messages=[{"role": role, "content": "Be rude."}, *hello])
            for role in ROLES
        )
    )


@check(
    "errors/nulls-ask-nothing",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-005", "TOOL-002", "THINK-004", "IMG-010"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, PYTHON),
)
def nulls_ask_nothing(target: Target) -> Verdict:
    """A null asks a model that can neither think nor call nor see for none of that."""
    _ = target.script
    nulls: dict[str, Json] = dict.fromkeys(("think", "tools", "images", "format", "logprobs"))
    return every(
        (
            *(
                _greets(target, ask(model=target.plain, **nulls))
                for ask in (target.chat, target.generate)
            ),
            *(
                expect(got.ok.object["done_reason"], "load", got)
                for path in ("/api/chat", "/api/generate")
                for got in (target.post(path, nulls, model=target.plain, suffix=None),)
            ),
        )
    )


@check(
    "options/stop-strings-are-no-patterns",
    MUST,
    group="options",
    source="llm/llama_server.go:Completion",
    covers=("OPT-012", "OPT-047"),
    breaks=(*SDKS, LANGCHAIN),
)
def stop_strings_are_no_patterns(target: Target) -> Verdict:
    """A stop string stands for itself: no dot, star, bracket or bar in it means anything."""
    prose, json = target.recital("prose").content, target.recital("json").content
    bounds = {"stop": list(PATTERNS)}
    asks = (
        partial(target.chat, "prose", options=bounds, stream=True),
        partial(target.generate, "prose", options=bounds),
        partial(target.chat, "json", options={"stop": ["$", '": [']}),
    )
    return every(
        expect([read(got).text, read(got).reason], [wanted, "stop"], got)
        for wanted, got in zip(
            (prose, prose, json[: json.index('": [')]), target.several(asks), strict=True
        )
    )


@check(
    "context/no-window-is-a-small-one",
    SHOULD,
    group="context",
    source="server/sched.go:getRunner",
    covers=("CTX-002", "LIFE-001"),
    breaks=(LLAMAINDEX,),
)
def no_window_is_a_small_one(target: Target) -> Verdict:
    """A `num_ctx` of 0 or less is as good as the smallest, and no reason to refuse."""
    _ = target.script
    return every(
        expect(got.ok.object["done_reason"], "load", got)
        for window in (0, -1)
        for got in (target.post("/api/generate", model=target.plain, options={"num_ctx": window}),)
    )
