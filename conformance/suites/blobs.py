"""Class create, part two: blobs are uploaded, and are what their digest says."""

from __future__ import annotations

import hashlib
import secrets

from ..check import MUST, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import GO, JS, PYTHON, SDKS
from ..script import weights
from ..target import Target

LARGE = 5 << 20  # bytes: beyond the bodies that frameworks and proxies allow by themselves


@check(
    "blobs/uploaded",
    MUST,
    group="create",
    source="docs/api.md#push-a-blob",
    covers=("BLOB-02", "BLOB-03", "BLOB-04"),
    breaks=(PYTHON, JS),
)
def blob_uploaded(target: Target) -> Verdict:
    """A blob is not there (404), is uploaded (201), is there (200), need not come again (200)."""
    content = f"parallama check {secrets.token_hex(8)}".encode()
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    found = [
        target.request("HEAD", path).code,
        target.request("POST", path, content).code,
        target.request("HEAD", path).code,
        target.request("POST", path, content).code,
        target.request("POST", path, b"").code,
    ]
    return expect(found, [404, 201, 200, 200, 200])


@check(
    "blobs/digest-checked",
    MUST,
    group="create",
    source="server/routes.go:CreateBlobHandler",
    covers=("BLOB-01", "BLOB-05"),
    breaks=SDKS,
)
def digest_checked(target: Target) -> Verdict:
    """Content that is not what its digest says is 400, and is not there; so is a bad digest."""
    content = secrets.token_bytes(40)
    given, actual = (hashlib.sha256(one).hexdigest() for one in (content + b"!", content))
    path = f"/api/blobs/sha256:{given}"
    text = f'digest mismatch, expected "sha256:{given}", got "sha256:{actual}"'
    return every(
        (
            expect_error(target.request("POST", path, content), (400,), exactly=text),
            expect(target.request("HEAD", path).code, 404),
            expect_error(
                target.request("POST", "/api/blobs/zzz", content),
                (400,),
                exactly="invalid digest format",
            ),
        )
    )


@check(
    "blobs/chunked",
    MUST,
    group="create",
    source="ollama-python: _client.py",
    covers=("BLOB-03", "HTTP-24", "CLIENT-PY-OLL-26"),
    breaks=(PYTHON,),
)
def blob_chunked(target: Target) -> Verdict:
    """A blob may be uploaded in chunks, as the Python client does."""
    content = secrets.token_bytes(5000)
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    parts = (content[:1], content[1:4000], content[4000:])
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    got = target.request("POST", path, chunks, {"Transfer-Encoding": "chunked"})
    return every(
        (
            expect(got.code, 201, got),
            expect(target.request("HEAD", path).code, 200),
        )
    )


@check(
    "blobs/either-spelling",
    MUST,
    group="create",
    source="manifest/paths.go:BlobsPath",
    covers=("BLOB-01", "BLOB-02"),
    breaks=(GO,),
)
def either_spelling(target: Target) -> Verdict:
    """`sha256-` is as good as `sha256:`; a digest that is too short, or of another kind, is 400."""
    content = f"parallama check {secrets.token_hex(8)}".encode()
    hexadecimal = hashlib.sha256(content).hexdigest()
    target.request("POST", f"/api/blobs/sha256:{hexadecimal}", content)
    spelt = (f"sha256:{hexadecimal}", f"sha256-{hexadecimal}")
    wrong = (hexadecimal, hexadecimal[:12], f"sha256:{hexadecimal[:63]}", f"md5:{hexadecimal[:32]}",
             f"SHA256:{hexadecimal}", f"sha256:{hexadecimal}0", f"sha256:{'g' * 64}",
             f"sha1:{hexadecimal[:40]}", f"sha512:{hexadecimal * 2}")  # fmt: skip
    found = {one: target.request("HEAD", f"/api/blobs/{one}").code for one in (*spelt, *wrong)}
    wanted = {**dict.fromkeys(spelt, 200), **dict.fromkeys(wrong, 400)}
    refused = [target.request("POST", f"/api/blobs/{one}", content) for one in wrong]
    return every(
        (
            expect(found, wanted),
            *(expect_error(got, (400,), exactly="invalid digest format") for got in refused),
        )
    )


@check(
    "blobs/of-any-size",
    MUST,
    group="create",
    source="server/routes.go:CreateBlobHandler",
    covers=("BLOB-03", "HTTP-06", "SEC-17"),
    breaks=SDKS,
)
def of_any_size(target: Target) -> Verdict:
    """A blob may be large, or nothing at all; its type is not looked at; answers have no body."""
    kinds = (None, "application/x-www-form-urlencoded", "application/json", "multipart/form-data")
    for kind in kinds:
        size = LARGE if kind is None else 2000
        content = secrets.token_bytes(16) + bytes(size)
        path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
        got = target.request("POST", path, content, {"Content-Type": kind} if kind else {})
        found = [got.code, got.body, target.request("HEAD", path).code]
        if found != [201, b"", 200]:
            what = f"{kind or 'no type'}, {len(content)} bytes: 201 without a body, and it is there"
            return expect_that(False, what, found, got)
    nothing = f"/api/blobs/sha256:{hashlib.sha256().hexdigest()}"
    got = target.request("POST", nothing, b"")
    found = [got.code in (200, 201), target.request("HEAD", nothing).code]
    return expect(found, [True, 200], got)


@check(
    "blobs/not-readable",
    SHOULD,
    group="create",
    source="server/routes.go:GenerateRoutes",
    covers=("BLOB-07",),
)
def not_readable(target: Target) -> Verdict:
    """Blobs cannot be read back."""
    digest = f"sha256:{hashlib.sha256(weights()).hexdigest()}"
    got = target.get(f"/api/blobs/{digest}").answered
    return expect_that(got.code >= 400, "405 or another error", got.status, got)
