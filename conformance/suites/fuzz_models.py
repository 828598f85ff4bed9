"""Made-up requests about models, family by family: to embed with, create, copy, delete, move.

As in `fuzz`: --fuzz says how many, --fuzz-seed which ones, and a failure is shrunk. What is made
on the way is looked at, and deleted again.
"""

from __future__ import annotations

import json

from ..check import MUST, Verdict, check, every, not_testable
from ..clients import GO, JS, PYTHON, SDKS
from ..evidence import Json, Wrong
from ..extra import embedder
from ..fuzzing import keep_law, keeps_law
from ..fuzzing_models import (
    copied,
    created,
    deleted,
    embedded,
    misnamed,
    plainly_embedded,
    plainly_moved,
    spelt,
    transferred,
)
from ..laws import Case
from ..registry.stock import scripted
from ..spoiling import wrongly_typed
from ..target import NOBODY, Target
from ._depot import Depot, depot
from .fuzz import THOROUGH, misplaced

SOME, FEW, FEWER = 0.6, 0.4, 0.2  # of those that change the store
NOWHERE = f"127.0.0.1:1/{NOBODY}/x"  # no registry is there

Fields = dict[str, Json]


def shown(target: Target, name: str) -> int | None:
    """The status of /api/show for a name; it is looked at aside, and is no evidence."""
    return Target(target.setup, target.patience).post("/api/show", model=name).status


def vanished(target: Target, name: str) -> None:
    """Delete a model, aside."""
    Target(target.setup, target.patience).delete("/api/delete", model=name)


def asked(case: Case) -> Fields:
    """The fields of a request that was made up."""
    fields = json.loads(case.body or b"{}")
    return dict(fields)


@check(
    "fuzz/embed",
    MUST,
    group="embeddings",
    source="docs/api.md#generate-embeddings",
    covers=("EMBED-001", "EMBED-002", "EMBED-010", "REQ-003", "REQ-005"),
    breaks=SDKS,
)
def fuzz_embed(target: Target) -> Verdict:
    """Any embed request that is valid by schema is answered with as many vectors as texts."""
    model = embedder(target)
    found = keep_law(target, plainly_embedded(model))
    return every((found, keeps_law(target, "embed", embedded(model))))


@check(
    "fuzz/wrong-types-of-embed",
    MUST,
    group="embeddings",
    source="api/types.go:EmbedRequest",
    covers=("EMBED-001", "EMBED-013"),
    breaks=SDKS,
)
def fuzz_wrong_types_of_embed(target: Target) -> Verdict:
    """A value of the wrong type, at any place of an embed request, is 400; nothing is embedded."""
    return misplaced(target, {"embed": {"model": embedder(target), "input": "a"}})


@check(
    "fuzz/create",
    MUST,
    group="create",
    source="docs/api.md#create-a-model",
    covers=("CREATE-01", "CREATE-09", "CREATE-28"),
    breaks=SDKS,
)
def fuzz_create(target: Target) -> Verdict:
    """Any request to create a model of another that is valid by schema makes it: show has it."""
    name = target.temporary("fuzzed")

    def after(target: Target, case: Case) -> str | None:
        aside = Target(target.setup, target.patience)
        got = aside.post("/api/show", model=name)
        vanished(target, name)
        try:
            told = got.ok.object
        except Wrong as wrong:
            return f"success was told, but show says {wrong.actual}"
        wanted = asked(case).get("system")
        if wanted and told.get("system") != wanted:
            return f"the system text {told.get('system')!r}, not {wanted!r}"
        return None

    return keeps_law(target, "create", created(name, target.model), SOME, after=after)


@check(
    "fuzz/impossible-names-of-create",
    MUST,
    group="create",
    source="types/model/name.go",
    covers=("CREATE-01", "NAME-15"),
    breaks=(GO,),
)
def fuzz_impossible_names_of_create(target: Target) -> Verdict:
    """A model cannot be created under a name that none can have: 400."""
    asks: dict[str, Fields] = {"create": {"from": target.model}}
    return keeps_law(target, "names-of-create", misnamed(asks, {"create": "model"}), FEW)


@check(
    "fuzz/copy",
    MUST,
    group="manage",
    source="docs/api.md#copy-a-model",
    covers=("COPY-01", "NAME-02", "NAME-08"),
    breaks=SDKS,
)
def fuzz_copy(target: Target) -> Verdict:
    """A model is copied to any name that can be, from any spelling of its own, and is there."""
    prefix = target.temporary("fuzz-")  # a name of ours, and others begin with it

    def after(target: Target, case: Case) -> str | None:
        place = asked(case)["destination"]
        there = shown(target, place)
        vanished(target, place)
        return None if there == 200 else f"copied, but show says {there}"

    return keeps_law(target, "copy", copied(target.model, prefix), FEW, after=after)


