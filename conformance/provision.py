"""Creates the scripted models on the target, through the API under test, and deletes them again."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence

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


def left(target: Target) -> list[str]:
    """The models of this run that the target lists, those of its registries too."""
    mark = f"parallama-check-{target.setup.token}/"
    try:
        models = target.get("/api/tags").ok.object["models"]
    except Wrong:
        return []
    entries = models if isinstance(models, list) else []
    names = [one.get("name") for one in entries if isinstance(one, dict)]
    return sorted(name for name in names if isinstance(name, str) and mark in name)


def farewell(url: str, names: Sequence[str]) -> str:
    """A command line that deletes models which were kept."""
    body = shlex.quote('{"model": "') + '"$name"' + shlex.quote('"}')
    ask = f"curl -sS -X DELETE {shlex.quote(f'{url}/api/delete')} -d {body}"
    return f"for name in {shlex.join(names)}; do {ask}; done"
