"""What LangChain and LlamaIndex need of a server: both use the Python client, and read more."""

from __future__ import annotations

import json
from typing import Any

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that, not_judged
from ..clients import LANGCHAIN, LLAMAINDEX
from ..evidence import Exchange, Json, Record, Wrong
from ..target import Target
from ._apps import LOGPROB, PYTHON_APP, odd_one, spoke, whole

HELLO = [{"role": "user", "content": "Hello"}]
COUNTS = ("prompt_eval_count", "eval_count")
TAGS = ("<think>", "</think>")
REVIEW: dict[str, Json] = {  # as Pydantic writes a model with an enumeration and a default
    "$defs": {"Mood": {"enum": ["good", "bad"], "title": "Mood", "type": "string"}},
    "description": "A review.",
    "properties": {
        "mood": {"$ref": "#/$defs/Mood"},
        "again": {"default": False, "title": "Again", "type": "boolean"},
    },
    "required": ["mood", "again"],
    "title": "Review",
    "type": "object",
}


def invoke(target: Target, messages: Json, model: str = "", **more: Json) -> Exchange:
    """`ChatOllama.invoke`: it streams, and sends `tools` though there are none."""
    fields = {"model": model or target.model, "stream": True, "options": target.options({})}
    asked = {**fields, "messages": messages, "tools": [], **more}
    return PYTHON_APP.ask(target, "/api/chat", asked)


def usable(got: Exchange) -> list[Record]:
    """The records of a stream that LangChain takes. Raises Wrong where there is none."""
    kept = [one for one in got.records if not (_loads(one) and not _content(one).strip())]
    if not kept:
        raise Wrong("a record that is no mere `load`", got.loose_text[-200:])
    return kept


def _loads(record: Record) -> bool:
    return record["done"] is True and record.get("done_reason") == "load"


def _content(record: Record) -> str:
    content = record["message"]["content"]
    if not isinstance(content, str):
        raise Wrong("`content` to be a string", content)
    return content


def _joined(records: list[Record], key: str) -> str:
    return "".join(record["message"].get(key) or "" for record in records)


@check(
    "clients/langchain-invoke",
    MUST,
    group="core",
    source="langchain_ollama:chat_models",
    covers=("CLIENT-LC-PY-02", "CLIENT-LC-PY-03", "CLIENT-LC-PY-04"),
    breaks=(LANGCHAIN,),
)
def langchain_invoke(target: Target) -> Verdict:
    """ChatOllama gets a text, one `done`, and metadata that does not add up: counts once."""
    got = invoke(target, HELLO)
    records = usable(got)
    final = [one for one in records if one["done"] is True]
    early = {key for one in records[:-1] for key in (*COUNTS, "done_reason") if key in one}
    counts = [final[-1].get(key) for key in COUNTS] if final else []
    text = "".join(map(_content, records))
    wanted = target.recital("greeting").content if target.setup.scripted else None
    return every(
        (
            expect([len(final), sorted(early)], [1, []], got),
            expect_that(bool(counts) and all(map(whole, counts)), "both counts", counts, got),
            expect_that(spoke(target, text, wanted), f"the text {wanted!r}", text, got),
        )
    )


@check(
    "clients/langchain-generate",
    SHOULD,
    group="core",
    source="langchain_ollama:llms",
    covers=("CLIENT-LC-PY-13",),
    breaks=(LANGCHAIN,),
)
def langchain_generate(target: Target) -> Verdict:
    """OllamaLLM reads `response` and `done` of each record, and keeps the last one whole."""
    fields = {"model": target.model, "stream": True, "options": target.options({})}
    got = PYTHON_APP.ask(target, "/api/generate", {**fields, "format": "", "prompt": "Hello"})
    text = "".join(record["response"] for record in got.records)
    wanted = target.recital("greeting").content if target.setup.scripted else None
    done = [record["done"] for record in got.records]
    figures = [got.last.get(key) for key in COUNTS]
    return every(
        (
            expect(done, [False] * (len(done) - 1) + [True], got),
            expect_that(all(map(whole, figures)), "both counts on the last record", figures, got),
            expect_that(spoke(target, text, wanted), f"the text {wanted!r}", text, got),
        )
    )


