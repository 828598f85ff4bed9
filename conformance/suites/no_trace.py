"""What leaves no trace: requests that are refused, and what is asked beside another thing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from functools import partial

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import GO, OPEN_WEBUI, SDKS
from ..evidence import Exchange, Json, Record, Wrong
from ..likeness import expect_again
from ..provision import create, upload
from ..script import load_script, weights
from ..target import NOBODY, Target
from .busy import meanwhile, offered
from .concurrency import Question, told
from .create import GGUF, NOWHERE
from .lifecycle import listed, load, seconds_left, unload
from .manage import models, tagged
from .residency import other_weights

LAYER = re.compile(r"(?:creating new|using existing) layer (sha256:[0-9a-f]{64})")
STAYS_S = 3500.0  # of an hour
CLOSED = "127.0.0.1:1"  # no registry listens there
BEYOND = 1 << 20  # tokens: more than the scripted models have
PASSING = Question("endless", True, options={"num_predict": 120})
HI: Json = [{"role": "user", "content": "Hi"}]
BAD: tuple[tuple[str, dict[str, Json]], ...] = (
    ("/api/generate", {"prompt": "Hi", "options": {"top_k": "many"}}),
    ("/api/chat", {"messages": HI, "options": {"num_ctx": "many"}}),
    ("/api/generate", {"prompt": "Hi", "format": "parallama-check"}),
    ("/api/chat", {"messages": HI, "format": "parallama-check"}),
    ("/api/generate", {"prompt": "Hi", "raw": True, "system": "x"}),
    ("/api/generate", {"prompt": "Hi", "suffix": "!"}),
    ("/api/chat", {"messages": HI, "think": "parallama-check", "keep_alive": 0}),
    ("/api/chat", {"messages": HI, "keep_alive": "soon"}),
    ("/api/generate", {"prompt": 5, "keep_alive": 0}),
    ("/api/chat", {"messages": "Hi", "keep_alive": 0}),
    ("/api/embed", {"input": 5, "keep_alive": 0}),
)


@check(
    "lifecycle/refused-changes-nothing",
    MUST,
    group="lifecycle",
    source="server/sched.go:useLoadedRunner",
    covers=("LIFE-015", "LIFE-016", "LIFE-018", "ERR-055"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
    alone=True,
)
def refused_changes_nothing(target: Target) -> Verdict:
    """A request that is refused neither unloads a model nor lets it go at another time."""
    load(target, keep_alive="1h")
    asks = [(path, target.model, fields) for path, fields in BAD]
    asks += [(path, NOBODY, {"keep_alive": 0}) for path in ("/api/generate", "/api/chat")]
    for path, model, fields in asks:
        if path == "/api/embed" and "embeddings" in target.setup.absent:
            continue
        got = target.post(path, {"model": model, "stream": False, **fields})
        left = seconds_left(target)
        if got.code >= 400 and left < STAYS_S:  # that it is refused is another check's sentence
            return expect_that(False, "an hour to stay, as before", f"{left:.0f} s", got)
    target.post("/api/generate", model=target.model, keep_alive="5m")
    return PASSED


@check(
    "lifecycle/unload-loads-nothing",
    MUST,
    group="lifecycle",
    source="server/routes.go:GenerateHandler",
    covers=("LIFE-003", "LIFE-004"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def unload_loads_nothing(target: Target) -> Verdict:
    """To unload a model that is not loaded does not load it, not for a moment."""
    unload(target)
    for path, nought in (("/api/generate", 0), ("/api/chat", "0s")):
        got = target.post(path, model=target.model, keep_alive=nought).ok
        for _ in "12":
            if (entry := listed(target)) is not None:
                return expect(entry, None, got)
    return PASSED


@check(
    "lifecycle/window-of-the-weights",
    MUST,
    group="lifecycle",
    source="server/sched.go:loadedModels",
    covers=("PS-008",),
    breaks=(GO,),
    alone=True,
)
def window_of_the_weights(target: Target) -> Verdict:
    """context_length in /api/ps is no more than the model has, whatever num_ctx is asked for."""
    trained = target.script.context_length
    entry = load(target, options={"num_ctx": BEYOND})
    return expect(entry["context_length"], trained)


@check(
    "lifecycle/deleted-in-mid-stream",
    SHOULD,
    group="lifecycle",
    source="server/routes.go:DeleteHandler",
    covers=("DELETE-07", "SCHED-011"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def deleted_in_mid_stream(target: Target) -> Verdict:
    """An answer that a model is giving is given to its end when the model is deleted."""
    name = other_weights(target, "gone")
    question = Question(PASSING.id, True, options=PASSING.options, fields={"model": name})
    alone = told(question.ask(target))
    with meanwhile(target, question) as end:
        deleted = target.delete("/api/delete", model=name)
        got = end()
    return every((expect(deleted.code, 200, deleted), expect_again(target, told(got), alone, got)))


def _refused(target: Target, name: str, far: str) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """What must fail: of create over a name, and of all that could touch two that are there."""
    base = target.plain
    bad: tuple[dict[str, Json], ...] = (
        {}, {"from": "a b"}, {"from": base, "template": "{{ .Prompt"}, {"from": base, "license": 5},
        {"from": base, "quantize": "q9_z"}, {"files": {GGUF: NOWHERE}}, {"files": {GGUF: ""}},
        {"from": base, "messages": "Hi"}, {"from": f"{CLOSED}/{NOBODY}/x"},
    )  # fmt: skip
    for fields in bad:
        for stream in (False, True):
            yield "POST", "/api/create", {"model": name, "stream": stream, **fields}
    yield "POST", "/api/copy", {"source": NOBODY, "destination": name}
    yield "POST", "/api/copy", {"source": name, "destination": "a b"}
    yield "DELETE", "/api/delete", {"model": f"{name}:nobody"}
    if "transfer" not in target.setup.absent:
        for path in ("/api/pull", "/api/push"):
            yield "POST", path, {"model": far, "insecure": True, "stream": False}


@check(
    "manage/refused-changes-nothing",
    MUST,
    group="manage",
    source="server/create.go:CreateHandler",
    covers=("CREATE-22", "COPY-02", "DELETE-02", "PULL-03"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def models_stay(target: Target) -> Verdict:
    """What is refused, or fails, leaves the model whose name it has as it was, and in the list."""
    offered(target, "create")
    name = target.temporary("stands")
    far = f"{CLOSED}/{name}"
    create(target, name, **{"from": target.plain, "system": "Be brief."})
    target.created.append(far)
    _ = target.post("/api/copy", source=name, destination=far).ok
    before = [_whole(target, one) for one in (name, far)]
    for method, path, fields in _refused(target, name, far):
        got = target.send(method, path, fields)
        after = [_whole(target, one) for one in (name, far)]
        if after != before:
            return expect(after, before, got)
    return PASSED


def _whole(target: Target, name: str) -> list[object]:
    """All that is told of a model by its list and its card."""
    entry = [one for one in models(target) if one["name"] == tagged(name)]
    got = target.post("/api/show", model=name)
    return [entry, got.object if got.code == 200 else got.status]


@check(
    "concurrency/models-of-many",
    MUST,
    group="concurrency",
    source="server/create.go:CreateHandler",
    covers=("CREATE-28", "SHOW-07", "TAGS-01"),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def models_of_many(target: Target) -> Verdict:
    """Models created at once are all there; who asks for one meanwhile, or then, gets it."""
    offered(target, "create", "manage")
    names = {target.temporary(f"of-{n}"): f"You are number {n}." for n in range(6)}

    def make(name: str) -> Exchange:
        fields: dict[str, Json] = {"model": name, "from": target.model, "system": names[name]}
        return target.post("/api/create", fields)

    def show(name: str) -> Exchange:
        return target.post("/api/show", model=name)

    asks = [partial(make, name) for name in names]
    looks = [partial(target.get, "/api/tags"), partial(show, target.model)] * 3
    got = target.at_once([*asks, *looks])
    for one in got[: len(asks)]:
        if one.ok.last.get("status") != "success":
            return expect(one.last, {"status": "success"}, one)
    for one in got[len(asks) :]:
        if one.code != 200:
            return expect_that(False, "an answer while others create", one.status, one)
    there = {one["name"] for one in models(target)}
    missing = [name for name in names if tagged(name) not in there]
    for _ in "123":
        told = target.at_once([lambda name=name: show(name) for name in names])  # type: ignore[misc]
        found = {name: got.ok.object.get("system") for name, got in zip(names, told, strict=True)}
        if found != names:
            return expect(found, names)
    return expect(missing, [])


@check(
    "create/from-local",
    SHOULD,
    group="create",
    source="internal/modelref/modelref.go:ParseRef",
    covers=("NAME-10",),
)
def from_local(target: Target) -> Verdict:
    """`:local` behind the name of a base says where it is, and is no tag."""
    name, base = target.temporary("of-local"), target.plain.removesuffix(":latest")
    create(target, name, **{"from": f"{base}:local"})
    shown, wanted = (target.post("/api/show", model=one).ok.object for one in (name, base))
    return expect(shown["template"], wanted["template"])


@check(
    "show/window-whatever-num-ctx",
    MUST,
    group="create",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-14", "TAGS-08"),
    breaks=(GO,),
)
def window_whatever_num_ctx(target: Target) -> Verdict:
    """Cards and lists tell the window of the weights, whatever num_ctx a model is made with."""
    name = target.temporary("narrow")
    create(target, name, **{"from": target.plain}, parameters={"num_ctx": 512})
    found, wanted = (_window(target, one) for one in (name, target.plain))
    return expect(found, wanted)


def _window(target: Target, name: str) -> list[object]:
    told: Record = target.post("/api/show", model=name).ok.object["model_info"]
    entries = [one for one in models(target) if one["name"] == tagged(name)]
    if len(entries) != 1:
        raise Wrong(f"{tagged(name)} in the list, once", [one["name"] for one in entries])
    return [told, entries[0]["details"].get("context_length")]


@check(
    "delete/takes-its-weights",
    MUST,
    group="create",
    source="manifest.go:RemoveLayers",
    covers=("DELETE-03", "CREATE-03", "BLOB-02"),
    breaks=(GO, OPEN_WEBUI),
)
def takes_its_weights(target: Target) -> Verdict:
    """A model made of a file tells its weights, then its texts; its weights go with it."""
    name, script = target.temporary("weighty"), load_script()
    own = weights().replace(b"Apache-2.0", secrets.token_hex(5).encode(), 1)
    got = create(target, name, files=upload(target, {GGUF: own}), template=script.plain_template)
    told = [str(one.get("status")) for one in got.records]
    layers = [LAYER.fullmatch(one) for one in told]
    digests = [one[1] for one in layers if one]
    if len(digests) != 2 or told[-1:] != ["success"]:
        return expect_that(False, "a layer of weights, and one of the template", told, got)
    before = _there(target, digests[0])
    _ = target.delete("/api/delete", model=name).ok
    return expect([before, _there(target, digests[0])], [200, 404])


def _there(target: Target, digest: str) -> int:
    return target.request("HEAD", f"/api/blobs/{digest}").code
