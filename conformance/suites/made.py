"""Class create, part three: of what models are made, and what is told while they are."""

from __future__ import annotations

from ..check import (
    MUST,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
    not_judged,
)
from ..clients import GO, JS, PYTHON, SDKS
from ..evidence import Exchange, Json, Wrong
from ..provision import create, upload
from ..reply import read
from ..script import load_script, weights
from ..target import Target
from .create import GGUF, NOWHERE, failure, from_weights, says
from .manage import models, tagged
from .safety import nothing_is_left

SHA = "sha256:"


@check(
    "create/error-in-mid-stream",
    MUST,
    group="create",
    source="server/routes.go:streamResponse",
    covers=("HTTP-14", "HTTP-13", "STREAM-011", "CLIENT-PY-OLL-06"),
    breaks=SDKS,
)
def error_in_mid_stream(target: Target) -> Verdict:
    """An error after the first record is the last one, `error` alone, and the stream ends."""
    for files in ({GGUF: b"no weights at all"}, {GGUF: weights()[:3000]}):
        got = target.post(
            "/api/create", model=target.temporary("ends"), files=upload(target, files)
        )
        if got.code != 200:  # it was the first event: an HTTP error
            found = expect_error(got, tuple(range(400, 600)))
        else:
            statuses = [record.get("status") for record in got.records[:-1]]
            odd = [one for one in statuses if not isinstance(one, str) or one == "success"]
            found = expect(
                (odd, list(got.last), got.media_type), ([], ["error"], "application/x-ndjson"), got
            )
        if found.outcome.value != "passed":
            return found
    return expect(got.error, None)


@check(
    "create/error-unstreamed",
    MUST,
    group="create",
    source="server/routes.go:waitForStream",
    covers=("HTTP-15", "HTTP-13"),
    breaks=SDKS,
)
def error_unstreamed(target: Target) -> Verdict:
    """With `stream: false` an error has its status, 400 or above, and is one JSON object."""
    digests = upload(target, {GGUF: b"no weights at all"})
    name = target.temporary("unstreamed")
    asked = [
        target.post("/api/create", model=name, files=files, stream=False)
        for files in (digests, {GGUF: NOWHERE}, {GGUF: "zzz"}, {})
    ]
    return every(expect_error(got, tuple(range(400, 600))) for got in asked)


@check(
    "create/records-of-a-base",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-02", "HTTP-16"),
    breaks=(GO, PYTHON, JS),
)
def records_of_a_base(target: Target) -> Verdict:
    """From a model: a record for each layer with its digest, `writing manifest`, `success`."""
    got = target.post(
        "/api/create", {"model": target.temporary("told"), "from": target.model, "system": "Hi."}
    )
    statuses = [record["status"] for record in got.ok.records]
    layers = [one for one in statuses if " layer " in one]
    digests = [one.rpartition(" ")[2] for one in layers]
    odd = [one for one in digests if not one.startswith(SHA) or len(one) != 71]
    return every(
        (
            expect(statuses[-2:], ["writing manifest", "success"], got),
            expect_that(
                len(layers) >= 2 and not odd, "`using existing layer sha256:...`", statuses, got
            ),
            expect(statuses.count("success"), 1, got),
        )
    )


@check(
    "create/parameters-merge",
    MUST,
    group="create",
    source="server/create.go:setParameters",
    covers=("CREATE-11", "CREATE-12"),
    breaks=(GO,),
)
def parameters_merge(target: Target) -> Verdict:
    """New parameters join those of the base, lists are replaced; unknown ones are kept, too."""
    base = target.temporary("based")
    create(target, base, **{"from": target.model, "parameters": {"top_k": 7, "stop": ["a", "b"]}})
    name = target.temporary("merged")
    given = {"top_p": 0.25, "stop": ["c"], "parallama_unknown": 1}
    create(target, name, **{"from": base, "parameters": given})
    told = target.post("/api/show", model=name).ok.object["parameters"].splitlines()
    found = sorted(" ".join(line.split()) for line in told)
    wanted = sorted(["top_k 7", "top_p 0.25", 'stop "c"', "parallama_unknown 1"])
    return expect(found, wanted)


@check(
    "create/roles-of-any-name",
    SHOULD,
    group="create",
    source="server/create.go:setMessages",
    covers=("CREATE-30", "SHOW-27"),
    breaks=(GO,),
)
def roles_of_any_name(target: Target) -> Verdict:
    """Whose the turns of a model are is not looked at: of a tool, or of anybody else."""
    turns = [{"role": role, "content": f"I am {role}."} for role in ("tool", "narrator", "user")]
    name = target.temporary("narrated")
    create(target, name, **{"from": target.plain, "messages": turns})
    told = target.post("/api/show", model=name).ok.object["messages"]
    found = [{key: one[key] for key in ("role", "content")} for one in told]
    return expect(found, turns)


@check(
    "create/bad-parameter-surfaces",
    SHOULD,
    group="create",
    source="api/types.go:FromMap",
    covers=("CREATE-12", "ERR-020"),
)
def bad_parameter_surfaces(target: Target) -> Verdict:
    """A parameter of a wrong type is refused at create, or when the model is asked: by its name."""
    name = target.temporary("mistyped")
    made = target.post(
        "/api/create", {"model": name, "from": target.model, "parameters": {"top_k": "x"}}
    )
    if made.code != 200 or "error" in made.last:
        return expect_that("top_k" in failure(made), "an error that names it", failure(made), made)
    return expect_error(target.chat(model=name), (400, 500), containing="top_k")


