"""What a conformance run says, as values.

The shapes are those of `fixtures/schemas`; a record that breaks them is refused by `fields`.
No file is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .fields import DocumentError, Fields
from .parameters import Parameter, parameters_of

OUTCOMES = (
    "passed",
    "failed",
    "not_testable",
    "unstable",
    "errored",
    "not_offered",
    "not_judged",
)
LEVELS = ("MUST", "SHOULD", "MAY")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back."""

    method: str
    path: str
    request: str | None
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: str
    pieces: tuple[tuple[float, int], ...]  # milliseconds since sent, bytes
    error: str | None


@dataclass(frozen=True, slots=True)
class Parting:
    """A request that the reference answered in another way."""

    method: str
    path: str
    body: object
    reference: object
    actual: object


@dataclass(frozen=True, slots=True)
class Beside:
    """What the reference said to a check."""

    outcome: str
    parted: int
    partings: tuple[Parting, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found."""

    id: str
    level: str
    class_name: str
    title: str
    source: str | None
    outcome: str
    covers: tuple[str, ...]
    breaks: tuple[str, ...]
    expected: object
    actual: object
    reason: str | None
    curl: str | None
    duration_ms: float
    attempts: tuple[str, ...]
    evidence: tuple[Exchange, ...]
    consequences: tuple[tuple[str, str], ...]  # client, what it does
    beside: Beside | None


@dataclass(frozen=True, slots=True)
class Client:
    """Whether a client works with the target; None: not offered, or not judged, what it needs."""

    name: str
    works: bool | None
    offered: bool  # whether the target has all that the client cannot do without
    lacks: tuple[str, ...]  # the classes of that which it has not, or which were not judged
    failed: tuple[str, ...]
    by_class: Mapping[str, str]  # works, breaks, not_offered or not_judged


@dataclass(frozen=True, slots=True)
class Tolerated:
    """An entry of a baseline that this run met."""

    id: str
    reason: str
    expires: str


@dataclass(frozen=True, slots=True)
class Run:
    """A whole conformance run."""

    suite_version: str
    started_at: str
    finished_at: str
    url: str
    version: str | None
    server: str | None
    model: str | None
    scripted: bool
    selection: Mapping[str, object]
    machine: Mapping[str, object]
    calibration: tuple[str, ...]
    trusts_status: bool | None
    verdicts: tuple[Verdict, ...]
    headline: str
    counts: Mapping[str, int]
    clients: tuple[Client, ...]
    parameters: tuple[Parameter, ...]
    exit_status: int
    interrupted: bool
    identical: tuple[bool | None, str] | None  # to Ollama, and why
    causes: tuple[tuple[str, ...], ...]  # ids of findings, those of one cause together
    baseline: Mapping[str, tuple[Tolerated, ...]]  # known, expired, fixed
    reference: str | None


def run_of(header: Fields, verdicts: tuple[Verdict, ...], footer: Fields) -> Run:
    """The run that these records make.

    :raises DocumentError: where the footer counts other verdicts than there are.
    """
    target = header.fields("target")
    counts = _counts(footer.fields("counts"))
    if sum(counts.values()) != len(verdicts):
        raise DocumentError(
            f"{footer.where}: the footer counts {sum(counts.values())} verdicts, "
            f"but there are {len(verdicts)}; lines were lost or added."
        )
    calibration = header.fields("calibration") if "calibration" in header else None
    same = footer.fields("identical") if "identical" in footer else None
    return Run(
        suite_version=header.text("suite_version"),
        started_at=header.text("started_at"),
        finished_at=footer.text("finished_at"),
        url=target.text("url"),
        version=target.maybe_text("version"),
        server=target.maybe_text("server"),
        model=target.maybe_text("model"),
        scripted=target.flag("scripted"),
        selection=dict(header.fields("selection").items()),
        machine=dict(header.fields("machine").items()),
        calibration=calibration.texts("notes") if calibration else (),
        trusts_status=calibration.flag("trusts_status") if calibration else None,
        verdicts=verdicts,
        headline=footer.text("headline"),
        counts=counts,
        clients=tuple(
            Client(
                client.text("client"),
                client.maybe_flag("works"),
                client.maybe_text("verdict") != "not_offered",
                client.texts("lacks") if "lacks" in client else (),
                client.texts("failed"),
                _texts(client, "by_class"),
            )
            for client in footer.each("clients")
        ),
        parameters=parameters_of(footer),
        exit_status=footer.integer("exit_status"),
        interrupted=footer.flag("interrupted"),
        identical=(same.maybe_flag("verdict"), same.text("because")) if same else None,
        causes=_causes(footer),
        baseline=_baseline(footer.fields("baseline")) if "baseline" in footer else {},
        reference=header.fields("reference").text("name") if "reference" in header else None,
    )


def _texts(record: Fields, name: str) -> dict[str, str]:
    """The texts of an object by their names; none where it is absent."""
    if name not in record:
        return {}
    inside = record.fields(name)
    return {key: inside.text(key) for key, _ in inside.items()}


def _causes(footer: Fields) -> tuple[tuple[str, ...], ...]:
    groups = footer.list("causes") if "causes" in footer else []
    if not all(isinstance(group, list) for group in groups):
        raise DocumentError(f"{footer.where}: 'causes' should be a list of lists.")
    return tuple(tuple(map(str, group)) for group in groups if isinstance(group, list))


def _baseline(weighed: Fields) -> dict[str, tuple[Tolerated, ...]]:
    return {
        word: tuple(
            Tolerated(entry.text("id"), entry.text("reason"), entry.text("expires"))
            for entry in weighed.each(word)
        )
        for word in ("known", "expired", "fixed")
    }


def _beside(said: Fields) -> Beside:
    partings = []
    for one in said.each("partings"):
        request = one.fields("request")
        body = request.any("body") if "body" in request else None
        sides = (one.any("reference"), one.any("actual"))
        partings.append(Parting(request.text("method"), request.text("path"), body, *sides))
    return Beside(_one_of(said, "verdict", OUTCOMES), said.integer("parted"), tuple(partings))


def verdict_of(record: Fields) -> Verdict:
    """One line of kind verdict."""
    return Verdict(
        id=record.text("id"),
        level=_one_of(record, "level", LEVELS),
        class_name=record.text("class"),
        title=record.text("title"),
        source=record.maybe_text("source"),
        outcome=_one_of(record, "verdict", OUTCOMES),
        covers=record.texts("covers"),
        breaks=record.texts("breaks"),
        expected=record.any("expected"),
        actual=record.any("actual"),
        reason=record.maybe_text("reason"),
        curl=record.maybe_text("curl"),
        duration_ms=record.number("duration_ms"),
        attempts=record.texts("attempts") if "attempts" in record else (),
        evidence=tuple(_exchange(exchange) for exchange in record.each("evidence")),
        consequences=tuple(
            (one.text("client"), one.text("does")) for one in record.each("consequences")
        ),
        beside=_beside(record.fields("reference")) if "reference" in record else None,
    )


def _one_of(record: Fields, name: str, allowed: tuple[str, ...]) -> str:
    value = record.text(name)
    if value not in allowed:
        raise DocumentError(
            f"{record.where}: {name!r} is {value!r}, not one of {', '.join(allowed)}."
        )
    return value


def _counts(record: Fields) -> dict[str, int]:
    return {name: record.integer(name) for name in OUTCOMES}


def _exchange(record: Fields) -> Exchange:
    pairs = [_pair(record, "headers", pair) for pair in record.list("headers")]
    pieces = record.list("pieces") if "pieces" in record else []
    timed = [_pair(record, "pieces", piece) for piece in pieces]
    try:
        arrivals = tuple((float(str(at)), int(str(size))) for at, size in timed)
    except ValueError as error:
        raise DocumentError(f"{record.where}: 'pieces' should be pairs of numbers.") from error
    return Exchange(
        method=record.text("method"),
        path=record.text("path"),
        request=record.maybe_text("request"),
        status=record.maybe_integer("status"),
        headers=tuple((str(name), str(value)) for name, value in pairs),
        body=record.text("body"),
        pieces=arrivals,
        error=record.maybe_text("error"),
    )


def _pair(record: Fields, name: str, value: object) -> tuple[object, object]:
    if not isinstance(value, list) or len(value) != 2:
        raise DocumentError(f"{record.where}: {name!r} should be a list of pairs.")
    return value[0], value[1]
