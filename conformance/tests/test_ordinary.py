"""No false alarm for servers that nobody here wrote: with another model, a mock, a proxy.

What is in here was first seen when servers from PyPI and npm were judged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ..address import parse_address
from ..check import CHECKS
from ..provision import create, upload
from ..run import judge, prepare
from ..script import weights
from ..setup import Setup
from ..suites._ordinary import HEEDED
from ..suites.create import GGUF
from ..target import NOBODY, Target
from .honest import TRUTH, Answer, Heard, Lie, serving_server
from .kinds import TEXT
from .lies import forgets_option
from .reciter import RIVALS, Reciter, Token
from .test_liars import THREADS, provided

READ_BODIES = (
    "core/content-type-not-examined",
    "core/chunked-request",
    "core/expect-continue",
    "http/header-names-in-any-case",
    "http/chunks-of-any-form",
    "http/expect-in-any-case",
    "http/bytes-after-the-object",
    "http/pipelined",
    "safety/long-bodies",
)
TIMED = ("transfer", "lifecycle")
CHATML = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
THINKS = (
    "{{- if or .System .Tools }}<|im_start|>system\n{{ .System }}"
    "{{- range .Tools }}<tool_call>{{ .Function }}{{ end }}<|im_end|>\n{{ end }}"
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}"
    "{{ range .ToolCalls }}<tool_call>{{ .Function }}</tool_call>{{ end }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n{{ if and $.IsThinkSet (not $.Think) }}<think>\n\n</think>\n\n{{ end }}"
)
RARE = ("again", "never")
NOISE = random.Random(5)
WORDS = ("and", "he", "of", "sea", "the", "then", "was", "wind")
TALK = ("/api/chat", "/api/generate")
DENIED = Answer(403, value={"error": {"message": "disabled by the router"}})


class Talker(Reciter):
    """Recites what is known, and answers prompts of another template with words of its own."""

    ties: float = 0.0  # share of answers in which a near tie falls the other way
    thinks: bool = False

    def _tokens(self, prompt: str, options: dict[str, Any]) -> tuple[list[Token], bool]:
        if "<|im_start|>" not in prompt:
            return super()._tokens(prompt, options)
        one_left = (
            options["temperature"] == 0
            or options["top_k"] == 1
            or options["top_p"] < 0.01
            or options["min_p"] == 1.0
        )
        seed = None if options["seed"] == -1 else options["seed"]
        drawn = random.Random(repr(prompt) if one_left else seed)
        penalised = options["repeat_penalty"] > 2 and options["repeat_last_n"]
        words = RARE if penalised or options["frequency_penalty"] > 1 else WORDS
        said = [f"{drawn.choice(words)}, " for _ in range(150)]
        if NOISE.random() < self.ties:
            parted = NOISE.randrange(8, 40)
            said[parted:] = [f"{NOISE.choice(words)}, " for _ in said[parted:]]
        if self.thinks and not prompt.endswith("</think>\n\n"):
            said = ["<think>", "\n", *said[:60], "\n", "</think>", "\n\n", *said[60:]]
        return [Token(one, -0.001, ((one, -0.001), *RIVALS)) for one in said], True


@contextmanager
def ordinary(lie: Lie = TRUTH, template: str = CHATML) -> Iterator[Setup]:
    """A server with a model that its user named, and of which we know no word."""
    with serving_server(lie) as server:
        provided(server)
        house = server.house
        mine = replace(house.models.popitem()[1], template=template, digest="a" * 64, kind=TEXT)
        house.models["mine:latest"] = mine
        house.reciter = talker = Talker(house.script)
        talker.thinks = template == THINKS
        setup = prepare(parse_address(server.url), "mine", silence_s=5.0)
        target = Target(setup)
        create(target, target.temporary("held"), files=upload(target, {GGUF: weights()}))
        yield replace(setup, scripted=False)  # it would recite what it is asked raw


def verdicts(setup: Setup, ids: tuple[str, ...], threads: int) -> dict[str, str]:
    """How each of these checks ends."""
    with ThreadPoolExecutor(threads) as pool:
        lines = pool.map(lambda id: judge(replace(CHECKS[id], race=False), setup), ids)
        return {line["id"]: f"{line['verdict']}: {line['actual']}" for line in lines}


def failed(setup: Setup, *ids: str, threads: int = THREADS) -> dict[str, str]:
    """Those that are findings."""
    found = verdicts(setup, ids, threads).items()
    return {id: told for id, told in found if told.startswith(("failed", "not_test", "errored"))}


@pytest.mark.parametrize("template", [CHATML, THINKS], ids=["talks", "thinks"])
def test_ordinary_model_gives_no_alarm(template: str) -> None:
    """A model whose words and template are its own: what cannot be judged is not."""
    with ordinary(template=template) as setup:
        calm = [id for id, one in CHECKS.items()
                if not (one.race or one.alone or one.group in TIMED)]  # fmt: skip
        assert failed(setup, *calm) == {}


def test_ordinary_model_comes_and_goes_without_alarm() -> None:
    """Also where models that the suite creates talk and are loaded beside it."""
    with ordinary() as setup:
        target = Target(setup)
        create(target, target.temporary("beside"), **{"from": "mine"})
        target.post("/api/generate", model=target.created[0], keep_alive="5m")
        ids = [id for id, one in CHECKS.items() if one.group == "lifecycle" and not one.race]
        assert failed(setup, *ids, threads=1) == {}


def test_near_ties_give_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Greedy answers of an ordinary model part late: in company, or after a prompt is kept."""
    monkeypatch.setattr(Talker, "ties", 0.5)
    with ordinary() as setup:
        calm = [id for id, one in CHECKS.items() if not (one.race or one.group in TIMED)]
        assert failed(setup, *calm, threads=1) == {}


