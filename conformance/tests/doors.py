"""Who may come in to the honest server: Host and Origin, as Ollama looks at them on loopback."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

SCHEMES = ("app", "file", "tauri", "vscode-webview", "vscode-file")
ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0)(:\d+)?")
ENDINGS = (".localhost", ".local", ".internal")
METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
HEADERS = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Os"


def host_allowed(host: str) -> bool:
    """Whether a Host names this machine or its network."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost") or name.endswith(ENDINGS)
    local = address.is_loopback or address.is_unspecified
    return local or (address.is_private and not address.is_link_local)


def named(host: str) -> bool:
    """Whether a Host is the name of this machine, and no address."""
    name = host.strip().lower().partition(":")[0]
    return name in ("", "localhost") or name.endswith(ENDINGS)


def origin_allowed(origin: str) -> bool:
    """Whether a page of this origin may ask."""
    scheme = origin.partition("://")
    return bool(scheme[1]) and (scheme[0] in SCHEMES or ORIGIN.fullmatch(origin) is not None)


def foreign(headers: Mapping[str, str]) -> str | None:
    """The origin of a page of another site; None for our own and for no page at all."""
    origin, host = headers.get("origin"), headers.get("host", "")
    return None if origin in (None, f"http://{host}", f"https://{host}") else origin


def granted(origin: str) -> tuple[tuple[str, str], ...]:
    """What a preflight is answered with."""
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Allow-Headers", HEADERS),
        ("Access-Control-Max-Age", "43200"),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    )
