"""Liars who give back what they were given changed, lost, or as of another model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..honest import Answer, Lie
from ..lies import Fields, answers, entries, hears, shows, values, within
from .liar import Liar
from .shelves import CREATE, SHOW, TAGS, created, without

DELETE = "/api/delete"
TYPED = ("model_family", "parameter_size", "context_length", "embedding_length")


def showing(change: Callable[[Fields], Any]) -> Lie:
    """Descriptions are others."""
    return values(change, SHOW)


def rewritten(name: str, change: Callable[[str], str]) -> Lie:
    """A text of descriptions is another one, where there is one."""

    def changed(value: Fields) -> None:
        if value.get(name):
            value[name] = change(value[name])

    return showing(changed)


def undeclared(*names: str) -> Callable[[Fields], None]:
    """These are taken out of what the maker says of a model."""

    def changed(fields: Fields) -> None:
        for name in names:
            (fields.get("info") or {}).pop(name, None)

    return changed


def lines_but(*words: str) -> Callable[[str], str]:
    """A text without the lines that begin with these words."""
    return lambda text: "\n".join(one for one in text.split("\n") if not one.startswith(words))


def first_stop(text: str) -> str:
    """Of the lines for `stop` the first."""
    lines = text.split("\n")
    stops = [one for one in lines if one.startswith("stop")]
    return "\n".join(one for one in lines if one not in stops[1:])


def name_wins(fields: Fields) -> Fields:
    """`name` counts before `model`."""
    return {**fields, "model": fields.get("name") or fields.get("model")}


def of_children(*names: str) -> Lie:
    """What is made of a model that has these does not have them."""

    def change(value: Fields) -> None:
        if "-too" in value["modelfile"].partition("TEMPLATE")[0]:
            for name in names:
                value.pop(name, None)
                value["modelfile"] = lines_but(name.upper())(value["modelfile"])

    return showing(change)


def of_copies(name: str) -> Lie:
    """Copies lose something."""

    def change(value: Fields) -> None:
        if "whole-copy" in value["modelfile"].partition("TEMPLATE")[0]:
            value.pop(name, None)

    return showing(change)


def files_win(fields: Fields) -> Fields:
    """Files count before the model that is named."""
    return without("from")(fields) if fields.get("files") else fields


def remembers(*names: str) -> Lie:
    """What a model had stays when it is created anew without it."""
    known: dict[str, Fields] = {}

    def change(fields: Fields) -> Fields:
        old = known.get(str(fields.get("model")), {})
        known[str(fields.get("model"))] = fields
        return {**{key: one for key, one in old.items() if key in names}, **fields}

    return created(change)


def listed(change: Callable[[list[Fields]], list[Fields]]) -> Lie:
    """Lists are others."""

    def changed(value: Fields) -> None:
        value["models"] = change(value["models"])

    return values(changed, TAGS)


def once(models: list[Fields]) -> list[Fields]:
    """Of the models with one digest the last."""
    return list({one["digest"]: one for one in models}.values())


def an_hour_off(entry: Fields) -> None:
    """A time of another zone than it says."""
    entry["modified_at"] = entry["modified_at"].replace("Z", "+01:00")


def told_as_a_stream(answer: Answer) -> Answer:
    """An error becomes the first record of a stream."""
    if answer.status != 400 or not isinstance(answer.value, dict):
        return answer
    record = answer.value
    return Answer(200, "application/x-ndjson", records=[record])


def system_stripped(fields: Fields) -> Fields:
    """Texts lose the white space around them."""
    return {
        key: one.strip() if key == "system" and isinstance(one, str) else one
        for key, one in fields.items()
    }


def no_system_turns(value: Fields) -> None:
    """Turns of the system are no messages."""
    if value.get("messages"):
        value["messages"] = [one for one in value["messages"] if one["role"] != "system"]


def turned(value: Fields) -> None:
    """Shapes in the order of another library."""
    for one in value.get("tensors", []):
        one["shape"] = one["shape"][::-1]


def whole_numbers(value: Fields) -> None:
    """No fractions in model_info."""
    known = value["model_info"]
    value["model_info"] = {k: int(v) if isinstance(v, float) else v for k, v in known.items()}


def few_keys(value: Fields) -> None:
    """No word of the tokenizer in model_info."""
    known = value["model_info"]
    value["model_info"] = {k: v for k, v in known.items() if not k.startswith("tokenizer.")}


def letters(value: Fields) -> None:
    """Licenses are trimmed."""
    if value.get("license"):
        value["license"] = "\n".join(one.strip() for one in value["license"].split("\n") if one)


KEEPING = [
    Liar("trims what it was given", "show/as-it-was-given", created(system_stripped)),
    Liar("trims licenses", "show/as-it-was-given", showing(letters)),
    Liar("no turns of the system", "show/as-it-was-given", showing(no_system_turns)),
    Liar("knows no parents", "show/parent", showing(within("details", shows(parent_model=None)))),
    Liar(
        "parents without tags",
        "show/parent",
        entries(
            within("details", lambda one: one.update(parent_model=one["parent_model"][:-7])), TAGS
        ),
    ),
    Liar(
        "no licenses in modelfiles",
        "show/modelfile-whole",
        rewritten("modelfile", lines_but("LICENSE")),
    ),
    Liar(
        "no messages in modelfiles",
        "show/modelfile-whole",
        rewritten("modelfile", lines_but("MESSAGE")),
    ),
    Liar(
        "nothing quoted in modelfiles",
        "show/modelfile-whole",
        rewritten("modelfile", lambda text: text.replace('"', "")),
    ),
    Liar(
        "one blank after a name",
        "show/parameters-laid-out",
        rewritten("parameters", lambda text: " ".join(text.split(" ")[:1] + text.split()[1:])),
    ),
    Liar("one stop", "show/parameters-laid-out", rewritten("parameters", first_stop)),
    Liar(
        "bare text",
        "show/parameters-laid-out",
        rewritten("parameters", lambda text: text.replace('"', "")),
    ),
    Liar(
        "made from names",
        "show/modelfile-from",
        rewritten("modelfile", lambda text: re.sub(r"(?m)^FROM .*$", "FROM scripted", text)),
    ),
    Liar("shows by the older field", "show/model-over-name", hears(name_wins, SHOW)),
    Liar("deletes by the older field", "show/model-over-name", hears(name_wins, DELETE)),
    Liar("never verbose", "show/verbose", hears(without("verbose"), SHOW)),
    Liar("no fractions", "show/metadata", showing(whole_numbers)),
    Liar("no tokenizer", "show/metadata", showing(few_keys)),
    Liar("shapes turned round", "show/metadata", showing(turned)),
    Liar("requires nothing", "create/inherits-the-whole", created(without("requires"))),
    Liar("children require nothing", "create/inherits-the-whole", of_children("requires")),
    Liar("children have no renderer", "create/inherits-the-whole", of_children("renderer")),
    Liar("children have no license", "create/inherits-the-whole", of_children("license")),
    Liar("children have no turns", "create/inherits-the-whole", of_children("messages")),
    Liar("children are set anew", "create/inherits-the-whole", of_children("parameters")),
    Liar("remembers messages", "create/nothing-of-the-old", remembers("messages")),
    Liar("remembers templates", "create/nothing-of-the-old", remembers("template")),
    Liar("remembers parameters", "create/nothing-of-the-old", remembers("parameters")),
    Liar("copies are links", "copy/stays-as-it-is", Lie(flaw="copies are links")),
    Liar("copies go along", "copy/stays-as-it-is", Lie(flaw="copies go along")),
    Liar("deletes every tag", "delete/one-tag", Lie(flaw="deletes every tag")),
    Liar("leaves layers behind", "delete/takes-its-blobs", Lie(flaw="leaves layers")),
    Liar("takes the layers of others", "delete/takes-its-blobs", Lie(flaw="takes all layers")),
    Liar("oldest first", "tags/newest-first", listed(lambda all: all[::-1])),
    Liar(
        "by name", "tags/newest-first", listed(lambda all: sorted(all, key=lambda one: one["name"]))
    ),
    Liar("lists of another zone", "tags/time-of-the-server", entries(an_hour_off, TAGS)),
    Liar("descriptions of another zone", "tags/time-of-the-server", showing(an_hour_off)),
    Liar("a page of models", "tags/all-of-them", listed(lambda all: all[:20])),
    Liar("copies are listed once", "tags/all-of-them", listed(once)),
    Liar(
        "errors are streams",
        "create/refuses-bad-requests",
        answers(told_as_a_stream, CREATE),
    ),
    Liar("nothing is declared", "create/info-is-told", created(without("info"))),
    *(
        Liar(f"{name} cannot be declared", "create/info-is-told", created(undeclared(name)))
        for name in ("model_family", "parameter_size", "quantization_level", "capabilities")
    ),
    Liar(
        "what is declared replaces the rest",
        "create/info-is-told",
        showing(
            lambda one: "insert" in one["capabilities"] and one.update(capabilities=["insert"])
        ),
    ),
    Liar(
        "lists do not tell what was declared",
        "create/info-is-told",
        entries(within("details", shows(family="llama")), TAGS),
    ),
    Liar("anything can be declared", "create/info-types", created(undeclared(*TYPED))),
    *(
        Liar(f"any {name} can be declared", "create/info-types", created(undeclared(name)))
        for name in TYPED
    ),
    Liar("copies have no license", "copy/is-the-whole", of_copies("license")),
    Liar("copies have no turns", "copy/is-the-whole", of_copies("messages")),
    Liar("files count first", "create/from-over-files", created(files_win)),
    Liar(
        "small letters",
        "names/as-it-was-spelt",
        created(lambda fields: {**fields, "model": str(fields.get("model", "")).lower()}),
    ),
    Liar(
        "two spellings, two models",
        "names/as-it-was-spelt",
        listed(lambda all: [*all, *({**one, "name": one["name"].lower()} for one in all)]),
    ),
]
