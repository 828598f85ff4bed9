"""Class manage, part two: how models are named, and what other spellings mean."""

from __future__ import annotations

from ..check import (
    MAY,
    MUST,
    PASSED,
    SHOULD,
    Verdict,
    check,
    every,
    expect,
    expect_error,
    expect_that,
)
from ..clients import GO, OPEN_WEBUI, PICKERS, SDKS
from ..evidence import Exchange, Wrong
from ..provision import create
from ..target import NOBODY, Target
from .busy import offered
from .manage import models, tagged

HOST = "parallama.example:5000"
VALID = (
    "a",
    "A_b-c.d",
    "_x",
    "n/m",
    "n/m:t",
    "h.example:5000/n/m",
    "h/n/m:v1.0",
    "0:0",
    "7",
    "_",
    "m:q4_K_M",
    "m_a:_Q8.0-b",
    f"n/{'t' * 80}:{'t' * 80}",
    f"{'a' * 80}",
)
INVALID = (
    ":", "m:", "/m", "n//m", "//", "m/", "n/", "-a", ".a", "n.s/m", "m:-t", "m:t:u", "a b", "a!b",
    "a/b/c/d", "hf.co/u/r/tree/main", f"{'a' * 81}", f"m:{'t' * 81}", f"m@sha256:{'0' * 64}",
)  # fmt: skip


def copied(target: Target, name: str) -> Exchange:
    """Copy our model to a name of its own, which is deleted when the check is over."""
    target.created.append(name)
    return target.post("/api/copy", source=target.model, destination=name)


@check(
    "names/grammar",
    MUST,
    group="manage",
    source="types/model/name.go:ParseName",
    covers=("NAME-02", "NAME-03", "NAME-04", "NAME-05", "NAME-06", "NAME-15", "NAME-17"),
    breaks=(GO,),
)
def grammar(target: Target) -> Verdict:
    """A name is [host/][namespace/]model[:tag] of letters, digits and `_-.`; others are 400."""
    for name in INVALID:
        for got in (
            target.post("/api/show", model=name),
            target.delete("/api/delete", model=name),
            target.post("/api/copy", source=NOBODY, destination=name),
        ):
            if got.code != 400 or "invalid" not in got.error_text:
                return expect_that(
                    False, f"400, {name!r} is invalid", f"{got.status}: {got.loose_text}", got
                )
    for name in VALID:
        got = target.post("/api/show", model=name)
        if got.code not in (200, 404):  # there may be one of such a name
            return expect_that(
                False, f"404, as {name!r} could be", f"{got.status}: {got.loose_text}", got
            )
    return PASSED


@check(
    "names/texts-of-refusals",
    SHOULD,
    group="manage",
    source="server/routes.go",
    covers=("NAME-15",),
)
def texts_of_refusals(target: Target) -> Verdict:
    """A name that cannot be is `invalid model name`, or quoted with its place: `... is invalid`."""
    return every(
        (
            expect_error(
                target.post("/api/show", model="a b"),
                (400,), exactly="invalid model name",
            ),
            expect_error(
                target.delete("/api/delete", model="a b"),
                (400,), exactly='name "a b" is invalid',
            ),
            expect_error(
                target.delete("/api/delete", model='a"b'),
                (400,), exactly='name "a\\"b" is invalid',
            ),
            expect_error(
                target.post("/api/copy", source="a b", destination="c"),
                (400,), exactly='source "a b" is invalid',
            ),
            expect_error(
                target.post("/api/copy", source=target.model, destination="a b"),
                (400,), exactly='destination "a b" is invalid',
            ),
        )
    )  # fmt: skip


@check(
    "names/displayed",
    MUST,
    group="manage",
    source="types/model/name.go:DisplayShortest",
    covers=("NAME-13", "NAME-01", "NAME-02", "TAGS-02"),
    breaks=PICKERS,
)
def displayed(target: Target) -> Verdict:
    """Lists drop the default host and `library`; they print tag, other hosts and namespaces."""
    word = f"parallama-check-{target.setup.token}"
    wanted = {
        f"library/{word}-a": f"{word}-a:latest",
        f"registry.ollama.ai/library/{word}-b:t": f"{word}-b:t",
        f"registry.ollama.ai/{word}/c": f"{word}/c:latest",
        f"{HOST}/{word}/d:7b": f"{HOST}/{word}/d:7b",
    }
    for name in wanted:
        _ = copied(target, name).ok
    listed = [one["name"] for one in models(target)]
    missing = [shown for shown in wanted.values() if listed.count(shown) != 1]
    return expect_that(not missing, f"{missing} to be listed", listed)


