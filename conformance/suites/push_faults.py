"""Class transfer, part nine: pushes of nothing, and pushes that are refused."""

from __future__ import annotations

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import GO, PYTHON, SDKS
from ..registry.ledger import Refusal
from ..target import Target
from ._depot import depot, failed
from .push import PUSHERS, stocked


@check(
    "push/missing",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-02", "PUSH-03", "PUSH-04"),
    breaks=SDKS,
)
def push_missing(target: Target) -> Verdict:
    """A model that is not there is an error, a last record or an error status; nothing is asked."""
    with depot(target) as shop:
        name = shop.name("nobody")
        streamed, whole = shop.push(name), shop.push(name, stream=False)
        return every(
            (
                failed(streamed),
                failed(whole),
                expect_that(whole.code >= 400, "an error status", whole.code, whole),
                expect(shop.log(), ""),
            )
        )


@check(
    "push/missing-is-told",
    SHOULD,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-03",),
    breaks=(GO,),
)
def missing_is_told(target: Target) -> Verdict:
    """`retrieving manifest`, `couldn't retrieve manifest` and the error; unstreamed 500."""
    with depot(target) as shop:
        got, whole = (shop.push(shop.name("nobody"), stream=stream) for stream in (True, False))
        told = [one.get("status") for one in got.records[:-1]]
        return every(
            (
                expect(told, ["retrieving manifest", "couldn't retrieve manifest"], got),
                expect(whole.code, 500, whole),
            )
        )


@check(
    "push/model-required",
    MUST,
    group="transfer",
    source="server/routes.go:PushHandler",
    covers=("PUSH-01", "HTTP-08"),
    breaks=SDKS,
)
def model_required(target: Target) -> Verdict:
    """A push of nothing is 400, `model is required`."""
    return every(
        expect_error(target.post("/api/push", fields), (400,), exactly="model is required")
        for fields in ({}, {"model": ""}, {"model": "", "name": ""})
    )


@check(
    "push/refuses-names",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-04", "NAME-15", "NAME-18", "SEC-21", "SEC-42"),
    breaks=(GO,),
)
def push_refuses_names(target: Target) -> Verdict:
    """A name that cannot be, or that would be a path, is an error, and no registry is asked."""
    with depot(target) as shop:
        at = shop.server.authority
        names = ("a b", f"{at}/../m", f"{at}/a/b/c", f" {at}/n/m", f"{at}/n/../../m", f"{at}/n/m:")
        return every((*(failed(shop.push(name)) for name in names), expect(shop.log(), "")))


@check(
    "push/forbidden",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("PUSH-07",),
    breaks=(GO,),
)
def forbidden(target: Target) -> Verdict:
    """What the registry forbids is passed on: the status and the body of its refusal."""
    with depot(target) as shop:
        name, _ = stocked(shop, "forbidden")
        sorry = b'{"errors":[{"code":"DENIED","message":"access denied"}]}'
        shop.behave(refusals=(Refusal("manifest", 403, sorry, "PUT"),))
        return failed(shop.push(name), f"403: {sorry.decode()}")


@check(
    "push/unauthorised",
    MUST,
    group="transfer",
    source="server/images.go:errUnauthorized",
    covers=("PUSH-07", "REG-20"),
    breaks=(GO, PYTHON),
)
def unauthorised(target: Target) -> Verdict:
    """Where no token helps, a push fails: `unauthorized: access denied`; nothing is uploaded."""
    with depot(target) as shop:
        name, _ = stocked(shop, "unauthorised")
        shop.behave(token=True, wants="another")
        whole = shop.push(name, stream=False)
        return every(
            (
                failed(shop.push(name), "unauthorized: access denied"),
                failed(whole, "unauthorized: access denied"),
                expect_that(whole.code >= 400, "an error status", whole.code, whole),
                expect(sorted(shop.ledger.blobs), []),
            )
        )


@check(
    "push/leaves-the-model",
    MUST,
    group="transfer",
    source="server/images.go:PushModel",
    covers=("PUSH-06",),
    breaks=PUSHERS,
)
def leaves_the_model(target: Target) -> Verdict:
    """A pushed model is still there as it was, after a push that fails, too."""
    with depot(target) as shop:
        name, package = stocked(shop, "stays")
        shop.pushed(name)
        shop.behave(refusals=(Refusal("manifest", 403, b"{}", "PUT"),))
        verdict = failed(shop.push(name))
        return every((verdict, shop.whole(name, package)))
