"""What models are given and called: long texts, values of every kind, and names that are none."""

from __future__ import annotations

import hashlib
import json
import secrets

from ..bytewise import encoded_bytes, line
from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CONTINUE, GO, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Json
from ..provision import create
from ..target import Target, encoded
from .arrival import requires_plain
from .busy import offered
from .manage import models, tagged
from .shown import entry

LONG = 'A <b>&amp;</b> "line" of \u00e9\u4e16\u754c.\n'
KINDS: dict[str, tuple[Json, str]] = {
    "temperature": (0.123456, "0.123456"), "use_mmap": (True, "true"), "num_predict": (-1, "-1"),
    "seed": (123456, "123456"), "min_p": (0.05, "0.05"), "repeat_penalty": (1, "1"),
    "stop": ("one text", '"one text"'),
}  # fmt: skip
NO_NAMES = ("\ud800", "a\0b", "a" * 300, "a" * 5000, "a\nb", "\u00e9", "a" * 81)
NAMED = (
    "/api/show", "/api/generate", "/api/chat", "/api/create", "/api/pull", "/api/embed",
    "/api/embeddings",
)  # fmt: skip
HUGE = b'{"model": "%s", "%s": %s}'


@check(
    "create/long-texts",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("STORE-13", "SHOW-03", "SHOW-07", "SHOW-27"),
    breaks=(GO, OPEN_WEBUI, PYTHON),
)
def long_texts(target: Target) -> Verdict:
    """Long texts come back as they were given, to the last letter: system, license and turns."""
    name = target.temporary("wordy")
    turns: Json = [{"role": "user", "content": LONG * 800}]
    given: dict[str, Json] = {"system": LONG * 4000, "license": LONG * 3000, "messages": turns}
    create(target, name, **{"from": target.plain, **given})
    told = target.post("/api/show", model=name).ok.object
    for key, wanted in given.items():
        found = told.get(key)
        if key == "license" and isinstance(found, str):
            found = found[-len(str(wanted)) :]  # a base may have one of its own
        if found != wanted:
            sizes = [len(json.dumps(one)) for one in (wanted, found)]
            return expect_that(False, f"{key} as given: {sizes[0]} characters", sizes[1])
    return PASSED


@check(
    "show/parameters-of-every-kind",
    MUST,
    group="create",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-04", "CREATE-11"),
    breaks=(GO, CONTINUE),
)
def parameters_of_every_kind(target: Target) -> Verdict:
    """Fractions, whole numbers, booleans, and a stop that is no list, are shown as given.

    In which order they are given is all the same: it is the same model, by its digest.
    """
    name = target.temporary("kinds")
    given = {key: value for key, (value, _) in KINDS.items()}
    create(target, name, **{"from": target.plain, "parameters": given})
    lines = str(target.post("/api/show", model=name).ok.object["parameters"]).split("\n")
    wanted = {f"{key:<30} {text}" for key, (_, text) in KINDS.items()}
    first = entry(target, name)["digest"]
    turned: Json = {key: given[key] for key in reversed(given)}
    create(target, name, **{"from": target.plain, "parameters": turned})
    return every(
        (
            expect(sorted({*lines} & wanted), sorted(wanted)),
            expect(entry(target, name)["digest"], first),
        )
    )


@check(
    "show/as-the-command-line-asks",
    MUST,
    group="create",
    source="cmd/cmd.go:ShowHandler",
    covers=("SHOW-07", "HTTP-17"),
    breaks=(GO,),
)
def as_the_command_line_asks(target: Target) -> Verdict:
    """Empty texts and null options, as the command line sends them, change nothing."""
    name = target.temporary("by-cli")
    create(target, name, **{"from": target.plain, "system": "Be brief."})
    plain = target.post("/api/show", model=name).ok.object
    asked: dict[str, Json] = {"model": "", "system": "", "template": "", "name": name}
    got = target.post("/api/show", asked, verbose=False, options=None)
    told = [one.get(key) for one in (got.ok.object, plain) for key in ("system", "template")]
    return expect(told[:2], told[2:], got)