@check(
    "names/any-case",
    MUST,
    group="manage",
    source="server/routes.go:getExistingName",
    covers=("NAME-08", "SHOW-33"),
    breaks=(OPEN_WEBUI,),
)
def any_case(target: Target) -> Verdict:
    """Names differ in more than case: shown, overwritten and deleted is the one that is there."""
    name = target.temporary("CaseMatters")
    _ = copied(target, name).ok
    other = name.replace("CaseMatters", "cAsEmAtTeRs")

    def ours() -> list[str]:
        listed = [one["name"] for one in models(target)]
        return [one for one in listed if one.lower() == tagged(name).lower()]

    found: dict[str, object] = {
        "shown": target.post("/api/show", model=other).code,
        "copied over": copied(target, other).code,
        "listed then": ours(),
        "deleted": target.delete("/api/delete", model=other).code,
        "listed at last": ours(),
    }
    wanted = dict(zip(found, (200, 200, [tagged(name)], 200, []), strict=True))
    return expect(found, wanted)


@check(
    "names/as-it-was-spelt",
    MUST,
    group="create",
    source="server/routes.go:getExistingName",
    covers=("NAME-08", "CREATE-21", "TAGS-02"),
    breaks=(GO, OPEN_WEBUI),
)
def as_it_was_spelt(target: Target) -> Verdict:
    """A model is listed as its name was first spelt, also when it is created anew otherwise."""
    name = target.temporary("CamelCase")
    other = name.replace("CamelCase", "cAMELcASE")
    create(target, name, **{"from": target.model})
    create(target, other, **{"from": target.model, "system": "Be brief."})
    listed = [one["name"] for one in models(target)]
    found = [one for one in listed if one.lower() == tagged(name).lower()]
    told = target.post("/api/show", model=name.lower()).ok.object.get("system")
    return expect([found, told], [[tagged(name)], "Be brief."])


@check(
    "names/local",
    SHOULD,
    group="manage",
    source="internal/modelref/modelref.go:ParseRef",
    covers=("NAME-10", "NAME-010", "NAME-004"),
)
def local(target: Target) -> Verdict:
    """`:local` after a name says where the model is, and is no tag; answers repeat it as asked."""
    name = f"{target.model.removesuffix(':latest')}:local"
    shown = target.post("/api/show", model=name)
    got = target.chat(model=name, options={"num_predict": 1})
    return every((expect(shown.code, 200, shown), expect(got.ok.object["model"], name, got)))


@check(
    "names/local-and-cloud",
    SHOULD,
    group="manage",
    source="internal/modelref/modelref.go",
    covers=("NAME-11", "NAME-010", "ERR-012"),
)
def local_and_cloud(target: Target) -> Verdict:
    """`:cloud` and `:local` together are 400, `use either :local or :cloud, not both`."""
    name = f"{NOBODY}:cloud:local"
    asked = (
        target.post("/api/show", model=name),
        target.post("/api/chat", model=name, messages=[]),
        target.post("/api/generate", model=name),
        target.delete("/api/delete", model=name),
    )
    text = f'use either :local or :cloud, not both: "{name}"'
    return every(expect_error(got, (400,), exactly=text) for got in asked)


@check(
    "names/blanks-around",
    SHOULD,
    group="manage",
    source="internal/modelref/modelref.go:ParseRef",
    covers=("NAME-18", "NAME-003"),
)
def blanks_around(target: Target) -> Verdict:
    """Blanks around a name are cut off by show, and make it invalid as the target of a copy."""
    shown = target.post("/api/show", model=f" {target.model} ")
    copy = target.post("/api/copy", source=target.model, destination=" parallama-check-blank")
    return every(
        (expect(shown.code, 200, shown), expect_error(copy, (400,), containing="is invalid"))
    )


