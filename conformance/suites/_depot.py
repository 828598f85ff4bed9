"""A registry beside the target, for one check: offers models, and has the target fetch and bring.

No check is in here. What reads a stream of progress is, for pull and push alike.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ..check import Verdict, expect, expect_that, not_testable
from ..evidence import Exchange, Json, Record, Wrong
from ..registry.ledger import Asked, Ledger, Manners
from ..registry.server import RegistryServer, registry_server
from ..registry.stock import Package, digest_of, scripted
from ..reply import streams
from ..target import Target
from .manage import models, tagged

LOOPBACK, ALSO_LOOPBACK = "127.0.0.1", "localhost"
PULL, PUSH = "/api/pull", "/api/push"


KEEPERS: set[str] = set()  # runs whose target keeps what it pulls: one model is enough


def _run(target: Target) -> str:
    return f"{target.setup.url} {target.setup.token}"


@dataclass
class Depot:
    """The registry, seen from a check."""

    target: Target
    server: RegistryServer
    namespace: str

    @property
    def ledger(self) -> Ledger:
        """What the registry has and was asked."""
        return self.server.ledger

    @property
    def mark(self) -> str:
        """A word for a model that nobody has seen yet."""
        return secrets.token_hex(5)

    def name(self, word: str) -> str:
        """A name of this registry; the model is deleted from the target when the check is over."""
        name = f"{self.server.authority}/{self.namespace}/{word}"
        self.target.created.append(name)
        return name

    def offer(self, word: str, package: Package | None = None, tag: str = "latest") -> str:
        """Put a model into the registry; what to pull."""
        package = package or scripted(self.mark)
        with self.server.lock:
            self.ledger.offer(f"{self.namespace}/{word}", tag, package)
        return self.name(word) if tag == "latest" else f"{self.name(f'{word}:{tag}')}"

    def behave(self, **manners: Json) -> None:
        """Change how the registry behaves; what is not named is as it should be."""
        with self.server.lock:
            self.ledger.manners = replace(Manners(), **manners)

    def forget(self) -> None:
        """Empty the registry."""
        with self.server.lock:
            self.ledger.manifests.clear()
            self.ledger.blobs.clear()

    def asked(self, kind: str = "", method: str = "") -> list[Asked]:
        """What the target has asked, in order."""
        with self.server.lock:
            kept = list(self.ledger.asked)
        return [one for one in kept if kind in ("", one.kind) and method in ("", one.method)]

    def since(self) -> None:
        """Forget what was asked so far."""
        with self.server.lock:
            self.ledger.asked.clear()

    # -- asking the target ----------------------------------------------------------------------

    def pull(self, name: str, **fields: Json) -> Exchange:
        """Have the target pull."""
        return self.ask(PULL, model=name, **{"insecure": True, **fields})

    def push(self, name: str, **fields: Json) -> Exchange:
        """Have the target push."""
        return self.ask(PUSH, model=name, **{"insecure": True, **fields})

    def ask(self, path: str, **fields: Json) -> Exchange:
        """POST; ends the check where the target cannot come to the registry."""
        got = self.target.post(path, fields)
        return self.reached(got) if path == PULL else got

    def reached(self, got: Exchange) -> Exchange:
        """The answer to a pull; ends the check where the target cannot come to the registry."""
        told = trouble(got) if got.error is None and not self.server.connections else None
        if told is not None and not _refused(got, told) and not self._reached():
            place = f"the registry of this run at {self.server.authority}"
            not_testable(f"the target does not come to {place} (see --registry-host): {told}")
        if self.server.connections and "/api/delete" in self.target.setup.missing:
            KEEPERS.add(_run(self.target))
        return got

    def _reached(self) -> bool:
        """Whether anybody has come to the registry; one who just now comes is waited for."""
        for _ in range(20):
            if self.server.connections:
                return True
            time.sleep(0.01)
        return False

    # -- what has to come of it -----------------------------------------------------------------

    def pulled(self, name: str, **fields: Json) -> Exchange:
        """Pull, and read the stream to its `success`. Raises Wrong.

        The original looks at all manifests when it is done, and clears away empty folders when it
        deletes: another client's delete takes a file from under it, or its folder. Then once more.
        """
        got = self.pull(name, **fields)
        if "no such file or directory" in (trouble(got) or ""):
            got = self.pull(name, **fields)
        return succeeded(got)

    def pushed(self, name: str, **fields: Json) -> Exchange:
        """Push, and read the stream to its `success`. Raises Wrong."""
        return succeeded(self.push(name, **fields))

    def heal(self, name: str) -> Verdict:
        """After a failure: nothing is listed; and with a registry that behaves, a pull succeeds.

        This also clears away what the failure left in the target's store.
        """
        gone = self.listed(name)
        self.behave()
        last = self.pull(name)
        told = trouble(last)
        if gone is not None:
            return expect_that(False, "no model of a pull that failed", dict(gone))
        return expect_that(told is None, "the next pull to succeed", told, last)

    def listed(self, name: str) -> Record | None:
        """The model's entry in /api/tags."""
        wanted = tagged(name).lower()
        return next((one for one in models(self.target) if one["name"].lower() == wanted), None)

    def whole(self, name: str, package: Package) -> Verdict:
        """Whether the model is there, with the manifest and the size that it has here."""
        entry = self.listed(name)
        if entry is None:
            return expect_that(False, f"{tagged(name)} to be listed", "it is not")
        digest = digest_of(package.manifest).removeprefix("sha256:")
        return expect([entry["digest"], entry["size"]], [digest, package.size])

    def log(self) -> str:
        """What was asked, to be shown."""
        return "; ".join(map(str, self.asked()))


