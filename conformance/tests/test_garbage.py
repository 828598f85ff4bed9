"""Servers that make no sense: every check fails or stands apart, none of them breaks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from ..address import parse_address
from ..check import CHECKS
from ..evidence import Json
from ..run import judge, load_checks, prepare
from ..suites import lifecycle
from .honest import Answer, Lie, serving, serving_server
from .lies import answers
from .test_liars import THREADS, provided

load_checks()
Twist = Callable[[Json], Json]


def twisted(value: Json, twist: Twist) -> Json:
    """A JSON value with every leaf of it twisted."""
    if isinstance(value, dict):
        return {key: twisted(one, twist) for key, one in value.items()}
    if isinstance(value, list):
        return [twisted(one, twist) for one in value] or twist(value)
    return twist(value)


def hollow(value: Json) -> Json:
    """A JSON value with every list and object inside it taken away."""
    if isinstance(value, dict):
        return {key: None if isinstance(one, dict | list) else one for key, one in value.items()}
    return value


TWISTS: dict[str, Twist] = {
    "nulls": lambda value: twisted(value, lambda leaf: None),
    "words": lambda value: twisted(value, str),
    "lists": lambda value: twisted(value, lambda leaf: [leaf]),
    "numbers": lambda value: twisted(value, lambda leaf: leaf if isinstance(leaf, bool) else 7),
    "objects": lambda value: twisted(value, lambda leaf: {"is": leaf}),
    "hollow": hollow,
    "empty": lambda value: {},
    "list": lambda value: [value],
    "shorn": lambda value: value and {key: one for key, one in value.items() if len(key) < 6},
}


def lie(twist: Twist) -> Lie:
    """A server whose every JSON answer is twisted."""

    def change(answer: Answer) -> Answer:
        if answer.records is not None:
            return replace(answer, records=[twist(one) for one in answer.records])
        return (
            replace(answer, value=twist(answer.value)) if isinstance(answer.value, dict) else answer
        )

    return answers(change)


def outcomes(lie: Lie) -> dict[str, dict[str, Any]]:
    """What every check says of a server."""
    with serving_server(lie) as server, ThreadPoolExecutor(THREADS) as pool:
        setup = replace(provided(server), silence_s=2.0)
        checks = [replace(one, race=False) for one in CHECKS.values()]
        lines = pool.map(lambda one: judge(one, setup), checks)
        return {line["id"]: line for line in lines}


@pytest.mark.parametrize("twist", TWISTS.values(), ids=TWISTS)
def test_nonsense_is_failed_not_errored(twist: Twist, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a target answers, it is its fault, not ours."""
    monkeypatch.setattr(lifecycle, "DEADLINE_S", 0.05)
    found = outcomes(lie(twist))
    errored = {id: line["actual"] for id, line in found.items() if line["verdict"] == "errored"}
    assert errored == {}
    assert sum(line["verdict"] == "failed" for line in found.values()) > 50


def test_yes_to_everything_is_calibrated() -> None:
    """200 to all: the calibration says so, nothing is taken for offered, and core fails."""
    with serving(answers(lambda one: Answer(200, value={"ok": True}))) as url:
        setup = prepare(parse_address(url), None)
        assert not setup.calibration.trusts_status
        assert judge(CHECKS["errors/unknown-model"], setup)["verdict"] == "failed"
        assert judge(CHECKS["core/version"], setup)["verdict"] == "failed"
        assert judge(CHECKS["tags/shape"], setup)["verdict"] == "not_offered"
