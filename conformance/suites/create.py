"""Class create: models are created from weights; what is not right leaves nothing."""

from __future__ import annotations

import re
from typing import Any

from ..check import (
    MUST,
    PASSED,
    SHOULD,
    Outcome,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import JS, PYTHON, SDKS
from ..evidence import Exchange, Json, Wrong
from ..provision import create, upload
from ..reply import read
from ..script import Script, load_script, safetensors, weights
from ..target import GREEDY, Target
from ._rendered import FIRST, begins
from .manage import models, tagged

GGUF = "scripted.gguf"
NOWHERE = f"sha256:{'0' * 64}"


def from_weights(target: Target, word: str, **fields: Json) -> str:
    """A model created from the scripted GGUF; its name."""
    name = target.temporary(word)
    script: Script = load_script()
    given = {"template": script.plain_template, "parameters": script.parameters, **fields}
    create(target, name, files=upload(target, {GGUF: weights()}), **given)
    return name


def says(target: Target, model: str, id: str, **fields: Json) -> Verdict:
    """Passed if the model answers a recital's question with the recital's words."""
    recital = load_script().recitals[id]
    ask = {"model": model, "stream": False, "messages": list(recital.messages), "options": GREEDY}
    got = target.post("/api/chat", {**ask, **fields})
    return expect(read(got).text, recital.content, got)


@check(
    "create/provision",
    MUST,
    group="create",
    source="docs/api.md#create-a-model",
    covers=("CREATE-01", "CREATE-28", "BLOB-03", "CLIENT-PY-OLL-26"),
    breaks=(PYTHON, JS),
)
def provisioned(target: Target) -> Verdict:
    """The models of this run can be created through the API, from GGUF or safetensors."""
    made = target.setup.provision
    if made is None:
        not_judged("a model was named with --model, so none was created")
    if made.created:
        return PASSED
    reason = "the scripted models could not be created"
    return Verdict(Outcome.FAILED, made.expected, made.actual, reason)


@check(
    "create/from-gguf",
    MUST,
    group="create",
    source="docs/api.md#create-a-model-from-gguf",
    covers=("CREATE-03", "CREATE-28", "CLIENT-PY-OLL-26"),
    breaks=(PYTHON, JS),
    alone=True,
)
def from_gguf(target: Target) -> Verdict:
    """A model created from a GGUF file is listed, and recites."""
    name = from_weights(target, "gguf")
    names = [one["name"] for one in models(target)]
    listed = expect_that(tagged(name) in names, f"{tagged(name)} to be listed", names)
    return every((listed, says(target, name, "greeting")))


@check(
    "create/from-safetensors",
    SHOULD,
    group="create",
    alone=True,
    source="docs/api.md#create-a-model-from-a-safetensors-directory",
    covers=("CREATE-06", "CREATE-26"),
)
def from_safetensors(target: Target) -> Verdict:
    """A model created from a folder of safetensors recites."""
    name = target.temporary("safetensors")
    script = load_script()
    create(
        target,
        name,
        files=upload(target, safetensors()),
        template=script.plain_template,
        parameters=script.parameters,
    )
    return says(target, name, "greeting")


@check(
    "create/stream",
    MUST,
    group="create",
    source="docs/api.md#create-a-model",
    covers=("CREATE-02", "CREATE-28", "HTTP-11", "HTTP-16", "CLIENT-JS-OLL-02"),
    breaks=(JS, PYTHON),
)
def create_stream(target: Target) -> Verdict:
    """Creating streams NDJSON records with a `status`: `parsing GGUF` first, success last."""
    name = target.temporary("streamed")
    got = create(target, name, files=upload(target, {GGUF: weights()}))
    statuses = [record["status"] for record in got.records]
    kinds = (got.media_type, got.framing, all(isinstance(one, str) for one in statuses))
    return every(
        (
            expect(kinds, ("application/x-ndjson", "chunked", True), got),
            expect(statuses[:1], ["parsing GGUF"], got),
            expect([one for one in statuses if one == "success"], ["success"], got),
        )
    )


@check(
    "create/no-stream",
    MUST,
    group="create",
    source="docs/api.md#create-a-model",
    covers=("HTTP-12",),
    breaks=SDKS,
)
def create_no_stream(target: Target) -> Verdict:
    """With `stream: false` creating answers one object, status success."""
    name = target.temporary("whole")
    files = upload(target, {GGUF: weights()})
    got = target.post("/api/create", model=name, files=files, stream=False)
    return every((expect(got.ok.object["status"], "success", got), _lists(target, name)))


@check(
    "create/system",
    MUST,
    group="create",
    source="docs/modelfile.mdx#system",
    covers=("CHAT-025", "CHAT-026", "GEN-005", "CREATE-09"),
    breaks=SDKS,
    alone=True,
)
def created_system(target: Target) -> Verdict:
    """A model's own system text is used, unless the request brings one; show tells it."""
    recital = load_script().recitals["greeting-system"]
    system, hello = recital.messages
    name = from_weights(target, "system", system=system["content"])
    told = target.post("/api/show", model=name).ok.object["system"]
    other = target.post(
        "/api/chat",
        model=name,
        stream=False,
        options=GREEDY,
        messages=[{"role": "system", "content": "Be dull."}, hello],
    )
    return every(
        (
            expect(told, system["content"]),
            says(target, name, "greeting-system", messages=[hello]),
            expect_that(
                read(other).text != recital.content, "not the pirate", read(other).text, other
            ),
        )
    )


@check(
    "create/parameters",
    MUST,
    group="create",
    source="docs/modelfile.mdx#parameter",
    covers=("OPT-030", "OPT-037", "OPT-044", "CREATE-11"),
    breaks=SDKS,
    alone=True,
)
def created_parameters(target: Target) -> Verdict:
    """A model's parameters apply, unless the request sets them; its stop list replaces theirs."""
    name = from_weights(target, "parameters", parameters={"num_predict": 9, "stop": [" 4 "]})
    count = load_script().recitals["count"]

    def ask(**options: Json) -> Exchange:
        given = {**GREEDY, **options}
        return target.post(
            "/api/chat", model=name, stream=False, options=given, messages=list(count.messages)
        )

    own, cleared, other = ask(), ask(stop=[]), ask(stop=[" 3 "], num_predict=30)
    return every(
        (
            expect(read(own).text, "1 2 3", own),
            expect(
                [read(cleared).reason, read(cleared).count("eval_count")], ["length", 9], cleared
            ),
            expect(read(other).text, "1 2", other),
        )
    )


@check(
    "create/template",
    MUST,
    group="create",
    source="docs/template.mdx",
    covers=("CREATE-09", "CHAT-025"),
    breaks=SDKS,
    alone=True,
)
def created_template(target: Target) -> Verdict:
    """The template that a model is created with is the one its conversations are rendered with."""
    recitals = load_script().recitals
    template = "{{ range .Messages }}<|user|>\n{{ .Content }}<|end|>\n<|assistant|>\n{{ end }}"
    name = from_weights(target, "template", template=template)
    fixed = template.replace("{{ .Content }}", "Tell me a story.")
    other = from_weights(target, "template-two", template=fixed)
    got = target.post(
        "/api/chat",
        model=other,
        stream=False,
        options=FIRST,
        messages=list(recitals["greeting"].messages),
    )
    return every((says(target, name, "greeting"), begins(got, recitals["prose"])))


@check(
    "create/from-model",
    MUST,
    group="create",
    source="docs/api.md#create-a-model",
    covers=("CREATE-02", "CREATE-10", "CREATE-16"),
    breaks=(PYTHON, JS),
    alone=True,
)
def from_model(target: Target) -> Verdict:
    """A model created `from` another has its template, and what was said anew."""
    system = load_script().recitals["greeting-system"].messages[0]["content"]
    base = from_weights(target, "base")
    name = target.temporary("derived")
    create(target, name, **{"from": base}, system=system)
    hello = list(load_script().recitals["greeting"].messages)
    return says(target, name, "greeting-system", messages=hello)


@check(
    "create/replaces",
    MUST,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-21", "CREATE-22"),
    breaks=SDKS,
)
def replaces(target: Target) -> Verdict:
    """Creating a name again replaces the model; an attempt that fails leaves it as it was."""
    name = from_weights(target, "twice", system="one")
    files = upload(target, {GGUF: weights()})
    create(target, name, files=files, system="two")
    target.post("/api/create", model=name, files=files, system="three", template="{{ .Prompt")
    found = target.post("/api/show", model=name).ok.object
    count = [one["name"] for one in models(target)].count(tagged(name))
    templated = re.search(r"(?m)^TEMPLATE .", str(found["modelfile"])) is not None
    return every(
        (
            expect([found["system"], count], ["two", 1]),
            expect_that(templated, "TEMPLATE in modelfile, also where none was given", found),
        )
    )


@check(
    "create/refuses-bad-requests",
    MUST,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-01", "HTTP-13", "CREATE-22"),
    breaks=SDKS,
)
def refuses_bad_requests(target: Target) -> Verdict:
    """No source, a bad name, a bad path, a bad template: 400 with the reason, and no model.

    What is known before any work is an HTTP error, streamed or not.
    """
    name = target.temporary("unwanted")
    files = upload(target, {GGUF: weights()})
    early: list[tuple[dict[str, Any], str]] = [
        ({"model": name}, "neither 'from' or 'files' was specified"),
        ({"model": "a b", "files": files}, "invalid model name"),
        ({"model": name, "files": {"../x.gguf": NOWHERE}}, "file path must be relative"),
    ]
    for ask, text in early:
        for more in ({}, {"stream": False}):
            found = expect_error(target.post("/api/create", {**ask, **more}), (400,), text)
            if found.outcome is not Outcome.PASSED:
                return found
    bad = {"model": name, "files": files, "template": "{{ .Prompt"}
    told = failure(target.post("/api/create", bad))
    if "template error" not in told:
        return expect_that(False, "template error", told)
    return _lists(target, name, present=False)


@check(
    "create/refuses-bad-weights",
    MUST,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-08", "CREATE-22", "SEC-18", "BLOB-02"),
    breaks=SDKS,
)
def refuses_bad_weights(target: Target) -> Verdict:
    """A blob that is missing, not GGUF, cut short, or lying is an error; no model is left of it."""
    name = target.temporary("broken")
    whole = weights()
    lying = whole[:8] + (2**62).to_bytes(8, "little") + whole[16:]  # its count of tensors
    failure(target.post("/api/create", model=name, files={GGUF: NOWHERE}))
    for content in (b"no weights at all", whole[:2000], whole[: len(whole) // 2], lying):
        digests = upload(target, {GGUF: content})
        failure(target.post("/api/create", model=name, files=digests))
    alive = target.get(target.heartbeat)
    return every((expect(alive.code, 200, alive), _lists(target, name, present=False)))


def failure(got: Exchange) -> str:
    """The message of a failed create: an HTTP error, or a last record with `error`."""
    if got.code != 200:
        return got.error_text
    last = got.last
    if "error" not in last or not isinstance(last["error"], str):
        raise Wrong("an error", last)
    return last["error"]


def _lists(target: Target, name: str, *, present: bool = True) -> Verdict:
    names = [one["name"] for one in models(target)]
    wanted = f"{name} {'to be' if present else 'not to be'} listed"
    return expect_that((tagged(name) in names) is present, wanted, names)
