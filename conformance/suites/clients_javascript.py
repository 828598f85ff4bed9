"""What the JavaScript client needs, in Node and in a browser, and who is built on it."""

from __future__ import annotations

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CLINE, JS, LANGCHAIN_JS, ROO
from ..evidence import Exchange, Json, Record, Wrong
from ..extra import album, seer
from ..registry.stock import scripted
from ..target import Target
from ._apps import JS_APP, App, of_javascript, spoke
from ._depot import depot
from .manage import tagged

PAGE = "http://localhost:5173"  # where a developer's browser program is served from
HELLO = [{"role": "user", "content": "Hello"}]
IN_A_BROWSER = ("content-type", "user-agent")  # `accept: application/json` needs no leave
FIRST_WORD_S = 30.0
FIGURES = ("eval_count", "prompt_eval_count")
CLINE_WINDOW = 32_768
WEATHER: list[dict[str, Json]] = [
    {"role": "user", "content": "What is the weather in Paris?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "5f0c3d6e",
                "type": "function",
                "function": {"name": "get_weather", "arguments": {"city": "Paris"}},
            }
        ],
    },
    {"role": "tool", "content": "18 degrees"},
]


def chat(target: Target, messages: Json, model: str = "", **more: Json) -> Exchange:
    """`chat()` of the JavaScript client, in the order of @langchain/ollama, streamed."""
    options = target.options({})
    asked = {"model": model or target.model, "options": options, "messages": messages}
    return JS_APP.ask(target, "/api/chat", {**asked, "stream": True, **more})


def said(got: Exchange) -> str:
    """The text of a stream, as the JavaScript client hands it on. Raises Wrong."""
    return "".join(_content(record) for record in of_javascript(got))


def _content(record: Record) -> str:
    content = record["message"]["content"]
    if not isinstance(content, str):
        raise Wrong("`content` to be a string", content)
    return content


@check(
    "clients/javascript-browser",
    MUST,
    group="core",
    source="ollama(npm):dist/browser.mjs",
    covers=("CLIENT-JS-OLL-01",),
    breaks=(JS, LANGCHAIN_JS),
)
def javascript_browser(target: Target) -> Verdict:
    """A page on localhost may call chat() from a browser: its preflight, then its request."""
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(IN_A_BROWSER),
    }
    leave = target.request("OPTIONS", "/api/chat", headers=asked)
    if leave.code not in (200, 204):
        return expect_that(False, "a preflight with status 204 or 200", leave.status, leave)
    allowed = (leave.header("Access-Control-Allow-Headers") or "").lower().replace(" ", "")
    lacking = set(IN_A_BROWSER) - set(allowed.split(","))
    fields = {"model": target.model, "messages": HELLO, "options": target.options({})}
    page = App((*JS_APP.headers, ("Origin", PAGE), ("Referer", f"{PAGE}/")))
    got = page.ask(target, "/api/chat", {**fields, "stream": False})
    return every(
        (
            expect_that(_readable(leave), f"leave for {PAGE}", dict(leave.headers), leave),
            expect_that(not lacking or "*" in allowed, "these headers allowed", allowed, leave),
            expect_that(_readable(got.ok), "an answer the page may read", dict(got.headers), got),
            expect_that(isinstance(got.object["message"]["content"], str), "a text", got.body, got),
        )
    )


def _readable(got: Exchange) -> bool:
    return got.header("Access-Control-Allow-Origin") in (PAGE, "*")


@check(
    "clients/javascript-bodies",
    MUST,
    group="core",
    source="ollama(npm):dist/browser.mjs",
    covers=("CLIENT-JS-OLL-06",),
    breaks=(JS,),
)
def javascript_bodies(target: Target) -> Verdict:
    """Each method of the JavaScript client that is not streamed is answered with a JSON object."""
    options = target.options({"num_predict": 2})
    talk = {"model": target.model, "options": options, "stream": False}
    asks = [
        JS_APP.get(target, "/api/version"),
        JS_APP.ask(target, "/api/chat", {"messages": HELLO, **talk}),
        JS_APP.ask(target, "/api/generate", {"prompt": "Hello", **talk}),
    ]
    if "manage" not in target.setup.absent:
        asks += [
            JS_APP.get(target, "/api/tags"),
            JS_APP.ask(target, "/api/show", {"model": target.model}),
        ]
    for got in asks:
        if "error" in got.ok.object:
            return expect_that(False, "no key `error`", got.loose_text[:200], got)
    return PASSED