@check(
    "fuzz/delete",
    MUST,
    group="manage",
    source="docs/api.md#delete-a-model",
    covers=("DELETE-01", "NAME-08", "CLIENT-JS-OLL-07", "CLIENT-PY-OLL-27"),
    breaks=(PYTHON, JS, GO),
)
def fuzz_delete(target: Target) -> Verdict:
    """A model is deleted by `model` or `name`, in any spelling, and is gone then."""
    name = target.temporary("fuzz-doomed")

    def before(target: Target, case: Case) -> None:
        del case
        aside = Target(target.setup, target.patience)
        copies = (aside.post("/api/copy", source=target.model, destination=name) for _ in "12")
        if not any(got.status == 200 for got in copies):  # one may meet another one's deletion
            not_testable("there is nothing to delete: no copy can be made")

    def after(target: Target, case: Case) -> str | None:
        del case
        there = shown(target, name)
        return None if there == 404 else f"deleted, but show says {there}"

    return keeps_law(target, "delete", deleted(name), FEW, before=before, after=after)


@check(
    "fuzz/show-spelt",
    MUST,
    group="manage",
    source="types/model/name.go",
    covers=("SHOW-01", "NAME-08"),
)
def fuzz_show_spelt(target: Target) -> Verdict:
    """A model is shown by any spelling of its name, as `model` or as `name`."""
    from hypothesis import strategies as st

    from ..laws import Law
    from ..spoiling import encoded

    def case(key: str, given: str, verbose: bool | None) -> Case:
        body = encoded({key: given, "verbose": verbose})
        return Case("POST", "/api/show", body, Law.ANSWERED, "show")

    keys, verbose = st.sampled_from(("model", "name")), st.none() | st.just(False)
    return keeps_law(target, "spelt", st.builds(case, keys, spelt(target.model), verbose), FEW)


@check(
    "fuzz/impossible-names",
    MUST,
    group="manage",
    source="types/model/name.go",
    covers=("NAME-03", "NAME-04", "NAME-15", "NAME-17"),
    breaks=(GO,),
)
def fuzz_impossible_names(target: Target) -> Verdict:
    """A name that no model can have is 400 for show, copy and delete."""
    asks: dict[str, Fields] = {"show": {}, "copy": {"source": target.model}, "delete": {}}
    keys = {"show": "model", "copy": "destination", "delete": "model"}
    return keeps_law(target, "names", misnamed(asks, keys))


@check(
    "fuzz/pull",
    MUST,
    group="transfer",
    source="docs/api.md#pull-a-model",
    covers=("PULL-02", "HTTP-12", "HTTP-17"),
    breaks=SDKS,
)
def fuzz_pull(target: Target) -> Verdict:
    """Any pull that is valid by schema succeeds: by `model` or `name`, streamed or not."""
    with depot(target) as shop:
        return _moves(shop, "pull")


@check(
    "fuzz/push",
    MUST,
    group="transfer",
    source="docs/api.md#push-a-model",
    covers=("PUSH-02", "HTTP-12", "HTTP-17"),
    breaks=SDKS,
)
def fuzz_push(target: Target) -> Verdict:
    """Any push that is valid by schema succeeds: by `model` or `name`, streamed or not."""
    with depot(target) as shop:
        return _moves(shop, "push")


def _moves(shop: Depot, route: str) -> Verdict:
    """Passed if a model of few blobs is moved in each way; both sides have it by then."""
    package = scripted(shop.mark)
    name = shop.offer("fuzzed", package.with_layers([package.weights]))
    shop.pulled(name)
    found = keep_law(shop.target, plainly_moved(route, name))
    cases = transferred(route, name)
    return every((found, keeps_law(shop.target, route, cases, FEWER)))


@check(
    "fuzz/wrong-transfers",
    MUST,
    group="transfer",
    source="api/types.go:PullRequest",
    covers=("PULL-01", "HTTP-12", "NAME-15"),
    breaks=SDKS,
)
def fuzz_wrong_transfers(target: Target) -> Verdict:
    """A wrong type in a pull or push, and a name that none can have in a pull, is 400 at once."""
    fields: Fields = {"model": NOWHERE, "insecure": True}
    setup = target.setup
    cases = wrongly_typed(
        {"pull": fields, "push": fields}, every=setup.fuzz >= THOROUGH, turn=setup.fuzz_seed
    )
    names = misnamed({"pull": {"insecure": True}}, {"pull": "model"})
    return every((keep_law(target, cases), keeps_law(target, "names-of-pull", names, FEW)))
