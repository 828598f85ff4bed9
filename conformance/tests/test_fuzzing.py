"""Made-up requests: valid ones are, spoilt ones are not, the laws hold, and runs repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from ..address import parse_address
from ..check import Outcome, Undecided, not_testable
from ..commandline import parse, pytest_arguments
from ..evidence import Exchange, Piece, Request
from ..fuzzing import Shrinking, keeps_law
from ..fuzzing_models import (
    copied,
    created,
    deleted,
    embedded,
    impossible_names,
    misnamed,
    transferred,
)
from ..laws import Case, Law, broken
from ..mangling import any_case, hard_to_read, no_json, noise
from ..reference import read_recording
from ..schema import violation
from ..settings import Settings
from ..setup import Setup
from ..shapes import Shapes, put, request_schema
from ..spoiling import extreme_options, raw, valid, wrong_options, wrongly_typed
from ..target import Target
from . import naming
from .honest import TRUTH, Answer, Lie, serving_server
from .lies import with_answers
from .test_liars import provided
from .test_main import run

ASK = Request("POST", "/api/generate", (), b"{}")
JSON = ("Content-Type", "application/json")
ZERO = {"model": "", "created_at": "0001-01-01T00:00:00Z", "response": "", "done": False}


@given(valid("chat", "m"))
@settings(max_examples=60)
def test_valid_chat_is_valid(case: Case) -> None:
    """By the schema that the server is held to."""
    assert case.body is not None
    assert violation(json.loads(case.body), "chat", "request") is None


@given(valid("generate", "m"))
@settings(max_examples=60)
def test_valid_generate_is_valid(case: Case) -> None:
    """By the schema that the server is held to."""
    assert case.body is not None
    assert violation(json.loads(case.body), "generate", "request") is None


@given(embedded("m"))
@settings(max_examples=60)
def test_valid_embed_is_valid(case: Case) -> None:
    """By the schema, and it says how many vectors are due."""
    fields = json.loads(case.body or b"")
    assert violation(fields, "embed", "request") is None
    given_ = fields["input"] or []
    assert case.vectors == (1 if isinstance(given_, str) else len(given_))


@given(created("m/made", "m"))
@settings(max_examples=60)
def test_valid_create_is_valid(case: Case) -> None:
    """By the schema that the server is held to."""
    assert violation(json.loads(case.body or b""), "create", "request") is None


@pytest.mark.parametrize("route", ["pull", "push"])
def test_valid_transfer_is_valid(route: str) -> None:
    """By the schema, and insecure: the registry of a run has no TLS."""

    @given(transferred(route, "127.0.0.1:1/a/b"))
    @settings(max_examples=40)
    def judge(case: Case) -> None:
        fields = json.loads(case.body or b"")
        assert violation(fields, route, "request") is None
        assert fields["insecure"] is True

    judge()


@given(deleted("parallama-check-x/doomed"))
def test_only_the_named_model_is_deleted(case: Case) -> None:
    """Whatever its spelling, and under whichever key."""
    fields = json.loads(case.body or b"")
    named = fields.get("model") or fields.get("name")
    assert named.lower().removesuffix(":latest") == "parallama-check-x/doomed"


@given(copied("m", "parallama-check-x/fuzz-"))
def test_copies_have_names_of_the_run(case: Case) -> None:
    """Names that can be, so that nothing else is overwritten."""
    place = json.loads(case.body or b"")["destination"]
    assert place.startswith("parallama-check-x/fuzz-")
    assert naming.valid(place)


@given(impossible_names())
@settings(max_examples=200)
def test_impossible_names_are_none(name: str) -> None:
    """Not even without the blanks around them."""
    assert not naming.valid(name.strip())


@pytest.mark.parametrize("turn", range(5))
def test_wrongly_typed_is_not_valid(turn: int) -> None:
    """Each differs from what is in order by one value, and breaks the schema."""
    for case in wrongly_typed({"chat": {"model": "m"}, "copy": {"source": "a"}}, turn=turn):
        assert case.body is not None
        name = case.path.removeprefix("/api/")
        assert violation(json.loads(case.body), name, "request") is not None


def test_every_declared_place_is_spoilt() -> None:
    """But for those that are read late."""
    bodies = [case.body or b"" for case in wrongly_typed({"generate": {"model": "m"}})]
    spoilt = {key for body in bodies for key in json.loads(body)}
    late = {"format", "_debug_render_only"}
    assert set(request_schema("generate")["properties"]) - spoilt - late == set()


def test_no_json_is_none() -> None:
    """Nor an object that could be read."""
    for case in no_json():
        with pytest.raises(ValueError, match=r".+"):
            _object(case.body or b"")


@given(noise())
def test_noise_is_no_object(case: Case) -> None:
    """Whatever the bytes."""
    with pytest.raises(ValueError, match=r".+"):
        _object(case.body or b"")


def _object(body: bytes) -> None:
    """Raises ValueError unless a body begins with a JSON object, read strictly."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    text = body.decode(errors="replace").strip()
    decoder = json.JSONDecoder(parse_constant=refuse)
    if not isinstance(decoder.raw_decode(text)[0], dict):
        raise ValueError("no object")


