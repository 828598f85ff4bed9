"""Class create, part five: what a maker says of a model himself (`info`)."""

from __future__ import annotations

from ..check import SHOULD, Verdict, check, every, expect, expect_error
from ..evidence import Json
from ..target import Target
from .shown import entry

TOLD = {"family": "zebra", "parameter_size": "7Q", "quantization_level": "Q9"}
WRONG: tuple[tuple[str, Json, str], ...] = (
    ("model_family", 3, "a string"),
    ("parameter_size", 7, "a string"),
    ("context_length", "4096", "a number"),
    ("embedding_length", -1, "a non-negative integer"),
    ("context_length", 1.5, "a non-negative integer"),
)


@check(
    "create/info-is-told",
    SHOULD,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-01",),
)
def info_is_told(target: Target) -> Verdict:
    """`info` names family, size and quantisation, and adds capabilities to those there are."""
    name = target.temporary("declared")
    own = target.post("/api/show", model=target.model).ok.object["capabilities"]
    info = {
        "model_family": TOLD["family"],
        "parameter_size": TOLD["parameter_size"],
        "quantization_level": TOLD["quantization_level"],
        "capabilities": ["insert"],
    }
    fields = {"model": name, "from": target.model, "info": info, "stream": False}
    _ = target.post("/api/create", fields).ok
    got = target.post("/api/show", model=name)
    shown, listed = got.ok.object, entry(target, name)["details"]
    return every(
        (
            *(
                expect({key: one.get(key) for key in TOLD}, TOLD, got)
                for one in (shown["details"], listed)
            ),
            expect(sorted(shown["capabilities"]), sorted({*own, "insert"}), got),
        )
    )


@check(
    "create/info-types",
    SHOULD,
    group="create",
    source="server/create.go:CreateHandler",
    covers=("CREATE-01",),
)
def info_types(target: Target) -> Verdict:
    """A wrong type in `info` is 400 and names its field."""
    fields = {"model": target.temporary("misdeclared"), "from": target.model, "stream": False}
    return every(
        expect_error(
            target.post("/api/create", fields, info={key: value}),
            (400,),
            exactly=f'info field "{key}" must be {kind}',
        )
        for key, value, kind in WRONG
    )
