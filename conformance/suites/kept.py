"""Class manage, part four: what a model was given is kept as it was, and goes with that model."""

from __future__ import annotations

import re
import time

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_that, not_judged
from ..clients import CLINE, CONTINUE, GO, LLAMAINDEX, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange, Record, Wrong
from ..provision import create, upload
from ..script import weights
from ..target import NOBODY, Target
from .busy import offered
from .create import GGUF
from .manage import models, shown, tagged
from .names import copied
from .shown import entry, made

SYSTEM = "  Be brief.\n\tAlways.\n"
LICENSES = ["MIT\n", " Apache-2.0"]
ORDERS = (  # of the file, and as the original writes it anew
    ["token_embd.weight", "blk.0.attn_k.weight", "output_norm.weight"],
    ["output_norm.weight", "token_embd.weight", "blk.0.attn_k.weight"],
)
TURNS = [
    {"role": "system", "content": "Rhyme. "},
    {"role": "user", "content": " What is 1?\n"},
    {"role": "assistant", "content": "A number."},
]


def told(target: Target, name: str) -> Record:
    """What /api/show says of a model."""
    return target.post("/api/show", model=name).ok.object


@check(
    "show/as-it-was-given",
    MUST,
    group="manage",
    source="server/create.go:setSystem",
    covers=("SHOW-03", "SHOW-07", "SHOW-27", "STORE-13"),
    breaks=(GO, OPEN_WEBUI),
)
def as_it_was_given(target: Target) -> Verdict:
    """Texts are kept to the letter: white space at both ends, and turns of the system's."""
    name = made(target, "lettered", system=SYSTEM, license=LICENSES, messages=TURNS)
    found = told(target, name)
    turns = [{key: one[key] for key in ("role", "content")} for one in found["messages"]]
    return expect([found["system"], found["license"], turns], [SYSTEM, "\n".join(LICENSES), TURNS])


@check(
    "show/parent",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-11", "TAGS-07", "CREATE-16"),
    breaks=(OPEN_WEBUI, CONTINUE),
)
def parent(target: Target) -> Verdict:
    """details.parent_model is the model that this one was created from, in show and in lists."""
    name = made(target, "descended")
    found = [
        one["details"].get("parent_model") for one in (told(target, name), entry(target, name))
    ]
    return expect(found, [tagged(target.model)] * 2)


@check(
    "show/modelfile-whole",
    MUST,
    group="manage",
    source="server/images.go:Model.String",
    covers=("SHOW-08", "SHOW-03", "SHOW-27"),
    breaks=(GO, OPEN_WEBUI),
)
def modelfile_whole(target: Target) -> Verdict:
    """`modelfile` has each LICENSE and each MESSAGE too, and quotes what has more than a line."""
    turns = [{"role": "user", "content": "What is 1?"}, TURNS[2]]
    name = made(
        target, "retold", system="Be brief.\nAlways.", license=["MIT", "BSD"], messages=turns
    )
    text = str(told(target, name)["modelfile"])
    wanted = (
        "LICENSE MIT", "LICENSE BSD", "MESSAGE user What is 1?", "MESSAGE assistant A number.",
        'SYSTEM "Be brief.\nAlways."',
    )  # fmt: skip
    plain = text.replace('"""', '"')  # either kind of quotes holds lines together
    missing = [one for one in wanted if f"\n{one}\n" not in f"{plain}\n"]
    return expect_that(not missing, f"{missing} in it", text[-600:])


@check(
    "show/modelfile-from",
    SHOULD,
    group="manage",
    source="server/images.go:Model.String",
    covers=("SHOW-08", "SHOW-09"),
    breaks=(GO,),
)
def modelfile_from(target: Target) -> Verdict:
    """FROM is the blob of the weights, a comment has the name; of safetensors, FROM is the name."""
    found = shown(target)
    lines = [one for one in str(found["modelfile"]).splitlines() if "FROM " in one]
    name = target.model
    if found["details"]["format"] == "safetensors":
        holds = [one.removesuffix(":latest") for one in lines if one[0] != "#"] == [f"FROM {name}"]
        return expect_that(holds, f"FROM {name}", lines)
    last = lines[-1].replace("\\", "/") if lines else ""
    placed = re.search(r"/blobs/sha256-[0-9a-f]{64}$", last) is not None
    holds = placed and f"# FROM {tagged(name)}" in lines
    return expect_that(holds, f"# FROM {tagged(name)}, and FROM .../blobs/sha256-...", lines)


