"""Class vision, part one: pictures are seen, each for itself, in their order and their place."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..check import MAY, MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import (
    CLINE,
    CONTINUE,
    COPILOT,
    JS,
    LANGCHAIN,
    LANGCHAIN_JS,
    LITELLM,
    LLAMAINDEX,
    OPEN_WEBUI,
    PYTHON,
    ROO,
    ZED,
)
from ..evidence import Exchange, Json
from ..extra import album, seer
from ..provision import create
from ..reply import read
from ..script import SEEING, Recital
from ..target import Target
from .busy import offered
from .every_way import BARE

SEERS = (PYTHON, JS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, CONTINUE, CLINE, ROO, COPILOT, ZED,
         OPEN_WEBUI, LITELLM)  # fmt: skip
KNOWN = ("red", "blue", "cross", "rows", "columns", "corner")
GREEDY = {"temperature": 0, "num_predict": 150}


def encoded(name: str) -> str:
    """A picture file of the script as base64."""
    import base64

    return base64.b64encode((SEEING / "pictures" / name).read_bytes()).decode()


def look(target: Target, id: str, *, options: Json = None, **fields: Json) -> Exchange:
    """Chat for a recital about pictures."""
    recital = album().recitals[id]
    ask = {"model": seer(target), "stream": False, **recital.asked, **fields}
    return target.post("/api/chat", ask, options={**GREEDY, **(options or {})})


def generate(target: Target, prompt: str, images: Json, **fields: Json) -> Exchange:
    """Generate for a prompt with pictures."""
    ask: dict[str, Any] = {"model": seer(target), "stream": False, "prompt": prompt}
    return target.post("/api/generate", {**ask, "images": images, **fields}, options=GREEDY)


def of_last(target: Target, id: str, **fields: Json) -> Exchange:
    """Generate for a recital of one message."""
    message = album().recitals[id].messages[-1]
    return generate(target, message["content"], message["images"], **fields)


def says(got: Exchange, id: str) -> Verdict:
    """Passed if the answer is the recital's, word for word."""
    return expect(read(got).text, album().recitals[id].content, got)


def text_tokens(recital: Recital) -> int:
    """A prompt's tokens without those of its pictures, of which llama.cpp makes 14 each."""
    pictures = sum(len(one.get("images", ())) for one in recital.messages)
    return recital.prompt_tokens - 14 * pictures


@check(
    "vision/chat",
    MUST,
    group="vision",
    source="docs/capabilities/vision.mdx",
    covers=("IMG-001", "CHAT-018"),
    breaks=SEERS,
)
def in_chat(target: Target) -> Verdict:
    """A picture in a message's `images`, base64 of a PNG, is seen."""
    return says(look(target, "picture-red"), "picture-red")


@check(
    "vision/generate",
    MUST,
    group="vision",
    source="docs/api.md#request-with-images",
    covers=("IMG-001", "GEN-004"),
    breaks=(PYTHON, JS, LANGCHAIN, LLAMAINDEX),
)
def in_generate(target: Target) -> Verdict:
    """A picture in the `images` of a generate request is seen, the same as in chat."""
    return every(says(of_last(target, id), id) for id in ("picture-red", "picture-cross"))


@check(
    "vision/every-picture",
    MUST,
    group="vision",
    source="fixtures/models/scripted-vision",
    covers=("IMG-001",),
    breaks=SEERS,
)
def every_picture(target: Target) -> Verdict:
    """Pictures that differ in colour, in place or in direction are answered differently."""
    ids = [f"picture-{name}" for name in (*KNOWN, "green")]
    return every(says(look(target, id), id) for id in ids)


@check(
    "vision/same-words-other-picture",
    MUST,
    group="vision",
    source="fixtures/models/scripted-vision",
    covers=("IMG-001",),
    breaks=SEERS,
)
def same_words_other_picture(target: Target) -> Verdict:
    """What is kept of a prompt is not taken for that of the same words under another picture."""
    turns = ("red", "blue", "red", "none", "blue")
    return every(says(look(target, f"picture-{one}"), f"picture-{one}") for one in turns)


