"""Class transfer, part four: what a registry that wants a token is told, and nobody else."""

from __future__ import annotations

import base64
import hashlib
from typing import NoReturn

from ..check import MUST, Verdict, check, every, expect, expect_that, not_testable
from ..clients import GO, OPEN_WEBUI
from ..evidence import Wrong
from ..registry.ed25519 import verify
from ..registry.ledger import SCOPE, TOKEN, Asked, Refusal
from ..target import Target
from ._depot import Depot, depot, failed, succeeded, trouble

EMPTY_SUM = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
KEY_TYPE = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"


def _token_asked(shop: Depot) -> Asked:
    """The first request for a token. Raises Wrong."""
    found = shop.asked("token")
    if not found:
        raise Wrong("a request for a token", shop.log() or "none")
    return found[0]


@check(
    "pull/token",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("REG-20", "REG-24"),
    breaks=(GO,),
)
def token(target: Target) -> Verdict:
    """After a 401 a token is fetched where the challenge says, and all is asked with it."""
    with depot(target) as shop:
        shop.behave(token=True)
        succeeded(shop.pull(shop.offer("private")))
        asked = [one for one in shop.asked() if one.path.startswith("/v2/")]
        bare = [str(one) for one in asked[1:] if one.authorization != f"Bearer {TOKEN}"]
        return every(
            (
                expect([asked[0].authorization, asked[0].status], ["", 401]),
                expect(bare, []),
                expect(len(shop.asked("token")), 1),
            )
        )


@check(
    "pull/token-request",
    MUST,
    group="transfer",
    source="server/auth.go:registryChallenge.URL",
    covers=("REG-22",),
    breaks=(GO,),
)
def token_request(target: Target) -> Verdict:
    """A token is asked for with the challenge's service and scopes, a nonce and the time."""
    with depot(target) as shop:
        shop.behave(token=True)
        name = shop.offer("private")
        shop.pull(name)
        query = _token_asked(shop).query
        scope = f"repository:{shop.namespace}/private:pull,push"
        nonce = query.get("nonce", [""])[0]
        stamp = query.get("ts", [""])[0]
        shop.behave()
        shop.pull(name)
        return every(
            (
                expect(query.get("service"), ["parallama-registry"]),
                expect(sorted(query.get("scope", [])), sorted([scope, SCOPE])),
                expect_that(len(nonce) >= 16, "a nonce", nonce),
                expect_that(stamp.isdecimal() and len(stamp) == 10, "seconds since 1970", stamp),
            )
        )


@check(
    "pull/token-signed",
    MUST,
    group="transfer",
    source="auth/auth.go:Sign",
    covers=("REG-23", "REG-25"),
    breaks=(GO,),
)
def token_signed(target: Target) -> Verdict:
    """The request for a token carries the server's public key and its signature of the request."""
    with depot(target) as shop:
        shop.behave(token=True)
        shop.pull(shop.offer("signed"))
        asked = _token_asked(shop)
        key, _, signature = asked.authorization.partition(":")
        try:
            wire, signed = base64.b64decode(key), base64.b64decode(signature, validate=True)
        except ValueError:
            return expect_that(False, "PUBLIC KEY:SIGNATURE in base64", asked.authorization)
        url = f"{shop.ledger.home}{asked.target}"
        message = f"GET,{url},{EMPTY_SUM}".encode()
        right = wire[:19] == KEY_TYPE and verify(wire[19:], message, signed)
        return expect_that(right, f"an Ed25519 signature of {message!r}", asked.authorization)


@check(
    "pull/token-nonce-is-fresh",
    MUST,
    group="transfer",
    source="auth/auth.go:NewNonce",
    covers=("REG-22",),
    breaks=(GO,),
)
def nonce_is_fresh(target: Target) -> Verdict:
    """No two requests for a token have the same nonce."""
    with depot(target) as shop:
        shop.behave(token=True)
        name = shop.offer("nonce")
        shop.pull(name)
        shop.pull(name)
        found = [one.query.get("nonce", [""])[0] for one in shop.asked("token")]
        return expect_that(len(set(found)) == len(found) > 1, "a nonce for each", found)