@contextmanager
def depot(target: Target) -> Iterator[Depot]:
    """A registry for one check."""
    host, bind = target.setup.registry_host, target.setup.registry_bind
    if host is None and not target.address.is_loopback:
        not_testable(
            "the target is on another machine, which cannot reach a registry on our loopback; "
            "say with --registry-host how it reaches us"
        )
    if _run(target) in KEEPERS:
        why = target.setup.missing["/api/delete"]
        not_testable(f"{why}; what is pulled could not be deleted again")
    elsewhere = host or ALSO_LOOPBACK
    place = bind or host or LOOPBACK
    with ExitStack() as stack:
        try:
            server = stack.enter_context(registry_server(place, host or LOOPBACK, elsewhere))
        except OSError as error:
            not_testable(f"no registry can be opened at {place} (see --registry-bind): {error}")
        yield Depot(target, server, f"parallama-check-{target.setup.token}")


def _refused(got: Exchange, told: str) -> bool:
    """Whether nobody need have come: the target will not, or it went astray."""
    return got.code in range(400, 500) or "ollama.ai" in told


def trouble(got: Exchange) -> str | None:
    """The message of a pull or push that failed; None for one that succeeded. Raises Wrong."""
    if got.code != 200:
        return got.error_text
    last = got.last if streams(got) else got.object
    if "error" in last:
        if not isinstance(last["error"], str) or not last["error"]:
            raise Wrong("`error` to be a non-empty string", last["error"])
        return str(last["error"])
    if last.get("status") != "success":
        raise Wrong("a last record with `error` or with status success", last)
    return None


def succeeded(got: Exchange) -> Exchange:
    """Itself, if it ends in `success`. Raises Wrong."""
    told = trouble(got)
    if told is not None:
        raise Wrong("a last record with status success", told)
    return got


def failed(got: Exchange, containing: str = "") -> Verdict:
    """Passed if it ends in an error that says this, with nothing after it and no success."""
    told = trouble(got)
    if told is None:
        return expect_that(False, "an error", "success", got)
    before = got.records[:-1] if got.code == 200 and streams(got) else []
    if any("error" in one or one.get("status") == "success" for one in before):
        return expect_that(False, "one error, at the end, and no success", got.records, got)
    said = containing.lower() in told.lower()
    return expect_that(said, f"an error that says {containing!r}", told, got)


def statuses(got: Exchange) -> list[str]:
    """The `status` of each record, repetitions taken together. Raises Wrong."""
    found: list[str] = []
    for record in got.records:
        status = record["status"]
        if not isinstance(status, str):
            raise Wrong("`status` to be a string", status)
        if found[-1:] != [status]:
            found.append(status)
    return found


def progress(got: Exchange, digest: str) -> list[Record]:
    """The records about one blob."""
    return [one for one in got.records if one.get("digest") == digest]


def count(record: Record, key: str) -> int:
    """`total` or `completed`; left out, it is 0. Raises Wrong."""
    value = record.get(key, 0)
    if type(value) is not int or value < 0:
        raise Wrong(f"`{key}` to be a whole number", value)
    return value
