"""What is said before a run begins, by the program itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .. import prepare as preparation
from ..command import parser
from ..course import Course
from ..fitting import asks
from ..prepare import UNREACHABLE, USAGE, PrepareError, arms_of, profile_of
from ..profiles import SAME_SERVER, Profile
from ..target import Abilities, Arm, abilities, parse, running_context
from .conftest import Serving


class Stub(ThreadingHTTPServer):
    """A server with one answer for each path, which keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    """Answers with JSON; with several lines of it where the answer is a list; 404 else."""

    server: Stub

    def do_GET(self) -> None:
        """A question without a body."""
        self.answer({})

    def do_POST(self) -> None:
        """A question with one."""
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, body: dict[str, Any]) -> None:
        """What there is for the path; a function is asked."""
        self.server.asked.append((self.path, body))
        told = self.server.answers.get(self.path)
        told = told(body) if callable(told) else told
        status, told = told if isinstance(told, tuple) else (200 if told is not None else 404, told)
        lines = told if isinstance(told, list) else [told or {}]
        payload = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def counting(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of /api/generate that counts words."""
    return {"done": True, "prompt_eval_count": 1 + len(body["prompt"].split())}


@pytest.fixture
def ollama() -> Iterator[Stub]:
    """A server that has one model, and fetches another."""
    entries = [{"name": "tiny:latest", "digest": "abc", "details": {"family": "llama"}}]
    ps = [{"name": "tiny:latest", "context_length": 2048}]
    show = {"model_info": {"llama.context_length": 8192}, "capabilities": ["completion"]}
    answers: dict[str, Any] = {
        "/api/version": {"version": "1.2.3"},
        "/api/tags": {"models": entries},
        "/api/ps": {"models": ps},
        "/api/show": show,
        "/api/generate": counting,
        "/api/pull": [
            {"status": "pulling manifest"},
            {"status": "pulling x", "digest": "x", "total": 10, "completed": 5},
            {"status": "success"},
        ],
    }
    with Stub(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for each test."""
    monkeypatch.setattr(preparation, "cache_file", lambda: tmp_path / "words.json")


def prepare(*arguments: str) -> tuple[Profile, list[Arm]]:
    """What a command line comes to."""
    chosen = parser().parse_args(arguments)
    return arms_of(chosen, profile_of(chosen))


def refused(status: int, *arguments: str) -> str:
    """Why a command line does not come to a run."""
    with pytest.raises(PrepareError) as caught:
        prepare(*arguments)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_target_is_described(ollama: Stub) -> None:
    """Version, digest and context of the model come from the server."""
    _, (arm,) = prepare("smoke", "--url", ollama.url, "--model", "tiny")
    assert arm.name == "tiny"
    assert arm.description.version == "1.2.3"
    assert arm.description.digest == "abc"
    assert arm.description.context_length == 8192
    assert arm.words.exact
    assert arm.words.overhead_tokens == 2


def test_model_says_what_it_can(ollama: Stub) -> None:
    """Capabilities and both contexts, the model's own and the one it runs with."""
    address = parse(ollama.url)
    assert abilities(address, "tiny") == Abilities(8192, frozenset({"completion"}))
    assert running_context(address, "tiny") == 2048


def test_longer_prompts_get_a_context(ollama: Stub) -> None:
    """What the model runs with decides, not what it was made for."""
    arguments = ("smoke", "--url", ollama.url, "--model", "tiny", "--prompt-tokens", "3000")
    profile, _ = prepare(*arguments)
    assert asks(profile)[0].options == {"num_ctx": 3000 + 16 + 16}


def test_unknown_profile_is_answered_with_those_there_are() -> None:
    """A typing error is not left alone."""
    message = refused(USAGE, "smok", "--model", "tiny")
    assert message.startswith("there is no profile 'smok'; there are: smoke, latency, throughput")


def test_missing_profile_is_answered_with_those_there_are() -> None:
    """So is a command without any."""
    assert refused(USAGE).startswith("say which profile; there are: smoke")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("rate", "--rate", "0"), "0 requests/s: a rate is greater than 0"),
        (("rate", "--rate", "nan"), "nan requests/s: a rate is greater than 0"),
        (("rate", "--rate", "1e6"), "no load process sends more than 1000"),
        (("smoke", "--rate", "1"), "--rate does nothing in the profile smoke"),
        (("ab",), "ab needs --against URL, --against-model NAME or --aa"),
        (("smoke", "--aa"), "ab needs --against URL"),
        (("ab", "--aa", "--against", "http://x"), "--aa is one server twice"),
        (("replay",), "replay needs a trace: --trace FILE"),
        (("smoke", "--trace", "x"), "--trace is for the profile replay"),
        (("replay", "--trace", "/nowhere"), "/nowhere cannot be read: No such file"),
        (("--profile-file", "/nowhere"), "/nowhere cannot be read: No such file"),
        (("smoke", "--profile-file", "/nowhere"), "say either PROFILE or --profile-file"),
        (("smoke", "--url", "ftp://x"), "'ftp://x' is no http or https address"),
        (("models", "--model", "tiny"), "models needs two or more: --model A,B"),
    ],
)
def test_bad_command_is_said_in_a_sentence(arguments: tuple[str, ...], complaint: str) -> None:
    """No run begins that was not meant."""
    assert complaint in refused(USAGE, *arguments)


