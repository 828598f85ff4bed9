"""Class manage, part five: a name means the same on every route, and so does what is none."""

from __future__ import annotations

from collections.abc import Callable

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import GO, JS, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange
from ..target import NOBODY, Target
from .busy import offered
from .manage import models, tagged
from .names import copied

Ask = Callable[[Target, str], Exchange]

# what no model without tools, thinking and `insert` can do is refused before any is loaded
BRIEF: dict[str, Ask] = {
    "show": lambda target, name: target.post("/api/show", model=name),
    "chat": lambda target, name: target.post("/api/chat", model=name, messages=[], think=True),
    "generate": lambda target, name: target.post("/api/generate", model=name, suffix="x"),
    "embed": lambda target, name: target.post(
        "/api/embed", model=name, input="a", options={"num_ctx": "many"}
    ),
}
NEEDED = {"embed": "embeddings", "chat": "thinking"}
EDGED = (" {}", "{} ", "{}\n", "\t{}", "{}\r\n")


def word_of(target: Target, word: str) -> str:
    """A name without a namespace; its models are deleted when the check is over."""
    name = f"parallama-check-{target.setup.token}-{word}"
    target.created += [f"{name}:latest", f"{name}:V1.b"]
    return name


def spellings(name: str) -> tuple[str, ...]:
    """Other ways to write the name of a model of the default host."""
    return (
        name, f"{name}:latest", f"{name}:LATEST", name.upper(), f"library/{name}",
        f"Library/{name}:latest", f"registry.ollama.ai/library/{name}",
        f"REGISTRY.ollama.ai/library/{name}:latest",
    )  # fmt: skip


