"""What the environment says about the server. The only reader of `os.environ`.

A value that cannot be read gives its default and a warning, never a refusal to start; only a bad
`OLLAMA_ORIGINS` is refused, since guessing would open or close the server (SEC-13).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .decode import DecodeError
from .durations import NEVER_NS, SECOND_NS, parse_duration

DEFAULT_PORT = 11434
DEFAULT_NUM_PARALLEL = 4
"""Slots of a model. The original's is 1, since each of its slots reserves a window of memory; here
a slot takes what its sequence has, and sequences that run together cost little more than one."""
_PORTS = {"http": 80, "https": 443}
_KV_CACHE_TYPES = ("f16", "q8_0", "q4_0")
Default = TypeVar("Default", int, str)
_TRUE = frozenset(["1", "t", "T", "TRUE", "true", "True"])
_FALSE = frozenset(["0", "f", "F", "FALSE", "false", "False"])


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An empty `host` means every interface."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The address as a URL, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's settings; `warnings` are sentences about values that were not understood.

    All models together take at most `memory_limit_bytes` (`PARALLAMA_MEMORY_LIMIT`; 0: what suits
    the machine) less `kept_free_bytes` (`OLLAMA_GPU_OVERHEAD`).
    """

    address: Address = field(default_factory=Address)
    models: Path = field(default_factory=lambda: Path.home() / ".ollama" / "models")
    num_parallel: int = DEFAULT_NUM_PARALLEL
    keep_alive_ns: int = 300 * SECOND_NS
    context_length: int = 0
    origins: tuple[str, ...] = ()
    max_queue: int = 512
    max_loaded_models: int = 0
    load_timeout_ns: int = 300 * SECOND_NS
    debug: bool = False
    keeps_unused_blobs: bool = False
    blas_threads: int = 1
    kv_cache_type: str = "f16"
    memory_limit_bytes: int = 0
    kept_free_bytes: int = 0
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """The settings in force."""
        reader = _Reader(environ)
        models = reader.text("OLLAMA_MODELS")
        origins = reader.text("OLLAMA_ORIGINS")
        return cls(
            address=reader.address("OLLAMA_HOST"),
            models=Path(models) if models else Path.home() / ".ollama" / "models",
            num_parallel=max(1, reader.count("OLLAMA_NUM_PARALLEL", DEFAULT_NUM_PARALLEL)),
            keep_alive_ns=reader.keep_alive("OLLAMA_KEEP_ALIVE", 300 * SECOND_NS),
            context_length=reader.count("OLLAMA_CONTEXT_LENGTH", 0),
            origins=tuple(origins.split(",")) if origins else (),
            max_queue=reader.count("OLLAMA_MAX_QUEUE", 512),
            max_loaded_models=reader.count("OLLAMA_MAX_LOADED_MODELS", 0),
            load_timeout_ns=reader.keep_alive("OLLAMA_LOAD_TIMEOUT", 300 * SECOND_NS) or NEVER_NS,
            debug=reader.debug("OLLAMA_DEBUG"),
            keeps_unused_blobs=reader.flag("OLLAMA_NOPRUNE"),
            blas_threads=max(1, reader.count("OPENBLAS_NUM_THREADS", 1)),
            kv_cache_type=reader.word("OLLAMA_KV_CACHE_TYPE", _KV_CACHE_TYPES),
            memory_limit_bytes=reader.count("PARALLAMA_MEMORY_LIMIT", 0),
            kept_free_bytes=reader.count("OLLAMA_GPU_OVERHEAD", 0),
            warnings=tuple(reader.warnings),
        )


class _Reader:
    """Reads variables one by one and notes what it could not understand."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.warnings: list[str] = []

    def text(self, name: str) -> str:
        """The value without blanks and quotes around it (ENV-00)."""
        return self._environ.get(name, "").strip().strip("\"'")

    def count(self, name: str, default: int) -> int:
        """A decimal number that is not negative."""
        text = self.text(name)
        if not text or re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
            return int(text or default)
        return self._fall_back(name, text, default)

    def keep_alive(self, name: str, default_ns: int) -> int:
        """A duration, or whole seconds; negative is for ever (ENV-04, ENV-11)."""
        text = self.text(name)
        if not text:
            return default_ns
        seconds = re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII)
        try:
            length_ns = int(text) * SECOND_NS if seconds else parse_duration(text)
        except DecodeError:
            return self._fall_back(name, text, default_ns)
        return NEVER_NS if length_ns < 0 else min(length_ns, NEVER_NS)

    def flag(self, name: str) -> bool:
        """A boolean; text that is neither true nor false counts as true (ENV-00)."""
        text = self.text(name)
        return bool(text) and text not in _FALSE

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """One of these words, in any case; the first of them where it is not set."""
        text = self.text(name).lower() or words[0]
        return text if text in words else self._fall_back(name, text, words[0])

    def debug(self, name: str) -> bool:
        """Whether to log more: true, or a level of at least 1 (ENV-12)."""
        text = self.text(name)
        if re.fullmatch(r"-[0-9]+", text):
            return False
        return self.flag(name)

    def address(self, name: str) -> Address:
        """The address, by the table of the contract's 7.1."""
        text = self.text(name).strip()
        if text == "ollama.com":
            return Address("ollama.com", 443, "https")
        scheme, mark, rest = text.partition("://")
        if not mark:
            scheme, rest = "http", text
        default_port = _PORTS.get(scheme, DEFAULT_PORT) if mark else DEFAULT_PORT
        authority = rest.partition("/")[0]
        host, port = _split_port(authority)
        if port is None:
            return Address(host or "127.0.0.1", default_port, scheme)
        if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and int(port) <= 65535:
            return Address(host, int(port), scheme)
        number = self._fall_back(name, text, default_port)
        return Address(host, number, scheme)

    def _fall_back(self, name: str, text: str, default: Default) -> Default:
        self.warnings.append(f"{name}={text!r} is not understood; using {default}")
        return default


def _split_port(authority: str) -> tuple[str, str | None]:
    """Host and port of `host:port`; the port is None where there is none."""
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return host, rest[1:] if rest.startswith(":") else None
    if authority.count(":") == 1:
        host, _, port = authority.partition(":")
        return host, port
    return authority, None
