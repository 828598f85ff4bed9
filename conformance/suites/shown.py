"""Class manage, part three: what a list and a description say of a model."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that
from ..clients import CLINE, CONTINUE, COPILOT, GO, LLAMAINDEX, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Record, Wrong
from ..provision import create
from ..script import load_script
from ..target import Target
from .busy import offered
from .manage import models, shown, tagged

DETAILS = (
    "parent_model", "format", "family", "families", "parameter_size", "quantization_level",
)  # fmt: skip


def entry(target: Target, name: str) -> Record:
    """A model's entry of /api/tags."""
    found = [one for one in models(target) if one["name"] == tagged(name)]
    if not found:
        raise Wrong(f"{tagged(name)} in /api/tags", target.exchanges[-1].loose_text[:300])
    return found[0]


def made(target: Target, word: str, **fields: object) -> str:
    """A model created from ours; its name."""
    offered(target, "create")
    name = target.temporary(word)
    create(target, name, **{"from": target.model, **fields})
    return name


@check(
    "tags/details",
    MUST,
    group="manage",
    source="server/model_list_cache.go:buildModelListSummary",
    covers=("TAGS-07", "CREATE-15", "SHOW-11"),
    breaks=(OPEN_WEBUI, CONTINUE),
)
def tags_details(target: Target) -> Verdict:
    """Format, family, size and quantisation are those of the weights, in lists as in show."""
    _ = target.script
    listed, told = entry(target, target.model)["details"], shown(target)["details"]
    names = ("format", "family", "families", "parameter_size", "quantization_level")
    wanted = ["gguf", "llama", ["llama"], "F16"]
    found = [[one[name] for name in names if name != "parameter_size"] for one in (listed, told)]
    sizes = [one["parameter_size"] for one in (listed, told)]
    if found[0][0] == "safetensors":  # it keeps them as they came
        return expect(found[0], found[1])
    like = all(isinstance(one, str) and one[:2] == "47" and one[-1] == "K" for one in sizes)
    return every((expect(found, [wanted, wanted]), expect_that(like, "473K", sizes)))


@check(
    "tags/windows",
    SHOULD,
    group="manage",
    source="server/model_list_cache.go:readModelListGGUF",
    covers=("TAGS-08",),
    breaks=(),
)
def tags_windows(target: Target) -> Verdict:
    """Entries of lists tell context_length and embedding_length of the weights."""
    script = target.script
    details = entry(target, target.model)["details"]
    told = [details["context_length"], details["embedding_length"]]
    return expect(told, [script.context_length, 128])


@check(
    "tags/capabilities",
    SHOULD,
    group="manage",
    source="server/model_list_cache.go:buildModelListSummary",
    covers=("TAGS-09",),
)
def tags_capabilities(target: Target) -> Verdict:
    """Entries of lists tell the capabilities that show tells."""
    told = entry(target, target.model).get("capabilities")
    known = shown(target)["capabilities"]
    return expect(sorted(told or []), sorted(known))


@check(
    "tags/size",
    MUST,
    group="manage",
    source="manifest.go:Size",
    covers=("TAGS-05",),
    breaks=(OPEN_WEBUI, PYTHON),
)
def tags_size(target: Target) -> Verdict:
    """`size` is what a model's layers take in bytes: more when it is given a long system text."""
    name = made(target, "heavier", system="x" * 5000)
    before, after = entry(target, target.model)["size"], entry(target, name)["size"]
    grown = isinstance(after, int) and 4900 <= after - before <= 7000
    return expect_that(grown, "5000 bytes more than its base", [before, after])


@check(
    "show/license",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-03", "CREATE-13", "CLIENT-PY-OLL-14"),
    breaks=(GO, PYTHON),
)
def show_license(target: Target) -> Verdict:
    """Licenses accumulate, and are shown one after the other."""
    first = made(target, "licensed", license=["MIT", "Apache-2.0"])
    second = target.temporary("licensed-again")
    create(target, second, **{"from": first, "license": "BSD-3-Clause"})
    told = [target.post("/api/show", model=name).ok.object["license"] for name in (first, second)]
    return expect(told, ["MIT\nApache-2.0", "MIT\nApache-2.0\nBSD-3-Clause"])


