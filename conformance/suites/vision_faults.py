"""Class vision, part two: what is no picture is refused, and who can see is told."""

from __future__ import annotations

import base64

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CLINE, COPILOT, LANGCHAIN_JS, OPEN_WEBUI, PYTHON, ROO, ZED
from ..evidence import Exchange, Json
from ..extra import album, seer
from ..reply import read
from ..script import SEEING
from ..target import Target
from .vision import SEERS, generate, look, says

QUESTION = "What is this?"
WEBP = b"RIFF\x20\0\0\0WEBPVP8 xxxxxxxxxxxxxxxxxxxxxxxx"
REFUSED = tuple(range(400, 600))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _red() -> str:
    return str(album().recitals["picture-red"].messages[0]["images"][0])


def _shown(target: Target, images: Json, **fields: Json) -> Exchange:
    """Ask in chat about these pictures."""
    message = {"role": "user", "content": QUESTION, "images": images}
    return look(target, "picture-red", messages=[message], **fields)


def _refused(got: Exchange) -> Verdict:
    """Passed if it is an error, whichever."""
    return expect_error(got, REFUSED)


@check(
    "vision/spoilt-base64",
    MUST,
    group="vision",
    source="api/types.go:ImageData",
    covers=("REQ-010", "ERR-005"),
    breaks=(PYTHON, OPEN_WEBUI),
)
def spoilt_base64(target: Target) -> Verdict:
    """What is not base64 is 400 and says so, in chat and in generate."""
    spoilt = f"{_red()[:40]}*{_red()[41:]}"
    return every(
        expect_error(got, (400,), containing="base64")
        for image in ("!!!", spoilt)
        for got in (_shown(target, [image]), generate(target, QUESTION, [image]))
    )


@check(
    "vision/other-base64",
    SHOULD,
    group="vision",
    source="api/types.go:ImageData",
    covers=("REQ-010", "ERR-005"),
)
def other_base64(target: Target) -> Verdict:
    """Base64 without its padding, of the URL alphabet, or behind `data:` is 400."""
    red = _red()
    others = (red.rstrip("="), red.replace("+", "-").replace("/", "_"),
              f"data:image/png;base64,{red}")  # fmt: skip
    return every(expect_error(_shown(target, [image]), (400,)) for image in others)


@check(
    "vision/lines-in-base64",
    MUST,
    group="vision",
    source="encoding/base64",
    covers=("REQ-010",),
    breaks=(PYTHON,),
)
def lines_in_base64(target: Target) -> Verdict:
    """Base64 may be broken into lines, as `base64` writes it."""
    red = _red()
    lines = "\n".join(red[place : place + 76] for place in range(0, len(red), 76))
    return every(
        says(got, "picture-red")
        for image in (lines, lines.replace("\n", "\r\n") + "\r\n")
        for got in (_shown(target, [image]),)
    )


