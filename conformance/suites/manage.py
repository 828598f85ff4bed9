"""Class manage: models are listed, shown, copied and deleted."""

from __future__ import annotations

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
from ..clients import (
    CLINE,
    CONTINUE,
    COPILOT,
    JS,
    LANGCHAIN,
    LANGCHAIN_JS,
    LLAMAINDEX,
    OPEN_WEBUI,
    PICKERS,
    PYTHON,
    ROO,
    SDKS,
    ZED,
)
from ..evidence import Record, Wrong
from ..moments import moment
from ..reply import read
from ..schema import violation
from ..target import NOBODY, Target


def models(target: Target) -> list[Record]:
    """The entries of /api/tags."""
    found = target.get("/api/tags").ok.object["models"]
    if not isinstance(found, list):
        raise Wrong("`models` to be a list", found)
    return found


def shown(target: Target) -> Record:
    """What /api/show says of our model."""
    return target.post("/api/show", model=target.model).ok.object


def tagged(name: str) -> str:
    """A name as it is displayed: always with its tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


@check(
    "tags/shape",
    MUST,
    group="manage",
    source="docs/api.md#list-local-models",
    covers=("TAGS-01", "TAGS-07", "CLIENT-CLINE-04", "CLIENT-ZED-03"),
    breaks=PICKERS,
)
def tags_shape(target: Target) -> Verdict:
    """/api/tags lists models, never null, each with name, model, size, digest, details and time."""
    got = target.get("/api/tags")
    told = violation(got.ok.object, "tags", "response") or target.setup.calibration.mislisted
    return expect_that(not told, "an answer that is valid by its schema", told, got)


@check(
    "tags/lists-the-model",
    MUST,
    group="manage",
    source="docs/api.md#list-local-models",
    covers=("TAGS-02", "NAME-13", "CREATE-28", "CLIENT-LC-PY-09", "CLIENT-CLINE-03"),
    breaks=(*PICKERS, LANGCHAIN, LANGCHAIN_JS),
)
def lists_the_model(target: Target) -> Verdict:
    """Each model is listed once, as `name` and as `model`, with its tag; so is the one we use."""
    names = [one["name"] for one in models(target)]
    same = [one["model"] for one in models(target)]
    wanted = tagged(target.model)
    if sorted(names) != sorted(same):
        return expect_that(False, "`name` and `model` to be the same", [names, same])
    return expect_that(names.count(wanted) == 1, f"{wanted} once", names)


@check(
    "tags/times-and-digests",
    SHOULD,
    group="manage",
    source="docs/api.md#list-local-models",
    covers=("TAGS-04", "TAGS-06", "TAGS-03"),
    breaks=(PYTHON,),
)
def times_and_digests(target: Target) -> Verdict:
    """modified_at is RFC 3339, newest first; digests are 64 hex digits without a prefix."""
    found = models(target)
    times = [int(moment(one["modified_at"])) for one in found]
    odd = [one["digest"] for one in found if not _is_digest(one["digest"])]
    return every(
        (expect(odd, []), expect_that(times == sorted(times, reverse=True), "newest first", times))
    )


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


@check(
    "tags/no-runtime-fields",
    SHOULD,
    group="manage",
    source="server/routes_test.go:TestRoutes",
    covers=("TAGS-14",),
)
def no_runtime_fields(target: Target) -> Verdict:
    """Entries of /api/tags say nothing of being loaded: no expires_at, no size_vram."""
    odd = [key for one in models(target) for key in one if key in ("expires_at", "size_vram")]
    return expect(odd, [])


@check(
    "tags/head",
    SHOULD,
    group="manage",
    source="server/routes.go:GenerateRoutes",
    covers=("HTTP-19", "HTTP-25"),
)
def tags_head(target: Target) -> Verdict:
    """HEAD /api/tags answers 200 without a body, and has the type of GET."""
    got = target.request("HEAD", "/api/tags").ok
    return expect((got.media_type, got.body + got.tail), ("application/json", b""), got)


@check(
    "show/shape",
    MUST,
    group="manage",
    source="docs/api.md#show-model-information",
    covers=("SHOW-01", "SHOW-11", "SHOW-14", "SHOW-19", "CLIENT-PY-OLL-10"),
    breaks=PICKERS,
)
def show_shape(target: Target) -> Verdict:
    """/api/show has details, model_info, capabilities and modified_at, of these types."""
    got = target.post("/api/show", model=target.model)
    told = violation(got.ok.object, "show", "response")
    if told is None and "completion" not in got.object["capabilities"]:
        told = f"capabilities: {got.object['capabilities']}"
    return expect_that(told is None, "an answer that is valid by its schema", told, got)


@check(
    "show/window",
    MUST,
    group="manage",
    source="vscode-copilot: ollamaProvider.ts",
    covers=("SHOW-14", "CLIENT-VSC-02", "CLIENT-LI-01", "CLIENT-CLINE-05"),
    breaks=(COPILOT, LLAMAINDEX, ROO),
)
def show_window(target: Target) -> Verdict:
    """model_info has general.architecture, and for it a context_length that is a number."""
    found = shown(target)["model_info"]
    architecture = found["general.architecture"]
    length = found[f"{architecture}.context_length"]
    right = isinstance(length, int) and length > 0
    if target.setup.scripted:
        right = length == target.script.context_length
    return expect_that(right, "the model's context_length", length)


@check(
    "show/capabilities",
    MUST,
    group="manage",
    source="docs/api.md#show-model-information",
    covers=("SHOW-19", "SHOW-23", "TOOL-024", "THINK-001", "CLIENT-CLINE-05"),
    breaks=(COPILOT, ROO, ZED),
)
def show_capabilities(target: Target) -> Verdict:
    """Capabilities say what the model can: completion; tools and thinking by its template."""
    _ = target.script
    wanted = {target.model: {"completion", "tools", "thinking"}, target.plain: {"completion"}}
    offered = {"completion", "tools", "thinking"} - set(target.setup.absent)
    for model, capabilities in wanted.items():
        got = target.post("/api/show", model=model)
        found = set(got.ok.object["capabilities"])
        if found != capabilities & offered:
            return expect(sorted(found), sorted(capabilities & offered), got)
    return PASSED


@check(
    "show/by-name",
    MUST,
    group="manage",
    source="continue: core/llm/llms/Ollama.ts",
    covers=("HTTP-17", "CLIENT-CONT-01"),
    breaks=(CONTINUE,),
)
def show_by_name(target: Target) -> Verdict:
    """The model may be given as `name`, too."""
    got = target.post("/api/show", name=target.model)
    return expect(got.ok.object["details"], shown(target)["details"], got)


@check(
    "show/parameters",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-04", "CLIENT-CONT-02"),
    breaks=(CONTINUE,),
)
def show_parameters(target: Target) -> Verdict:
    """`parameters` has a line for each value: name, spaces, value; strings quoted, none blank."""
    stops = target.script.parameters.get("stop", [])
    lines = str(shown(target)["parameters"]).split("\n")
    found = [line.split(None, 1) for line in lines]
    wanted = sorted(["stop", f'"{stop}"'] for stop in stops)
    return expect(
        sorted(one for one in found if one[:1] == ["stop"]) if all(found) else lines, wanted
    )


@check(
    "show/template",
    MUST,
    group="manage",
    source="docs/api.md#show-model-information",
    covers=("SHOW-06", "SHOW-08"),
    breaks=(CONTINUE,),
)
def show_template(target: Target) -> Verdict:
    """`template` is the one that the model was created with."""
    if target.setup.provision is None:
        not_judged("the model was created by somebody else")
    return expect(shown(target)["template"], target.script.template)


@check(
    "show/missing",
    MUST,
    group="manage",
    source="server/routes.go:ShowHandler",
    covers=("SHOW-01", "SHOW-02"),
    breaks=SDKS,
)
def show_missing(target: Target) -> Verdict:
    """A model that is not there is 404 and not found; none named is 400, so is a bad name."""
    return every(
        (
            expect_error(target.post("/api/show", model=NOBODY), (404,), containing="not found"),
            expect_error(target.post("/api/show"), (400,), exactly="model is required"),
            expect_error(
                target.post("/api/show", model="a b"), (400,), exactly="invalid model name"
            ),
        )
    )


@check(
    "show/tokens-left-out",
    SHOULD,
    group="manage",
    source="fs/ggml/gguf.go:newArray",
    covers=("SHOW-15",),
)
def tokens_left_out(target: Target) -> Verdict:
    """Long lists of model_info, the vocabulary above all, are left out unless `verbose` is set."""
    found = shown(target)["model_info"]
    long = [key for key, value in found.items() if isinstance(value, list) and len(value) > 64]
    return expect(long, [])


@check(
    "copy/copies",
    MUST,
    group="manage",
    source="docs/api.md#copy-a-model",
    covers=("COPY-01", "COPY-03"),
    breaks=SDKS,
)
def copies(target: Target) -> Verdict:
    """A copy is answered with 200 and an empty body, is listed with the same digest, and works."""
    name = target.temporary("copy")
    got = target.post("/api/copy", source=target.model, destination=name)
    if got.ok.body:
        return expect(got.body, b"", got)
    digests = {one["name"]: one["digest"] for one in models(target)}
    there = [one for one in (target.model, name) if tagged(one) in digests]
    same = expect(digests.get(tagged(name)), digests.get(tagged(target.model)))
    both = expect_that(len(there) == 2, "the model and its copy to be listed", there)
    if both.outcome is not Outcome.PASSED:
        return both
    answer = target.chat(model=name, options={"num_predict": 4})
    return every((same, expect(read(answer).final["done"], True, answer)))


@check(
    "copy/errors",
    MUST,
    group="manage",
    source="server/routes.go:CopyHandler",
    covers=("COPY-02", "COPY-06"),
    breaks=SDKS,
)
def copy_errors(target: Target) -> Verdict:
    """No source is 404; names that cannot be are 400."""
    name = target.temporary("copied-wrong")
    asks = (
        ((NOBODY, name), (404,), "not found"),
        ((target.model, "a b"), (400,), "is invalid"),
        (("", name), (400,), "is invalid"),
    )
    return every(
        expect_error(
            target.post("/api/copy", source=source, destination=destination),
            statuses,
            containing=text,
        )
        for (source, destination), statuses, text in asks
    )


@check(
    "delete/deletes",
    MUST,
    group="manage",
    source="docs/api.md#delete-a-model",
    covers=("DELETE-01", "DELETE-03", "CLIENT-PY-OLL-27", "CLIENT-JS-OLL-07"),
    breaks=(*SDKS, OPEN_WEBUI),
)
def deletes(target: Target) -> Verdict:
    """A deleted model is gone; given as `model` or `name`; 200 with an empty body; others stay."""
    name = target.temporary("doomed")
    for field in ("model", "name"):
        made = target.post("/api/copy", source=target.model, destination=name)
        if tagged(name) not in {one["name"] for one in models(target)}:
            none = f"none; {made.status}: {made.loose_text[:200]}"
            return expect_that(False, "a copy to delete", none, made)
        got = target.delete("/api/delete", **{field: name})
        left = {one["name"] for one in models(target)}
        if got.ok.body or tagged(name) in left or tagged(target.model) not in left:
            told = [got.loose_text, sorted(left)]
            return expect_that(False, "an empty body, and only the copy gone", told, got)
    answer = target.chat(options={"num_predict": 2})
    return expect(read(answer).final["done"], True, answer)


@check(
    "delete/errors",
    MUST,
    group="manage",
    source="server/routes.go:DeleteHandler",
    covers=("DELETE-02",),
    breaks=(JS, PYTHON),
)
def delete_errors(target: Target) -> Verdict:
    """A model that is not there is 404, `model 'NAME' not found`; none named is 400."""
    exactly = f"model '{NOBODY}' not found"
    return every(
        (
            expect_error(target.delete("/api/delete", model=NOBODY), (404,), exactly=exactly),
            expect_error(target.delete("/api/delete"), (400,), exactly="model is required"),
        )
    )


@check(
    "manage/empty-bodies",
    MUST,
    group="manage",
    source="server/routes.go:ShowHandler",
    covers=("HTTP-08", "HTTP-09"),
    breaks=(CLINE,),
)
def empty_bodies(target: Target) -> Verdict:
    """A request without a body is 400, `missing request body`; one that is not JSON is 400."""
    routes = (("POST", "/api/show"), ("POST", "/api/copy"), ("DELETE", "/api/delete"))
    return every(
        verdict
        for method, path in routes
        for verdict in (
            expect_error(target.request(method, path, b""), (400,), exactly="missing request body"),
            expect_error(target.request(method, path, b"{"), (400,)),
        )
    )