@check(
    "show/system-of-the-request",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-07",),
    breaks=(GO,),
)
def show_system(target: Target) -> Verdict:
    """`system` is the model's, or the one of the request; it is not kept; a `template` is none."""
    name = made(target, "spoken-to", system="Be brief.")
    asked = [
        target.post("/api/show", {"model": name, **more}).ok.object
        for more in ({}, {"system": "Be long."}, {"template": "{{ .Prompt }}!"})
    ]
    told = [one["system"] for one in asked]
    lines = ["\nSYSTEM Be long.\n" in one["modelfile"].replace('"', "") for one in asked]
    return every(
        (
            expect(told, ["Be brief.", "Be long.", "Be brief."]),
            expect(lines, [False, True, False]),
            expect(asked[2]["template"], asked[0]["template"]),
        )
    )


@check(
    "show/options-of-the-request",
    SHOULD,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-10", "SHOW-29"),
)
def show_options(target: Target) -> Verdict:
    """Options of the request appear in `modelfile` only, and are not kept."""
    plain = shown(target)
    given = target.post("/api/show", model=target.model, options={"num_ctx": 1234}).ok.object
    lines = [line for line in given["modelfile"].splitlines() if line == "PARAMETER num_ctx 1234"]
    return every(
        (
            expect(lines, ["PARAMETER num_ctx 1234"]),
            expect(given.get("parameters"), plain.get("parameters")),
            expect("num_ctx 1234" in shown(target)["modelfile"], False),
        )
    )


@check(
    "show/details-and-no-more",
    SHOULD,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-11",),
    breaks=(GO,),
)
def details_and_no_more(target: Target) -> Verdict:
    """`details` of show has six fields; windows and widths are told by lists, and in model_info."""
    return expect(sorted(shown(target)["details"]), sorted(DETAILS))


@check(
    "show/modelfile",
    MUST,
    group="manage",
    source="server/images.go:Model.String",
    covers=("SHOW-08", "SHOW-09"),
    breaks=(GO, OPEN_WEBUI),
)
def show_modelfile(target: Target) -> Verdict:
    """`modelfile` makes the model anew: FROM, TEMPLATE, SYSTEM and each PARAMETER, as they are."""
    name = made(target, "described", system="Be brief.", parameters={"num_ctx": 2048, "top_p": 0.5})
    lines = target.post("/api/show", model=name).ok.object["modelfile"].splitlines()
    wanted = ["SYSTEM Be brief.", "PARAMETER num_ctx 2048", "PARAMETER top_p 0.5"]
    missing = [
        one
        for one in wanted
        if one not in lines and one.replace("SYSTEM ", 'SYSTEM "') + '"' not in lines
    ]
    frames = [
        one for one in ("FROM ", "TEMPLATE ") if not any(line.startswith(one) for line in lines)
    ]
    return expect([*missing, *frames], [])


@check(
    "show/tensors",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-16", "SHOW-14"),
    breaks=(GO,),
)
def show_tensors(target: Target) -> Verdict:
    """`tensors` has name, type and shape of each tensor: as many elements as are counted."""
    _ = target.script
    told = target.post("/api/show", model=target.model, verbose=True).ok.object
    listed = told["tensors"]
    odd = [one for one in listed if list(one) and sorted(one) != ["name", "shape", "type"]]
    names = [one["name"] for one in listed]
    total = 0
    for one in listed:
        elements = 1
        for size in one["shape"]:
            elements *= size
        total += elements
    count = told["model_info"]["general.parameter_count"]
    return every(
        (
            expect(odd, []),
            expect(len(set(names)), len(names)),
            expect_that(
                {one["type"] for one in listed} <= {"F16", "F32"}, "F16 and F32", listed[:3]
            ),
            expect(total, count),
        )
    )


