"""A small honest server: recites script.json and follows the contract, without any engine.

It proves that the checks pass where they should. What lies, in `liars`, is made of it: a `Lie`
changes what it hears, what it answers, or the bytes of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import urlsplit

from .bodies import BadLength, first_value, read_body
from .doors import foreign, granted, host_allowed, named, origin_allowed
from .embedder import Embedder
from .grammar import understood
from .house import PACE_S, House
from .shelf import HouseError, json_text
from .transfers import Courier


@dataclass(frozen=True)
class Heard:
    """A request as the server understood it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    version: str = "HTTP/1.1"

    @property
    def fields(self) -> dict[str, Any]:
        """The body, where it is a JSON object."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def saying(self, fields: dict[str, Any]) -> Heard:
        """The same request with other fields."""
        return replace(self, body=json.dumps(fields).encode())


@dataclass(frozen=True)
class Answer:
    """What is answered: one value, or records; none of it encoded yet."""

    status: int = 200
    media_type: str = "application/json; charset=utf-8"
    value: Any = None  # bytes, text, or JSON; None: no body
    records: list[dict[str, Any]] | None = None
    live: Iterator[dict[str, Any]] | None = None  # records that are sent while they are made
    headers: tuple[tuple[str, str], ...] = ()
    buffered: bool = False  # make all records, then send them together
    late: bool = False  # make all records, then send them as if they were being made
    tokens: int = 0  # how long it takes to make


Hear = Callable[[Heard], Heard]
Say = Callable[[Heard, Answer], Answer]


@dataclass(frozen=True)
class Lie:
    """One thing that is wrong with a server."""

    hear: Hear = lambda heard: heard
    say: Say = lambda heard, answer: answer
    line: Callable[[dict[str, Any]], bytes] = lambda record: json_text(record) + b"\n"
    wire: Callable[[bytes], bytes] = lambda sent: sent  # every write after the head
    tail: bytes = b""  # after the end of a stream
    chunked: bool = True
    keeps_alive: bool = True
    continues: bool = True
    closes: bool = True  # where it was asked to
    polite: bool = False  # says yes to what is no request
    lingers_s: float = 0.0  # before the end of a stream
    body: Callable[[Message, BufferedIOBase], bytes] = read_body
    gather: Callable[[list[bytes]], list[bytes]] = lambda lines: lines  # lines to writes
    again: Callable[[Answer, int], Answer] = lambda answer, count: answer  # on one connection
    pace: float = 1.0
    flaw: str = ""  # what the house does wrong


TRUTH = Lie()


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1, as far as the suite looks."""

    protocol_version = "HTTP/1.1"
    server: Server
    asked = 0  # on this connection

    def handle_one_request(self) -> None:
        """Any method is ours."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self._serve()
            self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.server.house.departed()
            self.close_connection = True
        except BadLength:
            self.send_error(400)
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request."""
        if self.server.lie.polite:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        else:
            super().send_error(code, message, explain)

    def handle_expect_100(self) -> bool:
        """Say 100 Continue."""
        if self.server.lie.continues:
            return super().handle_expect_100()
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        lie = self.server.lie
        heard = Heard(
            self.command,
            urlsplit(self.path).path,
            urlsplit(self.path).query,
            {name.lower(): value for name, value in self.headers.items()},
            lie.body(self.headers, self.rfile),
            self.request_version,
        )
        heard = lie.hear(heard)
        answer = lie.say(heard, self.server.answer(heard))
        self.asked += 1
        answer = lie.again(answer, self.asked)
        if not lie.keeps_alive:
            self.close_connection = True
        if not lie.closes:
            self.close_connection = False
        crowd = self.server.house.crowd
        if crowd.flaw == "one_thread":
            with crowd.writing:
                self._send(heard, answer)
        else:
            self._send(heard, answer)

    def _write(self, content: bytes, talking: bool) -> None:
        """Write; a flawed server lets nobody else write meanwhile."""
        crowd = self.server.house.crowd
        if crowd.flaw == "one_writer" or (crowd.flaw == "one_talker" and talking):
            with crowd.writing:
                self.wfile.write(content)
        else:
            self.wfile.write(content)

    def _send(self, heard: Heard, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.media_type:
            self.send_header("Content-Type", answer.media_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.live is not None:
            self._flow(answer.live)
            return
        if answer.records is not None and heard.method != "HEAD":
            self._stream(answer)
            return
        body = answer.value
        if not isinstance(body, bytes):
            body = (
                b"" if body is None else body.encode() if isinstance(body, str) else json_text(body)
            )
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        time.sleep(answer.tokens * PACE_S * 2)
        if heard.method != "HEAD" and body:
            self._write(self.server.lie.wire(body), bool(answer.tokens))

    def _flow(self, records: Iterator[dict[str, Any]]) -> None:
        """Send records as they come, until the client leaves."""
        lie = self.server.lie
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with closing(records):  # type: ignore[type-var]  # each is a generator
            for record in records:
                line = lie.wire(lie.line(record))
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n" + lie.tail)

    def _stream(self, answer: Answer) -> None:
        lie = self.server.lie
        chunked = lie.chunked and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        self.end_headers()
        assert answer.records is not None
        lines = [lie.wire(lie.line(record)) for record in answer.records]
        if answer.buffered or answer.late:
            time.sleep(len(lines) * PACE_S * 2)
        time.sleep(max(0, answer.tokens - len(lines)) * PACE_S * 2)  # made, and told in few records
        if answer.buffered:
            lines = [b"".join(lines)]
        started, writes = time.monotonic(), lie.gather(lines)
        pause = 2 * PACE_S * lie.pace * len(lines) / len(writes)
        house = self.server.house
        due = started
        for line in writes:  # what was late by chance is made up for, as a busy machine must not
            due += 0 if answer.buffered else pause * (1 + house.crowd.haunted)  # change the pace
            time.sleep(max(0.0, due - time.monotonic()))
            if house.crowd.ends(started):
                self.close_connection = True
                return
            self._write(b"%x\r\n%b\r\n" % (len(line), line) if chunked else line, True)
        time.sleep(lie.lingers_s)
        if chunked:
            self.wfile.write(b"0\r\n\r\n" + lie.tail)


class Server(ThreadingHTTPServer):
    """The routes; what they do is in `house`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, lie: Lie) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lie = lie
        self.house = House(lie.flaw)
        self.embedder = Embedder(self.house)
        self.courier = Courier(self.house, lie.flaw)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""

    def answer(self, heard: Heard) -> Answer:
        """Route a request, and turn refusals into JSON errors."""
        origin = foreign(heard.headers)
        refusal = _refusal(heard, origin)
        if refusal is not None:
            return refusal
        try:
            answer = self._route(heard)
        except HouseError as error:
            answer = Answer(error.status, value={"error": error.message})
        if origin is not None:
            allow = (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))
            answer = replace(answer, headers=(*answer.headers, *allow))
        return answer

    def _route(self, heard: Heard) -> Answer:
        house, method, path = self.house, heard.method, heard.path
        if path.startswith("/api/blobs/"):
            if method not in ("HEAD", "POST"):
                return _not_allowed("HEAD, POST")
            return Answer(house.blob(method, path.removeprefix("/api/blobs/"), heard.body))
        routes: dict[str, dict[str, Callable[[], Answer]]] = {
            "/": {"GET": _running, "HEAD": _running},
            "/api/version": {"GET": _version, "HEAD": _version},
            "/api/status": {"GET": _status},
            "/api/tags": dict.fromkeys(("GET", "HEAD"), lambda: Answer(value=house.tags())),
            "/api/ps": {"GET": lambda: Answer(value=house.ps())},
            "/api/show": {"POST": lambda: Answer(value=house.show(_read(heard)))},
            "/api/copy": {"POST": lambda: Answer(value=house.copy(_read(heard)))},
            "/api/delete": {"DELETE": lambda: Answer(value=house.delete(_read(heard)))},
            "/api/create": {"POST": lambda: self._create(_read(heard))},
            "/api/pull": {"POST": lambda: self._transfer(self.courier.pull, heard)},
            "/api/push": {"POST": lambda: self._transfer(self.courier.push, heard)},
            "/api/embed": {"POST": lambda: Answer(value=self.embedder.embed(_read(heard)))},
            "/api/embeddings": {
                "POST": lambda: Answer(value=self.embedder.embeddings(_read(heard)))
            },
            "/api/chat": {"POST": lambda: self._talk(house.chat, _read(heard))},
            "/api/generate": {"POST": lambda: self._talk(house.generate, _read(heard))},
        }  # fmt: skip
        if path not in routes:
            return Answer(404, "text/plain", "404 page not found")
        if method not in routes[path]:
            return _not_allowed(", ".join(routes[path]))
        return routes[path][method]()

    def _create(self, fields: dict[str, Any]) -> Answer:
        records = list(self.house.create(fields))
        if "error" in records[0]:
            return Answer(records[0].pop("status", 400), value=records[0])
        if fields.get("stream") is False:
            problem = records[-1].get("error")
            asked_wrongly = problem and problem.startswith(("template error", "info field"))
            status = 200 if problem is None else 400 if asked_wrongly else 500
            return Answer(status, value=records[-1])
        return Answer(media_type="application/x-ndjson", records=records)

    def _transfer(self, move: Callable[..., Iterator[dict[str, Any]]], heard: Heard) -> Answer:
        fields = _read(heard)
        records = move(fields, heard.headers)
        if fields.get("stream") is False:
            last = list(records)[-1]
            return Answer(500 if "error" in last else 200, value=last)
        return Answer(media_type="application/x-ndjson", live=records)

    def _talk(
        self, talk: Callable[..., Iterator[dict[str, Any]]], fields: dict[str, Any]
    ) -> Answer:
        records = list(talk(self.house.crowd.enter(fields)))
        if len(records) == 1 and records[0]["done_reason"] in ("load", "unload"):
            return Answer(value=records[0])
        made = max(len(records), records[-1].get("eval_count", 0))
        if fields.get("stream") is False:
            return Answer(value=self.house.joined(records), tokens=made)
        return Answer(media_type="application/x-ndjson", records=records, tokens=made)


def _refusal(heard: Heard, origin: str | None) -> Answer | None:
    if "host" not in heard.headers and heard.version == "HTTP/1.1":
        return Answer(400, "text/plain", "missing required Host header")
    if origin is not None and not origin_allowed(origin):
        return Answer(403, "")
    if not host_allowed(heard.headers.get("host", "")):
        return Answer(403, "")
    if heard.method == "OPTIONS" and origin is not None:
        return Answer(204, "", headers=granted(origin))
    if heard.method == "OPTIONS" and named(heard.headers.get("host", "")):
        return Answer(204, "")
    return None


def _running() -> Answer:
    return Answer(media_type="text/plain; charset=utf-8", value="Ollama is running")


def _status() -> Answer:
    return Answer(value={"cloud": {"disabled": True, "source": "none"}})


def _version() -> Answer:
    return Answer(value={"version": "0.12.3"})


def _not_allowed(methods: str) -> Answer:
    return Answer(405, "text/plain", "405 method not allowed", headers=(("Allow", methods),))


def _read(heard: Heard) -> dict[str, Any]:
    if not heard.body.strip():
        raise HouseError(400, "missing request body")
    try:
        found = first_value(heard.body)
    except ValueError as error:
        raise HouseError(400, f"invalid JSON: {error}") from None
    if not isinstance(found, dict):
        raise HouseError(400, "the body is not an object")
    return understood(heard.path, found)


@contextmanager
def serving_server(lie: Lie = TRUTH) -> Iterator[Server]:
    """A server on a free port."""
    server = Server(lie)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(lie: Lie = TRUTH) -> Iterator[str]:
    """A server on a free port; its URL."""
    with serving_server(lie) as server:
        yield server.url