@check(
    "vision/no-picture",
    MUST,
    group="vision",
    source="api/types.go:Message",
    covers=("IMG-010", "REQ-005"),
    breaks=(LANGCHAIN, PYTHON),
)
def no_picture(target: Target) -> Verdict:
    """`images` empty or null is none at all, for a model that sees."""
    recital = album().recitals["picture-none"]
    nothings: tuple[Json, ...] = ([], None)
    asks = [look(target, "picture-none")]
    for nothing in nothings:
        message = {**recital.messages[0], "images": nothing}
        asks.append(look(target, "picture-none", messages=[message]))
        asks.append(generate(target, message["content"], nothing))
    return every(says(got, "picture-none") for got in asks)


@check(
    "vision/words-alone",
    MUST,
    group="vision",
    source="fixtures/models/scripted-vision",
    covers=("IMG-001",),
    breaks=(OPEN_WEBUI,),
)
def words_alone(target: Target) -> Verdict:
    """A model that sees talks without pictures too."""
    return says(look(target, "hello"), "hello")


@check(
    "vision/jpeg",
    MUST,
    group="vision",
    source="docs/capabilities/vision.mdx",
    covers=("IMG-001",),
    breaks=SEERS,
)
def jpeg(target: Target) -> Verdict:
    """A JPEG is seen, in chat and in generate."""
    messages = [{"role": "user", "content": "What is this?", "images": [encoded("blue.jpg")]}]
    return every(
        (
            says(look(target, "picture-blue", messages=messages), "picture-blue"),
            says(generate(target, "What is this?", [encoded("blue.jpg")]), "picture-blue"),
        )
    )


@check(
    "vision/webp",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:llamaServerMediaBytes",
    covers=("IMG-002",),
    breaks=(OPEN_WEBUI, PYTHON),
)
def webp(target: Target) -> Verdict:
    """A WebP is seen."""
    messages = [{"role": "user", "content": "What is this?", "images": [encoded("cross.webp")]}]
    return says(look(target, "picture-cross", messages=messages), "picture-cross")


@check(
    "vision/two-in-order",
    SHOULD,
    group="vision",
    source="server/prompt.go",
    covers=("IMG-005",),
    breaks=SEERS,
)
def two_in_order(target: Target) -> Verdict:
    """Two pictures of a message are two, in their order, in chat and in generate."""
    return every(
        says(got, id)
        for id in ("two-red-blue", "two-blue-red", "two-same")
        for got in (look(target, id), of_last(target, id))
    )


@check(
    "vision/placed",
    SHOULD,
    group="vision",
    source="server/prompt.go:imageTaggedMessages",
    covers=("IMG-006",),
    breaks=(OPEN_WEBUI,),
)
def placed(target: Target) -> Verdict:
    """Pictures stand where the text says `[img]`, first to last; else before the text."""
    return every(says(look(target, id), id) for id in ("placed", "placed-other", "picture-red"))


@check(
    "vision/streamed",
    MUST,
    group="vision",
    source="docs/capabilities/vision.mdx",
    covers=("IMG-001", "STREAM-005"),
    breaks=SEERS,
)
def streamed(target: Target) -> Verdict:
    """A stream about a picture says what one object says, and counts the same."""
    recital = album().recitals["long"]
    whole, stream = read(look(target, "long")), look(target, "long", stream=True)
    parts = read(stream)
    made = of_last(target, "picture-rows", stream=True)
    return every(
        (
            expect(parts.text, recital.content, stream),
            expect(parts.text, whole.text, stream),
            expect(
                [parts.count("prompt_eval_count"), parts.count("eval_count")],
                [whole.count("prompt_eval_count"), whole.count("eval_count")],
                stream,
            ),
            expect_that(len(parts.records) > 5, "a record after another", len(parts.records)),
            says(made, "picture-rows"),
        )
    )


@check(
    "vision/history",
    MUST,
    group="vision",
    source="server/prompt.go:chatPrompt",
    covers=("IMG-001", "CHAT-018"),
    breaks=SEERS,
)
def history(target: Target) -> Verdict:
    """A picture of an earlier turn is still seen when a later one asks about it."""
    return every(says(look(target, id), id) for id in ("history-red", "history-blue"))


