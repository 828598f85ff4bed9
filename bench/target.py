"""Where the server is: Ollama's way to write an address, and plain JSON requests to it.

For the few requests around a run. Nothing here is timed; `measure` does that.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .words import Words

DEFAULT_PORT = 11434
SCHEME_PORTS = {"http": 80, "https": 443}
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class TargetError(Exception):
    """The target cannot be reached, or does not answer in HTTP."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address; `host` is bare (no brackets), `path` is the base path without a slash
    at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(value: str) -> Address:
    """Read OLLAMA_HOST or --url by Ollama's rules (ollama/ollama:envconfig/config.go, Host).

    Without a scheme the port is 11434, with one it is the scheme's; a port that is none counts as
    absent. An unspecified address (0.0.0.0) becomes loopback: one cannot connect to it everywhere.
    """
    value = value.strip().strip("\"'").strip()
    if value == "ollama.com":
        return Address("https", "ollama.com", 443)
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    scheme = scheme.lower()
    if scheme not in SCHEME_PORTS:
        raise ValueError(f"{value!r} is no http or https address")
    authority, _, path = rest.partition("/")
    host, port = split_port(authority)
    if port is None:
        port = SCHEME_PORTS[scheme] if separator else DEFAULT_PORT
    path = path.rstrip("/")
    return Address(scheme, LOOPBACK.get(host, host), port, f"/{path}" if path else "")


def split_port(authority: str) -> tuple[str, int | None]:
    """Take host and port apart; None where there is no usable port."""
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        digits = rest.removeprefix(":")
    elif authority.count(":") > 1:
        return authority, None  # an IPv6 address without brackets
    else:
        host, _, digits = authority.partition(":")
    port = int(digits) if digits.isascii() and digits.isdigit() else None
    return host, port if port is not None and port <= 65535 else None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `json` is None when the body is not a JSON object."""

    status: int
    json: dict[str, Any] | None
    server: str | None = None
    """The Server header."""


def ask(
    address: Address,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    timeout_s: float = 10.0,
) -> Reply:
    """Send one request and read its whole answer; raises TargetError with the reason."""
    with answering(address, method, path, body, timeout_s) as response:
        received = response.read()
        return Reply(response.status, json_object(received), response.getheader("Server"))


def ask_text(address: Address, path: str, timeout_s: float = 2.0) -> str | None:
    """What a GET answers where it succeeds; raises TargetError with the reason."""
    with answering(address, "GET", path, None, timeout_s) as response:
        received = response.read()
        return received.decode("utf-8", "replace") if response.status == 200 else None


def ask_lines(
    address: Address, path: str, body: dict[str, Any], timeout_s: float
) -> Iterator[dict[str, Any]]:
    """The records of a streamed answer, or its one object; raises TargetError with the reason.

    `timeout_s` is the longest wait for the next of them.
    """
    with answering(address, "POST", path, body, timeout_s) as response:
        for line in response:
            record = json_object(line)
            if record is not None:
                yield record


@contextmanager
def answering(
    address: Address, method: str, path: str, body: dict[str, Any] | None, timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request, while it is read; raises TargetError where there is none."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    connection = kinds[address.scheme](address.host, address.port, timeout=timeout_s)
    payload = None if body is None else json.dumps(body)
    try:
        connection.request(
            method, address.path + path, payload, {"Content-Type": "application/json"}
        )
        yield connection.getresponse()
    except TimeoutError as error:
        raise TargetError(f"no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise TargetError(error.strerror or str(error) or type(error).__name__) from error
    except http.client.HTTPException as error:
        raise TargetError(f"it does not answer in HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, or None."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Description:
    """What a target says of itself and of the model; None where it does not say."""

    url: str
    model: str
    version: str | None
    digest: str | None
    quantization: str | None
    family: str | None
    parameter_size: str | None
    server: str | None = None
    """The Server header."""
    context_length: int | None = None
    """What the model was made for; a server may run it with less."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A server with a model, and what is known of them."""

    name: str
    address: Address
    description: Description
    conformance: dict[str, Any] | None
    """What the conformance suite found of it, as samples.jsonl has it."""
    words: Words
    """What its prompts are made of."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What /api/show says that a model can do; None and nothing where it does not say."""

    context_length: int | None
    capabilities: frozenset[str]


def models(address: Address) -> list[dict[str, Any]] | None:
    """The entries of /api/tags, else of /v1/models; None where the target has neither."""
    entries = listed(address, "/api/tags", "models")
    if entries is not None:
        return entries
    entries = listed(address, "/v1/models", "data")
    return None if entries is None else [{"name": entry.get("id")} for entry in entries]


def listed(address: Address, path: str, field: str) -> list[dict[str, Any]] | None:
    """A list of objects that a path answers; None where it does not."""
    reply = ask(address, "GET", path)
    entries = (reply.json or {}).get(field)
    if reply.status != 200 or not isinstance(entries, list):
        return None
    return [entry for entry in entries if isinstance(entry, dict)]


def is_ollama(address: Address) -> bool:
    """Whether the target has a version in Ollama's way: a server of anything else has none."""
    reply = ask(address, "GET", "/api/version")
    return reply.status == 200 and text_or_none((reply.json or {}).get("version")) is not None


def entry_of(model: str, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry of a model, whose tag is `latest` where none is written."""
    wanted = {model, f"{model}:latest"}
    for entry in entries:
        if {entry.get("name"), entry.get("model")} & wanted:
            return entry
    return None


def abilities(address: Address, model: str) -> Abilities:
    """What a model can do, from /api/show."""
    said = ask(address, "POST", "/api/show", {"model": model}).json or {}
    facts = said.get("model_info")
    lengths = [
        value
        for name, value in (facts if isinstance(facts, dict) else {}).items()
        if name.endswith(".context_length") and isinstance(value, int)
    ]
    capabilities = said.get("capabilities")
    known = capabilities if isinstance(capabilities, list) else []
    return Abilities(lengths[0] if lengths else None, frozenset(map(str, known)))


def running_context(address: Address, model: str) -> int | None:
    """The context with which /api/ps says that the model is loaded; None where it does not say."""
    entry = entry_of(model, listed(address, "/api/ps", "models") or [])
    length = (entry or {}).get("context_length")
    return length if isinstance(length, int) and not isinstance(length, bool) else None


def describe(
    address: Address, model: str, entry: dict[str, Any] | None, context_length: int | None
) -> Description:
    """Put version and model details together, from /api/version and an entry of /api/tags."""
    reply = ask(address, "GET", "/api/version")
    details = (entry or {}).get("details")
    details = details if isinstance(details, dict) else {}
    return Description(
        url=str(address),
        model=model,
        version=text_or_none((reply.json or {}).get("version")),
        digest=text_or_none((entry or {}).get("digest")),
        quantization=text_or_none(details.get("quantization_level")),
        family=text_or_none(details.get("family")),
        parameter_size=text_or_none(details.get("parameter_size")),
        server=text_or_none(reply.server),
        context_length=context_length,
    )


def text_or_none(value: object) -> str | None:
    """The value where it is a text that says something."""
    return value if isinstance(value, str) and value else None


def declared_bytes(address: Address, model: str) -> int | None:
    """What /api/ps says the model takes; None where the target does not say."""
    try:
        entries = (ask(address, "GET", "/api/ps", timeout_s=2.0).json or {}).get("models")
    except TargetError:
        return None
    if not isinstance(entries, list):
        return None
    entry = entry_of(model, [entry for entry in entries if isinstance(entry, dict)])
    size = (entry or {}).get("size")
    return size if isinstance(size, int) and not isinstance(size, bool) else None
