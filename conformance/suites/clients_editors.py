"""What editors, gateways and agents need: Continue, Zed, LiteLLM, Open WebUI, Codex CLI."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CODEX, CONTINUE, LITELLM, OPEN_WEBUI, ZED
from ..evidence import Exchange, Json, Record, Wrong
from ..provision import create
from ..registry.stock import scripted
from ..target import Target
from ._apps import AIOHTTP_APP, CODEX_APP, CONTINUE_APP, LITELLM_APP, ZED_APP, spoke, time_, whole
from ._depot import depot
from .manage import tagged
from .pull import BRIEF_S

HELLO = [{"role": "user", "content": "Hello"}]
COUNTS = ("prompt_eval_count", "eval_count")
HALF_AN_HOUR_S = 1800  # the keep_alive of Continue
MIDDLE = "<|user|>\n{{ .Prompt }}{{ .Suffix }}<|end|>\n<|assistant|>\n"
BEFORE, AFTER = "Hel", "lo"  # with the template, the prompt of a recital
TYPES_OF_ZED = (("model", str), ("created_at", str), ("done", bool))


@check(
    "clients/continue-completes-the-middle",
    MUST,
    group="create",
    source="continuedev/continue:core/llm/llms/Ollama.ts",
    covers=("CLIENT-CONT-03", "CLIENT-CONT-05"),
    breaks=(CONTINUE,),
)
def continue_completes(target: Target) -> Verdict:
    """A template with `.Suffix` is shown with it; generate takes what comes before and after."""
    script = target.script
    name = target.temporary("middle")
    create(target, name, **{"from": target.model, "template": MIDDLE})
    shown = CONTINUE_APP.ask(target, "/api/show", {"name": name})
    if ".Suffix" not in str(shown.ok.object.get("template")):
        return expect_that(False, "a template with .Suffix", shown.object.get("template"), shown)
    known = script.recitals["greeting"]
    options = {"temperature": 0, "num_predict": 2 * known.output_tokens, "stop": ["\n\n", "/src/"]}
    asked = {"model": name, "prompt": BEFORE, "suffix": AFTER, "options": options}
    kept = {"keep_alive": HALF_AN_HOUR_S, "stream": True}
    got = CONTINUE_APP.ask(target, "/api/generate", {**asked, **kept})
    text = "".join(_response(record) for record in got.records)
    target.post("/api/generate", model=name, keep_alive="5m")  # as it is for all others
    return expect(text, known.content, got)


def _response(record: Record) -> str:
    response = record["response"]
    if "error" in record or not isinstance(response, str):
        raise Wrong("`response` to be a string, and no error", record)
    return response


@check(
    "clients/zed-tools",
    SHOULD,
    group="tools",
    source="zed-industries/zed:crates/ollama/src/ollama.rs",
    covers=("CLIENT-ZED-01", "CLIENT-ZED-02"),
    breaks=(ZED,),
)
def zed_tools(target: Target) -> Verdict:
    """Zed reads every record of a chat with tools, and each call: `function`, and a text as id."""
    recital = target.recital("tool-call")
    fields: dict[str, Json] = {"model": target.model, "messages": list(recital.messages)}
    options = {"num_ctx": 4096, "num_predict": None, "stop": None, "temperature": 0, "top_p": None}
    talk = {"stream": True, "keep_alive": "5m", "options": options, "tools": list(recital.tools)}
    got = ZED_APP.ask(target, "/api/chat", {**fields, **talk, "think": None})
    calls: list[Record] = []
    for record in got.records:
        odd = [key for key, kind in TYPES_OF_ZED if not isinstance(record.get(key), kind)]
        message = record["message"]
        right = message["role"] == "assistant" and isinstance(message["content"], str)
        if odd or not right:
            return expect_that(False, "a record that Zed can read", record, got)
        calls += message.get("tool_calls") or []
    keys = [sorted(set(call) - {"id"}) for call in calls]
    ids = [call.get("id", "") for call in calls]
    return every(
        (
            expect(keys, [["function"]] * len(recital.tool_calls), got),
            expect_that(all(isinstance(one, str) for one in ids), "ids that are texts", ids, got),
            expect([call["function"]["name"] for call in calls],
                   [call["name"] for call in recital.tool_calls], got),
        )
    )  # fmt: skip


@check(
    "clients/litellm-chat",
    MUST,
    group="core",
    source="BerriAI/litellm:litellm/llms/ollama/chat/transformation.py",
    covers=("CLIENT-LITELLM-01", "CLIENT-LITELLM-03"),
    breaks=(LITELLM,),
)
def litellm_chat(target: Target) -> Verdict:
    """LiteLLM finds message, done and model in every record; content and counts in an object."""
    fields = {"model": target.model, "messages": HELLO, "options": target.options({})}
    got = LITELLM_APP.ask(target, "/api/chat", {**fields, "stream": True})
    for record in got.records:
        if not isinstance(record["message"], dict) or not isinstance(record["model"], str):
            return expect_that(False, "`message` and `model` in every record", record, got)
        _ = record["done"]
    once = LITELLM_APP.ask(target, "/api/chat", {**fields, "stream": False})
    told = once.ok.object
    counts = [told.get(key) for key in COUNTS]
    reason = got.last.get("done_reason")
    return every(
        (
            expect_that(reason in ("stop", "length"), "done_reason stop or length", reason, got),
            expect_that(all(map(whole, counts)), "both counts", counts, once),
            expect_that(spoke(target, told["message"]["content"]), "a text", told, once),
        )
    )


@check(
    "clients/open-webui-lists",
    MUST,
    group="manage",
    source="open-webui/open-webui:backend/open_webui/routers/ollama.py",
    covers=("CLIENT-OWUI-02",),
    breaks=(OPEN_WEBUI,),
)
def open_webui_lists(target: Target) -> Verdict:
    """Open WebUI merges models by `model`, shows `name`, and asks JSON of both lists."""
    tags = AIOHTTP_APP.get(target, "/api/tags")
    entries = tags.ok.object["models"]
    named = [[one["name"], one["model"]] for one in entries]
    ours = [one for one in named if one == [tagged(target.model)] * 2]
    verdicts = [
        expect(tags.media_type, "application/json", tags),
        expect_that(len(ours) == 1, f"{tagged(target.model)} once, as both", named, tags),
    ]
    if "lifecycle" not in target.setup.absent:
        AIOHTTP_APP.ask(target, "/api/generate", {"model": target.model}).ok.object["done"]
        loaded = AIOHTTP_APP.get(target, "/api/ps")
        there = loaded.ok.object["models"]
        odd = [one for one in there if not (time_(one["expires_at"]) and one["name"])]
        verdicts.append(expect(loaded.media_type, "application/json", loaded))
        verdicts.append(expect_that(not odd, "a name and an ISO time each", odd, loaded))
    return every(verdicts)


@check(
    "clients/codex-setup",
    MUST,
    group="transfer",
    source="openai/codex:codex-rs/ollama/src/client.rs",
    covers=("CLIENT-CODEX-04",),
    breaks=(CODEX,),
)
def codex_setup(target: Target) -> Verdict:
    """`codex --oss` lists models, pulls the missing one as it is told, and finds it then.

    It is pulled over plain HTTP, which this client cannot ask for: our registry has no TLS.
    """
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("oss", package.with_layers([package.weights]))
        shop.behave(seconds=BRIEF_S)
        if tagged(name) in _names(target):
            return expect_that(False, f"{name} not to be listed yet", "it is")
        asked = {"model": name, "stream": True, "insecure": True}
        got = shop.reached(CODEX_APP.ask(target, "/api/pull", asked))
        told = [record for record in got.ok.records if not isinstance(record.get("status"), str)]
        bad = [one for one in got.records if not all(map(whole, _progress(one)))]
        shop.behave()
        missing = shop.name("nowhere")
        failed = CODEX_APP.ask(target, "/api/pull", {**asked, "model": missing})
        return every(
            (
                expect_that(not told, "a `status` in every record", told, got),
                expect_that(not bad, "`total` and `completed` to be whole numbers", bad, got),
                expect(got.last.get("status"), "success", got),
                expect_that(tagged(name) in _names(target), f"{tagged(name)} listed", "it is not"),
                _told(failed),
            )
        )


def _progress(record: Record) -> list[Json]:
    return [record[key] for key in ("total", "completed") if key in record]


def _told(failed: Exchange) -> Verdict:
    """Passed if a pull that fails says so: by its status, or in its last record."""
    if failed.code != 200:
        return expect_that(failed.code >= 400, "a status of 400 or more", failed.status, failed)
    error = failed.last.get("error")
    return expect_that(isinstance(error, str) and bool(error), "`error`, a text", error, failed)


def _names(target: Target) -> list[str]:
    got = CODEX_APP.get(target, "/api/tags")
    return [one["name"] for one in got.ok.object["models"]]
