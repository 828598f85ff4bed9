"""Where the server is: Ollama's way to write an address, and plain JSON requests to it.

For the few requests around a run. Nothing here is timed; `measure` does that.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

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


def ask(
    address: Address,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    timeout_s: float = 10.0,
) -> Reply:
    """Send one request and read its whole answer; raises TargetError with the reason."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    connection = kinds[address.scheme](address.host, address.port, timeout=timeout_s)
    payload = None if body is None else json.dumps(body)
    try:
        connection.request(
            method, address.path + path, payload, {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        return Reply(response.status, json_object(response.read()))
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


def models(address: Address) -> list[dict[str, Any]] | None:
    """The entries of /api/tags; None where the target has no such list."""
    reply = ask(address, "GET", "/api/tags")
    entries = (reply.json or {}).get("models")
    if reply.status != 200 or not isinstance(entries, list):
        return None
    return [entry for entry in entries if isinstance(entry, dict)]


def entry_of(model: str, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry of a model, whose tag is `latest` where none is written."""
    wanted = {model, f"{model}:latest"}
    for entry in entries:
        if {entry.get("name"), entry.get("model")} & wanted:
            return entry
    return None


def describe(address: Address, model: str, entry: dict[str, Any] | None) -> Description:
    """Put version and model details together, from /api/version and an entry of /api/tags."""
    version = (ask(address, "GET", "/api/version").json or {}).get("version")
    details = (entry or {}).get("details")
    details = details if isinstance(details, dict) else {}
    return Description(
        url=str(address),
        model=model,
        version=text_or_none(version),
        digest=text_or_none((entry or {}).get("digest")),
        quantization=text_or_none(details.get("quantization_level")),
        family=text_or_none(details.get("family")),
        parameter_size=text_or_none(details.get("parameter_size")),
    )


def text_or_none(value: object) -> str | None:
    """The value where it is a text that says something."""
    return value if isinstance(value, str) and value else None


def load(address: Address, model: str) -> str | None:
    """Have the model loaded before anything is measured; what went wrong, or None."""
    body = {"model": model, "stream": False, "keep_alive": "30m"}
    try:
        reply = ask(address, "POST", "/api/generate", body, timeout_s=600.0)
    except TargetError as error:
        return str(error)
    if reply.status == 200:
        return None
    return str((reply.json or {}).get("error", f"status {reply.status}"))


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
