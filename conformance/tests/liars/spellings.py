"""Liars about names and what is made under them: other spellings, other tags, lost or tidied."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import Fields, each, entries, error_text, hears, refuses, streams, values, within
from .guards import becomes, when
from .keeping import lines_but, rewritten
from .liar import Liar
from .shelves import CREATE, SHOW, TAGS, created, without

CHAT, COPY, DELETE = "/api/chat", "/api/copy", "/api/delete"
NAMES = ("model", "source", "destination", "from")
QUOTED = '"""'


def renames(change: Callable[[str], str], *paths: str) -> Lie:
    """Names are read as others."""

    def changed(fields: Fields) -> None:
        for key in NAMES:
            if isinstance(fields.get(key), str):
                fields[key] = change(fields[key])

    return hears(changed, *paths)


def unknown(pattern: str, *paths: str) -> Lie:
    """Names of such a spelling are those of no model."""

    def holds(heard: Heard) -> bool:
        given = str(heard.fields.get("model") or heard.fields.get("source"))
        return (not paths or heard.path in paths) and re.search(pattern, given) is not None

    return when(holds, becomes(404, "model not found"))


def untagged(name: str) -> str:
    """A name without its tag."""
    return re.sub(r":[^:/]+$", "", name)


def empties(name: str, empty: object) -> Lie:
    """What is given empty is made empty."""

    def changed(fields: Fields) -> None:
        if name in fields and not fields[name]:
            fields[name] = empty

    return created(changed)


def told_of_copies(fields: Fields) -> None:
    """A copy is told to be of its source."""
    if "whole-copy" in fields["modelfile"]:
        fields["details"]["parent_model"] = "its/source:latest"


def of_modelfiles(change: Callable[[str], str]) -> Lie:
    """Modelfiles are others."""
    return rewritten("modelfile", change)


def doubled(word: str) -> Callable[[str], str]:
    """Lines that begin so stand there twice."""
    return lambda text: re.sub(rf"(?m)^({word} .*\n)", r"\1\1", text)


def in_order(fields: Fields) -> None:
    """Tensors are told by their names."""
    fields["tensors"] = sorted(fields["tensors"], key=lambda one: str(one["name"]))


def without_lists(fields: Fields) -> None:
    """What is null is left out."""
    known = fields["model_info"]
    fields["model_info"] = {key: one for key, one in known.items() if one is not None}


def parameters(change: Callable[[Any], Any]) -> Lie:
    """Values of parameters are stored as others."""

    def changed(fields: Fields) -> None:
        given = fields.get("parameters")
        if isinstance(given, dict):
            fields["parameters"] = {key: change(one) for key, one in given.items()}

    return created(changed)


def text_of(*names: str, change: Callable[[str], str]) -> Lie:
    """Texts are stored as others."""

    def changed(fields: Fields) -> None:
        for name in names:
            if isinstance(fields.get(name), str):
                fields[name] = change(fields[name])

    return created(changed)


def remembered() -> Lie:
    """A model that was asked once keeps the words that it had then."""
    known: dict[str, Fields] = {}

    def say(heard: Heard, answer: Answer) -> Answer:
        name = str(heard.fields.get("model"))
        if (
            heard.path != "/api/chat"
            or "/in-force" not in name
            or not isinstance(answer.value, dict)
        ):
            return answer
        return Answer(value=known.setdefault(name, answer.value))

    return Lie(say=say)


def said_again(records: list[Fields]) -> list[Fields]:
    """Every record about a layer twice."""
    return [one for one in records for _ in range(1 + (" layer " in str(one.get("status"))))]


def old_words(record: Fields) -> None:
    """The words that older documentation has."""
    if str(record.get("status")).startswith("creating new layer"):
        record["status"] = "creating system layer"


def has(path: str, name: str) -> Callable[[Heard], bool]:
    """Where a field is given."""
    return lambda heard: heard.path == path and name in heard.fields