@check(
    "create/that-tag-alone",
    MUST,
    group="create",
    source="types/model/name.go:ParseName",
    covers=("NAME-02", "CREATE-28"),
    breaks=(GO, OPEN_WEBUI),
)
def that_tag_alone(target: Target) -> Verdict:
    """A model that is created under a tag is there under that tag, and no other."""
    word = target.temporary("tagged-once")
    name = f"{word}:v1"
    target.created.append(name)
    create(target, name, **{"from": target.plain})
    found = [one["name"] for one in models(target) if one["name"].startswith(word)]
    return expect(found, [name])


@check(
    "names/refused-and-no-worse",
    MUST,
    group="core",
    source="types/model/name.go:isValidPart",
    covers=("NAME-005", "NAME-04", "NAME-15", "NAME-17", "REQ-012"),
    breaks=SDKS,
)
def refused_and_no_worse(target: Target) -> Verdict:
    """Half a character, a NUL, a line break, and what is far too long are 400, and no fault."""
    paths = [one for one in NAMED if one not in target.setup.missing]
    for n, name in enumerate(NO_NAMES):
        for path in (paths[n % len(paths) :] + paths)[:4]:
            fields = {"model": name, "stream": False, "from": target.setup.model or "a"}
            got = target.request("POST", path, json.dumps(fields).encode())
            found = expect_error(got, (400,))
            if found is not PASSED:
                return found
    return PASSED


@check(
    "http/numbers-beyond",
    SHOULD,
    group="core",
    source="encoding/json",
    covers=("HTTP-09", "REQ-002"),
)
def numbers_beyond(target: Target) -> Verdict:
    """A number that no machine can hold is the client's fault: 400."""
    model = (target.setup.model or "a").encode()
    for path, field in (("/api/generate", b"options"), ("/api/chat", b"options")):
        got = target.request("POST", path, HUGE % (model, field, b'{"temperature": 1e400}'))
        if (found := expect_error(got, (400,))) is not PASSED:
            return found
    return PASSED


@check(
    "delete/by-its-body-alone",
    SHOULD,
    group="manage",
    source="server/routes.go:DeleteHandler",
    covers=("HTTP-25", "HTTP-08", "DELETE-01"),
    breaks=(OPEN_WEBUI,),
)
def by_its_body_alone(target: Target) -> Verdict:
    """A name in the query deletes nothing: without a body it is 400."""
    name = target.temporary("in-query")
    _ = target.post("/api/copy", source=target.model, destination=name).ok
    got = target.request("DELETE", f"/api/delete?model={name}&name={name}", b"")
    there = tagged(name) in [one["name"] for one in models(target)]
    return expect([got.code, there], [400, True], got)


@check(
    "concurrency/upload-meanwhile",
    MUST,
    group="concurrency",
    source="server/routes.go:CreateBlobHandler",
    covers=("BLOB-03", "BLOB-10", "TAGS-01"),
    breaks=(GO, OPEN_WEBUI),
)
def upload_meanwhile(target: Target) -> Verdict:
    """While a file is sent slowly, others are answered; it is there when it has come."""
    offered(target, "create", "manage")
    requires_plain(target)
    content = secrets.token_hex(3).encode() * 5000
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    request = encoded("POST", path, content, {})
    whole = encoded_bytes(target, request)
    with line(target) as slow:
        slow.send(whole[:20_000])
        for other in ("/api/tags", "/api/ps", target.heartbeat):
            _ = target.get(other).ok
        _ = target.post("/api/show", model=target.model).ok
        slow.send(whole[20_000:])
        got = slow.answer(request)
    target.exchanges.append(got)
    return expect([got.code, target.request("HEAD", path).code], [201, 200], got)
