"""Class manage, part five: what servers in the wild make up, take for the same, or do not end."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect
from ..clients import CHATTERS, CLINE, GO, LANGCHAIN, OPEN_WEBUI, PICKERS, SDKS
from ..evidence import Json
from ..reply import read
from ..target import Target
from ._rendered import answers, templated
from .kept import told
from .names import copied
from .shown import made

LETTERS = (f"e\u0301 &<b> <think>a</think>\n{'y' * 1500}.", '{"b":1,"a":[2]}')
ASSISTANT = "<|assistant|>\n"
UNGIVEN = ("license", "messages", "requires", "system")
LINES = ("ADAPTER", "LICENSE", "MESSAGE", "REQUIRES", "SYSTEM")


@check(
    "names/spaces-and-hosts-count",
    MUST,
    group="manage",
    source="types/model/name.go:ParseName",
    covers=("NAME-01", "NAME-02", "NAME-009", "COPY-01", "DELETE-01"),
    breaks=(*SDKS, OPEN_WEBUI),
)
def spaces_and_hosts_count(target: Target) -> Verdict:
    """Another namespace or host of a name is another model: it is not there, on no route."""
    name = target.temporary("only-this")
    _ = copied(target, name).ok
    space, _, word = name.partition("/")
    others = (f"{space}-other/{word}", f"other.example/{name}")
    found, wanted = {}, {}
    for other in others:
        ask: dict[str, Json] = {"model": other, "stream": False}
        hello: Json = [{"role": "user", "content": "Hello"}]
        answers = {
            "show": target.post("/api/show", ask),
            "chat": target.post("/api/chat", ask, messages=hello),
            "generate": target.post("/api/generate", ask, prompt="Hello"),
            "copy": target.post("/api/copy", source=other, destination=target.temporary("gone")),
            "delete": target.delete("/api/delete", model=other),
        }
        found[other] = {route: got.code for route, got in answers.items()}
        wanted[other] = dict.fromkeys(answers, 404)
    there = target.post("/api/show", model=name).code
    return every((expect(found, wanted), expect(there, 200)))


@check(
    "show/nothing-made-up",
    SHOULD,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-03", "SHOW-07", "SHOW-08", "SHOW-27"),
    breaks=(*PICKERS, CLINE, OPEN_WEBUI, GO),
)
def nothing_made_up(target: Target) -> Verdict:
    """What a model was not given is not told of it: no license, system text, turns, needs."""
    shown = told(target, made(target, "ungiven"))
    words = {one.partition(" ")[0] for one in str(shown["modelfile"]).splitlines()}
    found = {key: shown[key] for key in UNGIVEN if shown.get(key)}
    return every((expect(found, {}), expect(sorted(words & set(LINES)), [])))


@check(
    "thinking/cut-short-in-every-way",
    MUST,
    group="thinking",
    source="server/routes.go:ChatHandler",
    covers=("THINK-010", "STREAM-007", "OPT-002", "MET-006"),
    breaks=(*CHATTERS, LANGCHAIN),
)
def cut_short_in_every_way(target: Target) -> Verdict:
    """Cut in a thought or after it, an answer ends as every other: by chat, generate, streamed."""
    whole = target.recital("think").output_tokens
    verdicts = []
    for bound in (2, whole // 2, whole - 2):
        answers = target.in_four_ways("think", options={"num_predict": bound})
        said = [(read(got).thinking, read(got).text) for got in answers]
        for got, one in zip(answers, said, strict=True):
            reply = read(got)
            ended = [reply.final["done"], reply.final.get("done_reason"), reply.count("eval_count")]
            verdicts.append(expect([*ended, *one], [True, "length", bound, *said[0]], got))
    return every(verdicts)


@check(
    "chat/every-role-to-the-letter",
    MUST,
    group="create",
    source="server/prompt.go:chatPrompt",
    covers=("CHAT-016", "CHAT-020"),
    breaks=(*CHATTERS, LANGCHAIN),
)
def every_role_to_the_letter(target: Target) -> Verdict:
    """System texts, answers and results are read to the letter: marks, tags, JSON, all of it."""
    found = "".join(
        f"{{{{ if eq .Content `{one}` }}}}<|user|>\nHello<|end|>\n{{{{ end }}}}" for one in LETTERS
    )
    name = templated(target, "letters", f"{{{{ range .Messages }}}}{found}{{{{ end }}}}{ASSISTANT}")
    text, last = target.recital("greeting").content, {"role": "user", "content": "x"}
    return every(
        answers(target, name, [{"role": role, "content": one}, last], text)
        for role in ("system", "assistant", "tool")
        for one in LETTERS
    )