@check(
    "pull/token-stays-here",
    MUST,
    group="transfer",
    source="server/download.go:downloadChunk",
    covers=("REG-26", "REG-07", "SEC-49"),
    breaks=(GO,),
)
def token_stays_here(target: Target) -> Verdict:
    """Where a blob is redirected to another host, neither token nor signature goes along."""
    with depot(target) as shop:
        if shop.ledger.elsewhere == shop.ledger.home:
            _one_host()
        shop.behave(token=True)
        succeeded(shop.pull(shop.offer("redirected")))
        found = [one.authorization for one in shop.asked("direct")]
        return every(
            (
                expect_that(bool(found), "requests to the other host", "none"),
                expect([one for one in found if one], []),
            )
        )


def _one_host() -> NoReturn:
    not_testable("the registry is reached by one name only, so there is no other host")


@check(
    "pull/token-refused",
    MUST,
    group="transfer",
    source="server/images.go:makeRequestWithRetry",
    covers=("REG-20", "PULL-03"),
    breaks=(GO,),
)
def token_refused(target: Target) -> Verdict:
    """A token that does not help ends the pull: `unauthorized: access denied`, and no third try."""
    with depot(target) as shop:
        shop.behave(token=True, wants="another")
        name = shop.offer("denied")
        verdict = failed(shop.pull(name), "pull model manifest: unauthorized: access denied")
        tries = len(shop.asked("manifest"))
        return every((verdict, expect(tries, 2), shop.heal(name)))


@check(
    "pull/token-not-given",
    MUST,
    group="transfer",
    source="server/auth.go:getAuthorizationToken",
    covers=("REG-24", "REG-53"),
    breaks=(GO,),
)
def token_not_given(target: Target) -> Verdict:
    """Where no token is given, the pull fails with that refusal's status and body."""
    with depot(target) as shop:
        sorry = b'{"error":"who are you?"}'
        shop.behave(token=True, refusals=(Refusal("token", 403, sorry),))
        name = shop.offer("denied")
        verdict = failed(shop.pull(name), f"403: {sorry.decode()}")
        return every((verdict, shop.heal(name)))


@check(
    "pull/token-from-a-stranger",
    MUST,
    group="transfer",
    source="server/auth_test.go:TestGetAuthorizationTokenRejectsCrossDomain",
    covers=("REG-21", "REG-26", "SEC-49"),
    breaks=(GO, OPEN_WEBUI),
)
def token_from_a_stranger(target: Target) -> Verdict:
    """A challenge that names another host, or none, ends the pull; nothing is sent to that host."""
    with depot(target) as shop:
        if shop.ledger.elsewhere == shop.ledger.home:
            _one_host()
        name = shop.offer("lured")
        shop.behave(token=True, realm=f"{shop.ledger.elsewhere}/token")
        verdict = failed(shop.pull(name), "does not match original host")
        lured = [str(one) for one in shop.asked("token")]
        return every((verdict, expect(lured, []), shop.heal(name)))


@check(
    "pull/nothing-unasked",
    MUST,
    group="transfer",
    source="server/images.go:makeRequest",
    covers=("REG-26", "SEC-02", "SEC-30"),
    breaks=(GO, OPEN_WEBUI),
)
def nothing_unasked(target: Target) -> Verdict:
    """Without a challenge a registry gets no Authorization; the client's own never, nor cookies."""
    with depot(target) as shop:
        name = shop.offer("quiet")
        secret = {"Authorization": "Bearer of-the-client", "Cookie": "session=of-the-client"}
        got = target.send("POST", "/api/pull", {"model": name, "insecure": True}, **secret)
        found = [one.headers for one in shop.asked()]
        odd = [one for one in found if "authorization" in one or "of-the-client" in str(one)]
        return every(
            (
                expect(trouble(got), None, got),
                expect(odd, []),
                expect_that(bool(found), "the registry to be asked", "it was not"),
            )
        )
