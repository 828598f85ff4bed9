"""Which hosts and origins may use the server, as Ollama has it (SEC-03..15). Pure.

The Host rule stops DNS rebinding, the Origin rule web pages of strangers.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SITES = ("localhost", "127.0.0.1", "0.0.0.0")
_APPS = ("app", "file", "tauri", "vscode-webview", "vscode-file")
_PREFIXES = (
    "http://",
    "https://",
    "chrome-extension://",
    "moz-extension://",
    "safari-extension://",
)
_ALLOWED_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,"
    "X-Stainless-Async,X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,"
    "X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,X-Stainless-Poll-Helper,"
    "X-Stainless-Retry-Count,X-Stainless-Runtime,X-Stainless-Runtime-Version,X-Stainless-Timeout"
)


@dataclass(frozen=True, slots=True)
class Origins:
    """The web origins that may read answers."""

    entries: tuple[str, ...]

    @classmethod
    def of(cls, configured: Iterable[str]) -> "Origins":
        """The configured entries before the built-in ones; raises `ValueError` for a bad one."""
        own = tuple(_checked_origin(each) for each in configured)
        sites = (
            f"{s}://{h}{port}" for h in _SITES for s in ("http", "https") for port in ("", ":*")
        )
        return cls((*own, *sites, *(f"{app}://*" for app in _APPS)))

    @property
    def allow_all(self) -> bool:
        """Whether every origin may."""
        return "*" in self.entries

    def allow(self, origin: str) -> bool:
        """Whether pages of `origin` may."""
        return any(_matches(entry, origin) for entry in self.entries)

    def answer_headers(self, origin: str) -> Mapping[str, str]:
        """What an ordinary answer to an allowed origin carries (SEC-11)."""
        if self.allow_all:
            return {"Access-Control-Allow-Origin": "*"}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def preflight_headers(self, origin: str) -> Mapping[str, str]:
        """What the answer to a preflight carries (SEC-10)."""
        asked = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        vary = {} if self.allow_all else {"Vary": asked}
        return {
            **self.answer_headers(origin),
            **vary,
            "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": "43200",
        }


def _checked_origin(entry: str) -> str:
    if entry.count("*") > 1:
        raise ValueError(f"OLLAMA_ORIGINS: only one * is allowed: {entry!r}")
    if "*" not in entry and not entry.startswith(_PREFIXES):
        raise ValueError(
            f"OLLAMA_ORIGINS: bad origin: {entry!r} must contain * or start with http://"
        )
    return entry if "*" in entry else entry.strip().lower()


def _matches(entry: str, origin: str) -> bool:
    before, star, after = entry.partition("*")
    if not star:
        return entry == origin
    fits = origin.startswith(before) and origin.endswith(after)
    return fits and len(origin) >= len(before) + len(after)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The Host headers that a server on a loopback address accepts."""

    hostname: str
    addresses: frozenset[str]

    def allow_name(self, host_header: str) -> bool:
        """Whether the header names this machine by a name (SEC-03 b)."""
        name = _without_port(host_header).lower()
        if name in ("", "localhost") or name == self.hostname.lower():
            return True
        return name.endswith((".localhost", ".local", ".internal"))

    def allow(self, host_header: str) -> bool:
        """Whether the header names this machine, by name or by address."""
        host = _without_port(host_header)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return self.allow_name(host_header)
        if address.is_loopback or address.is_unspecified or str(address) in self.addresses:
            return True
        return address.is_private and any(address in network for network in _PRIVATE)


_PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


def _without_port(host_header: str) -> str:
    if host_header.startswith("["):  # a bracketed address without a port is refused (SEC-06)
        inside, bracket, port = host_header[1:].partition("]:")
        return inside if bracket and port else host_header
    name, colon, port = host_header.partition(":")
    return name if colon and ":" not in port else host_header