@check(
    "names/alike-on-every-route",
    MUST,
    group="manage",
    source="types/model/name.go:ParseName",
    covers=("NAME-001", "NAME-002", "NAME-01", "NAME-02", "NAME-08", "NAME-10", "NAME-13"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def alike_on_every_route(target: Target) -> Verdict:
    """A model is found by every spelling of its name on every route, with `:local` in any case."""
    name = word_of(target, "spelt")
    for one in (name, f"{name}:V1.b"):
        _ = target.post("/api/copy", source=target.plain, destination=one).ok
    marked = (f"{name}:local", f"{name}:LOCAL", f"{name}:v1.B:Local", f"{name}:V1.b:local")
    for route, ask in BRIEF.items():
        if NEEDED.get(route) in target.setup.absent:
            continue
        for spelt in (*spellings(name), f"{name}:v1.B", *marked):
            got = ask(target, spelt)
            if not _known(got):
                return expect_that(False, f"{route} to find {spelt!r}", got.loose_text, got)
    return PASSED


def _known(got: Exchange) -> bool:
    """Whether it was answered as one about a model that is there, whatever came of it."""
    return got.code != 404 and "invalid model name" not in got.loose_text


@check(
    "names/with-their-scheme",
    SHOULD,
    group="manage",
    source="types/model/name.go:ParseNameBare",
    covers=("NAME-07",),
    breaks=(GO,),
)
def with_their_scheme(target: Target) -> Verdict:
    """A name may begin with the scheme of its host: shown, asked, copied and deleted is its model.

    No list tells of the scheme.
    """
    name = word_of(target, "schemed")
    spelt = f"https://registry.ollama.ai/library/{name}"
    made = copied(target, spelt)
    listed = [one["name"] for one in models(target) if name in one["name"]]
    shown, asked = target.post("/api/show", model=spelt), BRIEF["generate"](target, spelt)
    gone = target.delete("/api/delete", model=spelt)
    found = [made.code, shown.code, _known(asked), gone.code]
    return every((expect(found, [200, 200, True, 200], gone), expect(listed, [tagged(name)])))


@check(
    "names/moved-by-any-spelling",
    MUST,
    group="manage",
    source="server/routes.go:getExistingName",
    covers=("COPY-01", "DELETE-01", "NAME-01", "NAME-08", "NAME-10"),
    breaks=(GO, OPEN_WEBUI, *SDKS),
)
def moved_by_any_spelling(target: Target) -> Verdict:
    """A model is copied, and deleted, by every spelling of its name; others of its name stay."""
    name = word_of(target, "moved")
    keeps = f"{name}:V1.b"
    _ = copied(target, keeps).ok
    for spelt in spellings(name):
        first = copied(target, spelt)
        second = target.post("/api/copy", source=spelt, destination=keeps)
        gone = target.delete("/api/delete", model=f"{spelt}:local" if spelt == name else spelt)
        again = target.delete("/api/delete", model=spelt).code
        listed = [one["name"] for one in models(target)]
        there = [tagged(name) in listed, keeps in listed]
        found = [first.code, second.code, gone.code, again, *there]
        if found != [200, 200, 200, 404, False, True]:
            what = f"{spelt}: copied to and from, deleted once, gone, and {keeps} there"
            return expect_that(False, what, found, gone)
    return expect(gone.code, 200)


@check(
    "names/no-other-will-do",
    MUST,
    group="manage",
    source="server/routes.go:getExistingName",
    covers=("NAME-02", "COPY-02", "DELETE-02", "SHOW-02", "NAME-007", "NAME-008"),
    breaks=(GO, JS, PYTHON),
)
def no_other_will_do(target: Target) -> Verdict:
    """Where there is no model of a tag, no other tag is taken, nor `latest`: 404, as it is asked.

    The text tells the name, and which quotes stand around it is told by the route.
    """
    name = word_of(target, "tagged")
    target.created += [f"{name}:none"]
    _ = target.post("/api/copy", source=target.plain, destination=f"{name}:V1.b").ok
    untagged = _missing(target, name)
    if untagged is not None:
        return untagged
    _ = target.post("/api/copy", source=target.plain, destination=name).ok
    for fields in ({"model": f"{name}:none"}, {"model": NOBODY, "name": name}):
        got = target.delete("/api/delete", **fields)
        text = f"model '{fields['model']}' not found"
        found = expect_error(got, (404,), exactly=text)
        if found is not PASSED:
            return found
    wrong = _missing(target, f"{name}:none")
    if wrong is not None:
        return wrong
    listed = [one["name"] for one in models(target) if one["name"].startswith(name)]
    return expect(sorted(listed), [f"{name}:V1.b", f"{name}:latest"])


def _missing(target: Target, name: str) -> Verdict | None:
    """What is wrong with the answers to a name that no model has."""
    double, single = f'model "{name}" not found', f"model '{name}' not found"
    wanted = {
        "show": f"model '{tagged(name)}' not found", "chat": single, "generate": single,
        "embed": f"{double}, try pulling it first",
    }  # fmt: skip
    asked = {
        route: ask(target, name)
        for route, ask in BRIEF.items()
        if NEEDED.get(route) not in target.setup.absent
    }
    verdicts = [expect_error(got, (404,), exactly=wanted[route]) for route, got in asked.items()]
    copy = target.post("/api/copy", source=name, destination=f"{name}-x")
    verdicts.append(expect_error(copy, (404,), exactly=double))
    verdicts.append(expect_error(target.delete("/api/delete", model=name), (404,), exactly=single))
    return next((one for one in verdicts if one is not PASSED), None)


@check(
    "names/edges-make-invalid",
    SHOULD,
    group="create",
    source="server/routes.go:CopyHandler",
    covers=("NAME-18", "NAME-15", "SEC-21"),
    breaks=(GO,),
)
def edges_make_invalid(target: Target) -> Verdict:
    """Where a model is to be made, blanks and line ends around its name make it invalid: 400."""
    offered(target, "create")
    name = target.temporary("edged")
    for form in EDGED:
        spelt = form.format(name)
        asked = (
            target.post("/api/copy", source=target.model, destination=spelt),
            target.post("/api/create", {"model": spelt, "from": target.model}),
            target.post("/api/create", {"model": spelt, "from": target.model}, stream=False),
        )
        bad = [got for got in asked if got.code != 400 or "invalid" not in got.error_text]
        if bad:
            return expect_that(False, f"400, {spelt!r} is invalid", bad[0].loose_text, bad[0])
    listed = [one["name"] for one in models(target)]
    return expect([one for one in listed if one.strip().startswith(name)], [])


@check(
    "names/of-other-hosts",
    MUST,
    group="manage",
    source="types/model/name.go:DisplayShortest",
    covers=("NAME-13", "NAME-08", "TAGS-02"),
    breaks=(GO, OPEN_WEBUI),
)
def of_other_hosts(target: Target) -> Verdict:
    """Models of other hosts are listed with host and namespace, as they are spelt."""
    token = target.setup.token
    names = (
        f"Parallama-{token}.Example:5000/library/e", f"p-{token}.example/library/Fg:T.1",
        f"p{token}/Ns_{token}/h",
    )  # fmt: skip
    for name in names:
        _ = copied(target, name).ok
    listed = [one for one in models(target) if token in one["name"]]
    found = {one["name"]: one["model"] for one in listed}
    wanted = {tagged(name): tagged(name) for name in names}
    return expect({key: found.get(key) for key in wanted}, wanted)
