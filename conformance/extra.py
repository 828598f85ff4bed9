"""Models beyond those that `prepare` creates: made when the first check asks for one.

The embedding model and the one that sees cost time that most runs need not spend. Several
processes share a run, so what came of it stands in a file of the run's own.
"""

from __future__ import annotations

import fcntl
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .check import Outcome, Undecided, not_judged, not_testable
from .evidence import Wrong
from .provision import create, remove, upload
from .reply import read
from .script import SEEING, Script, folder_files, load_script
from .setup import Setup
from .target import Target
from .vectors import Vectors, embedding_forms, load_vectors, read_vectors


@dataclass(frozen=True, slots=True)
class Extra:
    """What came of making a model."""

    name: str | None  # None: there is none, for the reason
    scripted: bool = True  # else the user's own
    reason: str = ""
    outcome: Outcome = Outcome.NOT_OFFERED  # of a check that needs it, where there is none


def embedder(target: Target) -> str:
    """A model that embeds; ends the check where there is none."""
    return _name(_extra(target, "embedding", _embedding))


def vectors(target: Target) -> Vectors:
    """What the embedding model has to answer; ends the check where it is an ordinary one."""
    extra = _extra(target, "embedding", _embedding)
    _name(extra)
    if not extra.scripted:
        not_judged("needs the scripted embedding model, whose vectors are known")
    return load_vectors()


def seer(target: Target) -> str:
    """The scripted model that sees; ends the check where there is none."""
    return _name(_extra(target, "vision", _vision))


def album() -> Script:
    """What the model that sees says of which pictures."""
    return load_script(SEEING)


def dismiss_extras(target: Target) -> None:
    """Delete what was made in this run, unless it is to be kept, and the files that tell of it."""
    for word in ("embedding", "vision"):
        place = _place(target.setup, word)
        if place.exists():
            name = _called(target.setup, word)
            target.post("/api/generate", model=name, keep_alive=0)  # else its weights stay loaded
            remove(target, [] if target.setup.keep else [name])
            place.unlink(missing_ok=True)


def _name(extra: Extra) -> str:
    if extra.name is None:
        raise Undecided(extra.outcome, extra.reason)
    return extra.name


def _extra(target: Target, word: str, make: Callable[[Target, str], Extra]) -> Extra:
    """The model of this word: given, made before, or made now."""
    setup = target.setup
    if word in setup.extras:
        return Extra(setup.extras[word])
    if setup.provision is not None and not setup.provision.created:
        not_testable("there is no model: none could be created; name one with --model")
    with _place(setup, word).open("a+") as told:
        fcntl.flock(told, fcntl.LOCK_EX)
        told.seek(0)
        known = told.read()
        if known:
            return _extra_of(json.loads(known))
        found = make(Target(setup), _called(setup, word))  # aside: this is no evidence
        told.write(json.dumps(asdict(found)))
        return found


def _extra_of(document: dict[str, Any]) -> Extra:
    return Extra(**{**document, "outcome": Outcome(document["outcome"])})


def _called(setup: Setup, word: str) -> str:
    return f"parallama-check-{setup.token}/{word}"


def _place(setup: Setup, word: str) -> Path:
    return Path(tempfile.gettempdir()) / f"parallama-check-{setup.token}-{word}.json"


def _made(
    target: Target,
    name: str,
    forms: tuple[Callable[[], Mapping[str, bytes]], ...],
    **fields: object,
) -> str | None:
    """Create a model from the first form that is taken; why none was, or None."""
    problem = None
    for form in forms:
        try:
            create(target, name, files=upload(target, form()), **fields)
            return None
        except Wrong as wrong:
            problem = problem or f"expected {wrong.expected}, got {wrong.actual}"
    return problem


def _embedding(target: Target, name: str) -> Extra:
    """The scripted embedding model; the user's own model where there is one and it embeds."""
    own = target.setup.model
    if target.setup.provision is None and own is not None:
        try:
            if read_vectors(target.post("/api/embed", model=own, input="Hello")):
                return Extra(own, scripted=False)
        except Wrong:
            pass
        return Extra(None, False, f"needs a model that embeds; {own} does not", Outcome.NOT_JUDGED)
    forms = tuple(partial(lambda one: one, one) for one in embedding_forms())
    problem = _made(target, name, forms)
    return (
        Extra(None, reason=f"an embedding model cannot be created: {problem}")
        if problem
        else Extra(name)
    )


def _vision(target: Target, name: str) -> Extra:
    """The scripted model that sees, if the target can see with it."""
    if target.setup.provision is None:
        return Extra(None, False, "needs the scripted vision model, and --model names another",
                     Outcome.NOT_JUDGED)  # fmt: skip
    script = album()
    forms = (
        lambda: {
            one: (SEEING / one).read_bytes() for one in ("scripted-vision.gguf", "mmproj.gguf")
        },
        lambda: folder_files(SEEING / "safetensors"),
    )
    problem = _made(target, name, forms, template=script.template, parameters=script.parameters)
    if problem is not None:
        return Extra(None, reason=f"a model that sees cannot be created: {problem}")
    return _seeing(target, name)


def _seeing(target: Target, name: str) -> Extra:
    recital = album().recitals["picture-red"]
    options = {"temperature": 0, "num_predict": 2 * recital.output_tokens}
    got = target.post("/api/chat", {"model": name, **recital.asked}, stream=False, options=options)
    if got.status == 501:
        return Extra(None, reason=f"pictures are answered with 501: {got.loose_text[:200]}")
    try:
        if read(got).text == recital.content:
            return Extra(name)
    except Wrong:
        pass
    try:
        listed = target.post("/api/show", model=name).ok.object.get("capabilities")
    except Wrong:
        listed = None
    if isinstance(listed, list) and "vision" in listed:
        return Extra(name)
    return Extra(None, reason="the scripted vision model does not see, and /api/show does not "
                              f"list `vision`: {got.status}, {got.loose_text[:200]}")  # fmt: skip