@check(
    "show/parameters-laid-out",
    MUST,
    group="manage",
    source="server/routes.go:GetModelInfo",
    covers=("SHOW-04", "CREATE-11"),
    breaks=(GO, CONTINUE),
)
def parameters_laid_out(target: Target) -> Verdict:
    """`parameters` has a line for each stop; names fill 30 columns, text is quoted, numbers not."""
    given = {"stop": ["one", 'say "two"'], "top_k": 7, "top_p": 0.25, "num_ctx": 2048}
    name = made(target, "laid-out", parameters=given)
    lines = str(told(target, name)["parameters"]).split("\n")
    values = [("stop", '"one"'), ("stop", '"say \\"two\\""'), ("top_k", "7"), ("top_p", "0.25")]
    wanted = [f"{key:<30} {value}" for key, value in (*values, ("num_ctx", "2048"))]
    stops = [one for one in lines if one.startswith("stop")]
    return every((expect(sorted(lines), sorted(wanted)), expect(stops, wanted[:2])))


@check(
    "show/model-over-name",
    MUST,
    group="manage",
    source="server/routes.go:ShowHandler",
    covers=("HTTP-17",),
    breaks=(CONTINUE,),
)
def model_over_name(target: Target) -> Verdict:
    """Where both `model` and `name` are given, `model` counts: to show, and to delete."""
    name = target.temporary("both-names")
    _ = copied(target, name).ok
    asked = {
        "shown by model": target.post("/api/show", model=name, name=NOBODY),
        "shown by name": target.post("/api/show", model=NOBODY, name=name),
        "deleted by name": target.delete("/api/delete", model=NOBODY, name=name),
        "deleted by model": target.delete("/api/delete", model=name, name=NOBODY),
    }
    wanted = dict(zip(asked, (200, 404, 404, 200), strict=True))
    return expect({what: got.code for what, got in asked.items()}, wanted)


@check(
    "show/verbose",
    MUST,
    group="manage",
    source="fs/ggml/gguf.go:newArray",
    covers=("SHOW-15", "SHOW-14"),
    breaks=(GO,),
)
def verbose(target: Target) -> Verdict:
    """With `verbose` the lists of model_info are whole: each token of the vocabulary, its kind."""
    _ = target.script
    found = target.post("/api/show", model=target.model, verbose=True).ok.object
    if found["details"]["format"] == "safetensors":
        not_judged("created from safetensors, where no vocabulary is told")
    known = found["model_info"]
    lists = {key: known.get(f"tokenizer.ggml.{key}") for key in ("tokens", "token_type", "merges")}
    sizes = {key: len(one) if isinstance(one, list) else one for key, one in lists.items()}
    brief = shown(target)["model_info"]
    others = {key: one for key, one in known.items() if not isinstance(one, list)}
    return every(
        (
            expect(sizes, {"tokens": 502, "token_type": 502, "merges": 240}),
            expect({type(one) for one in lists["token_type"] or ()}, {int}),
            expect(sorted(brief), sorted(known)),
            expect({key: brief.get(key) for key in others}, others),
        )
    )