@pytest.mark.parametrize("option", HEEDED)
def test_options_of_an_ordinary_model_are_judged(option: str) -> None:
    """That it is heeded, or not, shows in words that nobody knows."""
    id = f"options/heeds/{option.replace('_', '-')}"
    with ordinary() as setup:
        assert verdicts(setup, (id,), 1) == {id: "passed: None"}
    with ordinary(forgets_option(option)) as setup:
        assert verdicts(setup, (id,), 1)[id].startswith("failed")


def anybody(heard: Heard) -> Heard:
    """A mock takes any name for its only model."""
    known = heard.body.replace(NOBODY.encode(), b"parallama-check-liar/scripted")
    return replace(heard, body=known) if heard.path in TALK else heard


@pytest.mark.parametrize("id", READ_BODIES)
def test_body_was_read_also_where_any_model_is_answered_for(id: str) -> None:
    """That a model which cannot exist is answered for is another check's finding."""
    with ordinary(Lie(hear=anybody)) as setup:
        assert setup.calibration.nobody == 200
        assert failed(setup, id) == {}


@pytest.mark.parametrize("id", ["safety/deep-json", "safety/no-http-at-all", "core/kept-alive"])
def test_safety_is_judged_without_a_version(id: str) -> None:
    """Whether a server lives is seen by any route that it has."""
    gone = Answer(404, "text/plain", "404 page not found")
    mute = Lie(say=lambda heard, one: gone if heard.path == "/api/version" else one)
    with ordinary(mute) as setup:
        assert failed(setup, id) == {}


def test_one_model_is_pulled_where_none_can_be_deleted() -> None:
    """A router that keeps its clients from deleting is not left full of our models."""
    deny = Lie(say=lambda heard, one: DENIED if heard.path == "/api/delete" else one)
    with serving_server(deny) as server:
        setup = replace(provided(server), missing=prepare(parse_address(server.url), None).missing)
        first = judge(CHECKS["pull/stream"], setup)
        line = judge(CHECKS["pull/order"], setup)
    assert first["verdict"] == "passed"
    assert (line["verdict"], line["reason"]) == (
        "not_testable",
        "/api/delete is answered with 403; what is pulled could not be deleted again",
    )


def test_class_that_nobody_may_use_is_not_offered() -> None:
    """403 to everything of a kind, whoever asks, is a class that is not there."""
    deny = Lie(say=lambda heard, one: DENIED if "create" in heard.path or "blobs" in heard.path
               else one)  # fmt: skip
    with serving_server(deny) as server:
        setup = prepare(parse_address(server.url), None, silence_s=5.0)
    assert "403" in setup.absent["create"]


def test_models_of_others_are_not_ours() -> None:
    """What another run left on the server is no model that this one made of a lie."""
    with serving_server(TRUTH) as server:
        setup = provided(server)
        left = server.house.models["parallama-check-liar/plain:latest"]
        server.house.models["127.0.0.1:9/parallama-check-other/refused:latest"] = left
        assert failed(setup, "safety/lying-gguf") == {}
