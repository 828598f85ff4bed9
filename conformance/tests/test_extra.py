"""Models that checks ask for: made once, when they are asked for, and gone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ..address import parse_address
from ..check import CHECKS
from ..extra import embedder, seer
from ..run import dismiss, judge, load_checks, prepare
from ..setup import Setup
from ..target import Target
from .honest import TRUTH, Answer, Heard, Lie, Server, serving_server
from .kinds import digests
from .lies import refuses

load_checks()
TOLD = {"model": "mine", "embeddings": [[0.6, 0.8]], "prompt_eval_count": 1}


@contextmanager
def prepared(lie: Lie = TRUTH) -> Iterator[tuple[Server, Setup]]:
    """A server, and what is known of it."""
    with serving_server(lie) as server:
        setup = prepare(parse_address(server.url), None, silence_s=5.0)
        yield server, setup
        dismiss(setup)


def verdict(id: str, setup: Setup, *claims: str) -> tuple[str, str]:
    """A check's verdict and the reason for it."""
    line = judge(CHECKS[id], setup, claims)
    return line["verdict"], line["reason"] or ""


def names(server: Server) -> set[str]:
    """What the models of a server are for."""
    return {one.rpartition("/")[2].partition(":")[0] for one in server.house.models}


def test_nothing_is_made_unless_asked_for() -> None:
    """Most runs need no model that embeds or sees."""
    with prepared() as (server, setup):
        assert names(server) == {"scripted", "plain"}
        assert verdict("embeddings/one", setup) == ("passed", "")
        assert names(server) == {"scripted", "plain", "embedding"}


def test_made_once() -> None:
    """Two checks, two processes: one model."""
    created = []

    def hear(heard: Heard) -> Heard:
        if heard.path == "/api/create":
            created.append(heard.fields["model"])
        return heard

    with prepared(Lie(hear=hear)) as (_, setup):
        assert embedder(Target(setup)) == embedder(Target(setup))
        assert seer(Target(setup)) == seer(Target(setup))
    assert len(created) == len(set(created)) == 4


def test_gone_at_the_end() -> None:
    """The models, and the files that tell of them."""
    with prepared() as (server, setup):
        embedder(Target(setup))
        seer(Target(setup))
        dismiss(setup)
        assert server.house.models == {}


def test_making_is_no_evidence() -> None:
    """What a check shows is what it asked itself."""
    with prepared() as (_, setup):
        target = Target(setup)
        embedder(target)
        assert target.exchanges == []


@pytest.mark.parametrize("word", ["embedding", "vision"])
def test_what_cannot_be_created_is_not_offered(word: str) -> None:
    """A server without such models is not wrong, unless it was claimed."""
    group, id = (
        ("embeddings", "embeddings/one") if word == "embedding" else ("vision", "vision/chat")
    )

    def extra(fields: dict[str, object]) -> bool:
        return str(fields.get("model")).endswith(word)

    with prepared(refuses("/api/create", extra)) as (_, setup):
        outcome, reason = verdict(id, setup)
        assert (outcome, "cannot be created" in reason) == ("not_offered", True)
        assert verdict(id, setup, group)[0] == "failed"


def blind(heard: Heard, answer: Answer) -> Answer:
    """Whoever shows a picture is told that there is no such thing here."""
    if heard.path == "/api/chat" and "iVBO" in heard.body.decode():
        return Answer(501, value={"error": "images need more"})
    return answer


def test_pictures_that_are_not_built_are_not_offered() -> None:
    """501 says so, whatever /api/show lists."""
    with prepared(Lie(say=blind)) as (_, setup):
        assert verdict("vision/chat", setup)[0] == "not_offered"
        assert verdict("vision/capability", setup)[0] == "not_offered"


def test_who_claims_to_see_is_judged() -> None:
    """A server that lists vision and does not see is wrong."""
    lie = refuses("/api/chat", lambda fields: "iVBO" in str(fields))
    with prepared(lie) as (_, setup):
        assert verdict("vision/chat", setup)[0] == "failed"


def test_routes_that_are_not_there_are_not_offered() -> None:
    """Without a route no model is made."""

    def say(heard: Heard, answer: Answer) -> Answer:
        gone = heard.path in ("/api/embed", "/api/embeddings")
        return Answer(404, "text/plain", "404 page not found") if gone else answer

    with prepared(Lie(say=say)) as (server, setup):
        assert verdict("embeddings/one", setup)[0] == "not_offered"
        assert names(server) == {"scripted", "plain"}


def ordinary(setup: Setup) -> Setup:
    """The same server with a model that its user named."""
    return replace(setup, provision=None, scripted=False, token=f"{setup.token}-own")


def test_users_own_model_embeds_where_it_can() -> None:
    """Its shape is judged, its values are not."""

    def say(heard: Heard, answer: Answer) -> Answer:
        own = heard.path == "/api/embed" and answer.status == 501
        return Answer(200, value={**TOLD, "model": heard.fields["model"]}) if own else answer

    with prepared(Lie(say=say)) as (_, setup):
        own = ordinary(setup)
        assert verdict("embeddings/one", own)[0] == "passed"
        assert verdict("embeddings/values", own)[0] == "not_judged"
        dismiss(own)


def test_users_own_model_that_does_not_embed_is_not_judged() -> None:
    """Nor does it say anything about pictures."""
    with prepared() as (_, setup):
        own = ordinary(setup)
        assert verdict("embeddings/one", own)[0] == "not_judged"
        assert verdict("vision/chat", own)[0] == "not_judged"
        dismiss(own)


def test_files_of_such_models_are_known_to_the_honest_server() -> None:
    """By their bytes."""
    assert set(digests().values()) == {"embedding", "vision"}