@check(
    "show/messages",
    MUST,
    group="manage",
    source="server/create.go:setMessages",
    covers=("SHOW-27", "CREATE-14"),
    breaks=(GO,),
)
def show_messages(target: Target) -> Verdict:
    """Messages of a model are shown, roles in lower case; new ones replace them."""
    turns = [
        {"role": "USER", "content": "What is 1?"},
        {"role": "assistant", "content": "A number."},
    ]
    name = made(target, "begun", messages=turns)
    again = target.temporary("begun-again")
    create(target, again, **{"from": name, "messages": turns[1:]})
    kept = target.temporary("begun-kept")
    create(target, kept, **{"from": name, "messages": []})
    lowered = [{**turns[0], "role": "user"}, turns[1]]
    told = [_messages(target, one) for one in (name, again, kept)]
    return expect(told, [lowered, turns[1:], lowered])


def _messages(target: Target, name: str) -> list[dict[str, str]]:
    found = target.post("/api/show", model=name).ok.object["messages"]
    return [{"role": one["role"], "content": one["content"]} for one in found]


@check(
    "show/changes-are-seen",
    MUST,
    group="manage",
    source="model_show_cache.go",
    covers=("SHOW-29", "SHOW-27", "TAGS-11"),
    breaks=(OPEN_WEBUI,),
)
def changes_are_seen(target: Target) -> Verdict:
    """What is created anew under a name is what the next show and the next list tell."""
    from ..moments import moment

    name = made(target, "changing", system="One.")
    first, listed = target.post("/api/show", model=name).ok.object, entry(target, name)
    create(target, name, **{"from": target.model, "system": "Two."})
    second, relisted = target.post("/api/show", model=name).ok.object, entry(target, name)
    later = moment(second["modified_at"]) > moment(first["modified_at"])
    return every(
        (
            expect([first["system"], second["system"]], ["One.", "Two."]),
            expect_that(listed["digest"] != relisted["digest"], "another digest", listed["digest"]),
            expect_that(later, "a later modified_at", second["modified_at"]),
            expect_that(
                abs(moment(second["modified_at"]) - moment(relisted["modified_at"])) < 1e-3,
                "one time in show and tags", [second["modified_at"], relisted["modified_at"]],
            ),
        )
    )  # fmt: skip


@check(
    "show/name-as-stored",
    SHOULD,
    group="manage",
    source="server/routes.go:ShowHandler",
    covers=("SHOW-33", "SHOW-02", "NAME-08"),
)
def name_as_stored(target: Target) -> Verdict:
    """Shown in another case, a model is told by its own; one that is not there as it was typed."""
    loud = target.post("/api/show", model=target.model.upper()).ok.object["modelfile"]
    typed = f"NoBody-{target.setup.token}"
    nobody = target.post("/api/show", model=typed)
    text = f"model '{typed}:latest' not found"
    return every(
        (
            expect_that(target.model in loud, f"FROM {target.model}", loud[:300]),
            expect((nobody.code, nobody.error_text), (404, text), nobody),
        )
    )


@check(
    "show/model-info",
    MUST,
    group="manage",
    source="fs/ggml/gguf.go:Decode",
    covers=("SHOW-14", "SHOW-31"),
    breaks=(COPILOT, CLINE, LLAMAINDEX, *SDKS),
)
def model_info(target: Target) -> Verdict:
    """model_info has the numbers of the weights: layers, heads, widths, and their count."""
    _ = target.script
    told = shown(target)["model_info"]
    wanted = {
        "general.architecture": "llama",
        "general.parameter_count": 473_216,
        "llama.block_count": 2,
        "llama.context_length": load_script().context_length,
        "llama.embedding_length": 128,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
    }
    return expect({name: told.get(name) for name in wanted}, wanted)