SPELLINGS = [
    Liar("library is a namespace", "names/alike-on-every-route", unknown("^library/")),
    Liar("knows no default host", "names/alike-on-every-route", unknown("^registry")),
    Liar("tags in their case", "names/alike-on-every-route", unknown(":(v1.B|LATEST)$", CHAT)),
    Liar("local in small letters", "names/alike-on-every-route", unknown(":(LOCAL|Local)$")),
    Liar("embeds by short names", "names/alike-on-every-route", unknown("library/", "/api/embed")),
    Liar("copies by short names", "names/moved-by-any-spelling", unknown("library/", COPY)),
    Liar("deletes by short names", "names/moved-by-any-spelling", unknown("(?i)registry", DELETE)),
    Liar("deletes no local ones", "names/moved-by-any-spelling", unknown(":local$", DELETE)),
    Liar("deletes what is gone", "names/moved-by-any-spelling",
         when(lambda heard: heard.path == DELETE, lambda one: Answer(200))),
    Liar("takes any tag there is", "names/no-other-will-do",
         renames(lambda name: f"{name}:V1.b" if name.endswith("-tagged") else name, COPY)),
    Liar("latest will do", "names/no-other-will-do",
         renames(lambda name: re.sub(":none$", "", name), SHOW)),
    Liar("copies quote once", "names/no-other-will-do",
         error_text("model 'it' not found", COPY, status=404)),
    Liar("deletes by name first", "names/no-other-will-do",
         hears(lambda one: {**one, "model": one.get("name") or one.get("model")}, DELETE)),
    Liar("trims what it makes", "names/edges-make-invalid", renames(str.strip, CREATE)),
    Liar("lets line ends pass", "names/edges-make-invalid",
         renames(lambda name: name.removesuffix("\n"), COPY)),
    Liar("small hosts", "names/of-other-hosts",
         entries(lambda one: one.update(name=one["name"].lower()), TAGS)),
    Liar("no library of other hosts", "names/of-other-hosts",
         entries(lambda one: one.update(model=one["model"].replace("/library/", "/")), TAGS)),
    Liar("no names of digits", "names/grammar",
         when(lambda heard: heard.fields.get("model") == "7", becomes(400, "invalid"))),
    Liar("backslashes are dashes", "safety/names-are-plain",
         renames(lambda name: name.replace("\\", "-"))),
    Liar("percents are read", "safety/names-are-plain",
         renames(lambda name: name.replace("%20", "-"))),
    Liar("stops in order", "create/keeps-all-it-was-given",
         parameters(lambda one: sorted(one) if isinstance(one, list) else one)),
    Liar("truth is a number", "create/keeps-all-it-was-given",
         parameters(lambda one: int(one) if isinstance(one, bool) else one)),
    Liar("composes letters", "create/keeps-all-it-was-given",
         text_of("system", change=lambda text: unicodedata.normalize("NFC", text))),
    Liar("line ends of Unix", "create/keeps-all-it-was-given",
         text_of("system", change=lambda text: text.replace("\r\n", "\n"))),
    Liar("takes comments away", "create/keeps-all-it-was-given",
         text_of("template", change=lambda text: re.sub(r"\{\{- /\*.*?\*/ -\}\}\n", "", text))),
    Liar("no parameters are none", "create/nothing-given-keeps-all",
         empties("parameters", {"stop": []})),
    Liar("no turns are none", "create/nothing-given-keeps-all",
         empties("messages", [{"role": "user", "content": ""}])),
    Liar("no license is one", "create/nothing-given-keeps-all", empties("license", "none")),
    Liar("no system text is one", "create/nothing-given-keeps-all", empties("system", " ")),
    Liar("turns stand twice", "show/modelfile-to-the-letter", of_modelfiles(doubled("MESSAGE"))),
    Liar("one stop in modelfiles", "show/modelfile-to-the-letter",
         of_modelfiles(lambda text: text.replace("PARAMETER stop a\n", ""))),
    Liar("one kind of quotes", "show/modelfile-to-the-letter",
         of_modelfiles(lambda text: text.replace(QUOTED, '"'))),
    Liar("licenses line by line", "show/modelfile-to-the-letter",
         of_modelfiles(lambda text: text.replace('LICENSE "MIT\n\n as is"', "LICENSE MIT"))),
    Liar("sizes in thousands", "tags/size-to-the-byte",
         entries(lambda one: one.update(size=one["size"] // 1000 * 1000), TAGS)),
    Liar("lists the newest twice", "tags/tells-what-show-tells",
         values(lambda one: {"models": [*one["models"][:1], *one["models"]]}, TAGS)),
    Liar("bare names have a host", "tags/tells-what-show-tells",
         entries(lambda one: "/" in one["name"] or one.update(model=f"h/n/{one['model']}"), TAGS)),
    Liar("lists sizes its own way", "tags/tells-what-show-tells",
         entries(within("details", lambda one: one.update(parameter_size="473,2K")), TAGS)),
    Liar("copies have a parent", "copy/is-the-whole", values(told_of_copies, SHOW)),
    Liar("leaves lists out", "show/verbose", values(without_lists, SHOW)),
    Liar("true is 1", "show/metadata", values(within("model_info", lambda one: one.update(
        {"tokenizer.ggml.add_bos_token": 1})), SHOW)),
    Liar("tensors by name", "show/metadata", values(in_order, SHOW)),
    Liar("modelfiles have their own", "show/system-of-the-request",
         of_modelfiles(lines_but("SYSTEM Be long."))),
    Liar("invalid names are missing", "names/refused-alike",
         when(lambda heard: heard.path == "/api/embed" and heard.fields.get("model") == "n.s/m",
              becomes(404, "not found"))),
    Liar("generate requires a model", "names/refused-alike",
         error_text("model is required", "/api/generate", status=404)),
    Liar("blanks are a bad name", "names/refused-alike",
         when(lambda heard: heard.fields.get("model") == " \t ",
              becomes(400, "invalid model name"))),
    Liar("looks for the source first", "copy/order-of-errors",
         when(lambda heard: heard.fields.get("destination") == "c d"
              and " " not in str(heard.fields.get("source")), becomes(404, "not found"))),
    Liar("names the destination first", "copy/order-of-errors",
         when(lambda heard: heard.fields.get("destination") == "c d",
              becomes(400, 'destination "c d" is invalid'))),
    Liar("reads Modelfiles", "create/texts-of-refusals",
         when(has(CREATE, "modelfile"), lambda one: Answer(value={"status": "success"}))),
    Liar("looks for paths", "create/texts-of-refusals",
         when(has(CREATE, "path"), becomes(400, "no such file"))),
    Liar("no files are no source", "create/texts-of-refusals",
         created(lambda one: without("files")(one) if one.get("files") == {} else one)),
    Liar("a base is there or not", "create/missing-base-is-pulled",
         when(lambda heard: str(heard.fields.get("from")).startswith("127."), becomes(404))),
    Liar("pulls bases silently", "create/missing-base-is-pulled",
         streams(lambda records: [one for one in records if "pulling" not in str(one)], CREATE)),
    Liar("makes of latest", "create/from-the-tag-that-is-named", renames(untagged, CREATE)),
    Liar("copies latest", "create/from-the-tag-that-is-named",
         hears(lambda one: {**one, "source": untagged(one["source"])}
               if str(one.get("destination")).endswith("copied") else one, COPY)),
    Liar("trims no base", "create/from-the-tag-that-is-named",
         refuses(CREATE, lambda one: str(one.get("from")).startswith(" "))),
    Liar("layers twice", "create/layers-are-told-once", streams(said_again, CREATE)),
    Liar("words of old documents", "create/layers-are-told-once", each(old_words, CREATE)),
    Liar("success and more", "create/layers-are-told-once",
         values(lambda one: one.update(digest=""), CREATE)),
    Liar("nothing to do is wrong", "create/quantized-to-what-it-is",
         refuses(CREATE, lambda one: one.get("quantize") == "f16")),
    Liar("one name of a field", "create/quantized-to-what-it-is",
         refuses(CREATE, lambda one: "quantization" in one)),
    Liar("answers as it was", "create/is-in-force-on-both-routes", remembered()),
]  # fmt: skip