@check(
    "create/empty-keeps",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-10", "CREATE-16"),
    breaks=(GO,),
)
def empty_keeps(target: Target) -> Verdict:
    """An empty system or template keeps what the base has; from files nothing is inherited."""
    base = target.temporary("kept")
    create(target, base, **{"from": target.model, "system": "Be brief."})
    name = target.temporary("keeps")
    create(target, name, **{"from": base, "system": "", "template": ""})
    bare = from_weights(target, "bare")
    was, kept, left = (
        target.post("/api/show", model=one).ok.object for one in (target.model, name, bare)
    )
    told = [kept.get("system"), left.get("system"), kept["template"]]
    return expect(told, ["Be brief.", None, was["template"]])


@check(
    "create/from-itself",
    SHOULD,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-31", "CREATE-21"),
)
def from_itself(target: Target) -> Verdict:
    """A model may be created anew from itself, and is what it was and what was said."""
    name = target.temporary("itself")
    create(target, name, **{"from": target.plain})
    create(target, name, **{"from": name, "system": "Be brief."})
    told = target.post("/api/show", model=name).ok.object
    listed = [one["name"] for one in models(target)].count(tagged(name))
    return expect([told["system"], told["template"], listed],
                  ["Be brief.", load_script().plain_template, 1])  # fmt: skip


@check(
    "create/by-its-first-bytes",
    SHOULD,
    group="create",
    source="server/create.go:detectModelTypeFromFiles",
    covers=("CREATE-27", "CREATE-03"),
    alone=True,
)
def by_its_first_bytes(target: Target) -> Verdict:
    """A GGUF file whose name has no ending is told by its first bytes."""
    _ = target.script
    name = target.temporary("unnamed")
    script = load_script()
    digests = {"weights": upload(target, {GGUF: weights()})[GGUF]}
    create(
        target, name, files=digests, template=script.plain_template, parameters=script.parameters
    )
    return says(target, name, "greeting")


@check(
    "create/license-of-a-wrong-type",
    SHOULD,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-30", "CREATE-22"),
)
def license_of_a_wrong_type(target: Target) -> Verdict:
    """A license that is neither text nor a list of texts is an error; nothing is made."""
    return every(
        nothing_is_left(target, {"from": target.model, "license": value}, f"license {value!r}")
        for value in (5, {"text": "MIT"}, [1])
    )


@check(
    "create/quantize-checked",
    SHOULD,
    group="create",
    source="server/create.go:quantizeLayer",
    covers=("CREATE-07",),
)
def quantize_checked(target: Target) -> Verdict:
    """A quantisation that does not exist is an error that names it; nothing is made."""
    fields: dict[str, Json] = {"from": target.model, "quantize": "q9_z"}
    left = nothing_is_left(target, fields, "an unknown quantisation")
    text = failure(
        target.post("/api/create", {"model": target.temporary("q9"), **fields}, stream=False)
    )
    return every((left, expect_that("quant" in text.lower(), "an error that names it", text)))


@check(
    "create/quantize",
    SHOULD,
    group="create",
    source="server/create.go:quantizeLayer",
    covers=("CREATE-07",),
    alone=True,
)
def quantizes(target: Target) -> Verdict:
    """A model quantised to Q8_0 says so, and recites as before."""
    name = target.temporary("q8")
    script = load_script()
    fields: dict[str, Json] = {
        "template": script.plain_template,
        "parameters": script.parameters,
        "quantize": "q8_0",
    }
    got = target.post("/api/create", model=name, files=upload(target, {GGUF: weights()}), **fields)
    if got.code == 501 or (got.code == 200 and "not supported" in str(got.last.get("error"))):
        not_judged("this server does not quantise, and says so")
    if got.ok.last.get("status") != "success":
        raise Wrong("a last record with status success", got.last)
    level = target.post("/api/show", model=name).ok.object["details"]["quantization_level"]
    return every((expect(level, "Q8_0"), says(target, name, "greeting")))


@check(
    "create/model-over-name",
    SHOULD,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("HTTP-17", "CREATE-01"),
)
def model_over_name(target: Target) -> Verdict:
    """`name` names the model as `model` does; where both are given, `model` counts."""
    old, new = target.temporary("by-name"), target.temporary("by-model")
    first: Exchange = target.post("/api/create", {"name": old, "from": target.model}, stream=False)
    second = target.post(
        "/api/create", {"name": f"{old}-not", "model": new, "from": target.model}, stream=False
    )
    names = [one["name"] for one in models(target)]
    found = [first.code, second.code, *(tagged(one) in names for one in (old, new, f"{old}-not"))]
    return expect(found, [200, 200, True, True, False])


@check(
    "create/of-a-model-of-a-model",
    MUST,
    group="create",
    source="server/create.go",
    covers=("CREATE-16", "CREATE-09"),
    breaks=(GO,),
    alone=True,
)
def grandchild_speaks(target: Target) -> Verdict:
    """A model made of a model made of a model recites as the first."""
    child, grandchild = target.temporary("child"), target.temporary("grandchild")
    create(target, child, **{"from": target.plain})
    create(target, grandchild, **{"from": child, "license": "MIT"})
    _ = read(target.chat(model=child, options={"num_predict": 1}))
    return says(target, grandchild, "greeting")


@check(
    "create/from-over-files",
    SHOULD,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-01", "CREATE-10"),
    breaks=(GO,),
)
def from_over_files(target: Target) -> Verdict:
    """Where both `from` and `files` are given, the model is made of the one that is named."""
    name = target.temporary("from-both")
    files = upload(target, {GGUF: weights()})
    create(target, name, **{"from": target.plain, "files": files})
    told = target.post("/api/show", model=name).ok.object
    found = [told["details"]["parent_model"], told["template"]]
    return expect(found, [tagged(target.plain), load_script().plain_template])
