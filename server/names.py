"""Model names: `[scheme://][host/][namespace/]model[:tag]`, and source markers behind them.

Pure. A `ModelName` that exists is safe to build a path from: every part starts with a letter, a
digit or `_` and holds no separator (NAME-16).
"""

import re
from dataclasses import dataclass

from .errors import ApiError

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)


class InvalidNameError(ApiError):
    """A name that does not follow the grammar."""

    def __init__(self) -> None:
        super().__init__(400, "invalid model name")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A valid, fully qualified model name."""

    host: str
    namespace: str
    model: str
    tag: str

    def __post_init__(self) -> None:
        parts = (_HOST, self.host), (_NAMESPACE, self.namespace), (_PART, self.model)
        if not all(p.fullmatch(text) for p, text in (*parts, (_PART, self.tag))):
            raise InvalidNameError

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """The name written as `text`, with the defaults filled in; raises `InvalidNameError`."""
        rest = text.partition("://")[2] if "://" in text else text
        head, slash, last = rest.rpartition("/")
        model, colon, tag = last.partition(":") if last.count(":") < 2 else ("", "", "")
        parts = head.split("/") if slash else []
        if len(parts) > 2 or (colon and not tag) or not all(parts):
            raise InvalidNameError
        namespace = parts[-1] if parts else DEFAULT_NAMESPACE
        host = parts[0] if len(parts) == 2 else DEFAULT_HOST
        return cls(host, namespace, model, tag or DEFAULT_TAG)

    @property
    def short(self) -> str:
        """The display form: default host and namespace dropped, the tag always there (NAME-13)."""
        own = f"{self.model}:{self.tag}"
        if self.host.lower() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{own}"
        return own if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/{own}"

    @property
    def full(self) -> str:
        """The fully qualified form, as capability errors print it."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def folded(self) -> tuple[str, str, str, str]:
        """The parts in lower case: equal for names that mean the same model (NAME-08)."""
        return (
            self.host.lower(),
            self.namespace.lower(),
            self.model.lower(),
            self.tag.lower(),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A name as a request gives it, without its source marker (NAME-10)."""

    name: ModelName
    is_cloud: bool = False

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The reference written as `text`, which must not be blank; raises `ApiError`."""
        base, marker = _split_marker(text.strip())
        if marker and _split_marker(base)[1] not in ("", marker):
            quoted = quote(text)
            raise ApiError(400, f"use either :local or :cloud, not both: {quoted}")
        return cls(ModelName.parse(base), is_cloud=marker == "cloud")


def _split_marker(text: str) -> tuple[str, str]:
    """`text` without its source marker, and the marker: "cloud", "local" or none."""
    base, colon, last = text.rpartition(":")
    if not colon or "/" in last:
        return text, ""
    if last.lower() in ("cloud", "local"):
        return base, last.lower()
    if last.lower().endswith("-cloud"):
        return text[: -len("-cloud")], "cloud"
    return text, ""


def quote(text: str) -> str:
    """`text` in double quotes with backslash escapes, as Go's `%q` prints ordinary strings."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(_visible(each) for each in escaped)}"'


def _visible(character: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    if character in named:
        return named[character]
    return character if character.isprintable() else f"\\u{ord(character):04x}"
