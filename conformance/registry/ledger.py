"""The registry's protocol, without sockets, clocks and threads: a request in, a reply out.

Routes, as Ollama's registry has them: manifests and blobs under /v2/, uploads that move on from
address to address; and beside them what it redirects to: /direct (downloads), /stash (uploads),
/detour (a redirect more), /token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from .stock import MANIFEST, Package, digest_of

PATHS = (
    ("manifest", re.compile(r"/v2/(?P<repository>[^/]+/[^/]+)/manifests/(?P<name>[^/]+)")),
    ("start", re.compile(r"/v2/(?P<repository>[^/]+/[^/]+)/blobs/uploads/?")),
    ("blob", re.compile(r"/v2/(?P<repository>[^/]+/[^/]+)/blobs/(?P<name>[^/]+)")),
    ("upload", re.compile(r"/v2/(?P<repository>[^/]+/[^/]+)/uploads/(?P<name>\d+)/(?P<state>\d+)")),
    ("detour", re.compile(r"/detour/(?P<state>\d+)/(?P<name>[^/]+)")),
    ("direct", re.compile(r"/direct/(?P<name>[^/]+)")),
    ("stash", re.compile(r"/stash/(?P<name>\d+)/(?P<state>\d+)")),
    ("token", re.compile(r"/token")),
)
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
TOKEN = "parallama-check-token"  # guards nothing
JSON = (("Content-Type", "application/json"),)


@dataclass
class Asked:
    """One request, as the target sent it, and what became of it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes
    target: str = ""  # path and query as they were written
    kind: str = "unknown"
    name: str = ""  # of the blob, the tag or the upload
    repository: str = ""
    status: int = 0
    sent: int = 0  # bytes of the body that were handed to the network
    cut: bool = False  # by us
    left: bool = False  # the target hung up before the end

    @property
    def host(self) -> str:
        """The host that the target meant, without its port."""
        return self.headers.get("host", "").partition(":")[0]

    @property
    def authorization(self) -> str:
        """What it brought to be let in."""
        return self.headers.get("authorization", "")

    @property
    def first_byte(self) -> int:
        """Where the wanted range begins; 0 without one."""
        found = RANGE.fullmatch(self.headers.get("range", ""))
        return int(found[1]) if found else 0

    def __str__(self) -> str:
        """As a line of a log."""
        words = [self.method, self.path, str(self.status)]
        words += [self.headers["range"]] if "range" in self.headers else []
        words += [f"{self.sent} bytes"] if self.kind == "direct" else []
        return " ".join(words + (["(left)"] if self.left else []))


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = None  # of a body that is not sent, for HEAD
    slow: bool = False  # may be held, paced and cut


@dataclass(frozen=True, slots=True)
class Refusal:
    """Requests that are not served."""

    kind: str
    status: int
    body: bytes = b""
    method: str = ""  # any, if empty
    times: int = 0  # always, if 0
    name: str = ""  # only of this blob
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Manners:
    """How the registry behaves; every field but the first is a nuisance."""

    redirects: bool = True  # blobs lie at another host; else they are served where they are asked
    detours: int = 0  # redirects on the way there
    redirect: int = 307  # the status of the last of them
    refusals: tuple[Refusal, ...] = ()
    altered: Mapping[str, bytes] = field(default_factory=dict)  # digest to what is served of it
    token: bool = False  # nothing without one
    realm: str | None = None  # where tokens are said to be
    wants: str = TOKEN  # the token that opens
    mounts: bool = False
    stashes: bool = False  # chunks are to be brought elsewhere
    addresses: str = "both"  # how uploads are told where to go on: both headers, or one of them
    seconds: float = 0.0  # that a large blob takes
    cut_after: int | None = None  # bytes of the first large blob; the second time it is whole


