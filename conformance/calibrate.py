"""Learns a target's manners before it is judged: what it says to what cannot exist, what it offers.

Some servers answer 200 to everything; then 200 alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from .evidence import Exchange, Wrong
from .reply import read
from .script import load_script
from .setup import Calibration, placeless
from .target import NOBODY, Target

UNKNOWN_ROUTE = "/api/parallama-check-no-such-route"
YES_OR_NO = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
}
NO_BLOB = f"/api/blobs/sha256:{'0' * 64}"


def calibrate(target: Target) -> Calibration:
    """Ask for a route and a model that cannot exist."""
    routes = {
        "GET": target.get(UNKNOWN_ROUTE),
        "POST": target.post(UNKNOWN_ROUTE, model=NOBODY),
        "DELETE": target.delete(UNKNOWN_ROUTE, model=NOBODY),
        "HEAD": target.request("HEAD", UNKNOWN_ROUTE),
    }
    nobody = target.post(
        "/api/chat",
        model=NOBODY,
        messages=[{"role": "user", "content": "Hello"}],
        stream=False,
        options={"num_predict": 1},
    )
    notes = []
    for method, got in routes.items():
        if got.status is not None and got.status < 400:
            notes.append(f"{method} of a route that cannot exist is answered with {got.status}")
    if nobody.status is not None and nobody.status < 400:
        notes.append(f"a model that cannot exist is answered with {nobody.status}")
    unknown = {
        method: (got.status, placeless(got))
        for method, got in routes.items()
        if got.status is not None
    }
    return Calibration(trusts_status=not notes, notes=tuple(notes), unknown=unknown)


def absent_classes(target: Target) -> dict[str, str]:
    """The classes that this target does not offer at all, each with how we know."""
    probes: dict[str, Callable[[Target], str | None]] = {
        "manage": _no_manage,
        "create": _no_create,
        "lifecycle": _no_lifecycle,
        "embeddings": _no_embeddings,
        "transfer": _no_transfer,
    }
    if target.setup.model is not None:
        probes |= {"thinking": _no_thinking, "tools": _no_tools, "logprobs": _no_logprobs}
        probes["format"] = _no_format
    found = {name: probe(target) for name, probe in probes.items()}
    return {name: reason for name, reason in found.items() if reason is not None}


def _absent(target: Target, got: Exchange) -> bool:
    return got.error is None and target.setup.calibration.absent(got)


def _no_manage(target: Target) -> str | None:
    tags, show = target.get("/api/tags"), target.post("/api/show", model=NOBODY)
    if _absent(target, tags) and _absent(target, show):
        return f"/api/tags and /api/show are answered like unknown routes ({tags.status})"
    return None


def _no_create(target: Target) -> str | None:
    blob, create = target.request("HEAD", NO_BLOB), target.post("/api/create")
    if _absent(target, create) and (blob.status not in (200, 404) or _absent(target, blob)):
        return f"/api/create and /api/blobs are answered like unknown routes ({create.status})"
    return None


def _no_transfer(target: Target) -> str | None:
    pull, push = target.post("/api/pull", model=""), target.post("/api/push", model="")
    if _absent(target, pull) and _absent(target, push):
        return f"/api/pull and /api/push are answered like unknown routes ({pull.status})"
    return None


def _no_embeddings(target: Target) -> str | None:
    new = target.post("/api/embed", model=NOBODY, input="Hello")
    old = target.post("/api/embeddings", model=NOBODY, prompt="Hello")
    if _absent(target, new) and _absent(target, old):
        return f"/api/embed and /api/embeddings are answered like unknown routes ({new.status})"
    return None


def _no_lifecycle(target: Target) -> str | None:
    got = target.get("/api/ps")
    return (
        f"/api/ps is answered like an unknown route ({got.status})"
        if _absent(target, got)
        else None
    )


def _capable(target: Target, capability: str) -> bool:
    """Whether /api/show lists it."""
    try:
        listed = target.post("/api/show", model=target.model).ok.object.get("capabilities")
    except Wrong:
        return False
    return isinstance(listed, list) and capability in listed


def _no_thinking(target: Target) -> str | None:
    if _capable(target, "thinking"):
        return None
    if target.setup.scripted and '"thinking"' in target.chat("think").loose_text:
        return None
    return "/api/show does not list the capability, and no answer has a `thinking`"


def _no_tools(target: Target) -> str | None:
    if _capable(target, "tools"):
        return None
    if target.setup.scripted and '"tool_calls"' in target.chat("tool-call").loose_text:
        return None
    return "/api/show does not list the capability, and no answer has `tool_calls`"


def _no_logprobs(target: Target) -> str | None:
    got = target.chat(logprobs=True, options={"num_predict": 2})
    if '"logprobs"' in got.loose_text:
        return None
    return "no answer to `logprobs: true` has `logprobs`"


def _no_format(target: Target) -> str | None:
    """Asks for JSON where the model would say something else: both routes are asked.

    The original's chat leaves an answer free that could have had a thought, hence no thinking.
    """
    short = {"num_predict": 2}
    asks = (
        target.generate(format=YES_OR_NO, options=short),
        target.chat(format=YES_OR_NO, think=False, options=short),
    )
    for got in asks:
        try:
            if read(got).text.lstrip().startswith("{"):
                return None
        except Wrong:
            continue
    return "no answer to a JSON Schema in `format` begins like an object"


def listed_names(target: Target) -> list[str]:
    """The models that /api/tags lists; none where it lists none."""
    try:
        return sorted(str(one["name"]) for one in target.get("/api/tags").ok.object["models"])
    except (Wrong, TypeError):
        return []


def recites(target: Target, model: str) -> bool:
    """Whether a model that the user named is the scripted one."""
    greeting = load_script().recitals["greeting"]
    got = target.post(
        "/api/generate",
        model=model,
        prompt=greeting.prompt,
        raw=True,
        stream=False,
        options={"temperature": 0, "num_predict": greeting.output_tokens + 4},
    )
    try:
        return read(got).text == greeting.output
    except Wrong:
        return False
