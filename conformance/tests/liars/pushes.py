"""Liars about pushing: each wrong in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..honest import Answer, Heard, Lie
from ..lies import answers, error_text, hears, shows, statuses, values, with_answers
from .liar import Liar
from .pulls import Record, each, failures, flawed, flows, without

PUSH = "/api/push"


def _fake(records: Iterator[Record]) -> Iterator[Record]:
    del records
    for status in ("retrieving manifest", "pushing manifest", "success"):
        yield {"status": status}


def _backwards(records: Iterator[Record]) -> Iterator[Record]:
    made = list(records)
    yield from [made[0], *(one for one in reversed(made) if "digest" in one)]
    yield from [one for one in made[1:] if "digest" not in one]


def _crashes(heard: Heard, answer: Answer) -> Answer:
    if heard.path == PUSH and ".." in str(heard.fields.get("model")):
        return Answer(500, "text/plain", "Internal Server Error")
    return answer


def _dropping(*names: str) -> Lie:
    return hears(lambda one: {key: it for key, it in one.items() if key not in names}, PUSH)


PUSHES = [
    Liar("no success at the end of a push", "push/stream", without("success", PUSH)),
    Liar("no retrieving manifest", "push/stream", without("retrieving manifest", PUSH)),
    Liar(
        "pushes as plain JSON",
        "push/stream",
        answers(lambda one: replace(one, media_type="application/json"), PUSH),
    ),
    Liar("no pushing manifest", "push/order", without("pushing manifest", PUSH)),
    Liar("tells blobs backwards", "push/order", flows(_backwards, PUSH)),
    Liar(
        "starting upload",
        "push/order",
        each(lambda one: {**one, "status": "starting upload"} if "digest" in one else one, PUSH),
    ),
    Liar(
        "uploads without totals",
        "push/progress",
        each(lambda one: {key: it for key, it in one.items() if key != "total"}, PUSH),
    ),
    Liar(
        "uploads never complete",
        "push/progress",
        each(lambda one: {**one, "completed": 1} if "digest" in one else one, PUSH),
    ),
    Liar("always streams pushes", "push/whole", hears(lambda one: {**one, "stream": True}, PUSH)),
    Liar("done for a whole push", "push/whole", values(shows(status="done"), PUSH)),
    Liar("knows no name in a push", "push/by-name", _dropping("name")),
    flawed("brings no config", "push/brings-all", "no config"),
    Liar("says that it pushed", "push/brings-all", flows(_fake, PUSH)),
    flawed("pushes to latest", "push/tag", "always latest"),
    flawed("pushes copies as the original", "push/copied", "pushes the original"),
    flawed("pushes no parameters", "push/there-and-back", "no params"),
    flawed("brings again what is there", "push/again", "brings all again"),
    Liar("success for a push of nobody", "push/missing", flows(_fake, PUSH)),
    Liar("200 for a push of nobody", "push/missing", statuses(500, 200, PUSH)),
    Liar(
        "only the error",
        "push/missing-is-told",
        without("couldn't retrieve manifest", PUSH),
    ),
    Liar(
        "invalid where it is missing",
        "push/model-required",
        error_text("invalid model name", PUSH, status=400),
    ),
    Liar("crashes at odd names", "push/refuses-names", with_answers(_crashes)),
    Liar("pushes any name", "push/refuses-names", flows(_fake, PUSH)),
    flawed("takes no for a yes", "push/forbidden", "ignores refusals"),
    Liar("keeps the reason", "push/forbidden", failures("push failed", PUSH)),
    Liar("401 and no more", "push/unauthorised", failures("401", PUSH)),
    flawed("gives its model away", "push/leaves-the-model", "loses what it pushed"),
    flawed("uploads without asking", "push/asks-first", "asks nothing"),
    flawed("manifest before its blobs", "push/manifest-is-last", "manifest first"),
    flawed("a manifest of plain JSON", "push/manifest-is-last", "plain JSON"),
    flawed("ranges past the end", "push/chunks", "ranges past the end"),
    flawed("all in one PUT", "push/commit", "all in the PUT"),
    flawed("an etag without a count", "push/etag", "half an etag"),
    flawed("goes by Location", "push/upload-address", "goes by Location"),
    flawed("knows no Location", "push/upload-address", "knows no Location"),
    flawed("mounts anything", "push/mount", "mounts anything"),
    flawed("never mounts", "push/mount", "never mounts"),
    flawed("brings what is mounted", "push/mounted", "brings what is mounted"),
    flawed("its token goes elsewhere", "push/brought-elsewhere", "token to anyone"),
    flawed("brings nothing elsewhere", "push/brought-elsewhere", "brings nothing elsewhere"),
    flawed("forgets its token in a push", "push/token", "forgets tokens"),
    flawed("gives up at once", "push/tries-again", "no second try"),
    flawed("loses where layers come from", "push/manifest-kept", "loses origins"),
    flawed("pushes plainly", "push/insecure-is-plain", "always plain"),
    flawed("pushes with the client's token", "push/nothing-unasked", "forwards the client"),
]
