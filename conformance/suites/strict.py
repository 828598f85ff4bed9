"""Class core, part eleven: types, nulls and unknown fields, for every field that there is."""

from __future__ import annotations

from collections.abc import Iterator

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, LANGCHAIN, LANGCHAIN_JS, LITELLM, PYTHON, SDKS
from ..evidence import Exchange, Json
from ..provision import create
from ..reply import read
from ..target import NOBODY, Target

HELLO: list[Json] = [{"role": "user", "content": "Hello"}]
FLAGS = ("stream", "truncate", "shift", "logprobs")
NO_FLAGS: tuple[Json, ...] = ("true", 0, [])
NO_LEVELS: tuple[Json, ...] = ("true", "false", "HIGH", "none", "off", "minimal", "", 1, [])
NO_COUNTS: tuple[Json, ...] = ("2", 1.5, True)
NO_TEXTS: tuple[Json, ...] = (5, True, ["a"], {})
SHARED: tuple[dict[str, Json], ...] = (
    *({name: wrong} for name in FLAGS for wrong in NO_FLAGS),
    *({"think": wrong} for wrong in NO_LEVELS),
    *({"top_logprobs": wrong} for wrong in NO_COUNTS),
    {"keep_alive": "soon"},
    {"model": 5},
)
GENERATE: tuple[dict[str, Json], ...] = (
    *({name: wrong} for name in ("prompt", "suffix", "system", "template") for wrong in NO_TEXTS),
    {"raw": "true"},
    {"images": "aGk="},
    {"images": [5]},
    {"context": {}},
)
MESSAGES: tuple[Json, ...] = (
    5,
    "Hello",
    {"role": 5},
    *({"role": "user", "content": wrong} for wrong in NO_TEXTS),
    {"role": "user", "content": "a", "images": "aGk="},
    {"role": "assistant", "thinking": 5},
    {"role": "assistant", "tool_calls": {}},
    {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    {"role": "assistant", "tool_calls": [{"function": {"name": 5, "arguments": {}}}]},
    {"role": "tool", "content": "a", "tool_name": 5},
)
PARAMETERS: tuple[Json, ...] = (
    5,
    {"type": ["object"]},
    {"type": "object", "required": "a"},
    {"type": "object", "properties": []},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {"type": 5}}},
)
INTEGERS = ("seed", "num_predict", "top_k", "repeat_last_n", "num_keep", "num_ctx")
FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty",
          "frequency_penalty")  # fmt: skip
OF_LOADING = ("num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict")
HOSTS = ("registry.ollama.ai/library/", "registry.ollama.ai/", "")  # by slashes of a name
NULLS: dict[str, Json] = dict.fromkeys(
    ("format", "keep_alive", "options", "think", "truncate", "shift", "logprobs", "top_logprobs")
)
OF_GENERATE = dict.fromkeys(("suffix", "images", "system", "template", "context", "raw"))
LOADED = ("model", "created_at", "done", "done_reason")
ODD: dict[str, Json] = {"strict": True, "cache_control": {"type": "ephemeral"}, "x-odd": [1]}


@check(
    "errors/types-of-every-field",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-004", "REQ-009", "REQ-011", "THINK-003", "TOOL-004", "CHAT-019", "REQ-010"),
    breaks=(*SDKS, LANGCHAIN),
)
def types_of_every_field(target: Target) -> Verdict:
    """A value of the wrong type is 400 in every field: texts are no booleans, 0 is not false."""
    function = ({"name": "f", "parameters": one} for one in PARAMETERS)
    tools: tuple[Json, ...] = ({}, [5], [{"type": "function", "function": "f"}],
             *([{"type": "function", "function": one}] for one in function))  # fmt: skip
    chat: tuple[dict[str, Json], ...] = (
        *({"messages": [one]} for one in MESSAGES),
        *({"tools": one} for one in tools),
    )
    asks: tuple[tuple[str, dict[str, Json]], ...] = (
        *(("/api/generate", {"prompt": "a", **one}) for one in (*SHARED, *GENERATE)),
        *(("/api/chat", {"messages": HELLO, **one}) for one in (*SHARED, *chat)),
    )
    return every(
        expect_error(target.post(path, {"model": NOBODY, **ask}), (400,)) for path, ask in asks
    )


def _refused(target: Target, name: str, wrong: Json, kind: str) -> Verdict:
    got = target.generate(options={name: wrong})
    told = f'option "{name}" must be of {kind}'
    return expect_error(got, (400, 500), containing=told)


