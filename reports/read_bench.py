"""The summary of a bench run from its record.

The shapes are those of `fixtures/schemas`; a record that breaks them is refused by `fields`.
No file is opened here.
"""

from __future__ import annotations

from .benches import (
    FIGURES,
    PERCENTILES,
    Arm,
    Comparison,
    Curve,
    Drawn,
    Error,
    Figure,
    Flow,
    Goodput,
    Knee,
    Lane,
    Moment,
    Pair,
    Point,
    Steady,
    Summary,
)
from .fields import DocumentError, Fields


def summary_of(record: Fields) -> Summary:
    """The one object of a summary.json."""
    definitions = record.fields("definitions")
    return Summary(
        bench_version=record.text("bench_version"),
        started_at=record.text("started_at"),
        finished_at=record.maybe_text("finished_at"),
        profile=dict(record.fields("profile").items()),
        arms=_arms(record),
        machine=dict(record.fields("machine").items()),
        stamps=record.text("stamps"),
        calibration=_error(record.fields("calibration")) if "calibration" in record else None,
        client_cpu_share=record.maybe_number("client_cpu_share"),
        interrupted=record.maybe_flag("interrupted") or False,
        valid=record.flag("valid"),
        invalid_because=record.texts("invalid_because"),
        verdict=record.texts("verdict"),
        advice=record.texts("advice"),
        definitions={name: definitions.text(name) for name, _ in definitions.items()},
        points=tuple(_point(point) for point in record.each("points")),
        comparisons=tuple(_comparison(one) for one in record.each("comparisons")),
        knees=tuple(_knee(one) for one in record.each("knees")),
        drawn=_drawn(record.fields("charts")) if "charts" in record else Drawn(),
    )


def _arms(record: Fields) -> tuple[Arm, ...]:
    arms = []
    for arm in record.each("arms"):
        target = dict(arm.fields("target").items())
        judged = arm.fields("conformance").text("headline") if "conformance" in arm else None
        arms.append(Arm(arm.text("name"), target, judged))
    if not arms:
        raise DocumentError(f"{record.where}: 'arms' should name at least one server.")
    return tuple(arms)


def _error(record: Fields) -> Error:
    late = record.fields("dispatch_late_ms") if "dispatch_late_ms" in record else None
    return Error(
        streams=record.integer("streams"),
        tokens_per_s=record.number("tokens_per_s"),
        stamps=record.text("stamps"),
        ttft=_spread(record.fields("ttft_error_ms")),
        itl=_spread(record.fields("itl_error_ms")),
        late=_spread(late) if late else {},
        cpu_share=record.maybe_number("cpu_share"),
        lost=record.integer("lost"),
        doubled=record.integer("doubled"),
    )


def _spread(record: Fields) -> dict[str, float | None]:
    return {name: record.maybe_number(name) for name in ("p50", "p99")}


def _figure(record: Fields) -> Figure:
    intervals = record.fields("intervals") if "intervals" in record else None
    return Figure(
        n=record.integer("n"),
        mean=record.maybe_number("mean"),
        at={name: record.maybe_number(name) for name in PERCENTILES},
        intervals={
            name: _pair(intervals, name) if intervals and name in intervals else None
            for name in PERCENTILES
        },
    )


def _point(record: Fields) -> Point:
    errors = record.fields("errors")
    memory = record.fields("memory") if "memory" in record else None
    good = record.fields("goodput") if "goodput" in record else None
    steady = record.fields("steady") if "steady" in record else None
    energy = record.fields("energy") if "energy" in record else None
    numbers = {name: good.number(name) for name in Goodput.__slots__} if good else {}
    return Point(
        number=record.integer("point"),
        group=record.text("group"),
        label=record.text("label"),
        value=record.maybe_number("value"),
        arm=record.integer("arm"),
        block=record.integer("block"),
        requests=record.integer("requests"),
        failures=record.integer("failures"),
        errors={name: errors.integer(name) for name, _ in errors.items()},
        duration_s=record.number("duration_s"),
        output_tokens=record.maybe_integer("output_tokens"),
        output_tokens_per_s=record.maybe_number("output_tokens_per_s"),
        prompt_tokens_per_s=record.maybe_number("prompt_tokens_per_s"),
        declared_tokens_per_s=record.maybe_number("declared_tokens_per_s"),
        requests_per_s=record.maybe_number("requests_per_s"),
        offered_per_s=record.maybe_number("offered_per_s"),
        figures={name: _figure(record.fields(name)) for name in FIGURES if name in record},
        coalesced_share=record.maybe_number("coalesced_share"),
        records_per_token=record.maybe_number("records_per_token"),
        goodput=Goodput(**numbers) if numbers else None,
        steady=_steady(steady) if steady else None,
        memory={name: memory.maybe_integer(name) for name, _ in memory.items()} if memory else {},
        joules_per_token=energy.maybe_number("joules_per_token") if energy else None,
    )


def _steady(record: Fields) -> Steady:
    return Steady(
        record.maybe_number("from_s"),
        record.maybe_number("to_s"),
        record.text("verdict"),
        record.text("because"),
    )


def _comparison(record: Fields) -> Comparison:
    return Comparison(
        metric=record.text("metric"),
        group=record.text("group"),
        label=record.text("label"),
        baseline=record.text("baseline"),
        better=record.maybe_text("better"),
        pairs=record.integer("pairs"),
        ratio=record.maybe_number("ratio"),
        low=record.maybe_number("low"),
        high=record.maybe_number("high"),
        p=record.maybe_number("p"),
        p_adjusted=record.maybe_number("p_adjusted"),
        detectable=record.maybe_number("detectable"),
        verdict=record.text("verdict"),
    )


def _knee(record: Fields) -> Knee:
    return Knee(
        record.integer("arm"),
        record.text("group"),
        record.maybe_number("value"),
        record.maybe_number("low"),
        record.maybe_number("high"),
        record.text("because"),
    )


def _drawn(record: Fields) -> Drawn:
    flow = record.fields("flow") if "flow" in record else None
    return Drawn(
        curves=tuple(
            Curve(
                one.text("group"),
                one.text("label"),
                one.integer("arm"),
                one.pairs("ttft_ms"),
                one.pairs("itl_ms"),
            )
            for one in record.each("curves")
        ),
        flow=Flow(
            flow.number("start_s"),
            flow.number("step_s"),
            flow.numbers("tokens_per_s"),
            flow.numbers("in_flight"),
        )
        if flow
        else None,
        timelines=tuple(
            (one.integer("point"), tuple(_lane(lane) for lane in one.each("requests")))
            for one in record.each("timelines")
        ),
        moments=tuple(_moment(one) for one in record.each("resources")),
    )


def _lane(record: Fields) -> Lane:
    return Lane(
        user=record.integer("user"),
        warmup=record.flag("warmup"),
        error=record.maybe_text("error"),
        planned_s=record.number("planned_s"),
        sent_s=record.number("sent_s"),
        tokens_s=record.numbers("tokens_s"),
        finished_s=record.maybe_number("finished_s"),
    )


def _moment(record: Fields) -> Moment:
    names = [name for name, _ in record.items() if name.endswith(("_bytes", "_w"))]
    return Moment(
        record.number("at_s"),
        record.text("phase"),
        record.integer("arm"),
        {name: record.number(name) for name in names},
    )


def _pair(record: Fields, name: str) -> Pair:
    low, high = record.numbers(name, 2)
    return low, high
