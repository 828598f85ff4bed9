"""How the honest server reads and prints the names of models."""

from __future__ import annotations

import re

PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"
DOTTED = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
NAME = re.compile(rf"(https?://)?((({DOTTED}(:\d+)?/)?{PLAIN}/)?){DOTTED}(:{DOTTED})?")
MARKS = ("local", "cloud")


def valid(name: object) -> bool:
    """Whether a model can be called so: [host[:port]/][namespace/]model[:tag]."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def tagged(given: object) -> str:
    """The name as it is displayed: with its tag, without the host and namespace of the default."""
    name = re.sub(r"^https?://", "", str(given))
    name = re.sub(r"^(?i:registry\.ollama\.ai)/(?=[^/]*/)", "", name)
    name = re.sub(r"^(?i:library)/(?=[^/]*$)", "", name)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def conflicting(name: str) -> bool:
    """Whether a name says both where a model is and that it is elsewhere."""
    return all(mark in name.lower().split(":")[1:] for mark in MARKS)


def unmarked(name: str) -> str:
    """The name without blanks around it, and without `:local`."""
    return re.sub(r":(?i:local)$", "", name.strip())