@check(
    "options/types-of-every-option",
    MUST,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032", "ERR-020"),
    breaks=(*SDKS, LANGCHAIN),
)
def types_of_every_option(target: Target) -> Verdict:
    """An option of the wrong type is an error that says which: true is no number, nor is "1"."""
    numbers = [(name, "type integer") for name in INTEGERS]
    numbers += [(name, "type float32") for name in FLOATS]
    stops: list[Json] = [[1], ["a", None]]
    return every(
        (
            *(_refused(target, *one, kind) for name, kind in numbers for one in _wrong(name)),
            _refused(target, "stop", "x", "type array"),
            *(_refused(target, "stop", one, "an array of strings") for one in stops),
        )
    )


def _wrong(name: str) -> Iterator[tuple[str, Json]]:
    for value in (True, "1", [1]):
        yield name, value


@check(
    "options/types-of-loading",
    SHOULD,
    group="options",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032", "ERR-020"),
)
def types_of_loading(target: Target) -> Verdict:
    """An option of loading that is of the wrong type is an error, too, and not left aside."""
    return every(
        (
            *(_refused(target, name, "x", "type integer") for name in OF_LOADING),
            *(_refused(target, "use_mmap", one, "type boolean") for one in (1, "true")),
        )
    )


@check(
    "errors/unknown-fields-everywhere",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-003", "TOOL-020", "TOOL-019", "CHAT-019"),
    breaks=(*CHATTERS, LANGCHAIN, LITELLM),
)
def unknown_fields_everywhere(target: Target) -> Verdict:
    """Unknown fields are ignored in tools, calls and results; tool_choice asks for nothing."""
    return every(
        (
            *(_odd(target, "tool-call", **one) for one in ({}, {"tool_choice": "none"})),
            _odd(target, "tool-parallel", parallel_tool_calls=False, tool_choice="auto"),
            _odd(target, "tool-result"),
        )
    )


def _odd(target: Target, id: str, **fields: Json) -> Verdict:
    """Passed if a recital is recited though all that is asked with has odd fields."""
    recital = target.recital(id)
    tools = [{**one, **ODD, "function": {**one["function"], **ODD}} for one in recital.tools]
    messages = [{**one, **ODD} for one in recital.messages]
    for one in messages:
        if one.get("tool_calls"):
            one["tool_calls"] = [
                {**call, **ODD, "function": {**call["function"], **ODD}}
                for call in one["tool_calls"]
            ]
    got = target.chat(id, messages=messages, tools=tools, **ODD, **fields)
    found = [read(got).functions, read(got).text.strip()]
    return expect(found, [list(recital.tool_calls), recital.content.strip()], got)


@check(
    "errors/nulls-everywhere",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-005", "TOOL-002", "CHAT-016", "CHAT-019", "THINK-002"),
    breaks=(LANGCHAIN, LANGCHAIN_JS, PYTHON),
)
def nulls_everywhere(target: Target) -> Verdict:
    """null is as good as nothing: in every field of a request, a message, a call and a result."""
    think, question = target.recital("think"), target.recital("think").messages[0]["content"]
    empty = dict.fromkeys(("images", "tool_calls", "thinking", "tool_name", "tool_call_id"))
    ask: dict[str, Json] = {"model": target.model, "options": {"temperature": 0}, "stream": False}
    turn = [{"role": "user", "content": question, **empty}]
    bare = {name: None for name in NULLS if name not in ("options", "format")}
    asked = (
        target.post("/api/chat", {**ask, **bare, "messages": turn, "tools": None}),
        target.post("/api/generate", {**ask, **bare, **OF_GENERATE, "prompt": question}),
    )
    wanted = [think.thinking, think.content]
    return every(
        (
            *(expect([read(got).thinking, read(got).text], wanted, got) for got in asked),
            *_streamed_nulls(target),
            _called_with_nulls(target),
        )
    )


def _streamed_nulls(target: Target) -> Iterator[Verdict]:
    """Passed if options and stream may be null: it streams, and ends as it would."""
    for path, more in (("/api/chat", {"messages": HELLO}), ("/api/generate", {"prompt": "Hello"})):
        fields = {**NULLS, "think": False, "stream": None, **more}
        got = target.post(path, {"model": target.model, **fields})
        told = [got.media_type, got.records[-1].get("done_reason") in ("stop", "length")]
        yield expect(told, ["application/x-ndjson", True], got)


