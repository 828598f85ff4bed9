"""Where the target is: OLLAMA_HOST and URLs, read as every Ollama tool reads them."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 11434  # ollama/ollama:envconfig/config.go:Host
PORTS = {"http": 80, "https": 443}
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # one listens there; nobody answers there


@dataclass(frozen=True, slots=True)
class Address:
    """A server's scheme, host, port and path prefix."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.prefix}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine by its name."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")


def parse_address(text: str | None) -> Address:
    """An address out of a URL or the value of OLLAMA_HOST. Raises ValueError with a sentence.

    No scheme: http and port 11434; `http://` without a port: 80; `https://`: 443. A host that
    stands for all interfaces becomes the loopback one.
    """
    text = (text or "").strip().strip("\"'").strip()
    scheme, separator, rest = text.rpartition("://")
    scheme = scheme.lower() if separator else "http"
    if scheme not in PORTS:
        raise ValueError(f"{text!r}: only http:// and https:// can be asked")
    authority, _, path = rest.partition("/")
    authority = authority.rpartition("@")[2]
    host, port_text = _split(authority)
    port = PORTS[scheme] if separator else DEFAULT_PORT
    if port_text:
        if not port_text.isdecimal() or not 0 < int(port_text) < 65536:
            raise ValueError(f"{text!r}: {port_text!r} is not a port")
        port = int(port_text)
    host = UNSPECIFIED.get(host, host) or DEFAULT_HOST
    if any(character.isspace() for character in host):
        raise ValueError(f"{text!r} is not an address")
    prefix = f"/{path.strip('/')}" if path.strip("/") else ""
    return Address(scheme, host, port, prefix)


def _split(authority: str) -> tuple[str, str]:
    """Host and port of an authority; IPv6 with or without brackets."""
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        return host, port.removeprefix(":")
    if authority.count(":") > 1:
        return authority, ""
    host, _, port = authority.partition(":")
    return host, port
