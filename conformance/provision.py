"""Creates the scripted models on the target, through the API under test, and deletes them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .evidence import Exchange, Json, Wrong
from .script import load_script, safetensors, weights
from .setup import Provision
from .target import Target


def provision(target: Target, prefix: str) -> Provision:
    """Create `PREFIX/scripted` and `PREFIX/plain`; safetensors where GGUF is refused."""
    script = load_script()
    problem: Wrong | None = None
    for files in ({"scripted.gguf": weights()}, safetensors()):
        try:
            digests = upload(target, files)
            for word, template in (("scripted", script.template), ("plain", script.plain_template)):
                create(
                    target,
                    f"{prefix}/{word}",
                    files=digests,
                    template=template,
                    parameters=script.parameters,
                )
            return Provision(created=True)
        except Wrong as error:
            problem = problem or error
    assert problem is not None
    curl = target.exchanges[-1].curl
    return Provision(False, str(problem.expected), str(problem.actual), curl)


def upload(target: Target, files: Mapping[str, bytes]) -> dict[str, str]:
    """Upload each file unless the target has it; file name to digest. Raises Wrong."""
    digests = {}
    for name, content in files.items():
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        digests[name] = digest
        if target.request("HEAD", f"/api/blobs/{digest}").code == 200:
            continue
        got = target.request("POST", f"/api/blobs/{digest}", content).answered
        if got.status not in (200, 201):
            raise Wrong("status 201 for an uploaded blob", f"{got.status}: {got.loose_text[:200]}")
    return digests


def create(target: Target, name: str, **fields: Json) -> Exchange:
    """Create a model and read the stream to its `success`. Raises Wrong."""
    got = target.post("/api/create", model=name, **fields)
    if got.ok.last.get("status") != "success":
        raise Wrong("a last record with status success", got.last)
    return got


def remove(target: Target, names: list[str]) -> None:
    """Delete models; one that is not there is no matter."""
    for name in names:
        target.delete("/api/delete", model=name)