def test_mistakes_of_files_are_said_with_their_names(tmp_path: Path) -> None:
    """A trace with its line, a profile with its key."""
    broken = tmp_path / "file"
    broken.write_text("x", encoding="utf-8")
    assert refused(USAGE, "replay", "--trace", str(broken)) == f"{broken}: line 1 is not JSON"
    broken.write_text("name = 3", encoding="utf-8")
    message = refused(USAGE, "--profile-file", str(broken))
    assert message.startswith(f"{broken}: name must be a text, not 3; course is missing")
    broken.write_bytes(b"\xff\xfe")
    assert "is no text in UTF-8" in refused(USAGE, "--profile-file", str(broken))


def test_missing_model_is_named_with_the_command_that_fetches_it(ollama: Stub) -> None:
    """What there is, and two ways to have what there is not."""
    message = refused(USAGE, "smoke", "--url", ollama.url, "--model", "big")
    assert "has no model 'big'; it has: tiny:latest" in message
    assert f"--pull fetches it, or: OLLAMA_HOST={ollama.url} ollama pull big" in message


def test_pull_fetches_the_model(ollama: Stub) -> None:
    """With --pull the server is asked to fetch it, and then measured."""
    before = ollama.answers["/api/tags"]
    both = {"models": [*before["models"], {"name": "big:latest", "digest": "def"}]}
    script = iter((before, both))
    ollama.answers["/api/tags"] = lambda _: next(script)
    _, (arm,) = prepare("smoke", "--url", ollama.url, "--model", "big", "--pull")
    assert arm.description.digest == "def"
    assert ("/api/pull", {"model": "big"}) in ollama.asked


def test_pull_that_fails_is_said_in_the_servers_words(ollama: Stub) -> None:
    """An error in the stream ends it."""
    ollama.answers["/api/pull"] = [{"status": "pulling"}, {"error": "pull model manifest: no"}]
    message = refused(USAGE, "smoke", "--url", ollama.url, "--model", "big", "--pull")
    assert "did not fetch 'big': pull model manifest: no" in message


def test_server_of_something_else_is_no_ollama(ollama: Stub) -> None:
    """What answers without /api/version is said to be no Ollama."""
    ollama.answers = {"/": {"hello": "world"}}
    message = refused(UNREACHABLE, "smoke", "--url", ollama.url, "--model", "tiny")
    assert "answers, but is no Ollama" in message


def test_server_of_openai_only_can_be_measured(ollama: Stub) -> None:
    """Over its own API, with the list of models and the counts that this API has."""

    def completion(body: dict[str, Any]) -> dict[str, Any]:
        words = body["messages"][0]["content"].split()
        return {"choices": [], "usage": {"prompt_tokens": 7 + len(words)}}

    ollama.answers = {
        "/v1/models": {"data": [{"id": "tiny"}]},
        "/v1/chat/completions": completion,
    }
    arguments = ("smoke", "--url", ollama.url, "--model", "tiny", "--api", "openai-chat")
    _, (arm,) = prepare(*arguments)
    assert arm.words.exact
    assert arm.words.overhead_tokens == 8
    assert arm.description.version is None