def test_put_makes_the_way() -> None:
    """Into arrays and objects that are not there."""
    assert put({"a": 1}, ("b", "[]", "c"), 5) == {"a": 1, "b": [{"c": 5}]}


def test_places_reach_into_arrays() -> None:
    """A tool's name is one."""
    places = Shapes(request_schema("chat")).places()
    assert ("tools", "[]", "function", "name") in places


def answered(status: int, value: object, *headers: tuple[str, str]) -> Exchange:
    """An exchange with this answer."""
    body = json.dumps(value).encode() if value is not None else b""
    return Exchange("http://x", ASK, status, headers=headers, pieces=(Piece(1.0, body),))


@pytest.mark.parametrize(
    ("law", "got", "kept"),
    [
        (Law.REFUSED, answered(400, {"error": "no"}, JSON), True),
        (Law.REFUSED, answered(422, {"error": "no"}, JSON), False),
        (Law.REFUSED, answered(400, {"error": ""}, JSON), False),
        (Law.REFUSED, answered(400, {"error": "no", "code": 1}, JSON), False),
        (Law.REFUSED, answered(400, {"error": "no"}), False),
        (Law.LACKING, answered(404, {"error": "no"}, JSON), True),
        (Law.OPTION, answered(500, {"error": "no"}, JSON), True),
        (Law.SURVIVED, answered(499, {"error": "no"}, JSON), True),
        (Law.SURVIVED, answered(500, {"error": "no"}, JSON), False),
        (Law.ANSWERED, answered(200, ZERO, JSON), False),
        (Law.ANSWERED, answered(404, {"error": "no"}, JSON), False),
        (Law.REFUSED, Exchange("http://x", ASK, error="nothing came"), False),
        (Law.DONE, answered(200, None), True),
        (Law.DONE, answered(200, {}), False),
        (Law.DONE, answered(204, None), False),
    ],
)
def test_law(law: Law, got: Exchange, kept: bool) -> None:
    """What is forbidden is found, what is not is tolerated."""
    assert (broken(got, Case("POST", "/", b"", law, "generate")) is None) == kept


def streamed(*statuses: str) -> Exchange:
    """A stream of progress."""
    lines = "".join(json.dumps({"status": one}) + "\n" for one in statuses)
    return Exchange("http://x", ASK, 200, headers=(JSON,), pieces=(Piece(1.0, lines.encode()),))


@pytest.mark.parametrize(
    ("statuses", "kept"),
    [
        (["pulling manifest", "success"], True),
        (["success"], True),
        (["pulling manifest"], False),
        (["success", "writing manifest"], False),
        (["success", "success"], False),
    ],
)
def test_progress_ends_in_success(statuses: list[str], kept: bool) -> None:
    """Once, and last."""
    case = Case("POST", "/", b"", Law.ANSWERED, "pull", streams=True)
    assert (broken(streamed(*statuses), case) is None) == kept


@pytest.mark.parametrize(
    ("vectors", "due", "kept"),
    [
        ([[1.0], [0.5]], 2, True),
        ([], 0, True),
        ([[1.0]], 2, False),
        ([[1.0], [0.5]], 1, False),
        ([[1.0], [0.5, 0.5]], 2, False),
        ([[]], 1, False),
    ],
)
def test_vectors_are_as_many_as_texts(vectors: list[list[float]], due: int, kept: bool) -> None:
    """And of one size."""
    got = answered(200, {"model": "m", "embeddings": vectors}, JSON)
    case = Case("POST", "/", b"", Law.ANSWERED, "embed", vectors=due)
    assert (broken(got, case) is None) == kept


def test_what_came_of_a_request_is_looked_at(honest: Setup) -> None:
    """What is needed is made before, and a failure after is shown by the request itself."""
    seen: list[str] = []
    target = Target(replace(honest, fuzz=5))
    verdict = keeps_law(
        target,
        "copy",
        copies(target.model),
        before=lambda _, case: seen.append("before"),
        after=lambda _, case: "it is not there",
    )
    assert verdict.outcome is Outcome.FAILED
    assert seen
    assert verdict.evidence is not None
    assert "/api/copy -H 'Content-Type: application/json' -d" in verdict.evidence.curl