@check(
    "clients/cline-chat",
    MUST,
    group="core",
    source="cline/cline:src/core/api/providers/ollama.ts",
    covers=("CLIENT-CLINE-01", "CLIENT-CLINE-02"),
    breaks=(CLINE, ROO),
)
def cline_chat(target: Target) -> Verdict:
    """Cline and Roo Code get text in every record, the first within 30 s, and usage once."""
    messages = [{"role": "system", "content": "You are Cline."}, *HELLO]
    asked = {"model": target.model, "messages": messages, "stream": True}
    options = target.options({"num_ctx": CLINE_WINDOW})
    got = JS_APP.ask(target, "/api/chat", {**asked, "options": options})
    records = of_javascript(got)
    usage = [one for one in records if any(name in one for name in FIGURES)]
    told = [type(usage[-1].get(name)).__name__ for name in FIGURES] if usage else []
    first_s = got.arrivals_ms[0] / 1e3
    _ = [_content(record) for record in records]
    return every(
        (
            expect([len(usage), told], [1, ["int", "int"]], got),
            expect_that(first_s < FIRST_WORD_S, "the first record within 30 s", first_s, got),
        )
    )


@check(
    "clients/langchain-js-turns",
    MUST,
    group="core",
    source="@langchain/ollama:dist/utils.js",
    covers=("CLIENT-LC-JS-06",),
    breaks=(LANGCHAIN_JS,),
)
def langchain_js_turns(target: Target) -> Verdict:
    """Several system and several user messages in a row are answered, and a bare tool message."""
    system = [{"role": "system", "content": word} for word in ("Be brief.", "Be kind.")]
    users = [{"role": "user", "content": word} for word in ("My name is Ada.", "Hello")]
    first = chat(target, [*system, *users])
    if not spoke(target, said(first)):
        return expect_that(False, "a text", first.loose_text[-200:], first)
    if "tools" in target.setup.absent:
        return PASSED
    after = chat(target, WEATHER)
    right = spoke(target, said(after))
    return expect_that(right, "a text after the tool's", after.loose_text[-200:], after)


@check(
    "clients/langchain-js-pictures",
    MUST,
    group="vision",
    source="@langchain/ollama:dist/utils.js",
    covers=("CLIENT-LC-JS-06",),
    breaks=(LANGCHAIN_JS,),
)
def langchain_js_pictures(target: Target) -> Verdict:
    """A picture may come in a user message of its own, with empty content, after its words."""
    model = seer(target)
    (turn,) = album().recitals["picture-red"].messages
    words = {"role": "user", "content": turn["content"]}
    picture = {"role": "user", "content": "", "images": turn["images"]}
    got = chat(target, [words, picture], model)
    return expect_that(bool(said(got)), "a text", got.loose_text[-200:], got)


@check(
    "clients/langchain-js-pull",
    SHOULD,
    group="transfer",
    source="@langchain/ollama:dist/chat_models.js",
    covers=("CLIENT-LC-JS-05",),
    breaks=(LANGCHAIN_JS,),
)
def langchain_js_pull(target: Target) -> Verdict:
    """`checkOrPullModel` finds no model, pulls it, and finds it: by its name and `:latest`.

    It is pulled over plain HTTP, which this client cannot ask for: our registry has no TLS.
    """
    with depot(target) as shop:
        package = scripted(shop.mark)
        name = shop.offer("checked", package.with_layers([package.weights]))
        before = JS_APP.get(target, "/api/tags")
        if _there(before, name):
            return expect_that(False, f"{name} not to be listed yet", "it is", before)
        asked = {"name": name, "stream": True, "insecure": True}
        pulled = shop.reached(JS_APP.ask(target, "/api/pull", asked))
        last = of_javascript(pulled)[-1]
        after = JS_APP.get(target, "/api/tags")
        return every(
            (
                expect(last.get("status"), "success", pulled),
                expect_that(_there(after, name), f"{tagged(name)} to be listed", "it is not"),
            )
        )


def _there(tags: Exchange, name: str) -> bool:
    return any(one["name"] in (name, f"{name}:latest") for one in tags.ok.object["models"])