@check(
    "clients/langchain-tools",
    MUST,
    group="tools",
    source="langchain_ollama:chat_models",
    covers=("CLIENT-LC-PY-05",),
    breaks=(LANGCHAIN,),
)
def langchain_tools(target: Target) -> Verdict:
    """A loop of `bind_tools`: a call with arguments, sent back without content, id and name."""
    recital = target.recital("tool-call")
    asked = [dict(one) for one in recital.messages]
    tools = list(recital.tools)
    got = invoke(target, asked, tools=tools)
    calls = [call for one in usable(got) for call in one["message"].get("tool_calls") or ()]
    found = [[call["function"]["name"], call["function"]["arguments"]] for call in calls]
    wanted = [[call["name"], call["arguments"]] for call in recital.tool_calls]
    if found != wanted:
        return expect(found, wanted, got)
    kept = [{"function": {"name": name, "arguments": given}} for name, given in found]
    result = {"role": "tool", "content": "18 degrees"}
    turns = [*asked, {"role": "assistant", "tool_calls": kept}, result]
    after = invoke(target, turns, tools=tools)
    text = "".join(map(_content, usable(after)))
    return expect_that(bool(text), "a text after the tool's result", after.loose_text[-200:], after)


@check(
    "clients/langchain-reasoning",
    MUST,
    group="thinking",
    source="langchain_ollama:chat_models",
    covers=("CLIENT-LC-PY-06",),
    breaks=(LANGCHAIN,),
)
def langchain_reasoning(target: Target) -> Verdict:
    """`reasoning` true, false and unset: thoughts apart, none, and none in the content."""
    known = target.recital("think")
    messages = [dict(one) for one in known.messages]
    forms: list[tuple[dict[str, Json], str | None]] = [
        ({"think": True}, known.thinking),
        ({"think": False}, ""),
        ({}, None),  # what it thought is dropped
    ]
    for form, thought in forms:
        got = invoke(target, messages, **form)
        records = usable(got)
        found = [_joined(records, "content").strip(), _joined(records, "thinking").strip()]
        wanted = [known.content.strip(), found[1] if thought is None else thought.strip()]
        if found != wanted:
            return expect(found, wanted, got)
    return PASSED


@check(
    "clients/langchain-logprobs",
    MUST,
    group="logprobs",
    source="langchain_ollama:chat_models",
    covers=("CLIENT-LC-PY-07",),
    breaks=(LANGCHAIN,),
)
def langchain_logprobs(target: Target) -> Verdict:
    """Each record with text has its log probabilities, which joined are those of the text."""
    got = invoke(target, HELLO, logprobs=True, top_logprobs=2)
    entries: list[Any] = []
    for record in usable(got):
        mine = record.get("logprobs")
        if _content(record) and not (isinstance(mine, list) and mine):
            return expect_that(False, "`logprobs` beside each text", record, got)
        entries += mine or []
    odd = next((one for one in entries if odd_one(one, LOGPROB, "token", "logprob")), None)
    if odd is not None:
        return expect_that(False, "entries with a token and its logprob", odd, got)
    text = "".join(map(_content, got.records))
    return expect_that(
        "".join(one["token"] for one in entries).startswith(text) and spoke(target, text),
        f"the tokens of {text!r}",
        [one["token"] for one in entries],
        got,
    )


@check(
    "clients/langchain-structured",
    SHOULD,
    group="format",
    source="langchain_ollama:chat_models",
    covers=("CLIENT-LC-PY-11",),
    breaks=(LANGCHAIN,),
)
def langchain_structured(target: Target) -> Verdict:
    """`with_structured_output` sends Pydantic's schema, with definitions; the answer is of it."""
    from jsonschema import Draft202012Validator

    got = invoke(target, HELLO, target.plain, format=REVIEW)
    text = "".join(map(_content, usable(got)))
    if got.last.get("done_reason") == "length":
        not_judged("the answer was cut before its end")
    try:
        fits = Draft202012Validator(REVIEW).is_valid(json.loads(text))
    except ValueError:
        fits = False
    return expect_that(fits, "JSON of the schema", text, got)


@check(
    "clients/llamaindex-chat",
    SHOULD,
    group="manage",
    source="llama_index.llms.ollama:base",
    covers=("CLIENT-LI-01", "CLIENT-LI-02", "CLIENT-LI-05"),
    breaks=(LLAMAINDEX,),
)
def llamaindex_chat(target: Target) -> Verdict:
    """LlamaIndex asks show for the window, chats with it, and reads content and counts."""
    shown = PYTHON_APP.ask(target, "/api/show", {"model": target.model})
    known = shown.ok.object["model_info"]
    if not isinstance(known, dict):
        return expect_that(False, "`model_info` to be an object", known, shown)
    window = next((known[key] for key in known if "context_length" in key), None)
    if window is None or not whole(window):
        return expect_that(False, "the first key with context_length a number", window, shown)
    options = target.options({"num_ctx": int(window)})
    fields = {"model": target.model, "stream": True, "options": options, "messages": HELLO}
    got = PYTHON_APP.ask(target, "/api/chat", {**fields, "tools": []})
    text = "".join(map(_content, got.records))
    counts = [got.last.get(key) for key in COUNTS]
    return every(
        (
            expect_that(spoke(target, text), "a text", got.loose_text[-200:], got),
            expect_that(all(map(whole, counts)), "both counts on the last record", counts, got),
        )
    )
