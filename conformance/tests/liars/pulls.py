"""Liars about pulling: each wrong in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..honest import Answer, Heard, Lie
from ..lies import answers, entries, error_text, hears, refuses, shows, statuses, values
from .liar import Liar

Record = dict[str, Any]
PULL = "/api/pull"


def flows(change: Callable[[Iterator[Record]], Iterator[Record]], path: str = PULL) -> Lie:
    """The records of every pull (or push) are others; those of one that is not streamed stay."""

    def changed(answer: Answer) -> Answer:
        return answer if answer.live is None else replace(answer, live=change(answer.live))

    return answers(changed, path)


def each(change: Callable[[Record], Record | None], path: str = PULL) -> Lie:
    """Each record is another one, or none."""

    def changed(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            other = change(dict(record))
            if other is not None:
                yield other

    return flows(changed, path)


def failures(text: str, path: str = PULL) -> Lie:
    """Failures are told in other words."""
    return each(lambda one: {"error": text} if "error" in one else one, path)


def without(status: str, path: str = PULL) -> Lie:
    """One status is never told."""
    return each(lambda one: None if one.get("status") == status else one, path)


def _fake(records: Iterator[Record]) -> Iterator[Record]:
    """Says that all went well, and does nothing."""
    del records
    for status in ("pulling manifest", "verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}


def _at_the_end(records: Iterator[Record]) -> Iterator[Record]:
    yield from list(records)


def _twice(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        if record.get("status") == "success":
            yield record


def _verified_first(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.get("status") == "pulling manifest":
            yield record
            yield {"status": "verifying sha256 digest"}
        elif record.get("status") != "verifying sha256 digest":
            yield record


def _after_errors(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        if "error" in record:
            yield {"status": "failed"}


def _from_zero(records: Iterator[Record]) -> Iterator[Record]:
    first: dict[str, int] = {}
    for record in records:
        digest, done = record.get("digest", ""), record.get("completed", 0)
        first.setdefault(digest, done)
        yield {**record, "completed": done - first[digest]} if digest else record


def _scaled(record: Record) -> Record:
    if record.get("total"):
        record["completed"] = 100 * record.get("completed", 0) // record["total"]
        record["total"] = 100
    return record


def _pulled(change: Callable[[Record], Any]) -> Lie:
    """What is shown of models that were pulled."""

    def say(heard: Heard, answer: Answer) -> Answer:
        pulled = str(heard.fields.get("model", "")).count("/") == 2
        if heard.path != "/api/show" or not pulled or not isinstance(answer.value, dict):
            return answer
        value = dict(answer.value)
        change(value)
        return replace(answer, value=value)

    return Lie(say=say)


def _dropping(*names: str) -> Lie:
    return hears(lambda one: {key: it for key, it in one.items() if key not in names}, PULL)


def flawed(name: str, check: str, flaw: str) -> Liar:
    """A liar whose courier does wrong."""
    return Liar(name, check, Lie(flaw=flaw))


TOLD = [
    Liar(
        "pulls as server-sent events",
        "pull/stream",
        answers(lambda one: replace(one, media_type="text/event-stream"), PULL),
    ),
    Liar("no success at the end of a pull", "pull/stream", without("success")),
    Liar(
        "done where it is success",
        "pull/stream",
        each(lambda one: {"status": "done"} if one.get("status") == "success" else one),
    ),
    Liar("success of a pull twice", "pull/stream", flows(_twice)),
    Liar("no pulling manifest", "pull/stream", without("pulling manifest")),
    Liar("a status that is a number", "pull/stream", each(lambda one: {**one, "status": 1})),
    Liar("verifies before it pulls", "pull/order", flows(_verified_first)),
    Liar("tells no verification", "pull/order", without("verifying sha256 digest")),
    Liar("tells no writing", "pull/order", without("writing manifest")),
    Liar(
        "words of the documentation",
        "pull/order",
        each(
            lambda one: (
                {"status": "removing any unused layers"}
                if one.get("status") == "writing manifest"
                else one
            )
        ),
    ),
    flawed("tells nothing while it pulls", "pull/progress", "silent"),
    Liar(
        "progress without totals",
        "pull/progress",
        each(lambda one: {key: it for key, it in one.items() if key != "total"}),
    ),
    Liar("progress in percent", "pull/progress", each(_scaled)),
    Liar(
        "progress without digests",
        "pull/progress",
        each(lambda one: {key: it for key, it in one.items() if key != "digest"}),
    ),
    Liar(
        "downloading where it is pulling",
        "pull/progress",
        each(lambda one: {**one, "status": "downloading"} if "digest" in one else one),
    ),
    Liar(
        "whole digests in statuses",
        "pull/progress",
        each(lambda one: {**one, "status": f"pulling {one['digest']}"} if "digest" in one else one),
    ),
    Liar(
        "complete from the start",
        "pull/progress",
        each(lambda one: {**one, "completed": one["total"]} if "total" in one else one),
    ),
    Liar("progress at the end", "pull/progress-is-told-as-made", flows(_at_the_end)),
    Liar("always streams pulls", "pull/whole", hears(lambda one: {**one, "stream": True}, PULL)),
    Liar("done for a whole pull", "pull/whole", values(shows(status="done"), PULL)),
    Liar("knows no name in a pull", "pull/by-name", _dropping("name")),
    Liar("says that it pulled", "pull/usable", flows(_fake)),
    flawed("loses the template", "pull/usable", "loses the template"),
    Liar(
        "lists pulled models without their host",
        "pull/listed",
        entries(lambda one: one.update(name=one["name"].rpartition("/")[2]), "/api/tags"),
    ),
    Liar(
        "digests of nothing",
        "pull/listed",
        entries(lambda one: one.update(digest="0" * 64), "/api/tags"),
    ),
    Liar(
        "the size of the weights only",
        "pull/listed",
        entries(lambda one: one.update(size=960064), "/api/tags"),
    ),
    Liar("shows no license", "pull/shown", values(shows(license=None), "/api/show")),
    Liar(
        "shows another template",
        "pull/shown",
        _pulled(lambda one: one.update(template="{{ .Prompt }}")),
    ),
    Liar(
        "pulled models can less",
        "pull/equals-created",
        _pulled(lambda one: one.update(capabilities=["completion"])),
    ),
    Liar(
        "pulled models are unknown",
        "pull/equals-created",
        _pulled(lambda one: one.update(details={**one["details"], "family": ""})),
    ),
]

STORE = [
    flawed("fetches again what is there", "pull/again", "fetches all again"),
    flawed("fetches the config first", "pull/again", "config first"),
    flawed("fetches again what others have", "pull/shares-blobs", "fetches all again"),
    flawed("never updates", "pull/updates", "keeps the old"),
    flawed("hoards blobs", "pull/update-cleans-up", "hoards"),
    flawed("two models by case", "pull/case-of-names", "knows case"),
    Liar("404 for a bad name of a pull", "pull/refuses-names", statuses(400, 404, PULL)),
    Liar(
        "model is required for a pull",
        "pull/refuses-names",
        error_text("model is required", PULL, status=400),
    ),
    Liar("EOF for an empty pull", "pull/refuses-bodies", error_text("EOF", PULL, status=400)),
    flawed("wants layers", "pull/empty-manifest", "wants layers"),
    flawed("no empty blobs", "pull/empty-layer", "no empty blobs"),
    flawed("writes manifests anew", "pull/unknown-fields", "writes anew"),
]

FAULTS = [
    Liar("404 in a pull", "pull/missing-manifest", failures("pull model manifest: 404")),
    Liar(
        "says only file does not exist",
        "pull/missing-manifest",
        failures("file does not exist"),
    ),
    Liar("404 for a failed pull", "pull/status-of-failures", statuses(500, 404, PULL)),
    Liar("200 for a failed pull", "pull/missing-manifest", statuses(500, 200, PULL)),
    Liar(
        "keeps the registry's reasons",
        "pull/registry-errors",
        failures("pull model manifest: registry error"),
    ),
    flawed("takes any manifest", "pull/manifest-is-no-manifest", "any manifest"),
    flawed("skips missing blobs", "pull/missing-blob", "skips what is missing"),
    flawed("verifies nothing", "pull/wrong-digest", "verifies nothing"),
    Liar(
        "does not say which digest",
        "pull/wrong-digest",
        failures("digest mismatch, file must be downloaded again"),
    ),
    flawed("verifies the weights only", "pull/wrong-digest-of-any-blob", "verifies the weights"),
    flawed("keeps wrong blobs", "pull/wrong-digest-of-any-blob", "keeps what is wrong"),
    flawed("keeps wrong blobs as they are", "pull/wrong-digest-of-any-blob", "keeps it as it is"),
    flawed("trusts what is named twice", "pull/wrong-digest-twice", "verifies once"),
    flawed("trusts what it has just fetched", "pull/wrong-digest-twice", "verifies the last"),
    flawed("deletes before it pulls", "pull/failure-keeps-the-old", "deletes first"),
    flawed("lists before it has", "pull/failure-keeps-the-old", "lists early"),
    flawed("lists what it failed to pull", "pull/wrong-digest", "lists early"),
    flawed("takes any digest", "pull/bad-digests", "any digest"),
    Liar("calls every manifest bad", "pull/bad-digest-texts", failures("bad manifest")),
    Liar("goes on after errors", "pull/error-is-told-once", flows(_after_errors)),
    Liar(
        "errors with a status",
        "pull/error-is-told-once",
        each(lambda one: {**one, "status": "error"} if "error" in one else one),
    ),
    Liar(
        "errors in an object",
        "pull/error-is-told-once",
        each(lambda one: {"error": {"message": one["error"]}} if "error" in one else one),
    ),
    Liar("no reason for nobody there", "pull/unreachable", failures("pull failed")),
]

WAYS = [
    flawed("TLS in spite of insecure", "pull/insecure-is-plain", "always secure"),
    flawed("plain in spite of secure", "pull/secure-without-insecure", "always plain"),
    Liar(
        "knows no schemes",
        "pull/scheme-prefix",
        refuses(PULL, lambda one: str(one.get("model")).startswith("http://")),
    ),
    flawed("any tag is latest", "pull/asks-for-the-manifest", "always latest"),
    flawed("accepts any manifest type", "pull/asks-for-the-manifest", "accepts anything"),
    flawed("fetches everything twice", "pull/asks-for-blobs", "fetches twice"),
    flawed("a byte too many", "pull/ranges", "range past the end"),
    flawed("no ranges", "pull/ranges", "no range"),
    flawed("no redirects", "pull/redirected", "no redirects"),
    flawed("no second redirect", "pull/redirected-often", "one redirect"),
    Liar("success for nothing", "pull/served-where-asked", flows(_fake)),
    Liar("success at the end of no way", "pull/redirected-otherwise", flows(_fake)),
    flawed("says it is urllib", "pull/says-who-it-is", "no agent"),
    flawed("forgets its token", "pull/token", "forgets tokens"),
    flawed("asks for the first scope", "pull/token-request", "first scope"),
    flawed("signs nothing", "pull/token-signed", "unsigned"),
    flawed("signs something else", "pull/token-signed", "signs the realm"),
    flawed("one nonce for all", "pull/token-nonce-is-fresh", "same nonce"),
    flawed("shows its token to anyone", "pull/token-stays-here", "token to anyone"),
    flawed("does not give up", "pull/token-refused", "third try"),
    flawed("takes no for a token", "pull/token-not-given", "any token"),
    flawed("asks strangers for tokens", "pull/token-from-a-stranger", "any realm"),
    flawed("passes the client's token on", "pull/nothing-unasked", "forwards the client"),
]

TIME = [
    flawed("starts over after a cut", "pull/goes-on-after-a-cut", "starts over"),
    flawed("ends with a cut", "pull/goes-on-after-a-cut", "no second try"),
    flawed("keeps error pages", "pull/tries-a-part-again", "keeps error pages"),
    flawed("forgets cancelled pulls", "pull/cancelled-and-continued", "forgets parts"),
    flawed("pulls for nobody", "pull/cancelled-lets-go", "never lets go"),
    Liar("counts from where it went on", "pull/progress-goes-on", flows(_from_zero)),
    flawed("one pull at a time", "pull/others-are-served", "one at a time"),
    flawed("fetches for each", "pull/shared-download", "shares nothing"),
    flawed("ends for all", "pull/one-of-two-leaves", "the first who leaves"),
    flawed("busy with one pull", "pull/many-at-once", "busy"),
]

PULLS = [*TOLD, *STORE, *FAULTS, *WAYS, *TIME]