@check(
    "names/blanks-break-nothing",
    MAY,
    group="manage",
    source="server/routes.go",
    covers=("NAME-003",),
)
def found_with_blanks(target: Target) -> Verdict:
    """A model is found, or not found, with blanks around its name; never a 5xx."""
    got = target.chat(model=f" {target.model} ", options={"num_predict": 1})
    if got.code not in (200, 400, 404):
        raise Wrong("200, 400 or 404", got.status)
    return expect(got.error, None)


@check(
    "copy/renews-the-time",
    MUST,
    group="manage",
    source="manifest.go:WriteManifest",
    covers=("TAGS-15", "COPY-03"),
    breaks=(OPEN_WEBUI,),
)
def copy_renews_the_time(target: Target) -> Verdict:
    """A copy has the digest and size of its source, and the time of its making."""
    from ..moments import moment

    name = target.temporary("copied-now")
    _ = copied(target, name).ok
    found = {one["name"]: one for one in models(target)}
    source, made = found[tagged(target.model)], found[tagged(name)]
    same = expect([made["digest"], made["size"]], [source["digest"], source["size"]])
    later = moment(made["modified_at"]) > moment(source["modified_at"])
    times = [source["modified_at"], made["modified_at"]]
    return every((same, expect_that(later, "a later time than its source's", times)))


@check(
    "copy/overwrites",
    MUST,
    group="manage",
    source="server/images.go:CopyModel",
    covers=("COPY-03",),
    breaks=(GO,),
)
def copy_overwrites(target: Target) -> Verdict:
    """A copy to a name that is taken replaces what was there."""
    name = target.temporary("taken")
    first = target.post("/api/copy", source=target.plain, destination=name)
    again = copied(target, name)
    digests = {one["name"]: one["digest"] for one in models(target)}
    same = expect(digests.get(tagged(name)), digests.get(tagged(target.model)))
    return every((expect([first.code, again.code], [200, 200], again), same))


@check(
    "copy/onto-itself",
    SHOULD,
    group="manage",
    source="server/images.go:CopyModel",
    covers=("COPY-04",),
)
def copy_onto_itself(target: Target) -> Verdict:
    """A model copied onto itself stays as it is."""
    before = {one["name"]: one["digest"] for one in models(target)}.get(tagged(target.model))
    got = target.post("/api/copy", source=target.model, destination=target.model)
    after = {one["name"]: one["digest"] for one in models(target)}.get(tagged(target.model))
    listed = expect_that(before is not None, f"{tagged(target.model)} to be listed", "it is not")
    return every((expect(got.code, 200, got), listed, expect(after, before, got)))


@check(
    "delete/leaves-what-is-shared",
    MUST,
    group="manage",
    source="manifest.go:RemoveLayers",
    covers=("DELETE-03",),
    breaks=(GO, OPEN_WEBUI),
    alone=True,
)
def leaves_what_is_shared(target: Target) -> Verdict:
    """Deleting one of two models of the same layers leaves the other whole: it shows and talks."""
    offered(target, "create")
    names = [target.temporary(f"shared-{n}") for n in "12"]
    for name in names:
        _ = copied(target, name).ok
    gone = target.delete("/api/delete", model=names[0])
    shown = target.post("/api/show", model=names[1])
    talked = target.chat(model=names[1], options={"num_predict": 2})
    target.post("/api/generate", model=names[1], keep_alive=0)
    return expect([gone.code, shown.code, talked.code], [200, 200, 200], talked)


@check(
    "manage/first-value-of-a-body",
    SHOULD,
    group="manage",
    source="gin: binding/json.go:decodeJSON",
    covers=("HTTP-23", "HTTP-08", "HTTP-06"),
    breaks=SDKS,
)
def first_value_of_a_body(target: Target) -> Verdict:
    """Blanks are no body, null is {}, of equal keys the last counts, a BOM is no JSON."""
    twice = f'{{"model": "a b", "model": "{NOBODY}"}}'.encode()
    asked = [
        target.request("POST", "/api/show", body)
        for body in (
            b" \n ",
            b"null",
            twice,
            f'\ufeff{{"model": "{NOBODY}"}}'.encode(),
            f'{{"model": "{NOBODY}"}} x'.encode(),
        )
    ]
    found = [got.code for got in asked]
    texts = [asked[0].error_text, asked[1].error_text]
    wanted = ["missing request body", "model is required"]
    return every((expect(found, [400, 400, 404, 400, 404]), expect(texts, wanted)))