@dataclass
class Upload:
    """An upload that has begun."""

    repository: str
    content: bytes = b""
    state: int = 0
    stashed: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Ledger:
    """All state of the registry."""

    home: str  # where it is reached, such as http://127.0.0.1:4711
    elsewhere: str  # the same machine by another name
    manners: Manners = field(default_factory=Manners)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def offer(self, repository: str, tag: str, package: Package) -> None:
        """Put a model there."""
        self.manifests[repository.lower(), tag.lower()] = package.manifest
        self.blobs |= {layer.digest: layer.content for layer in package.blobs}

    def answer(self, asked: Asked) -> Reply:
        """Answer a request and write it down."""
        found: dict[str, str] = {}
        for kind, pattern in PATHS:
            match = pattern.fullmatch(asked.path)
            if match is not None:
                found = match.groupdict()
                asked.kind = kind
                break
        asked.name, asked.repository = found.get("name", ""), found.get("repository", "")
        reply = self._reply(asked, int(found.get("state") or 0))
        asked.status = reply.status
        self.asked.append(asked)
        return reply

    def _reply(self, asked: Asked, state: int) -> Reply:
        for refusal in self.manners.refusals:
            if self._refuses(refusal, asked):
                return Reply(refusal.status, (*JSON, *refusal.headers), refusal.body)
        if asked.path.startswith("/v2/") and self._locked(asked):
            return Reply(401, (*JSON, ("WWW-Authenticate", self._challenge(asked))), DENIED)
        match asked.kind, asked.method:
            case "manifest", "GET":
                found = self.manifests.get((asked.repository.lower(), asked.name.lower()))
                return Reply(404, JSON, UNKNOWN) if found is None else Reply(200, PLAIN, found)
            case "manifest", "PUT":
                self.manifests[asked.repository.lower(), asked.name.lower()] = asked.body
                return Reply(201, (("Docker-Content-Digest", digest_of(asked.body)),))
            case "blob", "HEAD" | "GET":
                return self._blob(asked)
            case "detour", "GET":
                return self._onwards(asked.name, state)
            case "direct", "GET":
                return self._content(asked)
            case "start", "POST":
                return self._start(asked)
            case "upload", "PATCH":
                return self._chunk(asked, state)
            case "upload", "PUT":
                return self._commit(asked, state)
            case "stash", "PUT":
                self.uploads[asked.name].stashed[state] = asked.body
                return Reply(200)
            case "token", "GET":
                return Reply(200, JSON, json.dumps({"token": TOKEN}).encode())
        return Reply(404, JSON, UNKNOWN)

    def _refuses(self, refusal: Refusal, asked: Asked) -> bool:
        if asked.kind != refusal.kind or refusal.method not in ("", asked.method):
            return False
        if refusal.name not in ("", asked.name):
            return False
        before = [
            one
            for one in self.asked
            if (one.kind, one.status) == (refusal.kind, refusal.status)
            and refusal.name in ("", one.name)
        ]
        return not refusal.times or len(before) < refusal.times

    # -- being let in ---------------------------------------------------------------------------

    def _locked(self, asked: Asked) -> bool:
        return self.manners.token and asked.authorization != f"Bearer {self.manners.wants}"

    def _challenge(self, asked: Asked) -> str:
        realm = self.manners.realm or f"{self.home}/token"
        scope = f"repository:{asked.repository}:pull,push"
        return f'Bearer realm="{realm}",service="parallama-registry",scope="{scope} {SCOPE}"'

    # -- down -----------------------------------------------------------------------------------

    def _blob(self, asked: Asked) -> Reply:
        content = self.blobs.get(asked.name)
        if content is None:
            return Reply(404, JSON, UNKNOWN)
        if asked.method == "HEAD":
            return Reply(200, BYTES, length=len(content))
        if self.manners.redirects:
            return self._onwards(asked.name, self.manners.detours)
        return self._content(asked)

    def _onwards(self, digest: str, detours: int) -> Reply:
        if detours:
            return Reply(307, (("Location", f"{self.home}/detour/{detours - 1}/{digest}"),))
        return Reply(self.manners.redirect, (("Location", f"{self.elsewhere}/direct/{digest}"),))

    def _content(self, asked: Asked) -> Reply:
        content = self.manners.altered.get(asked.name, self.blobs.get(asked.name))
        if content is None:
            return Reply(404, JSON, UNKNOWN)
        found = RANGE.fullmatch(asked.headers.get("range", ""))
        if found is None:
            # with its own address: the original looks for one even in a 200
            place = (("Location", f"{self.elsewhere}{asked.path}"),)
            here = place if self.manners.redirects else ()
            return Reply(200, (*BYTES, *here), content, slow=True)
        first, last = int(found[1]), int(found[2] or len(content) - 1)
        if first >= len(content):
            return Reply(416, (("Content-Range", f"bytes */{len(content)}"),))
        part = content[first : last + 1]
        said = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        return Reply(206, (*BYTES, ("Content-Range", said)), part, slow=True)

    # -- up -------------------------------------------------------------------------------------

    def _start(self, asked: Asked) -> Reply:
        mount = asked.query.get("mount", [""])[0]
        if mount and self.manners.mounts:
            self.blobs[mount] = b""
            return Reply(201)
        id = str(len(self.uploads) + 1)
        self.uploads[id] = Upload(asked.repository)
        return Reply(202, self._onto(id))

    def _onto(self, id: str) -> tuple[tuple[str, str], ...]:
        """The headers that say where an upload goes on."""
        upload = self.uploads[id]
        place = f"{self.home}/v2/{upload.repository}/uploads/{id}/{upload.state}?_state=s{id}"
        own, usual = ("Docker-Upload-Location", place), ("Location", place)
        match self.manners.addresses:
            case "own":
                return own, ("Location", f"{self.home}/v2/{upload.repository}/uploads/0/0")
            case "usual":
                return (usual,)
        return own, usual

    def _chunk(self, asked: Asked, state: int) -> Reply:
        upload = self.uploads.get(asked.name)
        if upload is None or state != upload.state or "_state" not in asked.query:
            return Reply(404, JSON, UNKNOWN)
        upload.state += 1
        onto = self._onto(asked.name)
        if self.manners.stashes:
            place = f"{self.elsewhere}/stash/{asked.name}/{state}"
            return Reply(307, (onto[0], ("Location", place)))
        upload.content += asked.body
        return Reply(202, (*onto, ("Range", f"0-{max(0, len(upload.content) - 1)}")))

    def _commit(self, asked: Asked, state: int) -> Reply:
        upload = self.uploads.get(asked.name)
        wanted = asked.query.get("digest", [""])[0]
        if upload is None or state != upload.state or "_state" not in asked.query:
            return Reply(404, JSON, UNKNOWN)
        content = upload.content + b"".join(one for _, one in sorted(upload.stashed.items()))
        content += asked.body
        if digest_of(content) != wanted:
            return Reply(400, JSON, _error("DIGEST_INVALID"))
        self.blobs[wanted] = content
        return Reply(201, (("Docker-Content-Digest", wanted),))


def _error(code: str) -> bytes:
    told: dict[str, Any] = {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}
    return json.dumps(told).encode()


SCOPE = "registry:catalog:*"  # a second one, apart by a blank
DENIED, UNKNOWN = _error("UNAUTHORIZED"), _error("NAME_UNKNOWN")
PLAIN = (("Content-Type", "text/plain; charset=utf-8"), ("X-Manifest-Type", MANIFEST))
BYTES = (("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes"))


def read_query(text: str) -> dict[str, list[str]]:
    """The query of a URL."""
    return parse_qs(text, keep_blank_values=True)
