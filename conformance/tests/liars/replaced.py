"""Liars about what takes another's place, what is told of nothing, and doors left open."""

from __future__ import annotations

from dataclasses import replace

from ..honest import Answer, Heard, Lie, Say
from ..lies import Fields, answers, entries, hears, statuses, streams, with_answers, within
from .doors import from_page, let_in
from .guards import becomes, when
from .liar import Liar
from .shelves import CREATE, TAGS, created

REPLACES = "create/given-replaces"


def _over(fields: Fields) -> bool:
    return "laden-under" in str(fields.get("from"))


def _joined(fields: Fields) -> None:
    """The base's system text comes first."""
    if _over(fields) and fields.get("system"):
        fields["system"] = f"Rhyme.\n{fields['system']}"


def _kept(fields: Fields) -> None:
    """The base's template stays."""
    if _over(fields):
        fields.pop("template", None)


def _turned(fields: Fields) -> None:
    """The base's turns come first."""
    if _over(fields) and fields.get("messages"):
        fields["messages"] = [{"role": "user", "content": "x"}, *fields["messages"]]


def _lost(fields: Fields) -> None:
    """With new turns the base's system text is no more."""
    if _over(fields) and fields.get("messages"):
        fields["system"] = "You are helpful."


def _silent(records: list[Fields]) -> list[Fields]:
    return [one for one in records if one.get("status") != "parsing GGUF"]


def _null(details: Fields) -> None:
    """What is not known is null."""
    details.update({key: one or None for key, one in details.items()})


def _unguarded(heard: Heard) -> bool:
    """Where a foreign Host asks for what is nobody's."""
    ours = heard.path == "/" or heard.path.startswith(("/api/", "/v1/"))
    return heard.headers.get("host") == "evil.example" and not ours


def _deleted(heard: Heard, answer: Answer) -> Answer:
    """Whoever was deleted while loaded answers on."""
    name = str(heard.fields.get("model"))
    gone = heard.path == "/api/chat" and answer.status == 404 and "deleted" in name
    message = {"role": "assistant", "content": "x"}
    return Answer(200, value={"model": name, "message": message, "done": True}) if gone else answer


def _spoken(fields: Fields) -> None:
    """A system text is something to answer."""
    if fields.get("system") and not fields.get("prompt"):
        fields["prompt"] = "Hello"


def _methods(_: Heard, answer: Answer) -> Answer:
    """A wrong method is told as errors are."""
    if answer.status != 405:
        return answer
    return replace(becomes(405, "method not allowed")(answer), headers=answer.headers)


def _returned(lines: list[bytes]) -> list[bytes]:
    return [line.removesuffix(b"\n") + b"\r\n" for line in lines]


def _page(origin: str) -> Say:
    """Pages of one more site may ask."""
    ours = from_page(origin)
    return lambda heard, one: let_in(heard, one) if ours(heard) else one


REPLACED = [
    Liar("joins the system text to the base's", REPLACES, created(_joined)),
    Liar("keeps the template of a base", REPLACES, created(_kept)),
    Liar("joins turns to those of the base", REPLACES, created(_turned)),
    Liar("new turns take the system text away", REPLACES, created(_lost)),
    Liar("parses in silence", "create/stream", streams(_silent, CREATE)),
    Liar("404 to push what is not there", "push/missing-is-told", statuses(500, 404, "/api/push")),
    Liar(
        "HEAD of tags is of text",
        "tags/head",
        answers(lambda one: replace(one, media_type="text/plain"), TAGS, method="HEAD"),
    ),
    Liar("wrong methods in JSON", "core/wrong-method-is-405", with_answers(_methods)),
    Liar(
        "guards its routes only", "safety/foreign-host-everywhere", when(_unguarded, becomes(404))
    ),
    Liar(
        "shows its slots",
        "safety/no-debug-routes",
        when(lambda heard: heard.path == "/slots", becomes(200)),
    ),
    Liar(
        "is JSON to who asks for JSON",
        "core/root-says-running",
        when(
            lambda heard: heard.path == "/" and "json" in heard.headers.get("accept", ""),
            lambda one: replace(one, value={"status": "ok"}, media_type="application/json"),
        ),
    ),
    *(
        Liar(f"pages of {page} are ours", "safety/foreign-origins", with_answers(_page(page)))
        for page in ("http://192.168.1.7:3000", "http://a.localhost:3000")
    ),
    Liar("answers when deleted", "lifecycle/deleted-while-loaded", with_answers(_deleted)),
    Liar("answers a system text", "lifecycle/loads-are-looked-at", hears(_spoken, "/api/generate")),
    Liar("lines end in CR LF", "always/moves-by-schema", Lie(gather=_returned)),
    Liar("unknown is null", "pull/empty-manifest", entries(within("details", _null), TAGS)),
]
