"""Class safety: names, digests, paths and files that want out of their place are refused."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import SDKS
from ..evidence import Exchange, Json, Wrong
from ..forged import lying_gguf, lying_safetensors, zipped
from ..provision import upload
from ..script import weights
from ..target import NOBODY, Target
from .busy import offered
from .create import NOWHERE, failure
from .manage import models

OUTSIDE = (
    "..", "../x", "../../etc/passwd", "/etc/passwd", "a/../b", "a/..", "./a", "a/./b", "a//b",
    "a:../b", "..:x", "a\\..\\b", "C:\\x", "a%2f..%2fb", "~/x", "a/b/c/d", ".a", "a:b/c",
)  # fmt: skip
ODD = (
    "a\0b",
    "a\nb",
    "a\r\nX-Evil: 1",
    "a\tb",
    "a b",
    "a\x1b[31m",
    "a\u202eb",
    "é",
    "a?b",
    "a" * 5000,
    "a\\b",
    "a%2fb",
    "a%20b",
    "a\uff0fb",
)
PATHS = (
    "../a.gguf",
    "/etc/a.gguf",
    "a/../../b.gguf",
    "./a.gguf",
    "a//b.gguf",
    "",
    "a/",
    "..",
    "a/..",
)
ZEROS = "0" * 64
DIGESTS = (
    f"sha256:{'0' * 63}", f"sha256:{'0' * 65}", f"sha1:{'0' * 40}", f"sha256:{'g' * 64}", ZEROS,
    f"sha256:{'0' * 62}..", f"SHA256:{ZEROS}", f"sha256:{'0' * 61}%00", f"sha256:{ZEROS}%0a",
    "sha256:../../x", "..%2f..%2fx", f"sha256:..%2f{'0' * 61}", f"sha256:{ZEROS}/x",
    f"sha256:{ZEROS}%0d%0aX-Evil:%201",
)  # fmt: skip
PLACES = re.compile(
    r"(/(home|root|usr|var|tmp|opt|private|Users|Library|Applications|mnt|srv)/[\w.@-]+)"
    r"|[A-Z]:\\\\?\w|Traceback \(most recent|File \"|goroutine \d|\.(py|go|js|ts|rs)[\":]\s?\d*"
)


def refusals(target: Target, name: str) -> Iterable[Exchange]:
    """A model name, given in every place that takes one."""
    aside = "parallama-check-aside"
    yield target.post("/api/chat", model=name, messages=[])
    yield target.post("/api/generate", model=name)
    if "manage" not in target.setup.absent:
        yield target.post("/api/show", model=name)
        yield target.post("/api/copy", source=name, destination=aside)
        yield target.post("/api/copy", source=target.setup.model or NOBODY, destination=name)
        yield target.delete("/api/delete", model=name)
    if "create" not in target.setup.absent:
        yield target.post("/api/create", {"model": name, "from": target.setup.model or NOBODY})
        yield target.post("/api/create", {"model": aside, "from": name}, stream=False)


def is_refused(got: Exchange) -> Verdict:
    """Passed if it is a JSON error of 4xx, and no header was slipped in."""
    if got.header("X-Evil") is not None:
        return expect_that(False, "no header out of a name", got.headers, got)
    return expect_error(got, (400, 404))


@check(
    "safety/names-stay-inside",
    MUST,
    group="safety",
    source="types/model/name.go:Filepath",
    covers=("SEC-21", "NAME-16", "SEC-42", "NAME-03", "NAME-05"),
    breaks=(),
)
def names_stay_inside(target: Target) -> Verdict:
    """A model name that is a path, of this system or another, is refused wherever one is given."""
    return every(is_refused(got) for name in OUTSIDE for got in refusals(target, name))


@check(
    "safety/names-are-plain",
    MUST,
    group="safety",
    source="types/model/name.go:isValidPart",
    covers=("SEC-21", "NAME-04", "NAME-17"),
)
def names_are_plain(target: Target) -> Verdict:
    """A model name with a control character, a blank, or other than ASCII letters is refused."""
    return every(is_refused(got) for name in ODD for got in refusals(target, name))


@check(
    "safety/digests-stay-inside",
    MUST,
    group="safety",
    source="manifest/paths.go:BlobsPath",
    covers=("SEC-20", "SEC-41", "SEC-50", "BLOB-01"),
)
def digests_stay_inside(target: Target) -> Verdict:
    """A blob is named by sha256 and 64 hex digits; what else is given leads nowhere."""
    offered(target, "create")
    for digest in DIGESTS:
        for method, body in (("HEAD", None), ("POST", b"x")):
            got = target.request(method, f"/api/blobs/{digest}", body)
            away = got.code in (301, 307, 308) and ".." in digest  # cleaned by the router
            if got.header("X-Evil") or not (away or 400 <= got.code < 500):
                return expect_that(False, f"{method} of {digest}: 400 or 404", got.status, got)
    return expect(target.get(target.heartbeat).code, 200)


@check(
    "safety/created-of-blobs-only",
    MUST,
    group="safety",
    source="server/create.go:CreateHandler",
    covers=("SEC-20", "SEC-22", "SEC-43", "CREATE-01"),
)
def created_of_blobs_only(target: Target) -> Verdict:
    """A model is made of blobs by their digests, never of files of the server."""
    offered(target, "create")
    asks: list[dict[str, Json]] = [
        {"path": "/etc/passwd"},
        {"modelfile": "FROM /etc/passwd"},
        {"path": "/dev/random", "modelfile": "FROM /dev/random"},
        {"from": "/etc/passwd"},
        {"from": "./model"},
    ]
    bare = upload(target, {"a.gguf": weights()})["a.gguf"].removeprefix("sha256:")
    asks += [
        {"files": {"a.gguf": digest}}
        for digest in (
            "", "zzz", "/etc/passwd", "../../x", "sha256:../../../etc/passwd", NOWHERE, bare,
        )
    ]  # fmt: skip
    return every(nothing_is_left(target, one) for one in asks)


def nothing_is_left(target: Target, fields: Mapping[str, Json], what: str = "") -> Verdict:
    """Passed if a model cannot be created so, the reason is told, and none is there after it."""
    name = target.temporary("refused")
    got = target.post("/api/create", {"model": name, **fields})
    if not failure(got):
        raise Wrong("an error", got.loose_text[:200])
    if not got.error_text if got.status != 200 else got.records[-1].keys() != {"error"}:
        raise Wrong("a last record with `error` only", got.records[-1])
    shown = target.post("/api/show", model=name)
    return expect_that(
        shown.code == 404, f"no model after {what or 'the error'}", shown.status, got
    )


@check(
    "safety/file-names-stay-inside",
    MUST,
    group="safety",
    source="server/create.go:CreateHandler",
    covers=("SEC-23", "CREATE-26", "CREATE-01"),
)
def file_names_stay_inside(target: Target) -> Verdict:
    """A file name of a create request that is absolute, or leads up, is 400 at once."""
    offered(target, "create")
    name = target.temporary("paths")
    asked = [target.post("/api/create", model=name, files={path: NOWHERE}) for path in PATHS]
    texts = [expect_error(got, (400,), containing="file path must be relative") for got in asked]
    return every((*texts, expect(target.post("/api/show", model=name).code, 404)))


@check(
    "safety/lying-gguf",
    MUST,
    group="safety",
    source="fs/ggml/gguf.go:Decode",
    covers=("SEC-25", "SEC-18", "SEC-44", "SEC-45"),
    breaks=(),
)
def lying_gguf_refused(target: Target) -> Verdict:
    """A GGUF file that lies of lengths, counts, types or places is an error, and nothing worse."""
    offered(target, "create")
    return _refuses(target, {what: {"a.gguf": one} for what, one in lying_gguf().items()})


@check(
    "safety/lying-safetensors",
    MUST,
    group="safety",
    source="convert/reader_safetensors.go",
    covers=("SEC-18", "SEC-45"),
)
def lying_safetensors_refused(target: Target) -> Verdict:
    """A safetensors file that lies of its header or places is an error, and nothing worse."""
    offered(target, "create")
    config = b'{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4}'
    files = {
        what: {"model.safetensors": one, "config.json": config}
        for what, one in lying_safetensors().items()
    }
    return _refuses(target, files)


@check(
    "safety/archives-not-unpacked",
    MUST,
    group="safety",
    source="server/create.go",
    covers=("SEC-24", "SEC-46"),
)
def archives_not_unpacked(target: Target) -> Verdict:
    """A zip file is no model, whatever it is called."""
    offered(target, "create")
    names = ("a.zip", "a.gguf", "model.safetensors", "a")
    return _refuses(target, {name: {name: zipped()} for name in names})


def _refuses(target: Target, files: Mapping[str, Mapping[str, bytes]]) -> Verdict:
    """Passed if none of these becomes a model, and the server is there after each."""
    for what, given in files.items():
        found = nothing_is_left(target, {"files": upload(target, given)}, what)
        if found.outcome.value != "passed":
            return found
    ours = f"parallama-check-{target.setup.token}/refused"  # another run's are not of this server
    return every(
        (
            expect(target.get(target.heartbeat).code, 200),
            expect([one["name"] for one in models(target) if ours in one["name"]], []),
        )
    )


@check(
    "safety/unfinished-upload-leaves-nothing",
    MUST,
    group="safety",
    source="manifest/layer.go:NewLayer",
    covers=("BLOB-08", "BLOB-05"),
    breaks=SDKS,
)
def unfinished_upload(target: Target) -> Verdict:
    """An upload that breaks off, or is not what it should be, leaves no blob; it can come again."""
    from ..bytewise import hang_up_at
    from ..target import encoded
    from .arrival import requires_plain

    offered(target, "create")
    requires_plain(target)
    content = secrets.token_bytes(6000)
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    request = encoded("POST", path, content, {})
    hang_up_at(target, request, len(content) // 2, 0)
    cut = target.request("HEAD", path)
    other = target.request("POST", path, content[:-1])
    still = target.request("HEAD", path)
    whole = target.request("POST", path, content)
    there = target.request("HEAD", path)
    found = [cut.code, other.code, still.code, whole.code, there.code]
    return expect(found, [404, 400, 404, 201, 200], cut)


@check(
    "safety/errors-tell-no-places",
    SHOULD,
    group="safety",
    source="docs/api/errors.mdx",
    covers=("SEC-29", "SEC-42"),
)
def errors_tell_no_places(target: Target) -> Verdict:
    """An error names no folder of the server and no line of its source."""
    model = target.setup.model or NOBODY
    asked = [
        target.post("/api/generate", model=NOBODY, prompt="x"),
        target.post("/api/chat", model=NOBODY, messages=[]),
        target.post("/api/show", model=NOBODY),
        target.post("/api/copy", source=NOBODY, destination="x"),
        target.delete("/api/delete", model=NOBODY),
        target.request("POST", "/api/chat", b"{"),
        target.post("/api/chat", model=model, messages=5),
        target.post("/api/generate", model=model, prompt="x", options={"num_ctx": "x"}),
        target.post("/api/generate", model=model, prompt="x", format="xml", stream=False),
        target.post(
            "/api/create", model="parallama-check-x", files={"a.gguf": "zzz"}, stream=False
        ),
        target.request("POST", "/api/blobs/zzz", b"x"),
        target.get("/api/parallama-check-nothing"),
    ]
    told = [(got, place[0]) for got in asked if (place := PLACES.search(got.answered.loose_text))]
    return expect_that(
        not told, "no place", told[0][1] if told else None, told[0][0] if told else None
    )


@check(
    "safety/no-debug-routes",
    SHOULD,
    group="safety",
    source="server/routes.go:Serve",
    covers=("SEC-16",),
)
def no_debug_routes(target: Target) -> Verdict:
    """There are no routes for debugging, and no files are served."""
    paths = (
        "/debug/pprof/",
        "/debug/vars",
        "/debug",
        "/slots",
        "/.env",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/../../etc/passwd",
    )
    for path in paths:
        got = target.get(path)
        if got.code not in (
            301,
            307,
            308,
            400,
            401,
            403,
            404,
            405,
        ) and not target.setup.calibration.absent(got):
            return expect_that(False, f"no {path}: 404", got.status, got)
    return expect(got.loose_text.count("root:"), 0, got)
