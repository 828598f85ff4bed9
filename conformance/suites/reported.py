"""Class core, part twelve: what users of other servers found wrong, and nobody had looked for."""

from __future__ import annotations

import base64
from functools import partial

from ..check import MUST, SHOULD, Verdict, check, every, expect
from ..clients import CHATTERS, CONTINUE, GO, LANGCHAIN, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange, Json
from ..likeness import expect_again
from ..provision import create
from ..reply import read
from ..target import NOBODY, Target
from .busy import offered
from .kept import told

PICTURE = base64.b64encode(bytes(1_500_000)).decode()  # as many letters as a photograph has
PAIR: Json = {
    "type": "object",
    "properties": {"first": {"enum": ["yes"]}, "second": {"const": [1, 2]}},
    "required": ["first", "second"],
}
SHOWING = ("name", "options", "system", "template", "verbose")
MAKING = (
    "adapters", "files", "license", "messages", "name", "parameters", "quantize", "stream",
    "system", "template",
)  # fmt: skip


def nulls(*names: str) -> dict[str, Json]:
    """These fields, each null."""
    return dict.fromkeys(names)


@check(
    "manage/nulls-are-absent",
    MUST,
    group="create",
    source="api/types.go:CreateRequest",
    covers=("CREATE-01", "SHOW-01"),
    breaks=(*SDKS, OPEN_WEBUI),
)
def managed_nulls(target: Target) -> Verdict:
    """A model is created, and shown, of null fields as it is without them."""
    offered(target, "create")
    name, other = target.temporary("of-nulls"), target.temporary("of-nothing")
    asked = {**nulls(*MAKING), "model": name, "from": target.model}
    made = target.post("/api/create", asked).ok.last["status"]
    create(target, other, **{"from": target.model})
    got = target.post("/api/show", model=name, **nulls(*SHOWING))
    keys = ("template", "parameters", "details", "capabilities", "system", "license", "messages")
    found, wanted = got.ok.object, told(target, other)
    same = expect({key: found.get(key) for key in keys}, {key: wanted.get(key) for key in keys})
    return every((expect(made, "success"), same))


@check(
    "create/is-in-force-on-both-routes",
    MUST,
    group="create",
    source="server/routes.go:scheduleRunner",
    covers=("CREATE-21", "COPY-03", "CREATE-09", "CREATE-11", "GEN-020", "SHOW-29"),
    breaks=(*SDKS, OPEN_WEBUI, *CHATTERS),
)
def in_force_on_both_routes(target: Target) -> Verdict:
    """What is made anew, or copied over, answers at once with its text and bounds, by generate too.

    A model of each kind is talked to, and then covered by the next.
    """
    pirate, plain = target.recital("greeting-system"), target.recital("greeting")
    system = {"system": pirate.messages[0]["content"]}
    offered(target, "create")
    name, source = target.temporary("in-force"), target.temporary("in-force-of")
    create(target, source, **{"from": target.model}, **system)
    found, base = [], {"from": target.model}
    for fields in ({**base, "parameters": {"num_predict": 3}}, base):
        create(target, name, **fields)
        found.append(_said(target, name))
    _ = target.post("/api/copy", source=source, destination=name).ok
    found.append(_said(target, name))
    as_pirate, as_ever = (pirate.content, "stop"), (plain.content, "stop")
    wanted = [(found[0][0][0], "length"), as_ever, as_pirate]
    short = len(found[0][0][0]) < len(plain.content)
    return every((expect(found, [[one, one] for one in wanted]), expect(short, True)))


def _said(target: Target, name: str) -> list[tuple[str, str]]:
    """What a model answers to Hello, and why it ends, by both routes."""
    given: dict[str, Json] = {"model": name, "stream": False, "options": {"temperature": 0}}
    hello: list[dict[str, Json]] = [{"role": "user", "content": "Hello"}]
    answers = (
        target.post("/api/chat", given, messages=hello),
        target.post("/api/generate", given, prompt="Hello"),
    )
    return [(read(got).text, str(read(got).reason)) for got in answers]


@check(
    "routes/fields-of-others-are-ignored",
    MUST,
    group="core",
    source="api/types.go:ChatRequest",
    covers=("REQ-003", "GEN-031"),
    breaks=CHATTERS,
)
def fields_of_others(target: Target) -> Verdict:
    """What another route knows is nothing to this one: `name` names no model of either."""
    words: dict[str, Json] = {
        "name": NOBODY, "input": "Hi", "verbose": True, "from": NOBODY, "stop": ["H", "e", "a"],
    }  # fmt: skip
    of_chat: dict[str, Json] = {
        "messages": [{"role": "system", "content": "You are a pirate."}],
        "tools": [{"type": "function", "function": {"name": "x", "parameters": {}}}],
    }
    of_generate: dict[str, Json] = {
        "prompt": "Count.", "system": "You are a pirate.", "template": "{{ nothing", "raw": 1,
        "context": "x", "suffix": 5, "images": "x",
    }  # fmt: skip
    chat = (target.chat(), target.chat(**words, **of_generate))
    generate = (target.generate(), target.generate(**words, **of_chat))
    loaded = target.generate(prompt="", messages=[{"role": "user", "content": "Hello"}])
    return every(
        (
            *(
                expect_again(target, read(odd).text, read(plain).text, odd)
                for plain, odd in (chat, generate)
            ),
            expect(loaded.object.get("done_reason"), "load", loaded),
        )
    )


@check(
    "http/bodies-as-pictures-make-them",
    SHOULD,
    group="core",
    source="server/routes.go:Serve",
    covers=("HTTP-016", "GEN-030"),
    breaks=(GO, PYTHON, OPEN_WEBUI, CONTINUE),
)
def large_bodies(target: Target) -> Verdict:
    """A body of two megabytes is read, as every photograph makes one."""
    got: Exchange = target.post("/api/generate", model=target.model, prompt="", images=[PICTURE])
    return expect([got.code, got.object.get("done_reason")], [200, "load"], got)


@check(
    "format/same-letters-streamed",
    MUST,
    group="format",
    source="server/routes.go:ChatHandler",
    covers=("FMT-001", "STREAM-006", "GEN-055"),
    breaks=(LANGCHAIN, PYTHON, *CHATTERS),
)
def same_letters_streamed(target: Target) -> Verdict:
    """What a schema made is told to the letter, streamed or not: it is not written anew."""
    fields: dict[str, Json] = {"think": False, "format": PAIR}
    told = [
        [read(got).text for got in target.in_both_forms(partial(ask, "greeting", **fields))]
        for ask in (target.chat, target.generate)
    ]
    return expect([one for one, _ in told], [other for _, other in told])