@check(
    "show/metadata",
    MUST,
    group="manage",
    source="fs/ggml/gguf.go:Decode",
    covers=("SHOW-14", "SHOW-16"),
    breaks=(GO, CLINE, LLAMAINDEX),
)
def metadata(target: Target) -> Verdict:
    """model_info has all that the file says, numbers as numbers; tensors are told as they lie."""
    _ = target.script
    found = shown(target)
    if found["details"]["format"] == "safetensors":
        not_judged("created from safetensors, which say less")
    known = found["model_info"]
    wanted = {
        "llama.feed_forward_length": 320, "llama.rope.dimension_count": 32,
        "llama.vocab_size": 502, "llama.rope.freq_base": 10_000,
        "general.file_type": 1, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.add_bos_token": True,
    }  # fmt: skip
    small = known.get("llama.attention.layer_norm_rms_epsilon")
    holds = isinstance(small, float) and abs(small - 1e-5) < 1e-8
    shapes = {one["name"]: [one["type"], one["shape"]] for one in found["tensors"]}
    order = [one["name"] for one in found["tensors"] if one["name"] in ORDERS[0]]
    kinds = {"blk.0.attn_k.weight": ["F16", [128, 64]], "output_norm.weight": ["F32", [128]]}
    return every(
        (
            expect({key: known.get(key) for key in wanted}, wanted),
            expect_that(holds, "layer_norm_rms_epsilon of 1e-05", small),
            expect({key: shapes.get(key) for key in kinds}, kinds),
            expect_that(order in ORDERS, "tensors in the order of the file", order),
        )
    )


@check(
    "create/inherits-the-whole",
    MUST,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-16", "CREATE-10", "CREATE-11", "CREATE-13", "CREATE-14", "SHOW-27"),
    breaks=(GO, PYTHON),
)
def inherits_the_whole(target: Target) -> Verdict:
    """What a base has, a model made of it has, too: texts, turns, parameters, and its config."""
    words = {"requires": "0.9.0", "renderer": "qwen3-coder", "parser": "qwen3-coder"}
    given = {"top_k": 7, "stop": ["one", "two"]}
    base = made(
        target, "whole", system="Be brief.", license=["MIT", "BSD"], messages=TURNS,
        parameters=given, template="{{ .System }} {{ .Prompt }}", **words,
    )  # fmt: skip
    name = target.temporary("whole-too")
    create(target, name, **{"from": base})
    found, wanted = _whole(target, name), _whole(target, base)
    lines = ["PARSER qwen3-coder", "RENDERER qwen3-coder"]
    known = [wanted["requires"], wanted["modelfile"]]
    return every((expect(known, ["0.9.0", lines]), expect(found, wanted)))


KEYS = ("system", "license", "messages", "template", "requires")


def _whole(target: Target, name: str) -> dict[str, object]:
    """What was given for a model, as it is shown; its parameters in any order."""
    known = told(target, name)
    lines = sorted(str(known.get("parameters", "")).splitlines())
    words = sorted(_lines(known, "RENDERER", "PARSER"))
    return {**{key: known.get(key) for key in KEYS}, "parameters": lines, "modelfile": words}


def _lines(known: Record, *words: str) -> list[str]:
    return [one for one in known["modelfile"].splitlines() if one.partition(" ")[0] in words]


@check(
    "create/nothing-of-the-old",
    MUST,
    group="create",
    source="server/create.go:createModel",
    covers=("CREATE-21", "CREATE-10"),
    breaks=(GO, PYTHON),
)
def nothing_of_the_old(target: Target) -> Verdict:
    """A model that is created over another has nothing of that one: no text, no parameter."""
    name = made(
        target, "covered", system="Be brief.", license="MIT", messages=TURNS, requires="0.9.0",
        template="{{ .Prompt }} old", parameters={"top_k": 7},
    )  # fmt: skip
    old = _whole(target, name)
    create(target, name, **{"from": target.plain})
    of_a_model, plain = _whole(target, name), _whole(target, target.plain)
    create(target, name, **{"from": target.model, "template": old["template"]})
    files, bare = upload(target, {GGUF: weights()}), target.temporary("bare-beside")
    for one in (name, bare):
        create(target, one, files=files)
    return every((expect(of_a_model, plain), expect(_whole(target, name), _whole(target, bare))))


@check(
    "copy/is-the-whole",
    MUST,
    group="manage",
    source="server/images.go:CopyModel",
    covers=("COPY-03", "COPY-01"),
    breaks=(GO, OPEN_WEBUI),
)
def copy_is_the_whole(target: Target) -> Verdict:
    """A copy has all that its source has, license and turns too, and so the source's digest."""
    source = made(
        target, "to-copy", system="Be brief.", license=["MIT", "BSD"], messages=TURNS,
        parameters={"top_k": 7}, requires="0.9.0",
    )  # fmt: skip
    name = target.temporary("whole-copy")
    _ = target.post("/api/copy", source=source, destination=name).ok
    digests = [entry(target, one)["digest"] for one in (name, source)]
    details = [told(target, one)["details"] for one in (name, source)]
    return every(
        (
            expect(_whole(target, name), _whole(target, source)),
            expect(digests[0], digests[1]),
            expect(details[0], details[1]),
        )
    )


