"""Learns a target's manners before it is judged: what it says to what cannot exist, what it offers.

Some servers answer 200 to everything; then 200 alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from .evidence import Exchange, Wrong
from .reply import read
from .schema import violation
from .script import load_script
from .setup import DENIALS, FAMILIES, Calibration, Setup, lacking, placeless, route_of
from .target import NOBODY, Target

UNKNOWN_ROUTE = "/api/parallama-check-no-such-route"
YES_OR_NO = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}},
    "required": ["answer"],
}
OVER_V1 = {
    "openai": ("/v1/chat/completions", "/v1/completions"),
    "responses": ("/v1/responses",),
    "anthropic": ("/v1/messages",),
}
ROUTES = {
    "/api/version": "GET",
    "/api/tags": "GET",
    "/api/ps": "GET",
    **{f"/api/{word}": "POST" for word in ("chat", "generate", "show", "embed", "embeddings")},
    **{f"/api/{word}": "POST" for word in ("create", "copy", "pull", "push")},
    "/api/delete": "DELETE",
    f"/api/blobs/sha256:{'0' * 64}": "POST",
}
GENERATING = (
    "streaming",
    "options",
    "context",
    "format",
    "thinking",
    "tools",
    "logprobs",
    "vision",
    "concurrency",
)
NOWHERE = f"127.0.0.1:1/{NOBODY}/model"  # a registry that nobody keeps


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
    asked = target.post("/api/generate", model=NOBODY, prompt="Hello")
    return Calibration(
        trusts_status=not notes,
        notes=tuple(notes),
        unknown=unknown,
        nobody=asked.status,
        mislisted=_mislisted(target),
    )


def _mislisted(target: Target) -> str:
    """What is wrong with the list of models as it is found: later it is never empty."""
    got = target.get("/api/tags")
    try:
        return (violation(got.object, "tags", "response") or "") if got.status == 200 else ""
    except Wrong as wrong:
        return str(wrong)


def missing_routes(target: Target) -> dict[str, str]:
    """The paths that are answered like unknown routes, each with a sentence that says so.

    They are asked with half a body, which a route refuses in words of its own before it looks for
    a model; but not where even an unknown route reads its body first.
    """
    json = {"Content-Type": "application/json"}
    half = target.request("POST", UNKNOWN_ROUTE, b"{", json)
    body = b"{" if _absent(target, half) else b'{"model": "%b"}' % NOBODY.encode()
    found = {}
    for path, method in ROUTES.items():
        got = target.request(method, path, None if method == "GET" else body, json)
        known = target.setup.calibration
        if got.error is None and (known.absent(got) or known.denied(got)):
            like = "with" if got.status in DENIALS else "like an unknown route:"
            found[route_of(path)] = f"{route_of(path)} is answered {like} {got.status}"
    return found


def mute(setup: Setup) -> str | None:
    """Why nothing can be generated; None where it can, or where 200 is said to everything."""
    status, _ = setup.calibration.unknown.get("POST", (404, ""))
    return lacking(setup, "generation") if status >= 400 else None


def absent_classes(target: Target) -> dict[str, str]:
    """The classes that this target does not offer at all, each with how we know."""
    probes: dict[str, Callable[[Target], str | None]] = {
        "manage": _no_manage,
        "create": _no_create,
        "lifecycle": _no_lifecycle,
        "embeddings": _no_embeddings,
        "transfer": _no_transfer,
        **{name: partial(_no_route, paths=paths) for name, paths in OVER_V1.items()},
    }
    if target.setup.model is not None:
        probes |= {"thinking": _no_thinking, "tools": _no_tools, "logprobs": _no_logprobs}
        probes["format"] = _no_format
    why = mute(target.setup)
    if why is not None:
        probes = {name: probe for name, probe in probes.items() if name not in GENERATING}
    found = {name: probe(target) for name, probe in probes.items()}
    absent = {name: reason for name, reason in found.items() if reason is not None}
    return absent if why is None else absent | dict.fromkeys(GENERATING, why)


def _absent(target: Target, got: Exchange) -> bool:
    return got.error is None and target.setup.calibration.absent(got)


def _no_manage(target: Target) -> str | None:
    return lacking(target.setup, "manage")


def _no_create(target: Target) -> str | None:
    return lacking(target.setup, "create")


def _no_route(target: Target, paths: tuple[str, ...]) -> str | None:
    """Why a class is absent of which nothing is asked but whether its routes are there."""
    found = [target.post(path, model=NOBODY) for path in paths]
    if all(_absent(target, got) for got in found):
        return f"{' and '.join(paths)} answered like unknown routes ({found[0].status})"
    return None


def _no_transfer(target: Target) -> str | None:
    ask = {"model": NOWHERE, "name": NOWHERE, "insecure": True, "stream": False}
    return lacking(target.setup, "transfer") or _refused(target, "transfer", ask)


def _no_embeddings(target: Target) -> str | None:
    ask = {"model": NOBODY, "input": "Hello", "prompt": "Hello"}
    return lacking(target.setup, "embeddings") or _refused(target, "embeddings", ask)


def _refused(target: Target, family: str, ask: Mapping[str, object]) -> str | None:
    """Whether every route of a family reads what is asked and says that it is not implemented."""
    paths = FAMILIES[family]
    if all(target.post(path, ask).status == 501 for path in paths):
        return f"{' and '.join(paths)} are answered with 501"
    return None


def _no_lifecycle(target: Target) -> str | None:
    return lacking(target.setup, "lifecycle")


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
