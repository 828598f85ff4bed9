"""Class create, part six: refusals by their texts, field by field, and of what models are made."""

from __future__ import annotations

import hashlib

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import GO, JS, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Json
from ..moments import moment
from ..provision import create
from ..script import load_script
from ..target import NOBODY, Target
from .busy import offered
from .create import GGUF, NOWHERE, failure
from .kept import told
from .manage import tagged
from .names import copied
from .shown import entry

NOWHERE_TO_PULL = f"127.0.0.1:1/{NOBODY}/x"  # nobody answers at this port
NO_SOURCE = "neither 'from' or 'files' was specified"
FLAGS: dict[str, tuple[str, tuple[str, ...]]] = {  # class, fields that are true or false
    "/api/show": ("manage", ("verbose",)),
    "/api/create": ("create", ("stream",)),
    "/api/pull": ("transfer", ("stream", "insecure")),
    "/api/push": ("transfer", ("stream", "insecure")),
    "/api/chat": ("core", ("stream",)),
    "/api/generate": ("core", ("stream", "raw")),
    "/api/embed": ("embeddings", ("truncate",)),
}
NO_FLAGS: tuple[Json, ...] = (0, 1, "true", [], {})


@check(
    "routes/flags-are-true-or-false",
    MUST,
    group="core",
    source="api/types.go",
    covers=("HTTP-22", "HTTP-09", "REQ-009"),
    breaks=(GO,),
)
def flags_are_true_or_false(target: Target) -> Verdict:
    """What is true or false is nothing else: numbers, texts and lists are 400, on every route."""
    for path, (group, names) in FLAGS.items():
        for name in names if group not in target.setup.absent else ():
            for value in NO_FLAGS:
                got = target.post(
                    path, {"model": NOBODY, "input": "a", "from": NOBODY, name: value}
                )
                found = expect_error(got, (400,))
                if found is not PASSED:
                    return found
    return PASSED


@check(
    "names/refused-alike",
    MUST,
    group="manage",
    source="server/routes.go:writeModelRefParseError",
    covers=("NAME-005", "NAME-006", "NAME-15", "ERR-007", "ERR-008"),
    breaks=(GO, JS),
)
def refused_alike(target: Target) -> Verdict:
    """A name that cannot be, and none at all, are told by each route with its status and text."""
    required, missing, bad = "model is required", "model '' not found", "invalid model name"
    asks: dict[str, tuple[str, dict[str, Json], int, str]] = {
        "/api/show": ("manage", {}, 400, required),
        "/api/chat": ("core", {"messages": []}, 400, required),
        "/api/generate": ("core", {"prompt": "a"}, 404, missing),
        "/api/embed": ("embeddings", {"input": "a"}, 404, missing),
        "/api/embeddings": ("embeddings", {"prompt": "a"}, 400, required),
        "/api/create": ("create", {"from": NOBODY}, 400, bad),
        "/api/pull": ("transfer", {}, 400, bad),
    }
    for path, (group, fields, status, text) in asks.items():
        if group in target.setup.absent:
            continue
        for name in ("a b", "/x", "a:", "n.s/m"):
            found = expect_error(target.post(path, {**fields, "model": name}), (400,), exactly=bad)
            if found is not PASSED:
                return found
        for none in ({}, {"model": ""}):
            got = target.post(path, {**fields, **none})
            found = expect_error(got, (status,), exactly=text)
            if found is not PASSED:
                return found
    blank = target.post("/api/show", model=" \t ")
    return expect_error(blank, (400,), exactly=required)


@check(
    "copy/order-of-errors",
    MUST,
    group="manage",
    source="server/routes.go:CopyHandler",
    covers=("COPY-02", "COPY-06"),
    breaks=(GO,),
)
def order_of_errors(target: Target) -> Verdict:
    """Of a copy the source's name is looked at, then the destination's, then for the source."""
    asked = {
        ("a b", "c d"): (400, 'source "a b" is invalid'),
        ("", ""): (400, 'source "" is invalid'),
        (NOBODY, "c d"): (400, 'destination "c d" is invalid'),
        (target.model, ""): (400, 'destination "" is invalid'),
        (NOBODY, f"{NOBODY}-2"): (404, f'model "{NOBODY}" not found'),
    }
    return every(
        expect_error(
            target.post("/api/copy", source=source, destination=destination), (code,), exactly=text
        )
        for (source, destination), (code, text) in asked.items()
    )


@check(
    "create/texts-of-refusals",
    MUST,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-01", "HTTP-13", "HTTP-15", "SEC-22", "CREATE-22"),
    breaks=(GO, JS, PYTHON),
)
def texts_of_refusals(target: Target) -> Verdict:
    """What nothing can be made of is told with its status and text, streamed or not.

    No field of older versions is read: neither a path of the server nor a Modelfile.
    """
    offered(target, "create")
    name, base = target.temporary("refused-alike"), target.model
    files: Json = {GGUF: "zzz"}
    bad: dict[str, Json] = {"files": files, "stream": False}
    asks: list[tuple[dict[str, Json], int, str]] = [
        ({}, 400, NO_SOURCE),
        ({"from": ""}, 400, NO_SOURCE),
        ({"path": "/etc/passwd"}, 400, NO_SOURCE),
        ({"path": "/parallama-check-nothing"}, 400, NO_SOURCE),
        ({"modelfile": f"FROM {base}"}, 400, NO_SOURCE),
        ({"from": "a b"}, 400, "invalid model name"),
        ({"files": {}}, 400, "unknown type"),
        ({"files": {"a": NOWHERE}}, 400, "unknown type"),
        ({"files": {GGUF: ""}}, 400, "invalid digest format"),
        ({"files": {"../a": NOWHERE}}, 400, "file path must be relative"),
        ({"from": base, "template": "{{ .Prompt"}, 400, "template error"),
    ]
    for fields, status, text in asks:
        for more in ({"stream": False}, {}) if "stream" not in fields else ({},):
            got = target.post("/api/create", {"model": name, **fields, **more})
            if got.code == 200 and failure(got).startswith("template error"):
                continue  # it told of layers before
            found = expect_error(got, (status,), containing=text)
            if found is not PASSED:
                return found
    digest = target.post("/api/create", {"model": name, **bad})  # its 500 is the original's own
    refused = expect_error(digest, (400, 500), containing="invalid digest format")
    return every((refused, expect(target.post("/api/show", model=name).code, 404)))