@pytest.mark.parametrize("status", [400, 404, 501])
def test_model_that_cannot_do_it_is_refused_in_the_servers_words(ollama: Stub, status: int) -> None:
    """What will not change ends the matter before anything is measured."""
    ollama.answers["/api/generate"] = (status, {"error": '"tiny" does not support generate'})
    message = refused(USAGE, "smoke", "--url", ollama.url, "--model", "tiny")
    assert message.endswith('does not do this: "tiny" does not support generate')


def test_busy_server_is_measured_all_the_same(
    ollama: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failures are what a bench counts; only the prompts are not exact then."""
    ollama.answers["/api/generate"] = (503, {"error": "server busy"})
    profile, (arm,) = prepare("smoke", "--url", ollama.url, "--model", "tiny")
    assert not arm.words.exact
    assert profile.notes == ("tiny: prompt lengths are not exact: server busy",)
    assert capsys.readouterr().err == "before the run: server busy\n"


def test_server_twice_has_prompts_of_its_own_each_time(ollama: Stub) -> None:
    """A/A runs one server as two arms."""
    profile, arms = prepare("ab", "--aa", "--url", ollama.url, "--model", "tiny")
    assert [arm.name for arm in arms] == ["first", "again"]
    point = Course(profile, 2).next([])
    assert point is not None
    assert point.group == SAME_SERVER


def test_arms_are_called_by_what_differs(ollama: Stub, serving: Serving) -> None:
    """Two models of one server by their names; two servers by their places too."""
    ollama.answers["/api/tags"]["models"].append({"name": "other"})
    arguments = ("ab", "--url", ollama.url, "--model", "tiny", "--against-model")
    _, arms = prepare(*arguments, "other")
    assert [arm.name for arm in arms] == ["tiny", "other"]
    _, arms = prepare(*arguments, "steady", "--against", serving.url)
    assert [arm.name for arm in arms] == [
        f"tiny at {ollama.url.removeprefix('http://')}",
        f"steady at {serving.url.removeprefix('http://')}",
    ]


def test_pair_is_asked_the_same_though_its_servers_count_otherwise(
    ollama: Stub, serving: Serving
) -> None:
    """Both arms have the words that both have, and as many of them; what differs is noted."""
    ollama.answers["/api/generate"] = lambda body: {
        "prompt_eval_count": 4 + len(body["prompt"].split()) + body["prompt"].count(" river")
    }
    arguments = ("ab", "--url", ollama.url, "--model", "tiny", "--against-model", "steady")
    profile, (one, other) = prepare(*arguments, "--against", serving.url)
    assert one.words.words == other.words.words
    assert "river" not in other.words.words
    assert (one.words.overhead_tokens, other.words.overhead_tokens) == (5, 5)
    assert profile.notes[-1].endswith("counts 3 tokens fewer for the same prompt (generate)")


def test_same_server_and_model_is_no_pair(ollama: Stub) -> None:
    """Two equal arms are an A/A run, and must be called one."""
    arguments = ("ab", "--url", ollama.url, "--model", "tiny", "--against", ollama.url)
    assert "--aa does that" in refused(USAGE, *arguments)


def test_models_are_arms(ollama: Stub) -> None:
    """Each of several models has words and facts of its own."""
    ollama.answers["/api/tags"]["models"].append({"name": "other", "digest": "o"})
    _, arms = prepare("models", "--url", ollama.url, "--model", "tiny,other")
    assert [arm.description.digest for arm in arms] == ["abc", "o"]


def test_stream_that_stops_short_is_no_pull(ollama: Stub) -> None:
    """Only `success` says that the model is there."""
    ollama.answers["/api/pull"] = [{"status": "pulling"}]
    message = refused(USAGE, "smoke", "--url", ollama.url, "--model", "big", "--pull")
    assert "the stream ended before the model was there" in message