@check(
    "vision/system",
    MUST,
    group="vision",
    source="server/prompt.go:chatPrompt",
    covers=("IMG-001", "CHAT-018"),
    breaks=SEERS,
)
def system(target: Target) -> Verdict:
    """A system prompt stands before a picture, in chat and in generate."""
    first, asked = album().recitals["system"].messages
    made = generate(target, asked["content"], asked["images"], system=first["content"])
    return every((says(look(target, "system"), "system"), says(made, "system")))


@check(
    "vision/counted",
    MUST,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("IMG-001", "MET-003"),
    breaks=(LITELLM, LANGCHAIN, CLINE),
)
def counted(target: Target) -> Verdict:
    """prompt_eval_count counts pictures beside the words: twice as much for two, none for none."""
    recitals = album().recitals
    found = {}
    for id in ("picture-none", "picture-red", "two-red-blue", "two-same"):
        found[id] = read(look(target, id)).count("prompt_eval_count") - text_tokens(recitals[id])
    each = found["picture-red"]
    wanted = {"picture-none": 0, "picture-red": max(each, 1), "two-red-blue": 2 * each,
              "two-same": 2 * each}  # fmt: skip
    return expect(found, wanted)


@check(
    "vision/answer-counted",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("MET-003",),
    breaks=(LITELLM, LANGCHAIN),
)
def answer_counted(target: Target) -> Verdict:
    """eval_count is the number of tokens of the answer, without those of the picture."""
    return every(
        expect(read(got).count("eval_count"), album().recitals[id].output_tokens, got)
        for id in ("picture-red", "picture-cross", "two-red-blue")
        for got in (look(target, id),)
    )


@check(
    "vision/in-company",
    MUST,
    group="vision",
    source="server/sched.go",
    covers=("IMG-001",),
    breaks=SEERS,
)
def in_company(target: Target) -> Verdict:
    """Requests with pictures that come at the same time see each their own."""
    seer(target)
    ids = [f"picture-{name}" for name in (*KNOWN, "none")]
    answers = target.at_once([partial(look, target, id) for id in ids])
    return every(says(got, id) for got, id in zip(answers, ids, strict=True))


@check(
    "vision/raw",
    MAY,
    group="vision",
    source="server/routes.go:GenerateHandler",
    covers=("IMG-008",),
)
def raw(target: Target) -> Verdict:
    """A raw prompt places its picture by `[img-0]`."""
    recital = album().recitals["raw"]
    return says(generate(target, recital.prompt, list(recital.images), raw=True), "raw")


@check(
    "vision/dropped",
    SHOULD,
    group="vision",
    source="server/prompt.go:chatPrompt",
    covers=("IMG-007", "CTX-003"),
    breaks=(OPEN_WEBUI, CONTINUE),
)
def dropped(target: Target) -> Verdict:
    """The picture of a turn that does not fit is dropped with it, and the rest count from 0."""
    red, blue = (album().recitals[f"picture-{name}"].messages[0] for name in ("red", "blue"))
    long = {**red, "content": "What is this? " * 700}  # beyond the least window of those that see
    got = look(target, "picture-blue", messages=[long, blue], options={"num_ctx": 2048})
    return says(got, "picture-blue")


@check(
    "vision/any-role",
    SHOULD,
    group="vision",
    source="server/prompt.go:imageTaggedMessages",
    covers=("CHAT-018", "IMG-006"),
    breaks=(OPEN_WEBUI, LANGCHAIN),
)
def any_role(target: Target) -> Verdict:
    """A picture is seen whoever brings it: a tool, the system or the assistant, too."""
    recital = album().recitals["picture-cross"]
    before, after = recital.prompt.split("[img-0]")
    offered(target, "create")
    name = target.temporary("any-role")
    create(target, name, **{"from": seer(target), "template": BARE})
    bringing = {"content": after, "images": recital.messages[-1]["images"]}
    return every(
        says(look(target, "picture-cross", model=name, messages=turns), "picture-cross")
        for role in ("tool", "system", "assistant")
        for turns in ([{"role": "user", "content": before}, {"role": role, **bringing}],)
    )