@check(
    "create/missing-base-is-pulled",
    MUST,
    group="transfer",
    source="server/model.go:parseFromModel",
    covers=("PULL-02", "HTTP-14", "HTTP-15"),
    breaks=(GO, OPEN_WEBUI),
)
def missing_base_is_pulled(target: Target) -> Verdict:
    """A base that is not there is pulled from where its name says: told so, as a pull is."""
    offered(target, "create")
    fields: dict[str, Json] = {"model": target.temporary("pulls"), "from": NOWHERE_TO_PULL}
    whole = target.post("/api/create", fields, stream=False)
    streamed = target.post("/api/create", fields)
    first = {"status": "pulling manifest"}
    prefix = "pull model manifest: "
    return every(
        (
            expect_error(whole, (500,), containing=prefix),
            expect([streamed.code, streamed.records[0]], [200, first], streamed),
            expect_that(failure(streamed).startswith(prefix), prefix, streamed.last, streamed),
        )
    )


@check(
    "create/from-the-tag-that-is-named",
    MUST,
    group="create",
    source="types/model/name.go:ParseName",
    covers=("NAME-02", "CREATE-16", "COPY-03", "NAME-18"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def from_the_tag_that_is_named(target: Target) -> Verdict:
    """Made and copied from a tag is what is of that tag, whatever `latest` is; blanks are cut."""
    offered(target, "create")
    script, word = load_script(), target.temporary("of-tags")
    _ = copied(target, word).ok
    other = f"{word}:v1"
    target.created.append(other)
    _ = target.post("/api/copy", source=target.plain, destination=other).ok
    found = {}
    for base in (word, other, f" {other} "):
        made = target.temporary("of-tags-made")
        create(target, made, **{"from": base})
        known = told(target, made)
        found[base] = [known["template"], known["details"]["parent_model"]]
    again = target.temporary("of-tags-copied")
    _ = target.post("/api/copy", source=other, destination=again).ok
    templates = [script.template, script.plain_template, script.plain_template]
    parents = (tagged(word), other, other)
    wanted = dict(zip(found, map(list, zip(templates, parents, strict=True)), strict=True))
    return every((expect(found, wanted), expect(told(target, again)["template"], templates[1])))


@check(
    "create/layers-are-told-once",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-02", "CREATE-31", "HTTP-12", "HTTP-16", "TAGS-15"),
    breaks=(GO, JS, PYTHON),
)
def layers_are_told_once(target: Target) -> Verdict:
    """Each layer is told once: a new one as `creating`, with the digest of its text; then as there.

    Made anew, it is what it was, of a later time. Unstreamed the answer is the last of these
    records, and nothing more.
    """
    offered(target, "create")
    system = f"Be brief, {target.setup.token}."
    name = target.temporary("layered")
    fields: dict[str, Json] = {"from": target.plain, "system": system}
    digest = f"sha256:{hashlib.sha256(system.encode()).hexdigest()}"
    entries = []
    for word in ("creating new", "using existing"):
        got = create(target, name, **fields)
        entries.append(entry(target, name))
        lines = [one["status"] for one in got.records]
        layers = [one for one in lines if " layer " in one]
        right = f"{word} layer {digest}" in layers and len(set(lines)) == len(lines)
        keys = {key for record in got.records for key in record}
        if not right or keys != {"status"} or lines[-2:] != ["writing manifest", "success"]:
            return expect_that(False, f"{word} layer {digest}, each line once", got.records, got)
    whole = target.post("/api/create", {"model": name, **fields}, stream=False)
    times = [one["modified_at"] for one in entries]
    return every(
        (
            expect(entries[0]["digest"], entries[1]["digest"]),
            expect_that(moment(times[1]) > moment(times[0]), "a later modified_at", times),
            expect(dict(whole.ok.object), {"status": "success"}, whole),
            expect(whole.media_type, "application/json", whole),
        )
    )


@check(
    "create/quantized-to-what-it-is",
    SHOULD,
    group="create",
    source="server/create.go:quantizeLayer",
    covers=("CREATE-07",),
)
def quantized_to_what_it_is(target: Target) -> Verdict:
    """A model quantised to what it is already stays what it is, by either name of the field."""
    offered(target, "create")
    name = target.temporary("f16")
    for field in ("quantize", "quantization"):
        got = target.post("/api/create", {"model": name, "from": target.plain, field: "f16"})
        if got.ok.last != {"status": "success"}:
            return expect(got.last, {"status": "success"}, got)
    return expect(told(target, name)["details"]["quantization_level"], "F16")