def test_wild_answer_may_lack_its_end() -> None:
    """Ollama forgets it where the last bytes are no text."""
    case = Case("POST", "/", b"", Law.ANSWERED, "generate", wild=True)
    assert broken(answered(200, ZERO, JSON), case) is None
    assert broken(answered(200, None, JSON), case) is None


@pytest.fixture
def honest() -> Iterator[Setup]:
    """An honest server with its models."""
    with serving_server(TRUTH) as server:
        yield provided(server)


def misnamed_asks(model: str) -> SearchStrategy[Case]:
    """Names that cannot be, in two routes."""
    return misnamed({"show": {}, "copy": {"source": model}},
                    {"show": "model", "copy": "destination"})  # fmt: skip


def copies(model: str) -> SearchStrategy[Case]:
    """Copies of a model of the run."""
    return copied(model, f"{model}-")


def creations(model: str) -> SearchStrategy[Case]:
    """Models made of one of the run."""
    return created(f"{model}-made", model)


FAMILIES = {
    "raw": raw,
    "wrong-options": wrong_options,
    "extreme-options": extreme_options,
    "hard-to-read": hard_to_read,
    "impossible-names": misnamed_asks,
    "copy": copies,
    "create": creations,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_makes_the_same_requests(honest: Setup, name: str) -> None:
    """And another one others."""

    def asked(seed: int) -> list[bytes | None]:
        target = Target(replace(honest, fuzz=5, fuzz_seed=seed))
        verdict = keeps_law(target, name, FAMILIES[name](target.model))
        assert verdict.outcome is Outcome.PASSED
        return [one.request.body for one in target.exchanges]

    assert asked(1) == asked(1) != asked(2)


def test_failure_is_shrunk() -> None:
    """To the one key that the server does not read."""

    def say(heard: object, answer: Answer) -> Answer:
        return Answer(500, value={"error": "no"}) if b"Model" in heard.body else answer  # type: ignore[attr-defined]

    with serving_server(Lie(say=with_answers(say).say)) as server:
        target = Target(provided(server))
        verdict = keeps_law(target, "case", any_case("generate", target.model))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.evidence is not None
    assert verdict.evidence.status == 500
    assert "--fuzz-seed" in str(verdict.reason)


def test_shrinking_has_an_end(honest: Setup) -> None:
    """What failed is not asked again, and after a while nothing is."""
    target = Target(honest)
    shrinking = Shrinking(target)
    case = Case("GET", "/api/nowhere", None, Law.ANSWERED)
    for _ in range(3):
        with pytest.raises(Exception, match="404"):
            shrinking.judge(case)
    assert len(target.exchanges) == 1
    shrinking.asked = 10**6
    shrinking.judge(replace(case, path="/api/elsewhere"))
    assert len(target.exchanges) == 1


def test_what_comes_and_goes_is_no_fault_of_ours(honest: Setup) -> None:
    """What could not be tested once could not be tested, though it could be when asked again."""
    target = Target(replace(honest, fuzz=3))
    gone: list[Case] = []

    def before(_: Target, case: Case) -> None:
        if not gone:
            gone.append(case)
            not_testable("there is nothing to copy")

    with pytest.raises(Undecided, match="nothing to copy"):
        keeps_law(target, "copy", copies(target.model), before=before)


def test_effort_and_seed_reach_the_run() -> None:
    """From the command line to pytest, and into the header."""
    asked = parse(["--fuzz", "7", "--fuzz-seed", "3"])
    given_ = pytest_arguments(asked, "http://x", Path())
    assert given_[given_.index("--target-fuzz") + 1] == "7"
    assert given_[given_.index("--target-fuzz-seed") + 1] == "3"
    settings_ = Settings(parse_address("http://x"), fuzz=7, fuzz_seed=3)
    assert (settings_.selection["fuzz"], settings_.selection["fuzz_seed"]) == (7, 3)


def test_another_process_makes_the_same_requests(tmp_path: Path) -> None:
    """Whatever else it has loaded: a seed repeats a run."""
    recordings = [tmp_path / "one", tmp_path / "two"]
    with serving_server(TRUTH) as server:
        for path, more in zip(recordings, ([], ["-n", "2"]), strict=True):
            asked = ["--fuzz", "8", "--fuzz-seed", "3", "-k", "fuzz/embed or fuzz/raw"]
            run("record", server.url, *asked, *more, "-o", str(path))
    one, two = ({id: [said["request"] for said in found.exchanges]
                 for id, found in read_recording(path).recorded.items()}
                for path in recordings)  # fmt: skip
    assert one == two
    assert len(one) == 2