@check(
    "vision/not-a-picture",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("IMG-003",),
    breaks=(OPEN_WEBUI, PYTHON),
)
def not_a_picture(target: Target) -> Verdict:
    """Bytes that are no picture are an error; the words are not answered without it."""
    images = (b"hello", b"%PDF-1.4 nothing", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    return every(
        _refused(got)
        for image in map(_base64, images)
        for got in (_shown(target, [image]), generate(target, QUESTION, [image]))
    )


@check(
    "vision/cut-picture",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("IMG-003",),
)
def cut_picture(target: Target) -> Verdict:
    """A picture that is cut short, or of which nothing is there, is an error."""
    red = (SEEING / "pictures" / "red.png").read_bytes()
    images = (red[: len(red) // 2], red[:8], b"")
    return every(_refused(_shown(target, [_base64(image)])) for image in images)


@check(
    "vision/spoilt-webp",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:llamaServerMediaBytes",
    covers=("IMG-002", "IMG-003", "ERR-042"),
)
def spoilt_webp(target: Target) -> Verdict:
    """A WebP that cannot be read is an error; Ollama's is 500 and says so."""
    return _refused(_shown(target, [_base64(WEBP)]))


@check(
    "vision/one-of-two-spoilt",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("IMG-003", "IMG-005"),
)
def one_of_two_spoilt(target: Target) -> Verdict:
    """One picture of two that cannot be read fails the request; the other is not answered for."""
    bad = _base64(b"hello")
    return every(_refused(_shown(target, images)) for images in ([_red(), bad], [bad, _red()]))


@check(
    "vision/refused-before-a-stream",
    SHOULD,
    group="vision",
    source="server/routes.go:ChatHandler",
    covers=("IMG-003",),
    breaks=(PYTHON, OPEN_WEBUI),
)
def refused_before_a_stream(target: Target) -> Verdict:
    """A stream does not begin for a picture that cannot be read: the status says it."""
    return _refused(_shown(target, [_base64(b"hello")], stream=True))


@check(
    "vision/after-a-refusal",
    MUST,
    group="vision",
    source="CVE-2025-15514",
    covers=("SEC-52", "IMG-003"),
    breaks=SEERS,
)
def after_a_refusal(target: Target) -> Verdict:
    """Spoilt pictures, also ones that lie about their size, leave a server that still sees."""
    red = (SEEING / "pictures" / "red.png").read_bytes()
    huge = red[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + red[24:]
    none = red[:16] + b"\0\0\0\0\0\0\0\0" + red[24:]
    for image in (red[:60], huge, none, WEBP, b"\xff\xd8\xff\xe0", b"GIF89a", b"BM"):
        _ = _shown(target, [_base64(image)]).answered
    return says(look(target, "picture-red"), "picture-red")


@check(
    "vision/types",
    MUST,
    group="vision",
    source="api/types.go:ImageData",
    covers=("CHAT-018", "GEN-004", "REQ-010", "ERR-002"),
)
def types(target: Target) -> Verdict:
    """`images` that is no list, or holds something else than strings, is 400."""
    wrong: tuple[Json, ...] = (_red(), [5], [{"url": _red()}], [[_red()]], {"0": _red()})
    return every(
        expect_error(got, (400,))
        for images in wrong
        for got in (_shown(target, images), generate(target, QUESTION, images))
    )


@check(
    "vision/capability",
    MUST,
    group="vision",
    source="server/images.go:Capabilities",
    covers=("SHOW-19", "SHOW-24", "CLIENT-PY-OLL-15"),
    breaks=(CLINE, ROO, COPILOT, ZED, OPEN_WEBUI),
)
def capability(target: Target) -> Verdict:
    """/api/show lists `vision` beside `completion` for a model that sees."""
    got = target.post("/api/show", model=seer(target))
    return expect(sorted(got.ok.object["capabilities"]), ["completion", "vision"], got)


@check(
    "vision/capability-of-others",
    MUST,
    group="vision",
    source="server/images.go:Capabilities",
    covers=("SHOW-19",),
    breaks=(CLINE, ROO, COPILOT, ZED, OPEN_WEBUI),
)
def capability_of_others(target: Target) -> Verdict:
    """/api/show does not list `vision` for a model without a projector."""
    _ = target.script, seer(target)
    got = target.post("/api/show", model=target.model)
    listed = got.ok.object["capabilities"]
    return expect_that("vision" not in listed, "no `vision`", listed, got)


@check(
    "vision/listed",
    SHOULD,
    group="vision",
    source="server/model_list_cache.go",
    covers=("TAGS-09",),
    breaks=(OPEN_WEBUI,),
)
def listed(target: Target) -> Verdict:
    """/api/tags, where it lists capabilities, lists `vision` too."""
    name = f"{seer(target)}:latest"
    got = target.get("/api/tags")
    entries = [one for one in got.ok.object["models"] if one["name"] == name]
    told = [one.get("capabilities", ["vision"]) for one in entries]
    return expect_that(len(told) == 1 and "vision" in told[0], "`vision`", told, got)


@check(
    "vision/projector-shown",
    SHOULD,
    group="vision",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-17",),
)
def projector_shown(target: Target) -> Verdict:
    """/api/show tells the projector's metadata in projector_info, as it stands in its file."""
    got = target.post("/api/show", model=seer(target))
    known = got.ok.object["projector_info"]
    found = [known["general.architecture"], known["clip.vision.image_size"]]
    return expect(found, ["clip", 64], got)


@check(
    "vision/blind-model",
    SHOULD,
    group="vision",
    source="llm/llama_server.go:Completion",
    covers=("IMG-004",),
    breaks=SEERS,
)
def blind_model(target: Target) -> Verdict:
    """A model that does not see refuses a picture in both routes, streamed or not."""
    _ = target.script, seer(target)
    message = {"role": "user", "content": "Hello", "images": [_red()]}
    return every(
        _refused(got)
        for stream in (False, True)
        for got in (
            target.chat(messages=[message], stream=stream),
            target.generate(images=[_red()], stream=stream),
        )
    )


@check(
    "vision/load-with-a-picture",
    SHOULD,
    group="vision",
    source="server/routes.go:GenerateHandler",
    covers=("GEN-004",),
)
def load_with_a_picture(target: Target) -> Verdict:
    """A picture without a prompt loads the model and answers nothing."""
    got = generate(target, "", [_red()])
    return expect([read(got).text, read(got).reason], ["", "load"], got)


@check(
    "vision/turn-of-a-picture-alone",
    MUST,
    group="vision",
    source="server/prompt.go:chatPrompt",
    covers=("CHAT-018", "IMG-006", "CHAT-031"),
    breaks=(LANGCHAIN_JS,),
)
def turn_of_a_picture_alone(target: Target) -> Verdict:
    """A turn that has a picture and no text is seen, before a question and as the last one."""
    few = {"num_predict": 1}
    alone = {"role": "user", "content": "", "images": [_red()]}
    asked = {"role": "user", "content": QUESTION}

    def count(*turns: Json) -> int:
        ask = {"model": seer(target), "messages": list(turns), "stream": False}
        return read(target.post("/api/chat", ask, options=few)).count("prompt_eval_count")

    bare = {"role": "user", "content": ""}
    found = [count(alone, asked) - count(bare, asked), count(alone) - count(bare)]
    return expect_that(min(found) > 0, "more tokens than without the picture", found)
