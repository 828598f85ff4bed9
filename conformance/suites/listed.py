"""Class manage, part five: lists are whole, in their order, and tell the time."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from itertools import pairwise

from ..check import MUST, Verdict, check, expect, expect_that, not_judged
from ..clients import OPEN_WEBUI, PICKERS, SDKS
from ..moments import moment
from ..target import Target
from .kept import told
from .manage import models, tagged
from .names import copied
from .shown import entry

MANY = 24  # more than a page of a list that is cut into pages
TICK_S = 0.05  # by which the times of files lag behind the clock
CLOCKS_S = 5.0  # between what a server says of the time, and when it wrote something down


@check(
    "tags/newest-first",
    MUST,
    group="manage",
    source="server/model_list_cache.go:sortListModelResponses",
    covers=("TAGS-03", "TAGS-15"),
    breaks=PICKERS,
)
def newest_first(target: Target) -> Verdict:
    """What was made last comes first in a list, whatever its name, and if it was there before."""
    names = [target.model, *(target.temporary(word) for word in ("aa", "zz"))]
    _ = target.post("/api/copy", source=target.model, destination=names[-1]).ok
    for before, name in pairwise(names):  # neither the order of the alphabet nor its reverse
        _next_second(target, before)
        _ = target.post("/api/copy", source=target.model, destination=name).ok
    ours = [tagged(name) for name in names]
    found = [one["name"] for one in models(target) if one["name"] in ours]
    return expect(found, ours[::-1])


def _next_second(target: Target, name: str) -> None:
    """Wait until a time is another one in whole seconds, by which lists are ordered."""
    written = moment(entry(target, name)["modified_at"])
    date = target.exchanges[-1].header("Date")
    over = date is not None and parsedate_to_datetime(date).timestamp() > written
    time.sleep(TICK_S + (0 if over else 1 - written % 1))


@check(
    "tags/time-of-the-server",
    MUST,
    group="manage",
    source="server/model_list_cache.go:buildModelListSummary",
    covers=("TAGS-06", "SHOW-27"),
    breaks=(OPEN_WEBUI, *SDKS),
)
def time_of_the_server(target: Target) -> Verdict:
    """modified_at is the moment of making, its zone included, by the server's own clock."""
    name = target.temporary("timed")
    got = copied(target, name)
    date = got.ok.header("Date")
    if date is None:
        not_judged("it does not say by `Date` what time it is")
    now = parsedate_to_datetime(date).timestamp()
    found = [told(target, name)["modified_at"], entry(target, name)["modified_at"]]
    holds = all(abs(moment(one) - now) < CLOCKS_S for one in found)
    return expect_that(holds, f"{date}, in show and in tags", found, got)


@check(
    "tags/all-of-them",
    MUST,
    group="manage",
    source="server/model_list_cache.go:List",
    covers=("TAGS-02", "COPY-03"),
    breaks=PICKERS,
)
def all_of_them(target: Target) -> Verdict:
    """A list has every model, be they many, be they copies of one: no page, no limit."""
    names = [target.temporary(f"many-{place:02}") for place in range(MANY)]
    for name in names:
        _ = target.post("/api/copy", source=target.model, destination=name).ok
    listed = {one["name"] for one in models(target)}
    missing = [name for name in names if tagged(name) not in listed]
    return expect(missing, [])
