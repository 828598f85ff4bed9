"""What is known about a target before the first check: its models, its manners, its offers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .evidence import Exchange

TOKEN_PLACE = "<path>"
BLOBS = "/api/blobs/"
FAMILIES = {  # what is not offered where all of these are missing
    "generation": ("/api/chat", "/api/generate"),
    "embeddings": ("/api/embed", "/api/embeddings"),
    "manage": ("/api/tags", "/api/show"),
    "lifecycle": ("/api/ps",),
    "create": ("/api/create", "/api/blobs"),
    "transfer": ("/api/pull", "/api/push"),
}
DENIALS = (403, 405, 501)  # to a plain request: not there, or not for anybody


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the target answers what cannot exist."""

    trusts_status: bool
    notes: tuple[str, ...]
    unknown: dict[str, tuple[int, str]]  # method to status and body of an unknown route
    nobody: int | None = None  # status of generate for a model that cannot exist
    mislisted: str = ""  # what was wrong with /api/tags before anything was created

    def absent(self, got: Exchange) -> bool:
        """Whether this answer says that there is no such route."""
        if got.status == 501:
            return True
        known = self.unknown.get(got.request.method)
        return known is not None and known == (got.status, placeless(got))

    def denied(self, got: Exchange) -> bool:
        """Whether it says that there is no such route, or that nobody may use it."""
        return got.status in DENIALS or (self.absent(got) and (got.status or 0) >= 400)


def route_of(path: str) -> str:
    """A path without what varies of it."""
    path = path.partition("?")[0]
    return BLOBS[:-1] if path.startswith(BLOBS) else path


def placeless(got: Exchange) -> str:
    """The body with the request's own path taken out, so that two unknown routes compare."""
    return got.loose_text.replace(got.request.path, TOKEN_PLACE)


@dataclass(frozen=True, slots=True)
class Provision:
    """What came of creating the scripted models."""

    created: bool
    expected: str = ""
    actual: str = ""
    curl: str | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that checks share; plain values, so that it travels to other processes."""

    url: str
    token: str  # in the name of everything that we create
    model: str | None  # the one that checks talk to
    plain: str | None  # the same weights without thinking and tools
    scripted: bool
    calibration: Calibration
    provision: Provision | None = None
    version: str | None = None
    server: str | None = None
    absent: dict[str, str] = field(default_factory=dict)  # class not offered: how we know
    missing: dict[str, str] = field(default_factory=dict)  # path that is no route: how we know
    silence_s: float = 90.0
    fuzz: int = 0  # made-up requests of each family; 0: a few
    fuzz_seed: int = 0
    keep: bool = False  # what is created stays when the run is over
    registry_host: str | None = None  # by which the target reaches a registry of ours
    registry_bind: str | None = None  # where that one listens
    extras: dict[str, str] = field(default_factory=dict)  # what they are for, to models given

    def document(self) -> dict[str, Any]:
        """Itself as JSON values."""
        return asdict(self)


def lacking(setup: Setup, family: str) -> str | None:
    """Why nothing of a family of routes is offered, or None where something is."""
    reasons = [setup.missing.get(path) for path in FAMILIES[family]]
    told = [reason for reason in reasons if reason is not None]
    return "; ".join(told) if len(told) == len(reasons) else None


def read_setup(document: dict[str, Any]) -> Setup:
    """The inverse of `Setup.document`."""
    calibration = document["calibration"]
    provision = document["provision"]
    return Setup(
        **{
            **document,
            "calibration": Calibration(
                calibration["trusts_status"],
                tuple(calibration["notes"]),
                {method: (one[0], one[1]) for method, one in calibration["unknown"].items()},
                calibration["nobody"],
                calibration["mislisted"],
            ),
            "provision": None if provision is None else Provision(**provision),
        }
    )