def _called_with_nulls(target: Target) -> Verdict:
    """Passed if a call of an earlier turn may come without arguments, and reads the same."""
    counts = []
    for there in (False, True):
        call = {"function": {"name": "get_weather", **_null("arguments", there)}}
        messages = [
            *HELLO,
            {"role": "assistant", "tool_calls": [call], **_null("content", there)},
            {"role": "tool", "content": "x", **_null("tool_name", there)},
        ]
        got = target.chat(messages=messages, options={"num_predict": 2})
        if got.code != 200:
            return expect_that(False, "an answer", f"{got.status}: {got.loose_text[:200]}", got)
        counts.append(read(got).count("prompt_eval_count"))
    return expect(counts[1], counts[0], got)


def _null(name: str, there: bool) -> dict[str, Json]:
    """A field that is null, or is not there."""
    return {name: None} if there else {}


@check(
    "errors/bodies-of-nothing",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("REQ-001", "REQ-006", "NAME-006"),
    breaks=SDKS,
)
def bodies_of_nothing(target: Target) -> Verdict:
    """A body of blanks is missing; null and {} are requests that name no model."""
    chat = [_sent(target, "/api/chat", body) for body in (b"null", b"{}", b" {} \n")]
    generate = [_sent(target, "/api/generate", body) for body in (b"null", b"{}", b" {} \n")]
    blank = [_sent(target, path, b" \r\n") for path in ("/api/chat", "/api/generate")]
    return every(
        (
            *(expect_error(got, (400,), exactly="missing request body") for got in blank),
            *(expect_error(got, (400,), exactly="model is required") for got in chat),
            *(expect_error(got, (404,), containing="not found") for got in generate),
        )
    )


def _sent(target: Target, path: str, body: bytes) -> Exchange:
    return target.request("POST", path, body)


@check(
    "names/echoed-on-both-routes",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("NAME-004", "NAME-005", "HTTP-015"),
    breaks=(LITELLM,),
)
def echoed_on_both_routes(target: Target) -> Verdict:
    """A name with its host comes back so; a bad one is 400 in chat, too; a key is no matter."""
    names = [f"{HOSTS[target.model.count('/')]}{target.model}"]
    if "create" not in target.setup.absent:
        bare = f"parallama-check-{target.setup.token}-bare"
        target.created.append(bare)
        create(target, bare, **{"from": target.model})
        names.append(f"library/{bare}")
    for name in names:
        for path, more in (
            ("/api/chat", {"messages": HELLO}),
            ("/api/generate", {"prompt": "Hello"}),
        ):
            ask = {"model": name, "options": {"num_predict": 1}, "stream": False, **more}
            got = target.send("POST", path, ask, Authorization="Bearer x")
            if got.ok.object["model"] != name:
                return expect(got.ok.object["model"], name, got)
    bad = (target.chat(model=one) for one in ("bad name!", "/x", "a:", "a" * 81))
    return every(expect_error(got, (400,), exactly="invalid model name") for got in bad)


@check(
    "lifecycle/loads-are-looked-at",
    SHOULD,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-007", "GEN-030", "GEN-058", "CHAT-057", "ERR-014", "ERR-018"),
    breaks=(*SDKS, LANGCHAIN),
)
def loads_are_looked_at(target: Target) -> Verdict:
    """A load asks for nothing that the model cannot do, and is told nothing that it did not do."""
    tools = list(target.recital("tool-call").tools)
    plain: dict[str, Json] = {"model": target.plain}
    refused = (
        (target.post("/api/chat", plain, tools=tools), "does not support tools"),
        (target.post("/api/chat", plain, think=True), "does not support thinking"),
        (target.post("/api/generate", plain, think="low"), "does not support thinking"),
        (target.post("/api/generate", plain, options={"top_k": "x"}), 'option "top_k" must'),
    )
    asked = (
        ("message", target.post("/api/chat", model=target.model, think=False)),
        ("response", target.post("/api/generate", model=target.model, format="xml")),
        ("response", target.post("/api/generate", model=target.model, system="Rhyme.", prompt="")),
    )
    return every(
        (
            *(expect_error(got, (400, 500), containing=text) for got, text in refused),
            *(expect(sorted(got.ok.object), sorted((*LOADED, key)), got) for key, got in asked),
        )
    )