@check(
    "copy/stays-as-it-is",
    MUST,
    group="manage",
    source="server/images.go:CopyModel",
    covers=("COPY-03", "CREATE-21", "DELETE-03"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def stays_as_it_is(target: Target) -> Verdict:
    """A copy is a model of its own: its source may be created anew, or deleted; so may the copy."""
    source = made(target, "original", system="One.")
    first, second = (target.temporary(f"copy-{word}") for word in ("one", "two"))
    for name in (first, second):
        _ = target.post("/api/copy", source=source, destination=name).ok
    found = {}
    create(target, source, **{"from": target.model, "system": "Two."})
    found["source made anew"] = _systems(target, source, first, second)
    create(target, second, **{"from": target.model, "system": "Three."})
    found["copy made anew"] = _systems(target, source, first, second)
    _ = target.delete("/api/delete", model=source).ok
    found["source deleted"] = _systems(target, source, first, second)
    wanted = (["Two.", "One.", "One."], ["Two.", "One.", "Three."], [404, "One.", "Three."])
    return expect(found, dict(zip(found, wanted, strict=True)))


def _systems(target: Target, *names: str) -> list[object]:
    """The system text of each model, or the status where none is shown."""
    asked = [target.post("/api/show", model=name) for name in names]
    return [got.object.get("system") if got.code == 200 else got.code for got in asked]


@check(
    "delete/one-tag",
    MUST,
    group="manage",
    source="server/routes.go:DeleteHandler",
    covers=("DELETE-01", "DELETE-03", "NAME-02"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def one_tag(target: Target) -> Verdict:
    """Of the tags of one model only the one that is named is deleted; without a tag, `latest`."""
    name = target.temporary("tags")
    spelt = (f"{name}:latest", f"{name}:a", f"{name}:b", f"{name}-a:latest")
    for one in spelt:
        _ = copied(target, one).ok
    left = []
    for doomed in (f"{name}:a", name):
        target.delete("/api/delete", model=doomed)
        listed = {one["name"] for one in models(target)}
        left.append([one for one in spelt if one in listed])
    return expect(left, [[spelt[0], *spelt[2:]], [*spelt[2:]]])


@check(
    "delete/takes-its-blobs",
    MUST,
    group="manage",
    source="manifest.go:RemoveLayers",
    covers=("DELETE-03", "CREATE-02", "BLOB-02"),
    breaks=(GO, OPEN_WEBUI),
)
def takes_its_blobs(target: Target) -> Verdict:
    """Layers that no other model has go with a model; those that another has stay, and it too."""
    name = target.temporary("laden")
    offered(target, "create")
    system = f"Be brief. {target.setup.token} {time.time_ns()}"
    got = create(target, name, **{"from": target.model, "system": system})
    own, others = ([*_layers(got, word)] for word in ("creating new", "using existing"))
    if len(own) != 1 or not others:
        raise Wrong("one `creating new layer`, others `using existing layer`", got.records)
    before = [_there(target, one) for one in (*own, *others)]
    create(target, child := target.temporary("of-laden"), **{"from": name, "system": "Be long."})
    _ = target.delete("/api/delete", model=name).ok
    found = {"there before": before, "its own": _there(target, own[0])}
    found["those of others"] = [_there(target, one) for one in others]
    found["what was made of it"] = target.post("/api/show", model=child).code
    wanted = [[200] * len(before), 404, [200] * len(others), 200]
    return expect(found, dict(zip(found, wanted, strict=True)))


def _layers(got: Exchange, words: str) -> list[str]:
    statuses = [str(one.get("status")) for one in got.records]
    return [one.rpartition(" ")[2] for one in statuses if one.startswith(f"{words} layer ")]


def _there(target: Target, digest: str) -> int:
    return target.request("HEAD", f"/api/blobs/{digest}").code
